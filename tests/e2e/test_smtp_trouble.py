"""Trouble of the relay: refusals, lost connections and silence before a recipient was named. Whatever it is,
every delivery waits, nobody is judged by it, and everything arrives when it is over."""

import pytest

from peers.dns_server import DnsServer
from peers.rapporteur import wait_until
from peers.refusals import DOMAIN, NAMES, USER, accepted_once, feed, relays, wait_for_response
from peers.smtp_sink import DROP, RESET, SILENCE

BEFORE_THE_RECIPIENT = ("GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL")


@pytest.fixture
def relay(binary, dns, rsa, certificate):
    with relays(dns, rsa, certificate) as make:
        yield make


class Refused:
    """A site of its own with a relay that refuses, and its delivery as it was then."""

    def __init__(self, make, stage, reply):
        self.stage, self.reply = stage, reply
        tls = "required" if stage == "STARTTLS" else "none"
        self.site, self.smtp = make(tls, with_password=stage == "AUTH", replyTimeout="1s")
        self.smtp.always(stage, reply)
        self.site.start()
        feed(self.site)

    def see(self):
        said = {DROP: "", RESET: "", SILENCE: "no answer within 1s"}.get(self.reply, self.reply)
        self.first = wait_for_response(self.site, f"{said} ({NAMES[self.stage]})", state="pending")
        self.window = self.site.window(DOMAIN)
        self.log = self.site.log()
        self.recipients = list(self.smtp.recipients)
        self.offered = list(self.smtp.offered)


@pytest.fixture(scope="module")
def refused(binary, rsa, certificate):
    """All of them at the same time, because the probe that ends it takes its time. What is yielded has
    been refused, and is no longer."""
    replies = ("451 4.3.0 not now", "554 5.7.1 never", DROP, RESET)
    cases = [(stage, reply) for stage in BEFORE_THE_RECIPIENT for reply in replies]
    cases += [(stage, SILENCE) for stage in ("GREETING", "EHLO", "MAIL")]
    with DnsServer() as dns, relays(dns, rsa, certificate) as make:
        all_of_them = {case: Refused(make, *case) for case in cases}
        for one in all_of_them.values():
            one.see()
        for one in all_of_them.values():
            one.smtp.always(one.stage, None)
        yield all_of_them


class TestTroubleOfTheRelay:
    """Up to MAIL FROM nothing is said about the recipient: whatever the answer, the delivery stays
    pending, and goes on when the relay does."""

    def check(self, one):
        assert one.first["next-attempt"]
        assert one.recipients == [] and one.offered == []
        assert one.window["state"] == "assembled"
        assert "delivery-relay-trouble" in one.log and "delivery-relay-recovered" not in one.log
        accepted_once(one.site, one.smtp, one.first)
        log = one.site.log()
        assert "delivery-relay-recovered" in log and "delivery-failed" not in log

    @pytest.mark.parametrize("reply", ["451 4.3.0 not now", "554 5.7.1 never", DROP, RESET],
                             ids=["4xx", "5xx", "drop", "reset"])
    @pytest.mark.parametrize("stage", BEFORE_THE_RECIPIENT)
    def test_is_waited_out(self, refused, stage, reply):
        self.check(refused[stage, reply])

    @pytest.mark.parametrize("stage", ["GREETING", "EHLO", "MAIL"])
    def test_silence_ends_with_the_reply_timeout(self, refused, stage):
        self.check(refused[stage, SILENCE])

    @pytest.mark.parametrize("reply", ["454 4.7.0 TLS not available", "554 5.7.3 no TLS for you"])
    def test_a_refused_starttls_is_done_without_if_it_is_opportunistic(self, relay, reply):
        site, smtp = relay("opportunistic")
        smtp.always("STARTTLS", reply)
        site.start()
        feed(site)
        (delivery,) = site.wait_for_delivery(DOMAIN, "delivered")
        assert delivery["attempts"] == 1
        assert [m.tls for m in smtp.messages] == [False]

    def test_a_password_that_is_refused_for_longer_than_the_retry_period_costs_no_report(self, relay):
        """As after a change of the password that nobody told us: the reports of all domains wait behind
        one probe at a time, and `retryFor` does not run."""
        site, smtp = relay(with_password=True)
        site.config["delivery"]["retryFor"] = "2s"
        smtp.always("AUTH", "535 5.7.8 Authentication credentials invalid")
        site.start()
        domains = [f"d{i}.example" for i in range(4)]
        feed(site, *domains)
        wait_until(lambda: smtp.auth_times, lambda: f"AUTH\n{site.log()[-4000:]}")

        # Many times the retry period, and several probes after those that were on their way at first.
        def long_enough():
            times = list(smtp.auth_times)
            return len(times) >= len(domains) + 2 and times[-1] - times[0] > 8

        wait_until(long_enough, lambda: f"{smtp.auth_times}\n{site.log()[-4000:]}", 200, 0.2)
        waiting = [d for domain in domains for d in site.deliveries(domain)]
        assert {d["state"] for d in waiting} == {"pending"}
        assert all(d["next-attempt"] for d in waiting)
        told = {d["last-response"] for d in waiting} - {None}
        assert told == {"535 5.7.8 Authentication credentials invalid (AUTH)"}
        probes = smtp.auth_times[len(domains):]
        assert all(b - a > 0.5 for a, b in zip(probes, probes[1:])), f"more than one probe at a time: {probes}"
        smtp.always("AUTH", None)
        smtp.script("RCPT", "451 4.3.0 later")  # the period begins here, with an answer about a recipient
        for domain in domains:
            site.wait_for_delivery(domain, "delivered", timeout=90)
            assert site.window(domain)["state"] == "done"
        assert sorted(m.rcpt_tos[0] for m in smtp.messages) == sorted(f"tlsrpt@{d}" for d in domains)
        assert [m.user for m in smtp.messages] == [USER] * len(domains)
        # Nobody was judged by it.
        assert "delivery-failed" not in site.log() and "suppressed" not in site.log()

    def test_a_relay_that_refuses_everybody_is_in_trouble_and_nobody_pays_for_it(self, relay):
        """Twenty different domains refused with the same code and none accepted: the relay's fault."""
        site, smtp = relay()
        smtp.always("RCPT", "554 5.7.1 relay access denied")
        site.start()
        domains = [f"d{i}.example" for i in range(24)]
        feed(site, *domains)
        wait_until(lambda: "delivery-relay-trouble" in site.log(), lambda: site.log()[-4000:])

        def all_wait():
            states = {d["state"] for domain in domains for d in site.deliveries(domain)}
            return states == {"pending"}

        wait_until(all_wait, lambda: f"all are pending again\n{site.log()[-4000:]}", 40, 0.2)
        smtp.always("RCPT", None)
        for domain in domains:
            site.wait_for_delivery(domain, "delivered", timeout=90)
        assert sorted(m.rcpt_tos[0] for m in smtp.messages) == sorted(f"tlsrpt@{d}" for d in domains)
