"""Lookups, dns_query, what is refused when a file is loaded, and what schedule explain tells."""

import time

import pytest

from peers.dns_server import SERVFAIL, SILENCE
from peers.mail import read_report
from peers.rapporteur import CONFIGURATION, DONE, FAILED, OLD_EPOCH, session


def checked(bare, setting, expression, code):
    bare.config["report"]["tls"][setting] = expression
    bare.write_config()
    done = bare.run("config", "check", code=code)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "expression, said",
    [
        ("dayly", "did you mean daily?"),
        ("'dayly'", "none of hourly, daily, weekly and never"),
        ("rcpt_domain == 'a' && weekly || daily", "if_then"),
        ("1 + 1", "none of hourly"),
        ("if_then(count(dns_query(rcpt_domain, 'mx')) > 0, daily, weekly)", "not allowed in sendFrequency"),
        ("(" * 200_000, "8,192 bytes"),
        ("(" * 65 + "daily" + ")" * 65, "64 levels"),
    ],
    ids=lambda text: text[:20],
)
def test_a_frequency_that_cannot_work_is_an_error_when_the_file_is_loaded(bare, expression, said):
    text = checked(bare, "sendFrequency", expression, CONFIGURATION)
    assert said in text and "error:" in text and "^" in text


@pytest.mark.parametrize("expression", ["'daily'", "daily", "(" * 64 + "daily" + ")" * 64, "disable"], ids=lambda text: text[:20])
def test_a_frequency_that_works_is_accepted(bare, expression):
    checked(bare, "sendFrequency", expression, DONE)


def test_lookups_are_read_with_the_configuration(bare):
    members = bare.new_file("# partners\nexample.com\nexample.net   gold\n", ".list")
    bare.config["lookup"] = {
        "partners": {"file": str(members)},
        "contacts": {"keys": {"example.com": "tls@example.com"}},
        "local": {"keys": ["B\u00fccher.example"]},
    }
    bare.write_config()

    def value(expression):
        return bare.json("expr", "eval", expression)["value"]

    assert value("key_exists('partners', rcpt_domain)") == 1
    assert value("key_get('partners', 'example.net')") == "gold"
    assert value("key_get('contacts', rcpt_domain)") == "tls@example.com"
    assert value("is_local_domain('XN--BCHER-KVA.example.')") == 1
    assert value("is_local_domain(rcpt_domain)") == 0
    done = bare.run("expr", "eval", "key_exists('partner', rcpt_domain)", code=FAILED)
    assert "did you mean partners?" in done.stderr
    members.write_text("example.org\n")
    assert value("key_exists('partners', rcpt_domain)") == 0


@pytest.mark.parametrize(
    "expression, want",
    [
        ("dns_query('a.example', 'mx')", ["mx1.a.example", "mx2.a.example"]),
        ("dns_query('a.example', 'txt')", "v=spf1 -all"),
        ("dns_query('a.example', 'ip')", ["192.0.2.7", "2001:db8::7"]),
        ("dns_query('a.example', 'ipv4')", ["192.0.2.7"]),
        ("dns_query('a.example', 'ipv6')", ["2001:db8::7"]),
        ("dns_query('192.0.2.7', 'ptr')", ["host.a.example"]),
        ("dns_query('nobody.example', 'mx')", []),
        ("dns_query('nobody.example', 'txt')", ""),
    ],
)
def test_the_dns_answers_expressions(site, dns, expression, want):
    dns.zone["a.example"] = {
        "MX": [(20, "mx2.a.example"), (10, "MX1.a.example")],
        "TXT": ["v=spf1 -all"],
        "A": ["192.0.2.7"],
        "AAAA": ["2001:db8::7"],
    }
    dns.zone["7.2.0.192.in-addr.arpa"] = {"PTR": ["host.a.example"]}
    site.write_config()
    assert site.json("expr", "eval", expression)["value"] == want


def test_a_dns_without_an_answer_ends_the_evaluation_within_its_time(site, dns):
    dns.zone["broken.example"] = SERVFAIL
    dns.zone["silent.example"] = SILENCE
    site.config["dns"]["timeout"] = "1s"
    site.write_config()
    done = site.run("expr", "eval", "dns_query('broken.example', 'mx')", code=FAILED)
    assert "SERVFAIL" in done.stderr
    begin = time.monotonic()
    done = site.run("expr", "eval", "dns_query('silent.example', 'mx')", code=FAILED)
    assert "1s" in done.stderr
    assert time.monotonic() - begin < 10


def test_a_window_waits_for_the_dns_and_goes_out_when_it_answers(site, dns, smtp):
    site.config["report"]["tls"]["orgName"] = (
        "if_then(contains(dns_query(rcpt_domain, 'mx'), 'mx.partner.example'), 'Partner', 'Stranger')"
    )
    dns.tlsrpt("a.example", "v=TLSRPTv1; rua=mailto:tls@a.example")
    dns.zone["a.example"] = SERVFAIL
    site.write_config()
    site.feed_old([session("a.example", success=False, epoch=OLD_EPOCH)])
    site.start()
    site.wait_for_state("a.example", "blocked")
    explained = site.run("schedule", "explain", "a.example", code=FAILED).stdout
    assert "SERVFAIL" in explained
    dns.zone["a.example"] = {"MX": [(10, "mx.partner.example")]}
    site.hang_up()
    site.wait_for_delivery("a.example", "delivered")
    (message,) = smtp.messages
    assert read_report(message.raw).report["organization-name"] == "Partner"


def test_explain_tells_every_condition_and_where_it_stands(bare):
    bare.config["report"]["tls"]["sendFrequency"] = [
        {"if": "ends_with(rcpt_domain, '.gov')", "then": "hourly"},
        {"if": "matches('^mx([0-9]+)', rcpt_domain) && $1 > 5", "then": "weekly"},
        {"else": "daily"},
    ]
    bare.write_config()
    told = bare.json("schedule", "explain", "mx7.example")
    (frequency,) = [one for one in told["settings"] if one["setting"] == "sendFrequency"]
    assert frequency["value"] == "weekly" and frequency["branch"] == 2
    assert [one["value"] for one in frequency["conditions"]] == [0, 1]
    assert frequency["file"] == str(bare.config_path)
    lines = bare.config_path.read_text().splitlines()
    assert "&& $1 > 5" in lines[frequency["line"] - 1]
