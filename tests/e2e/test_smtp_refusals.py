"""A relay that refuses a recipient or a message, breaks off or falls silent: what becomes of the delivery,
what is told about it, and what arrives when the relay has come to its senses."""

import base64
import hashlib
import pathlib

import pytest

from peers import mail
from peers.rapporteur import OLD_EPOCH, failure, session
from peers.refusals import ADDRESS, DOMAIN, NAMES, accepted_once, feed, relays, wait_for_response
from peers.smtp_sink import DROP, RESET, SILENCE, After

ABOUT_THE_RECIPIENT = ("RCPT", "DATA", "DOT")


@pytest.fixture
def relay(binary, dns, rsa, certificate):
    with relays(dns, rsa, certificate) as make:
        yield make


class TestRefusalOfTheRecipient:
    @pytest.mark.parametrize("stage", ABOUT_THE_RECIPIENT)
    def test_a_temporary_one_is_tried_again(self, relay, stage):
        site, smtp = relay()
        smtp.always(stage, "451 4.3.0 try later")
        site.start()
        feed(site)
        first = wait_for_response(site, f"451 4.3.0 try later ({NAMES[stage]})", state="pending")
        assert first["next-attempt"] and smtp.messages == []
        assert "delivery-relay-trouble" not in site.log()
        smtp.always(stage, None)
        accepted_once(site, smtp, first)

    @pytest.mark.parametrize("stage", ABOUT_THE_RECIPIENT)
    def test_a_final_one_ends_the_delivery_until_the_administrator_begins_anew(self, relay, stage):
        site, smtp = relay()
        smtp.script(stage, "550 5.1.1 nobody reads this")
        site.start()
        feed(site)
        (failed,) = site.wait_for_delivery(DOMAIN, "failed")
        assert failed["last-response"] == f"550 5.1.1 nobody reads this ({NAMES[stage]})"
        assert failed["attempts"] == 1 and failed["next-attempt"] is None
        assert site.window(DOMAIN)["state"] == "done" and smtp.messages == []
        # Another domain is served all the while, and by then nothing more came for this one.
        feed(site, "b.example")
        site.wait_for_delivery("b.example", "delivered")
        assert smtp.recipients.count(ADDRESS) == 1
        smtp.messages.clear()
        smtp.offered[:] = [m for m in smtp.offered if m.rcpt_tos == [ADDRESS]]
        site.run("delivery", "retry", failed["id"])
        accepted_once(site, smtp, failed, attempts=2)

    @pytest.mark.parametrize("stage", ["RCPT", "DATA", "DOT"])
    def test_retries_end_with_the_retry_period(self, relay, stage):
        site, smtp = relay()
        site.config["delivery"]["retryFor"] = "3s"
        smtp.always(stage, "451 4.3.0 try later")
        site.start()
        feed(site)
        (delivery,) = site.wait_for_delivery(DOMAIN, "failed")
        assert delivery["last-response"].endswith(f"451 4.3.0 try later ({NAMES[stage]})")
        assert delivery["attempts"] >= 2
        assert smtp.messages == []

    @pytest.mark.parametrize("how", [DROP, RESET])
    @pytest.mark.parametrize("stage", ["RCPT", "DATA"])
    @pytest.mark.parametrize("tls", ["none", "opportunistic"])
    def test_a_connection_that_is_lost_is_tried_again(self, relay, stage, how, tls):
        site, smtp = relay(tls)
        smtp.always(stage, how)
        site.start()
        feed(site)
        first = wait_for_response(site, f"({NAMES[stage]})", state="pending")
        assert smtp.offered == []
        smtp.always(stage, None)
        accepted_once(site, smtp, first)
        assert {m.tls for m in smtp.messages} == {tls != "none"}

    @pytest.mark.parametrize("stage", ["RCPT", "DATA"])
    def test_silence_ends_with_the_reply_timeout(self, relay, stage):
        site, smtp = relay(replyTimeout="1s")
        smtp.always(stage, SILENCE)
        site.start()
        feed(site)
        first = wait_for_response(site, f"no answer within 1s ({NAMES[stage]})", state="pending")
        smtp.always(stage, None)
        accepted_once(site, smtp, first)


def large_report(site):
    """Feeds sessions whose report makes a mail that no socket's buffers can hold."""
    site.config["report"]["tls"]["maxReportSize"] = "0"

    def noise(number):
        blocks = (hashlib.sha512(b"%d %d" % (number, i)).digest() for i in range(6))
        return base64.b64encode(b"".join(blocks)).decode()

    site.dns.tlsrpt(DOMAIN, f"v=TLSRPTv1; rua=mailto:{ADDRESS}")
    return [session(DOMAIN, epoch=OLD_EPOCH, success=False, policy=policy,
                    details=[failure("validation-failure", failure_reason_code=noise(number + offset))])
            for policy, offset in (("sts", 0), ("no-policy-found", 1 << 20)) for number in range(7500)]


class TestMiddleOfTheMessage:
    @pytest.mark.parametrize("tls", ["none", "opportunistic"])
    @pytest.mark.parametrize("how", [DROP, RESET])
    def test_a_large_message_that_is_broken_off_was_not_taken(self, relay, how, tls):
        buffers = pathlib.Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()
        if int(buffers[2]) > 4 << 20:
            pytest.skip("this kernel's buffers hold the whole message")
        site, smtp = relay(tls)
        sessions = large_report(site)
        smtp.script("BODY", how)
        # Before the daemon runs: it would send the first of the file's batches by itself.
        site.write_config()
        site.feed_old(sessions)
        site.start()
        (delivery,) = site.wait_for_delivery(DOMAIN, "delivered", timeout=90)
        assert delivery["attempts"] == 2
        assert "(DATA)" in site.log() and "delivery-uncertain" not in site.log()
        (message,) = smtp.messages
        assert len(message.raw) > 5_000_000
        report = mail.read_report(message.raw).report
        assert sum(p["summary"]["total-failure-session-count"] for p in report["policies"]) == len(sessions)

    @pytest.mark.parametrize("how", [DROP, RESET, "451 4.3.0 out of disk", "552 5.3.4 too large"])
    def test_a_small_one_may_have_been_and_is_sent_again_with_the_same_bytes(self, relay, how):
        """It stands in the buffers with its final dot: from here that looks like a lost final reply. A reply
        that the relay did give is judged by what it says."""
        site, smtp = relay()
        smtp.script("BODY", how)
        site.start()
        feed(site)
        if how.startswith("552"):
            (failed,) = site.wait_for_delivery(DOMAIN, "failed")
            assert failed["last-response"].startswith(how) and smtp.messages == []
            return
        (delivery,) = site.wait_for_delivery(DOMAIN, "delivered")
        assert delivery["attempts"] == 2
        assert len(smtp.messages) == 1
        sent = [m for t in smtp.transcripts for m in t.messages()]
        assert len(sent) == 2 and sent[1].startswith(sent[0][:200])


class TestFinalReply:
    @pytest.mark.parametrize("how", [DROP, RESET])
    @pytest.mark.parametrize("tls", ["none", "opportunistic"])
    def test_a_connection_lost_before_it_leaves_the_delivery_uncertain(self, relay, how, tls):
        site, smtp = relay(tls)
        smtp.always("DOT", how)
        site.start()
        feed(site)
        first = wait_for_response(site, "(end of data)", state="uncertain")
        assert first["next-attempt"]
        assert "delivery-relay-trouble" not in site.log()
        smtp.always("DOT", None)
        accepted_once(site, smtp, first)
        assert len(smtp.offered) >= 2, "the same bytes, Message-ID and report-id included"

    def test_one_that_is_later_than_other_replies_may_be_is_waited_for(self, relay):
        site, smtp = relay(replyTimeout="1s", finalTimeout="15s")
        smtp.always("DOT", After(2.5))
        site.start()
        feed(site)
        (delivery,) = site.wait_for_delivery(DOMAIN, "delivered")
        assert delivery["attempts"] == 1 and delivery["last-response"] == "250 2.0.0 queued (end of data)"
        # Nothing follows it.
        smtp.always("DOT", None)
        feed(site, "b.example")
        site.wait_for_delivery("b.example", "delivered")
        assert [m.rcpt_tos for m in smtp.offered] == [[ADDRESS], ["tlsrpt@b.example"]]

    def test_one_that_is_too_late_leaves_it_uncertain_and_the_same_mail_is_sent_again(self, relay):
        site, smtp = relay(replyTimeout="1s", finalTimeout="2s")
        smtp.always("DOT", After(60))
        site.start()
        feed(site)
        first = wait_for_response(site, "no answer within 2s (end of data)", state="uncertain")
        smtp.always("DOT", None)
        accepted_once(site, smtp, first)
        assert len(smtp.offered) >= 2
        reads = [mail.read_report(m.raw) for m in smtp.offered]
        assert len({r.message["Message-ID"] for r in reads}) == 1
        assert {r.report["report-id"] for r in reads} == {first["report-id"]}

    def test_a_late_reply_before_it_is_too_late(self, relay):
        """Only the final reply has finalTimeout."""
        site, smtp = relay(replyTimeout="1s", finalTimeout="15s")
        smtp.always("RCPT", After(4))
        site.start()
        feed(site)
        first = wait_for_response(site, "no answer within 1s (RCPT TO)", state="pending")
        smtp.always("RCPT", None)
        accepted_once(site, smtp, first)
