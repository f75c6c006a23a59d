"""`rapporteur dkim generate`: keys whose signatures verify against the records that it prints."""

import re
import stat

from peers import keys
from peers.rapporteur import FAILED, OLD_EPOCH, SENDER, USAGE, session

DOMAIN = "a.example"


def published(zone_entry):
    """Name and text of a TXT record as a name server reads it from a zone file."""
    name, strings = re.fullmatch(r"(\S+)\. IN TXT \(((?:\s+\"[^\"]{1,255}\")+) \)\n", zone_entry).groups()
    return name, "".join(re.findall(r"\"([^\"]*)\"", strings))


def test_reports_signed_with_new_keys_verify(site):
    made = [
        site.json("dkim", "generate", SENDER, "new1"),
        site.json("dkim", "generate", SENDER, "new2", "--type", "ed25519"),
    ]
    zone = dict(published(key["zone"]) for key in made)
    for key in made:
        assert zone[key["name"]] == key["record"] == "".join(key["strings"])
        with open(key["file"], encoding="ascii") as file:
            assert file.read().startswith("-----BEGIN PRIVATE KEY-----")
    site.config.pop("dkim")
    site.write_config()
    site.config_path.write_text(site.config_path.read_text() + "\n" + "\n".join(key["toml"] for key in made))
    site.run("config", "check")
    site.dns.tlsrpt(DOMAIN, f"v=TLSRPTv1; rua=mailto:tlsrpt@{DOMAIN}")
    site.feed_old([session(DOMAIN, epoch=OLD_EPOCH)])
    mail = site.run("report", "preview", DOMAIN, "--as", "eml").stdout.replace("\r\n", "\n").replace("\n", "\r\n")
    verdicts = keys.verify(mail.encode(), lambda name: [zone[name]] if name in zone else [])
    assert {verdict.selector for verdict in verdicts} == {"new1", "new2"}
    assert all(verdict.verified for verdict in verdicts), [str(verdict) for verdict in verdicts]


def test_the_file_is_private_and_never_replaced(bare):
    path = bare.directory / "key.pem"
    bare.run("dkim", "generate", SENDER, "s1", "--out", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    again = bare.run("dkim", "generate", SENDER, "s1", "--out", path, code=FAILED)
    assert "exists already; nothing is overwritten" in again.stderr
    assert path.read_bytes() == before
    assert [p.name for p in bare.directory.glob("key.pem*")] == ["key.pem"]


def test_an_ed25519_key_has_no_bits(bare):
    done = bare.run("dkim", "generate", SENDER, "s1", "--type", "ed25519", "--bits", "2048", code=USAGE)
    assert "--bits is for RSA keys" in done.stderr
    assert not list(bare.directory.glob("*.pem"))
