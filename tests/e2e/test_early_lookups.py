"""Records are looked up while windows collect; a domain that publishes none is dropped and costs nothing. An hour between
two lookups passes by moving what the store says of the first one."""

import contextlib
import sqlite3

import pytest

from peers.http_client import HttpClient, listen, port_of
from peers.rapporteur import session, wait_until

HOUR = 3600
RECORD = "v=TLSRPTv1; rua=mailto:tls@asking.example"


@pytest.fixture
def collecting(site, dns):
    """Two windows of today: of a domain that asks for reports, and of one that does not."""
    dns.tlsrpt("asking.example", RECORD)
    listen(site)
    site.start()
    for domain in ("asking.example", "silent.example"):
        send(site, domain)
        wait_until(lambda domain=domain: site.windows(domain, None), site.log)
    return site


def send(site, domain, **more):
    with HttpClient(port_of(site)) as client:
        assert client.sessions([session(domain, **more)])["status"] == "counted"


def change(site, sql):
    with contextlib.closing(sqlite3.connect(site.directory / "rapporteur.db", timeout=30)) as store, store:
        assert store.execute(sql).rowcount > 0


def look_now(site):
    change(site, "UPDATE windows SET lookup = 1 WHERE state = 'collecting'")


def let_pass(site, seconds):
    change(site, f"UPDATE windows SET absent_since = absent_since - {seconds} WHERE absent_since IS NOT NULL")


def count(site, sample):
    with HttpClient(port_of(site)) as client:
        lines = client.ask("GET", "/metrics").body.decode().splitlines()
    return next((int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(sample + " ")), 0)


def looked_up(site, result, least):
    sample = f'rapporteur_early_lookups_total{{result="{result}"}}'
    wait_until(lambda: count(site, sample) >= least, site.log)


def test_a_domain_without_a_record_is_dropped_after_two_lookups(collecting, dns):
    site = collecting
    look_now(site)
    looked_up(site, "absent", 1)
    looked_up(site, "present", 1)
    assert site.window("silent.example")["state"] == "collecting"
    # A second lookup some minutes later drops nothing.
    let_pass(site, HOUR - 120)
    look_now(site)
    looked_up(site, "absent", 2)
    assert site.window("silent.example")["successful-sessions"] == 1
    let_pass(site, 240)
    look_now(site)
    wait_until(lambda: not site.windows("silent.example", None), site.log)
    assert site.window("asking.example")["successful-sessions"] == 1
    # From now on its sessions are only counted in a metric.
    dns.queries.clear()
    send(site, "silent.example")
    ignored = 'rapporteur_sessions_ignored_total{source="http",reason="no-tlsrpt-record"}'
    wait_until(lambda: count(site, ignored) == 1, site.log)
    shown = site.json("schedule", "show", "silent.example")
    assert shown["windows"] == [] and "silent-until" in shown
    assert not any("silent.example" in name for name, _ in dns.queries)
    # A session that brings a record opens a window all the same.
    send(site, "silent.example", **{"tlsrpt-record": RECORD.replace("asking", "silent")})
    wait_until(lambda: site.windows("silent.example", None), site.log)
    assert site.window("silent.example")["successful-sessions"] == 1


@pytest.mark.parametrize("answer", ["SERVFAIL", "a record"])
def test_what_the_second_lookup_says_otherwise_keeps_the_window(collecting, dns, answer):
    site = collecting
    look_now(site)
    looked_up(site, "absent", 1)
    let_pass(site, HOUR + 60)
    if answer == "SERVFAIL":
        dns.zone["_smtp._tls.silent.example"] = "SERVFAIL"
    else:
        dns.tlsrpt("silent.example", RECORD.replace("asking", "silent"))
    site.stop()  # what it has in its cache
    site.start()
    look_now(site)
    looked_up(site, "failed" if answer == "SERVFAIL" else "present", 1)
    assert site.window("silent.example")["successful-sessions"] == 1
