"""Stalwart's settings become ours: what is printed, what is said beside it, and that it works."""

import json
import re

import pytest

from peers.rapporteur import DONE, FAILED, ROOT, USAGE

STALWART = ROOT / "tests" / "golden" / "stalwart"
INPUTS = sorted(p for p in STALWART.iterdir() if not re.search(r"\.(want\.toml|stderr)$", p.name))
SEED = STALWART / "seed.json"

SYSTEM = '[system]\ndomain = "example.org"\nhostname = "mail.example.org"\n[delivery.smtp]\nrelaySigns = true\n'


@pytest.fixture
def plain(bare):
    """A site whose [system] is that of the golden files."""
    bare.write_config(SYSTEM)
    return bare


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_golden_files(plain, path):
    done = plain.run("config", "import-stalwart", path, code=DONE)
    assert done.stdout == path.with_suffix(".want.toml").read_text(encoding="utf-8")
    said = done.stderr.replace(f"{path.parent}/", "")
    assert said == path.with_suffix(".stderr").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_what_is_printed_passes_config_check(plain, path):
    printed = plain.run("config", "import-stalwart", path).stdout
    plain.write_config(SYSTEM + printed)
    plain.run("config", "check", code=DONE)


def test_the_settings_work(plain):
    printed = plain.run("config", "import-stalwart", SEED).stdout
    plain.write_config(SYSTEM + f'[store]\nurl = "sqlite:{plain.directory}/r.db"\n' + printed)
    explained = plain.run("schedule", "explain", "receiver.example").stdout
    for value in ("TLS Report", "noreply-tls@example.org", "The Foobar Organization", "jane@example.org", "26214400"):
        assert value in explained


def test_standard_input(plain):
    by_file = plain.run("config", "import-stalwart", SEED).stdout
    by_pipe = plain.run("config", "import-stalwart", "-", stdin=SEED.read_bytes()).stdout
    assert by_pipe == by_file.replace("seed.json", "standard input")


def test_no_configuration_is_needed(bare):
    absent = bare.directory / "absent.toml"
    done = bare.run("config", "import-stalwart", SEED, "--config", absent, code=DONE)
    assert done.stdout == SEED.with_suffix(".want.toml").read_text(encoding="utf-8")
    assert done.stderr == ""


def test_json_tells_of_each_setting(plain):
    said = plain.json("config", "import-stalwart", STALWART / "hidden_addresses.json", code=DONE)
    assert sorted(said) == ["settings", "toml"]
    assert said["toml"] == (STALWART / "hidden_addresses.want.toml").read_text(encoding="utf-8")
    assert all(sorted(s) == ["reason", "setting", "source", "status"] for s in said["settings"])
    told = {s["setting"]: s for s in said["settings"]}
    assert len(told) == 9
    assert told["sendFrequency"] == {
        "setting": "sendFrequency", "status": "imported", "source": '{"else": "daily"}', "reason": None,
    }
    assert told["fromAddress"]["status"] == "left-out"
    assert "no mail address" in told["fromAddress"]["reason"]
    assert told["outboundReportSubmitter"]["status"] == "default"
    assert told["outboundReportSubmitter"]["source"] is None


REFUSED = {
    "object that ends": (b'{"fromName": {"else": "\'x\'"}', r":1:\d+: no JSON: "),
    "no value": (b"[report.tls.aggregate]\nsend = daily\n", r":2:8: no TOML: "),
    "words": (b"send daily\n", r":1:\d+: neither JSON nor TOML: "),
    "deep array": (b"[" * 200_000, r":1:65: no JSON: nested more than 64 deep"),
    "deep object": (b'{"a":' * 200_000, r":1:321: no JSON: nested more than 64 deep"),
    "deep TOML": (b"[a]\nb = " + b"[" * 200_000, r":2:\d+: "),
    "no UTF-8": (b'{"fromName": "\xff"}', r":1:15: no JSON: "),
    "NUL": (b'{"fromName"\x00: 1}', r":1:12: no JSON: "),
    "NULs": (b"\x00" * 1000, r":1:1: "),
    "long word": (b"{" + b"x" * 500_000, r":1:2: no JSON: "),
    "nothing": (b"", r" is empty"),
    "large": (b" " * (1 << 20) + b"{}", r" is larger than 1 MiB"),
    "other settings": (b'{"DmarcReportSettings": {}}', r": neither TlsReportSettings, nor "),
}


@pytest.mark.parametrize("content, said", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_nothing_of_the_kind_fails_and_says_where(plain, content, said):
    path = plain.new_file(content, ".json")
    done = plain.run("config", "import-stalwart", path, code=FAILED)
    assert done.stdout == ""
    assert re.match(rf"rapporteur: {re.escape(str(path))}{said}", done.stderr), done.stderr[:500]
    assert done.stderr.count("\n") == 1 and len(done.stderr) < 600
    answer = plain.json("config", "import-stalwart", path, code=FAILED)
    assert list(answer) == ["error"]


def test_files_that_cannot_be_read(plain):
    assert "absent.json" in plain.run("config", "import-stalwart", "/absent.json", code=FAILED).stderr
    assert plain.run("config", "import-stalwart", plain.directory, code=FAILED).stderr
    plain.run("config", "import-stalwart", code=USAGE)


def test_an_endless_input_ends(plain):
    done = plain.run("config", "import-stalwart", "/dev/zero", code=FAILED, timeout=20)
    assert "larger than 1 MiB" in done.stderr


def test_no_text_of_the_source_leaves_its_comment(plain):
    source = {"fromName": "5", "orgName": "'a\n[system]\ndomain = 1' +", "a\nb": "\u001b[31m\u009b\n[x]"}
    done = plain.run("config", "import-stalwart", "-", stdin=json.dumps(source))
    assert "\u001b" not in done.stdout + done.stderr and "\u009b" not in done.stdout + done.stderr
    plain.write_config(SYSTEM + done.stdout)
    plain.run("config", "check", code=DONE)
