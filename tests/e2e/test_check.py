"""`rapporteur check` against a real name server, relay and daemon: what is told, and that nothing changes."""

import os
import pathlib

import pytest

from peers import keys
from peers.dns_server import NXDOMAIN
from peers.rapporteur import DONE, FAILED, SENDER, wait_until
from peers.smtp_sink import SmtpSink

DOMAIN = "a.example"


def levels(told):
    return {check["name"]: check["level"] for check in told["checks"]}


def one(told, name):
    (check,) = [check for check in told["checks"] if check["name"] == name]
    return check


def daemon_of(told):
    (name,) = [check["name"] for check in told["checks"] if check["name"].startswith("daemon ")]
    return name


def wait_for_beat(site):
    def lives():
        told = site.json("check", code=DONE)
        return one(told, daemon_of(told))["level"] == "ok"

    wait_until(lives, "the daemon has told the store that it lives")


def contents(directory):
    """Name to bytes of every file, the shared memory of database connections apart."""
    return {
        str(path.relative_to(directory)): b"" if path.name.endswith("-shm") else path.read_bytes()
        for path in pathlib.Path(directory).rglob("*")
        if path.is_file() and path.suffix != ".log"
    }


@pytest.fixture
def sound(site):
    """A site with everything that a sender of reports publishes."""
    site.dns.zone[SENDER] = {"TXT": ["v=spf1 ip4:192.0.2.1 -all"], "MX": [(10, f"mx.{SENDER}")]}
    site.dns.zone[f"_dmarc.{SENDER}"] = ["v=DMARC1; p=reject"]
    site.dns.tlsrpt(DOMAIN, f"v=TLSRPTv1; rua=mailto:tlsrpt@{DOMAIN}")
    return site


def test_a_running_site_has_no_fault_and_is_not_touched(sound, rsa):
    sound.start()
    wait_for_beat(sound)
    before = contents(sound.directory)
    told = sound.json("check", "--domain", DOMAIN, code=DONE)
    assert told["faults"] == 0, told
    found = levels(told)
    for name in (
        "resolver",
        f"record _smtp._tls.{DOMAIN}",
        f"key {rsa.name}",
        f"SPF of {SENDER}",
        f"mail to {SENDER}",
        "From and DKIM",
        "From and SPF",
        f"socket {sound.socket_path}",
        f"relay {sound.smtp.url}",
        f"database sqlite:{sound.directory}/rapporteur.db",
        f"sendFrequency for {DOMAIN}",
        daemon_of(told),
    ):
        assert found[name] == "ok", one(told, name)
    assert one(told, f"DMARC of {SENDER}")["seen"] == "published and enforced"
    # The daemon writes its own files meanwhile.
    assert contents(sound.directory).keys() == before.keys()
    assert sound.smtp.recipients == []
    people = sound.run("check", "--domain", DOMAIN).stdout.splitlines()
    assert len(people) == len(told["checks"]) + 1
    assert all(line.split()[0] in ("ok", "warning") for line in people[:-1])


def test_before_the_first_start_no_database_is_made(sound):
    sound.write_config()
    before = contents(sound.directory)
    told = sound.json("check", code=DONE)
    assert one(told, f"database sqlite:{sound.directory}/rapporteur.db")["level"] == "ok"
    assert one(told, f"socket {sound.socket_path}")["level"] == "warning"
    assert contents(sound.directory) == before


def test_after_the_daemon_ended_its_database_is_not_touched(sound):
    sound.start()
    sound.stop()
    before = contents(sound.directory)
    sound.json("check", code=DONE)
    assert contents(sound.directory) == before


def test_a_daemon_that_was_killed_leaves_a_socket_and_a_beat_behind(sound):
    sound.start()
    wait_for_beat(sound)
    told = sound.json("check", code=DONE)
    assert f"process {sound.process.pid} on " in one(told, daemon_of(told))["seen"]
    sound.kill()
    told = sound.json("check", code=DONE)
    gone = one(told, daemon_of(told))
    assert gone["level"] == "warning" and gone["seen"].endswith("has ended")
    assert gone["advice"] == "start the daemon, and check again"
    stale = one(told, f"socket {sound.socket_path}")
    assert stale["level"] == "warning" and "its daemon is gone" in stale["seen"]
    sound.start()
    wait_for_beat(sound)
    told = sound.json("check", code=DONE)
    assert one(told, f"socket {sound.socket_path}")["level"] == "ok"


def test_a_null_mx_is_told_from_a_missing_one(sound):
    sound.dns.zone[SENDER]["MX"] = [(0, ".")]
    sound.dns.zone[SENDER]["A"] = ["192.0.2.1"]
    sound.write_config()
    told = one(sound.json("check", code=FAILED), f"mail to {SENDER}")
    assert "has a null MX: it takes no mail" in told["seen"]


def test_several_dmarc_records_are_none(sound):
    sound.dns.zone[f"_dmarc.{SENDER}"] = ["v=DMARC1; p=reject", "v=DMARC1; p=none"]
    sound.write_config()
    told = one(sound.json("check", code=DONE), f"DMARC of {SENDER}")
    assert told["level"] == "warning" and "receivers apply none of them" in told["seen"]


def test_an_unpublished_key_is_a_fault_until_its_record_is_published(sound, rsa):
    del sound.dns.zone[rsa.name]
    fault = one(sound.json("check", code=FAILED), f"key {rsa.name}")
    assert fault["level"] == "fault"
    record = fault["advice"].removeprefix("publish the TXT record ")
    strings = record.removeprefix(f"{rsa.name}. IN TXT ")[1:-1].split('" "')
    assert len(strings) > 1 and all(len(string) <= 255 for string in strings)
    sound.dns.zone[rsa.name] = [strings]
    assert one(sound.json("check", code=DONE), f"key {rsa.name}")["level"] == "ok"


def test_a_new_key_passes_with_the_record_that_was_printed(sound):
    made = sound.json("dkim", "generate", SENDER, "new")
    sound.config["dkim"] = [{"domain": SENDER, "selector": "new", "key": made["file"]}]
    sound.write_config()
    assert sound.json("check", code=FAILED)["faults"] == 1
    sound.dns.zone[made["name"]] = [made["strings"]]
    assert sound.json("check", code=DONE)["faults"] == 0


def test_a_lone_key_for_tlsrpt_wants_a_second_selector(sound, rsa, shared):
    sound.dns.zone[rsa.name] = [rsa.record("tlsrpt")]
    told = sound.json("check", code=DONE)
    assert one(told, f"keys of {SENDER}")["level"] == "warning"
    second = keys.make_key(str(sound.directory), SENDER, "second", "rsa")
    sound.use_keys(rsa, second)
    sound.write_config()
    sound.dns.zone[second.name] = [second.record()]
    assert f"keys of {SENDER}" not in levels(sound.json("check", code=DONE))


def test_silent_peers_are_faults(sound, rsa):
    sound.smtp.close()
    sound.dns.zone[SENDER] = NXDOMAIN
    told = sound.json("check", code=FAILED)
    assert one(told, f"relay {sound.smtp.url}")["level"] == "fault"
    assert one(told, f"mail to {SENDER}")["level"] == "fault"
    assert one(told, f"SPF of {SENDER}")["level"] == "warning"


def test_a_relay_is_told_with_tls_and_auth(sound, certificate):
    with SmtpSink("offer", certificate, credentials=("reporter", "s3cret")) as sink:
        secret = sound.new_file("s3cret\n", ".password")
        os.chmod(secret, 0o600)
        sound.config["delivery"]["smtp"].update(
            url=sink.url, tls="required", caFile=certificate.authority, username="reporter", passwordFile=str(secret)
        )
        sound.write_config()
        relay = one(sound.json("check", code=DONE), f"relay {sink.url}")
        assert relay["level"] == "ok"
        assert "TLSv1." in relay["seen"] and relay["seen"].endswith(", authenticated")
        # A sample through the same relay tells no password.
        done = sound.run("report", "test", "--to", f"tlsrpt@{DOMAIN}")
        assert "(hidden)" in done.stdout and "AUTH" in done.stdout
        assert "czNjcmV0" not in done.stdout and "s3cret" not in done.stdout
        secret.write_text("wrong\n")
        relay = one(sound.json("check", code=FAILED), f"relay {sink.url}")
        assert relay["level"] == "fault" and "(AUTH)" in relay["seen"]


def test_a_setting_that_fails_is_a_fault(sound):
    sound.config["report"]["tls"]["orgName"] = "'x' + (1 / (successful_sessions - 1))"
    sound.write_config()
    told = sound.json("check", "--domain", DOMAIN, code=FAILED)
    assert one(told, f"orgName for {DOMAIN}")["level"] == "fault"
    sound.config["report"]["tls"]["orgName"] = "'x' + (1 / failed_sessions)"
    sound.write_config()
    fault = one(sound.json("check", "--domain", DOMAIN, code=FAILED), f"orgName for {DOMAIN}")
    assert fault["seen"].startswith("without failures: ")
