"""A short soak, and proof that its checker sees what it is there to see."""

import copy
import gzip
import json
from datetime import datetime

import pytest

import soak
from peers.ledger import Arrival, Batch, Ledger

FLUSH = 3.0
START, END = "2026-11-20T10:00:00Z", "2026-11-20T10:59:59Z"
EPOCH = int(datetime.fromisoformat(START.replace("Z", "+00:00")).timestamp()) + 600
MAIL, POST = "mailto:tls@d0.example", "https://localhost:1/d0.example"


def test_nothing_is_lost_and_nothing_counted_twice_when_the_daemon_is_killed(binary, shared):
    # Beside other tests, under sanitizers, a flush of a second may take many times as long.
    run = soak.Soak(shared, rounds=10, seed=20261120, margin=8.0)
    try:
        problems = run.run()
        print("\n".join(run.figures()))
        assert problems == []
        assert len(run.ledger.kills) >= 5 and len(run.ledger.arrivals) >= 5, "a soak that does nothing"
    finally:
        run.close()


# The checker


def report_id(part, domain="d0.example", token="abcd1234"):
    return f"20261120T100000Z-20261120T110000Z.{domain}.{part}.{token}@sender.example"


def policy(number, successes, tracers, domain="d0.example"):
    return {
        "policy": {"policy-type": "sts", "policy-domain": domain,
                   "policy-string": ["version: STSv1", f"max_age: {number}"], "mx-host": []},
        "summary": {"total-successful-session-count": successes, "total-failure-session-count": len(tracers)},
        "failure-details": [{"result-type": "validation-failure", "failure-reason-code": tracer,
                             "failed-session-count": 1} for tracer in tracers],
    }


def arrivals(name, policies, when=110.0):
    """A report at both destinations."""
    text = json.dumps({"report-id": name, "date-range": {"start-datetime": START, "end-datetime": END},
                       "policies": policies}).encode()
    return [Arrival(MAIL, when, gzip.compress(text), b"mail " + text, f"<{name}>"),
            Arrival(POST, when, gzip.compress(text), text, None)]


def delivery(part, name, destination):
    return {"part": part, "report-id": name, "destination": destination, "state": "delivered",
            "last-response": "250"}


def good():
    """Three batches in a window of two parts and a supplement; part 2 was repeated after a kill."""
    ledger = Ledger()
    ledger.destinations = {"d0.example": [MAIL, POST]}
    ledger.batches = [
        Batch(0, "d0.example", "file", EPOCH, 3, ["t0-0", "t0-1"], acknowledged=True),
        Batch(1, "d0.example", "datagram", EPOCH, 2, ["t1-0"], begun=100.0, sent=101.0),
        Batch(2, "d0.example", "identified", EPOCH, 1, ["t2-0"], begun=100.0, sent=101.0),
    ]
    ledger.kills, ledger.interruptions = [120.0], [120.0]
    ledger.arrivals = [
        *arrivals(report_id(1), [policy(0, 3, ["t0-0"]), policy(1, 2, ["t1-0"])]),
        *arrivals(report_id(2), [policy(0, 0, ["t0-1"])]),
        *arrivals(report_id(2), [policy(0, 0, ["t0-1"])], when=130.0),
        *arrivals(report_id(3), [policy(2, 1, ["t2-0"])]),
    ]
    # gzip.compress() writes the time: the copies of one report are one file.
    for first, copied in zip(ledger.arrivals[2:4], ledger.arrivals[4:6]):
        copied.gz, copied.raw = first.gz, first.raw
    window = {"domain": "d0.example", "start": START, "end": "2026-11-20T11:00:00Z", "state": "done", "reason": None}
    ledger.windows = [
        {**window, "deliveries": [delivery(p, report_id(p), d) for p in (1, 2) for d in (MAIL, POST)]},
        {**window, "supplement": 1, "deliveries": [delivery(3, report_id(3), d) for d in (MAIL, POST)]},
    ]
    return ledger


def change(ledger, index, what):
    """Changes the report of the first arrival with this index, and all its copies."""
    name = ledger.arrivals[index].report["report-id"]
    for arrival in ledger.arrivals:
        if arrival.report["report-id"] == name:
            report = arrival.report
            what(report)
            arrival.gz = gzip.compress(json.dumps(report).encode(), mtime=0)
            arrival.raw = json.dumps(report).encode()


def again_under_another_name(ledger, name):
    ledger.arrivals += arrivals(name, ledger.arrivals[0].report["policies"])
    part = int(name.split(".")[3])
    ledger.windows[0]["deliveries"] += [delivery(part, name, d) for d in (MAIL, POST)]


def other_copy(ledger, **fields):
    """Another mail of part 3, changed."""
    one = copy.copy(ledger.arrivals[6])
    for key, value in fields.items():
        setattr(one, key, value)
    one.when = 130.0
    ledger.arrivals.append(one)


def fewer_successes(report):
    report["policies"][0]["summary"]["total-successful-session-count"] -= 1


def drop_tracer(report):
    report["policies"][-1]["failure-details"].pop()
    report["policies"][-1]["summary"]["total-failure-session-count"] -= 1


def double_tracer(report):
    report["policies"][0]["failure-details"][0]["failed-session-count"] += 1
    report["policies"][0]["summary"]["total-failure-session-count"] += 1


def set_in(path, value):
    def apply(thing):
        for key in path[:-1]:
            thing = thing[key]
        thing[path[-1]] = value
    return apply


PLANTED = {
    "a report never arrived": (lambda x: x.arrivals.__delitem__(slice(6, 8)), "never arrived"),
    "its sessions are lost": (
        lambda x: x.arrivals.__delitem__(slice(6, 8)),
        "batch 2 (identified to d0.example): lost"),
    "a success of a file is lost": (lambda x: change(x, 0, fewer_successes), "batch 0 (file to d0.example): lost"),
    "a failure of a datagram is lost": (
        lambda x: change(x, 0, drop_tracer),
        "batch 1 (datagram to d0.example): lost"),
    "a failure is counted twice": (
        lambda x: change(x, 6, double_tracer),
        "batch 2 (identified to d0.example): counted twice"),
    "a success is counted twice": (
        lambda x: change(x, 6, set_in(["policies", 0, "summary", "total-successful-session-count"], 2)),
        "counted twice"),
    "a failure without its detail": (
        lambda x: change(x, 6, set_in(["policies", 0, "summary", "total-failure-session-count"], 2)),
        "2 failures, and details of 1"),
    "the same sessions under another part": (lambda x: again_under_another_name(x, report_id(4)), "counted twice"),
    "two report-ids for one part": (
        lambda x: again_under_another_name(x, report_id(1, token="zzzz9999")), "two report-ids for one part"),
    "a name that is none of ours": (lambda x: again_under_another_name(x, "x.y.z.4.w"), "not a report-id of ours"),
    "a policy that nobody sent": (
        lambda x: change(x, 6, set_in(["policies", 0, "policy", "policy-string"], ["max_age: 99"])),
        "a policy that nobody sent"),
    "a failure that nobody sent": (
        lambda x: change(x, 6, set_in(["policies", 0, "failure-details", 0, "failure-reason-code"], "t9-9")),
        "a failure that nobody sent"),
    "a policy of another domain": (
        lambda x: change(x, 6, set_in(["policies", 0, "policy", "policy-domain"], "d1.example")),
        "under a policy of d1.example"),
    "the domain of another report": (
        lambda x: setattr(x.batches[2], "domain", "d1.example"),
        "which is about d1.example"),
    "another period": (
        lambda x: change(x, 6, set_in(["date-range", "end-datetime"], "2026-11-20T10:05:00Z")),
        "batch 2, which is of"),
    "copies of a report that differ": (
        lambda x: setattr(x.arrivals[7], "gz", gzip.compress(x.arrivals[7].text + b" ")), "two different reports"),
    "a mail repeated with other bytes": (lambda x: other_copy(x, raw=b"other"), "repeated with other bytes"),
    "a mail repeated under another Message-ID": (lambda x: other_copy(x, message_id="<other>"), "two Message-IDs"),
    "two mails with one Message-ID": (
        lambda x: setattr(x.arrivals[6], "message_id", x.arrivals[0].message_id), "the Message-ID of two mails"),
    "repeated though nothing was interrupted": (lambda x: x.interruptions.clear(), "nothing had been interrupted"),
    "a window that is not done": (lambda x: x.windows[1].update(state="blocked"), "blocked, None"),
    "windows that overlap": (
        lambda x: x.windows[1].update(start="2026-11-20T10:30:00Z", supplement=0), "windows overlap"),
    "a window that is there twice": (lambda x: x.windows[1].update(supplement=0), "twice"),
    "a supplement of no window": (
        lambda x: x.windows[1].update(start="2026-11-20T09:00:00Z"), "a supplement of no window"),
    "a supplement that is of another period": (
        lambda x: x.windows[1].update(end="2026-11-20T12:00:00Z"), "of another period"),
    "a gap between parts": (lambda x: [d.update(part=5) for d in x.windows[1]["deliveries"]], "parts [1, 2, 5]"),
    "a part with two report-ids": (lambda x: x.windows[1]["deliveries"][0].update(part=1), "part 1 is ["),
    "a destination that was left out": (lambda x: x.windows[1]["deliveries"].pop(), "part 3 went to"),
    "an arrival that the store does not know": (
        lambda x: x.windows[1]["deliveries"].pop(),
        "the store does not know it"),
    "a delivery that failed": (lambda x: x.windows[1]["deliveries"][0].update(state="failed"), "failed, 250"),
    "a window without deliveries": (lambda x: x.windows[1]["deliveries"].clear(), "done, and nothing was sent"),
    "what was found on the way": (lambda x: x.problems.append("ingest ended with 1"), "ingest ended with 1"),
}


def test_good_books_have_no_fault():
    assert good().check(FLUSH) == []


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name):
    plant, wanted = PLANTED[name]
    ledger = good()
    plant(ledger)
    found = ledger.check(FLUSH)
    assert any(wanted in line for line in found), found


class TestWhatMayBeLost:
    """Datagrams that came just before a kill, and nothing else."""

    @pytest.mark.parametrize("kill, stop, sure", [
        (99.0, None, True), (100.5, None, False), (101.0 + FLUSH / 2, None, False), (102.0 + FLUSH, None, True),
        (101.0 + FLUSH / 2, 101.5, True),  # a clean stop came first
        (101.2, 101.5, False),
    ])
    def test_depends_on_the_time_of_the_kill(self, kill, stop, sure):
        ledger = good()
        ledger.kills = [kill]
        ledger.stops = [stop] if stop else []
        change(ledger, 0, drop_tracer)
        assert ledger.is_sure(ledger.batches[1], FLUSH) == sure
        assert bool(ledger.check(FLUSH)) == sure

    def test_does_not_count_the_time_in_which_commands_were_writing(self):
        ledger = good()
        ledger.kills = [102.0 + FLUSH]
        assert ledger.is_sure(ledger.batches[1], FLUSH)
        ledger.commands = [(90.0, 101.5), (102.0, 102.6), (110.0, 120.0)]
        assert not ledger.is_sure(ledger.batches[1], FLUSH)

    def test_is_what_was_not_sent_to_its_end(self):
        ledger = good()
        ledger.batches[1].sent = 0.0
        change(ledger, 0, drop_tracer)
        assert ledger.check(FLUSH) == []

    def test_is_nothing_that_a_command_has_acknowledged(self):
        ledger = good()
        ledger.kills = [100.5]
        change(ledger, 0, fewer_successes)
        assert any("batch 0" in line and "lost" in line for line in ledger.check(FLUSH))

    def test_is_never_counted_twice_for_that(self):
        ledger = good()
        ledger.kills = [100.5]
        change(ledger, 0, set_in(["policies", 1, "summary", "total-successful-session-count"], 3))
        assert any("batch 1" in line and "counted twice" in line for line in ledger.check(FLUSH))
