"""Two reporters that report to each other. Each report is a mail, each mail is a TLS session that the
sender's MTA records, and each session belongs into the next report: it has to end."""

import json
import time

import pytest

from peers import keys, mail
from peers.rapporteur import Site, failure, session, wait_until
from peers.smtp_sink import SmtpSink

ONE, TWO = "one.example", "two.example"


class Instance:
    """A domain with its Rapporteur and its relay. The test is its MTA: what Rapporteur hands to the relay
    becomes a session toward the recipient's domain, which is told to Rapporteur as an MTA does."""

    def __init__(self, domain, peer, dns, shared):
        self.domain, self.peer = domain, peer
        key = keys.make_key(shared, domain, "loop")
        dns.zone[key.name] = [key.record()]
        dns.tlsrpt(domain, f"v=TLSRPTv1; rua=mailto:tls@{domain}")
        self.smtp = SmtpSink()
        self.site = Site(dns=dns, smtp=self.smtp, keys=[key], domain=domain)
        self.told = 0  # of the relay's messages
        self.sent = 0  # sessions

    def close(self):
        self.site.close()
        self.smtp.close()

    def connect(self, count=1, problem=None):
        """So many sessions toward the peer, through the socket; with a failure of this type, or without."""
        details = [failure(problem, receiving_mx_hostname=f"mx.{self.peer}")] if problem else []
        one = session(self.peer, success=not problem, details=details, epoch=int(time.time()), count=count)
        self.site.send_datagram(json.dumps(one))
        self.sent += count
        wait_until(lambda: self.counted() == self.sent, lambda: f"{self.sent} count\n{self.site.log()[-3000:]}")

    def counted(self):
        windows = self.site.windows(self.peer, None)
        return sum(w["successful-sessions"] + w["failed-sessions"] for w in windows)

    def relay(self, problem=None):
        """What is new at the relay goes to the peer; how many mails that were."""
        new = self.smtp.messages[self.told:]
        self.told += len(new)
        for message in new:
            assert message.rcpt_tos == [f"tls@{self.peer}"]
            self.connect(1, problem)
        return len(new)

    def close_window(self):
        """Ends the window that is collecting, and waits for what comes of it; that window."""
        assert [w["state"] for w in self.site.windows(self.peer)].count("collecting") == 1
        # A window has a length: in its first second it cannot be closed.
        began = max(w["start"] for w in self.site.windows(self.peer))
        wait_until(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > began, "a second has passed")
        self.site.run("schedule", "send-now", self.peer, "--state", "collecting", "--yes")

        def ended():
            windows = self.site.windows(self.peer)
            return all(w["state"] in ("done", "suppressed") for w in windows) and windows[-1]

        return wait_until(ended, lambda: f"{self.site.windows(self.peer)}\n{self.site.log()[-4000:]}", 40, 0.1)

    def reports(self):
        return [mail.read_report(m.raw).report for m in self.smtp.messages]


@pytest.fixture
def both(binary, dns, shared):
    made = []

    def make(**schedule):
        for domain, peer in ((ONE, TWO), (TWO, ONE)):
            made.append(Instance(domain, peer, dns, shared))
            made[-1].site.config["schedule"].update(schedule)
            made[-1].site.start()
        return made

    yield make
    for instance in made:
        instance.close()


def exchange(instances, rounds, problem=None):
    """Rounds of: every mail is relayed, every window is closed. How many reports each round brought."""
    brought, last = [], []
    for _ in range(rounds):
        if not sum([instance.relay(problem) for instance in instances]):
            break
        before = [len(instance.smtp.messages) for instance in instances]
        last = [instance.close_window() for instance in instances]
        brought.append(sum(len(i.smtp.messages) for i in instances) - sum(before))
    return brought, last


def test_after_one_exchange_there_is_silence(both):
    instances = both()
    for instance in instances:
        instance.connect(5)
        assert instance.close_window()["state"] == "done"
    brought, last = exchange(instances, 4)
    assert brought == [0], "reports about reports"
    for instance in instances:
        (report,) = instance.reports()
        assert report["policies"][0]["summary"]["total-successful-session-count"] == 5
        window = last[instances.index(instance)]
        assert window["state"] == "suppressed" and "own reports only" in window["reason"]
        assert window["successful-sessions"] == 1 and window["deliveries"] == []
        assert instance.counted() == 6


def test_without_this_defence_it_would_never_end(both):
    """The loop is real: what the test plays is what MTAs do."""
    instances = both(ownReportSlack=0)
    for instance in instances:
        instance.connect(1)
        instance.close_window()
    assert exchange(instances, 3)[0] == [2, 2, 2]


def test_a_domain_that_is_really_written_to_is_not_silenced(both):
    instances = both()
    for instance in instances:
        instance.connect(1)
        instance.close_window()
        instance.relay()
        instance.connect(2)  # mail of people
        assert instance.close_window()["state"] == "done"
        assert [r["policies"][0]["summary"]["total-successful-session-count"] for r in instance.reports()] == [1, 3]
    assert exchange(instances, 4)[0] == [0]


def test_failures_of_the_report_mails_themselves_are_told_once(both):
    instances = both()
    for instance in instances:
        instance.connect(5)
        instance.close_window()
    # The first mail's session failed: that is news. That of the report about it is the same again.
    brought, last = exchange(instances, 5, "certificate-expired")
    assert brought == [2, 0]
    for instance, window in zip(instances, last):
        assert len(instance.reports()) == 2
        assert window["state"] == "suppressed" and "the same failures" in window["reason"]
    # Another failure is news again.
    for instance in instances:
        instance.connect(1, "starttls-not-supported")
        assert instance.close_window()["state"] == "done"
        assert len(instance.reports()) == 3


def test_sessions_that_are_marked_as_own_reports_are_not_counted(both):
    instance = both(ownReportSlack=0)[0]
    instance.connect(2)
    assert instance.close_window()["state"] == "done"
    marked = session(TWO, epoch=int(time.time()), **{"own-report": True})
    said = instance.site.feed([marked])
    assert (said["accepted"], said["ignored"]) == (0, 1)
    assert instance.counted() == 2
    assert [w["state"] for w in instance.site.windows(TWO)] == ["done"]
