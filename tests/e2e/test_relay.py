"""The way to the relay: TLS as it is configured, passwords, replies judged by stage."""

import os

import pytest

from peers import keys, mail
from peers.rapporteur import OLD_EPOCH, Site, failure, session, wait_until
from peers.smtp_sink import SmtpSink

DOMAIN = "a.example"
ADDRESS = "tlsrpt@a.example"


def feed(site, domain=DOMAIN):
    site.dns.tlsrpt(domain, f"v=TLSRPTv1; rua=mailto:tlsrpt@{domain}")
    site.feed_old([session(domain, epoch=OLD_EPOCH, success=False, details=[failure()])])


def last_response(site, domain=DOMAIN, timeout=30):
    """The only delivery, once it has something to tell."""

    def told():
        deliveries = site.deliveries(domain)
        return len(deliveries) == 1 and deliveries[0]["last-response"] and deliveries[0]

    return wait_until(told, lambda: f"a last response\n{site.log()[-4000:]}", timeout, 0.1)


@pytest.fixture
def relay_site(binary, dns, rsa):
    """Makes a site whose relay is a given sink."""
    dns.zone[rsa.name] = [rsa.record()]
    sites = []

    def make(sink, tls, **smtp):
        site = Site(dns=dns, smtp=sink, keys=[rsa])
        sites.append(site)
        site.config["delivery"]["smtp"].update(tls=tls, **smtp)
        return site

    yield make
    for site in sites:
        site.close()


RELAYS = ("self-signed", "no STARTTLS", "broken handshake")


@pytest.fixture
def difficult(request, self_signed):
    kind = {"self-signed": ("offer", self_signed), "no STARTTLS": ("none", None),
            "broken handshake": ("broken", None)}[request.param]
    with SmtpSink(*kind) as sink:
        yield sink


@pytest.mark.parametrize("difficult", RELAYS, indirect=True)
class TestDifficultRelay:
    def test_gets_the_report_with_opportunistic(self, difficult, relay_site, dns):
        site = relay_site(difficult, "opportunistic").start()
        feed(site)
        site.wait_for_delivery(DOMAIN, "delivered")
        (message,) = difficult.messages
        assert message.tls == (difficult.starttls == "offer")
        assert [v.verified for v in keys.verify(message.raw, dns.txt)] == [True]

    def test_gets_nothing_with_required(self, difficult, relay_site):
        site = relay_site(difficult, "required").start()
        feed(site)
        delivery = last_response(site)
        assert delivery["state"] == "pending", "a temporary failure"
        assert delivery["next-attempt"]
        assert site.window(DOMAIN)["state"] == "assembled"
        assert difficult.offered == [] and difficult.recipients == []


class TestTrustedRelay:
    @pytest.mark.parametrize("starttls", ["offer", "implicit"])
    def test_required_is_satisfied_by_a_verified_chain_and_name(self, certificate, relay_site, starttls):
        with SmtpSink(starttls, certificate) as sink:
            site = relay_site(sink, "required", caFile=certificate.authority).start()
            feed(site)
            site.wait_for_delivery(DOMAIN, "delivered")
            assert [m.tls for m in sink.messages] == [True]

    def test_none_never_starts_tls(self, certificate, relay_site):
        with SmtpSink("offer", certificate) as sink:
            site = relay_site(sink, "none").start()
            feed(site)
            site.wait_for_delivery(DOMAIN, "delivered")
            assert [m.tls for m in sink.messages] == [False]
            assert sink.handshakes == 0

    def test_a_password_is_used(self, certificate, relay_site):
        with SmtpSink("offer", certificate, credentials=("reporter", "s3cret")) as sink:
            site = relay_site(sink, "required", caFile=certificate.authority, username="reporter")
            secret = site.new_file("s3cret\n", ".password")
            os.chmod(secret, 0o600)
            site.config["delivery"]["smtp"]["passwordFile"] = str(secret)
            site.start()
            feed(site)
            site.wait_for_delivery(DOMAIN, "delivered")
            assert [m.user for m in sink.messages] == ["reporter"]
            assert "s3cret" not in site.log()

    def test_a_wrong_password_is_trouble_of_ours(self, certificate, relay_site):
        with SmtpSink("offer", certificate, credentials=("reporter", "s3cret")) as sink:
            site = relay_site(sink, "required", caFile=certificate.authority, username="reporter")
            secret = site.new_file("wrong\n", ".password")
            os.chmod(secret, 0o600)
            site.config["delivery"]["smtp"]["passwordFile"] = str(secret)
            site.start()
            feed(site)
            assert last_response(site)["state"] == "pending"
            assert sink.offered == []


class TestReplies:
    @pytest.mark.parametrize("stage", ["RCPT", "DOT"])
    def test_a_final_refusal_of_the_destination_ends_its_delivery(self, site, smtp, stage):
        smtp.script(stage, "550 5.1.1 nobody reads this")
        site.start()
        feed(site)
        (delivery,) = site.wait_for_delivery(DOMAIN, "failed")
        assert "550" in delivery["last-response"] and "nobody reads this" in delivery["last-response"]
        assert site.window(DOMAIN)["state"] == "done"
        assert delivery["attempts"] == 1

    @pytest.mark.parametrize("stage", ["RCPT", "DOT"])
    def test_a_temporary_refusal_is_tried_again_with_the_same_bytes(self, site, smtp, dns, stage):
        smtp.script(stage, "451 4.3.0 try later")
        site.start()
        feed(site)
        (delivery,) = site.wait_for_delivery(DOMAIN, "delivered")
        assert delivery["attempts"] == 2
        (message,) = smtp.messages
        if stage == "DOT":
            assert [m.raw for m in smtp.offered] == [message.raw] * 2
        assert mail.read_report(message.raw).report["report-id"] == delivery["report-id"]
        assert [v.verified for v in keys.verify(message.raw, dns.txt)] == [True]

    @pytest.mark.parametrize("stage", ["EHLO", "MAIL"])
    def test_a_refusal_before_the_destination_is_trouble_of_the_relay(self, site, smtp, stage):
        smtp.script(stage, *["554 5.7.1 not from you"] * 2)
        site.start()
        feed(site)
        delivery = last_response(site)
        assert delivery["state"] in ("pending", "delivered")
        site.wait_for_delivery(DOMAIN, "delivered", timeout=90)

    def test_an_unreachable_relay_stops_nothing_and_is_shown(self, site, smtp):
        smtp.close()
        site.start()
        for domain in ("a.example", "b.example"):
            feed(site, domain)
        assert last_response(site, "a.example")["state"] == "pending"
        listed = site.json("delivery", "list", "--state", "pending")
        assert "b.example" in str(listed)
        # The daemon goes on with everything else.
        site.feed([session("c.example", count=3)])
        assert site.window("c.example")["successful-sessions"] == 3
        with SmtpSink(port=smtp.port) as back:
            for delivery in site.deliveries("a.example") + site.deliveries("b.example"):
                # The relay's probe may have come first: then there is nothing to be tried again.
                site.run("delivery", "retry", delivery["id"], code=None)
            site.wait_for_delivery("a.example", "delivered", timeout=60)
            site.wait_for_delivery("b.example", "delivered", timeout=60)
            assert len(back.messages) == 2

    def test_one_refused_recipient_does_not_hold_up_another(self, site, smtp, dns):
        smtp.refuse("gone@a.example", "550 5.1.1 gone")
        smtp.refuse("later@a.example", "450 4.2.0 full")
        site.config["delivery"]["firstRetry"] = "1h"
        site.start()
        dns.tlsrpt(DOMAIN, "v=TLSRPTv1; rua=mailto:gone@a.example,mailto:later@a.example,mailto:here@a.example")
        site.feed_old([session(DOMAIN, epoch=OLD_EPOCH)])

        def states():
            found = {d["destination"]: d["state"] for d in site.deliveries(DOMAIN) if d["last-response"]}
            return found == {
                "mailto:gone@a.example": "failed",
                "mailto:later@a.example": "pending",
                "mailto:here@a.example": "delivered",
            }

        wait_until(states, lambda: f"{site.deliveries(DOMAIN)}\n{site.log()[-4000:]}")
        assert site.window(DOMAIN)["state"] == "assembled", "one is open"
