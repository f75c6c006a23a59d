"""The configuration and its language, as the command line shows them."""

import json
import os
import re

import pytest

from peers import keys
from peers.rapporteur import CONFIGURATION, DONE, ROOT, SENDER, USAGE, session

BAD = """\
[system]
domain = "sender.example"
hostnam = "mail.sender.example"

[report.tls]
sendFrequency = "fortnightly"
subject = "'Report for ' + rcpt_domian"
maxReportSize = "'big'"
orgName = "1 +"

[store]
url = "sqlite:{directory}/rapporteur.db"
flushEvery = 1

[delivery]
retryFor = "24 fortnights"

[delivery.smtp]
tls = "sometimes"
"""
BAD_LINES = (3, 6, 7, 8, 9, 13, 16, 19)


def test_a_good_file_passes(bare):
    assert bare.run("config", "check", code=DONE)
    bare.json("config", "check")


def test_every_problem_is_told_in_one_go_with_its_place(bare):
    bare.write_config(BAD.format(directory=bare.directory))
    done = bare.run("config", "check", code=CONFIGURATION)
    said = done.stdout + done.stderr
    places = re.findall(re.escape(str(bare.config_path)) + r":(\d+):(\d+): error", said)
    assert sorted({int(line) for line, _ in places}) == list(BAD_LINES), said
    assert len(re.findall(r"^ *(?:\d+ *\|)?[ \t|]*[~]*\^", said, re.M)) >= len(BAD_LINES), said
    assert "hostname" in said, "the nearest known key"
    assert "rcpt_domain" in said, "the nearest known name"


def test_a_caret_stands_under_the_mistake(bare):
    bare.write_config(BAD.format(directory=bare.directory))
    done = bare.run("config", "check", code=CONFIGURATION)
    lines = (done.stdout + done.stderr).splitlines()
    (at,) = [i for i, line in enumerate(lines) if "subject = \"'Report for ' + rcpt_domian" in line]
    assert lines[at + 1].index("^") == lines[at].index("rcpt_domian")


def test_no_command_works_with_a_bad_file(bare):
    bare.write_config(BAD.format(directory=bare.directory))
    for command in (["schedule", "list"], ["run"], ["ingest", "-"]):
        assert bare.run(*command, code=CONFIGURATION).stderr
    bare.write_config("[system\n")
    assert ":1:" in bare.run("config", "check", code=CONFIGURATION).stderr


def test_a_missing_file_is_a_problem_of_the_configuration(bare):
    path = bare.directory / "no-such.toml"
    said = bare.run("config", "check", "--config", path, code=CONFIGURATION)
    assert "no-such.toml" in said.stdout + said.stderr


def test_the_option_wins_over_the_environment(bare):
    other = bare.directory / "other.toml"
    other.write_text(f'[system]\ndomain = "other.example"\n[store]\nurl = "sqlite:{bare.directory}/o.db"\n')
    assert "other.example" in bare.run("config", "show", "--config", other).stdout
    assert SENDER in bare.run("config", "show").stdout


def test_keys_are_checked_when_the_file_is_loaded(bare):
    key = keys.make_key(str(bare.directory), SENDER, "open")
    bare.use_keys(key)
    bare.write_config()
    bare.run("config", "check", code=DONE)
    os.chmod(key.path, 0o644)
    done = bare.run("config", "check", code=CONFIGURATION)
    assert key.path in done.stdout + done.stderr
    os.chmod(key.path, 0o600)
    with open(key.path, "w", encoding="utf-8") as file:
        file.write("this is no key\n")
    bare.run("config", "check", code=CONFIGURATION)


def test_a_password_needs_a_relay_that_is_verified(bare):
    secret = bare.new_file("secret\n", ".password")
    os.chmod(secret, 0o600)
    smtp = bare.config["delivery"]["smtp"]
    smtp.update(username="reporter", passwordFile=str(secret), url="smtp://relay.example:587")
    bare.write_config()
    bare.run("config", "check", code=CONFIGURATION)
    smtp["tls"] = "required"
    bare.write_config()
    bare.run("config", "check", code=DONE)


def test_the_effective_configuration_is_shown(bare):
    text = bare.run("config", "show").stdout
    assert SENDER in text and "sendFrequency" in text and "stopGrace" in text
    assert "Report Subsystem" in text, "defaults are shown"
    shown = bare.json("config", "show")
    assert isinstance(shown, dict) and shown


def test_the_installed_file_waits_for_its_domain(bare):
    text = (ROOT / "config" / "rapporteur.toml").read_text(encoding="utf-8")
    bare.write_config(text)
    for command in (("config", "check"), ("run",)):
        said = bare.run(*command, code=CONFIGURATION)
        assert "name the domain that the reports come from" in said.stdout + said.stderr
    bare.write_config(text.replace('#domain = "example.org"', 'domain = "example.org"', 1))
    bare.run("config", "check")


@pytest.mark.parametrize(
    "expression, want",
    [
        ("1 + 2 * 3", {"type": "integer", "value": 7}),
        ("'a' + 1", {"type": "string", "value": "a1"}),
        ("1.5 * 2", {"type": "float", "value": 3.0}),
        ("[1, 'two'][1]", {"type": "string", "value": "two"}),
        ("split('a,b', ',')", {"type": "array", "value": ["a", "b"]}),
        ("weekly", {"type": "constant", "value": "weekly"}),
        ("if_then(ends_with(rcpt_domain, '.gov'), 'yes', 'no')", {"type": "string", "value": "yes"}),
        ("if_then(matches('^(.+)\\.gov$', rcpt_domain), $1, '')", {"type": "string", "value": "agency"}),
        ("to_lowercase('ABC') == 'abc' && !contains('abc', 'x')", {"type": "integer", "value": 1}),
        ("system('domain')", {"type": "string", "value": SENDER}),
        ("n * 2", {"type": "integer", "value": 10}),
        ("word + list[0]", {"type": "string", "value": "hix"}),
    ],
)
def test_expressions_are_evaluated(bare, expression, want):
    settings = ("--set", "n=5", "--set", "word=hi", "--set", 'list=["x"]')
    assert bare.json("expr", "eval", "--domain", "agency.gov", *settings, expression) == want


@pytest.mark.parametrize("expression", ["1 +", "no_such_name", "'a", "1 / 0", "len()", "(" * 4000])
def test_bad_expressions_are_refused_with_a_reason(bare, expression):
    done = bare.run("expr", "eval", expression, code=None)
    assert done.returncode not in (DONE, -6, -11)
    assert (done.stdout + done.stderr).strip()


@pytest.mark.parametrize("arguments", [["no-such-command"], ["schedule", "show"], ["--no-such-option"],
                                       ["schedule", "list", "--state", "no-such-state"],
                                       ["ingest", "--format", "no-such-format", "-"]])
def test_wrong_usage_has_its_exit_code(bare, arguments):
    assert bare.run(*arguments, code=USAGE).stderr


def test_explain_names_the_rule_of_each_setting(bare):
    text = f"""
[system]
domain = "{SENDER}"
[store]
url = "sqlite:{bare.directory}/rapporteur.db"
[report.tls]
sendFrequency = [ {{ if = "ends_with(rcpt_domain, '.gov')", then = "hourly" }},
                  {{ if = "matches('^(.+)\\\\.example\\\\.net$', rcpt_domain)", then = "weekly" }},
                  {{ else = "daily" }} ]
maxReportSize = {{ match = [ {{ if = "rcpt_domain == 'a.example'", then = "1048576" }} ], else = "5242880" }}
[report.tls.domain."special.example"]
sendFrequency = "hourly"
[report.tls.domain."*.special.example"]
orgName = "'Special Group'"
"""
    bare.write_config(text)
    line = 1 + text[: text.index("sendFrequency")].count("\n")

    def explain(domain):
        answer = bare.run("schedule", "explain", domain).stdout
        bare.json("schedule", "explain", domain)
        return answer

    def lines_with(text, word):
        return "\n".join(entry for entry in text.splitlines() if word in entry)

    agency = explain("agency.gov")
    assert "hourly" in lines_with(agency, "sendFrequency")
    assert re.search(rf"{re.escape(str(bare.config_path))}:{line}\b|rapporteur\.toml:{line}\b", agency), agency
    assert "weekly" in lines_with(explain("mx.example.net"), "sendFrequency")
    assert "daily" in lines_with(explain("else.example"), "sendFrequency")
    assert "1048576" in lines_with(explain("a.example"), "maxReportSize")
    special = explain("special.example")
    assert "hourly" in lines_with(special, "sendFrequency") and "special.example" in special
    below = explain("a.special.example")
    assert "Special Group" in below and "daily" in lines_with(below, "sendFrequency")
    assert f"noreply-tls@{SENDER}" in below, "a derived setting shows its value"


def test_windows_follow_the_frequency_of_their_domain(bare):
    bare.config["report"]["tls"]["domain"] = {
        "hourly.example": {"sendFrequency": "hourly"},
        "weekly.example": {"sendFrequency": "weekly"},
        "never.example": {"sendFrequency": "never"},
    }
    bare.write_config()
    domains = ("hourly.example", "daily.example", "weekly.example", "never.example")
    said = bare.feed([session(domain, epoch=1768392000 + 1800) for domain in domains])
    assert said["rejected"] == 0
    spans = {d: (bare.window(d)["start"], bare.window(d)["end"], bare.window(d)["frequency"]) for d in domains[:3]}
    assert spans == {
        "hourly.example": ("2026-01-14T12:00:00Z", "2026-01-14T13:00:00Z", "hourly"),
        "daily.example": ("2026-01-14T00:00:00Z", "2026-01-15T00:00:00Z", "daily"),
        "weekly.example": ("2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z", "weekly"),
    }
    listed = json.dumps(bare.json("schedule", "list"))
    assert "weekly.example" in listed and "never.example" not in listed
