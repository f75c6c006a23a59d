"""Sessions come in, from files, standard input and the socket, and are counted once each."""

import json
import signal
import subprocess
import time

import pytest

from peers.rapporteur import (
    BINARY, DATA, FAILED, NOT_FOUND, OLD_EPOCH, OLD_START, canonical, failure, golden, session, wait_until,
)

AT = ("--at", "2026-01-14T12:00:00Z")

SAMPLES = {
    "libtlsrpt.jsonl": (AT, {"accepted": 18, "rejected": 1, "ignored": 0},
                        ("example.com", "example.org", "plain.example")),
    "halon.jsonl": ((), {"accepted": 5, "rejected": 0, "ignored": 1},
                    ("sts.example", "dane.example", "nopolicy.example", "badsts.example")),
    "momentum.jsonl": ((), {"accepted": 2, "rejected": 0, "ignored": 0},
                       ("test.bird.com", "mismatch.cert.com")),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_counted_as_the_design_says(bare, name):
    options, counts, domains = SAMPLES[name]
    said = bare.json("ingest", *options, DATA / name)
    assert {key: said[key] for key in counts} == counts
    assert sum(said["by-reason"].values()) == counts["rejected"] + counts["ignored"]
    for domain in domains:
        shown = bare.json("schedule", "show", domain)
        assert canonical(shown) == canonical(golden(domain))
        assert all(window["reason"] for window in shown["windows"]), "held, and nobody says why"


def test_momentum_success_reports_the_hosts_of_the_policy(bare):
    bare.run("ingest", DATA / "momentum.jsonl")
    (policy,) = bare.window("test.bird.com")["policies"]
    assert policy["mx-host"] == ["mx.bird.com", "server.ectest.omniti.com"]


def test_counts_are_told_to_people_too(bare):
    said = bare.run("ingest", *AT, DATA / "libtlsrpt.jsonl").stdout
    assert "18" in said and "1" in said


def test_all_formats_in_one_stream_from_standard_input(bare):
    lines = "".join((DATA / name).read_text() for name in SAMPLES)
    native = json.dumps(session("native.example", epoch=OLD_EPOCH)) + "\n"
    said = bare.json("ingest", *AT, "-", stdin=lines + native)
    assert (said["accepted"], said["rejected"], said["ignored"]) == (26, 1, 1)
    assert bare.window("native.example")["successful-sessions"] == 1


def test_bad_lines_stop_nothing_and_are_counted_by_reason(bare):
    good = json.dumps(session("good.example", epoch=OLD_EPOCH))
    lines = [good.encode(), b"not json at all", b'{"epoch":', b"\xff\xfe\x00", b"[]", b"{}",
             b'{"dpv":"1","d":"good.example","policies":[{"policy-type":3,"f":1}]}', b"",
             b"{" * 5000, good.encode()]
    said = bare.json("ingest", bare.new_file(b"\n".join(lines) + b"\n"))
    assert said["accepted"] == 2
    assert said["rejected"] + said["ignored"] >= 7
    assert sum(said["by-reason"].values()) == said["rejected"] + said["ignored"]
    assert len(said["by-reason"]) >= 2, "the reasons are told apart"
    assert bare.window("good.example")["successful-sessions"] == 2


def test_a_line_may_stand_after_a_log_prefix(bare):
    lines = (DATA / "momentum.jsonl").read_text().splitlines()
    said = bare.feed([f"1746712864:scriptlet: tls report:   {line}" for line in lines])
    assert said["accepted"] == 2
    assert canonical(bare.json("schedule", "show", "test.bird.com")) == canonical(golden("test.bird.com"))


def test_the_native_form_carries_counts_and_identities(bare):
    said = bare.feed(
        [
            session("a.example", epoch=OLD_EPOCH, count=40),
            session("a.example", epoch=OLD_EPOCH, id="once"),
            session("a.example", epoch=OLD_EPOCH, id="once"),
            session("a.example", epoch=OLD_EPOCH, success=False, count=2,
                    details=[failure(receiving_ip="::ffff:192.0.2.1"),
                             failure(receiving_ip="192.0.2.1"),
                             failure("no-such-type", receiving_mx_helo="220 MX.example ESMTP")]),
            session("a.example", epoch=OLD_EPOCH, **{"own-report": True}),
        ]
    )
    assert said["rejected"] == 0
    window = bare.window("a.example")
    assert (window["successful-sessions"], window["failed-sessions"]) == (41, 2)
    (policy,) = window["policies"]
    details = {d["result-type"]: d for d in policy["failure-details"]}
    assert details["certificate-expired"]["failed-session-count"] == 2
    assert details["certificate-expired"]["receiving-ip"] == "192.0.2.1"
    assert details["validation-failure"]["failure-reason-code"] == "no-such-type"
    assert len(policy["failure-details"]) == 2


def test_a_halon_document_that_is_repeated_counts_once(bare):
    lines = (DATA / "halon.jsonl").read_text().splitlines()
    bare.feed(lines)
    bare.feed([*lines, ""])  # another file with the same documents
    assert canonical(bare.json("schedule", "show", "sts.example")) == canonical(golden("sts.example"))


def test_the_same_file_is_not_counted_twice(bare):
    path = bare.new_file(json.dumps(session("a.example", epoch=OLD_EPOCH)) + "\n")
    assert bare.json("ingest", path)["accepted"] == 1
    again = bare.run("ingest", path)
    assert "already ingested" in again.stdout + again.stderr
    assert bare.json("ingest", path)["accepted"] == 0
    assert bare.window("a.example")["successful-sessions"] == 1
    assert bare.json("ingest", "--again", path)["accepted"] == 1
    assert bare.window("a.example")["successful-sessions"] == 2


def count_of(site, domain):
    return sum(window["successful-sessions"] for window in site.windows(domain, code=None))


def test_an_interrupted_file_goes_on_where_it_stopped(bare):
    size, interrupted = 60_000, False
    while not interrupted and size < 2_000_000:
        domain = f"n{size}.example"
        line = json.dumps(session(domain, epoch=OLD_EPOCH))
        path = bare.new_file((line + "\n") * size)
        running = subprocess.Popen([BINARY, "ingest", str(path)], env=bare.environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: count_of(bare, domain) or running.poll() is not None, "no batch is stored",
                   100, 0.01)
        running.send_signal(signal.SIGKILL)
        running.wait()
        before = count_of(bare, domain)
        interrupted = 0 < before < size
        said = bare.json("ingest", path)
        assert before + said["accepted"] == size
        assert count_of(bare, domain) == size
        size *= 4
    assert interrupted, "no file was interrupted between two batches"


def test_unknown_domains_and_files_have_their_exit_codes(bare):
    bare.run("schedule", "show", "nobody.example", code=NOT_FOUND)
    assert bare.run("ingest", bare.directory / "no-such-file", code=FAILED).stderr


def test_the_socket_counts_what_libtlsrpt_sends(site):
    site.config["ingest"]["maxAge"] = "30d"
    site.start()
    accepted = 0
    for line in (DATA / "libtlsrpt.jsonl").read_text().splitlines():
        site.send_datagram(line)
        accepted += '"policy-type":3' not in line
    assert accepted == 18

    def counted():
        windows = [w for d in ("example.com", "example.org", "plain.example") for w in site.windows(d, None)]
        return sum(w["successful-sessions"] + w["failed-sessions"] for w in windows) == 19  # 18, one twice

    wait_until(counted, lambda: f"the datagrams are counted\n{site.log()[-4000:]}")
    # The same counts as from the file, only in the window of today.
    for domain in ("example.com", "example.org", "plain.example"):
        shown, wanted = (canonical(x)["windows"][0] for x in (site.json("schedule", "show", domain), golden(domain)))
        assert shown["policies"] == wanted["policies"]
        assert shown["state"] == "collecting"
    assert "unknown-policy-type" in site.log() or "reject" in site.log()


def test_garbage_datagrams_stop_nothing(site):
    site.start()
    garbage = [b"x", b"\x00" * 100, b'{"dpv":"1"', b'{"dpv":"1","d":"' + b"a" * 60000 + b'"}',
               b"\xff" * 2000, b"{}", b"[" * 3000]
    for payload in garbage:
        site.send_datagram(payload)
    site.send_datagram(json.dumps(session("good.example")))
    wait_until(lambda: count_of(site, "good.example") == 1, lambda: f"good.example counts\n{site.log()}")
    assert "reject" in site.log(), "nobody is told about the garbage"
    assert site.process.poll() is None


def test_datagrams_are_in_the_store_within_the_time_promised(site):
    site.start()
    site.send_datagram(json.dumps(session("a.example")))
    began = time.monotonic()
    wait_until(lambda: count_of(site, "a.example") == 1, "a.example counts", 20)
    assert time.monotonic() - began < 5


def test_old_sessions_are_refused_by_the_socket_and_held_from_files(site):
    site.start()
    site.send_datagram(json.dumps(session("old.example", epoch=OLD_EPOCH)))
    site.send_datagram(json.dumps(session("new.example")))
    wait_until(lambda: count_of(site, "new.example") == 1, "new.example counts")
    site.run("schedule", "show", "old.example", code=NOT_FOUND)
    site.feed([session("old.example", epoch=OLD_EPOCH)])
    window = site.window("old.example")
    assert (window["state"], window["start"]) == ("held", OLD_START)
    assert site.smtp.offered == []
