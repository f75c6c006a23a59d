"""Debian's Postfix as relay, with the transport for reports as docs/integrations/postfix.md has it: reports reach
servers whose TLS is broken, although everything else must be encrypted and verified."""

import re
import smtplib

import pytest

from peers import certificates, keys, mail
from peers.postfix import Postfix
from peers.rapporteur import OLD_EPOCH, ROOT, SENDER, Site, failure, session, wait_until
from peers.smtp_sink import SmtpSink

PAGE = ROOT / "docs" / "integrations" / "postfix.md"
DOMAIN = "a.example"
ADDRESS = f"tlsrpt@{DOMAIN}"
ORDINARY = f"someone@{DOMAIN}"


def page_block(file, word):
    """The block of the page that is a part of this file and has this word in it."""
    blocks = re.findall(rf"(?ms)^```\n# {re.escape(file)}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"))
    (block,) = [block for block in blocks if word in block]
    return block


def strict(sink, authority):
    """What holds for all mail: the next hop needs a certificate with its name, from that authority."""
    return (
        "smtp_tls_security_level = secure\n"
        f"smtp_tls_CAfile = {authority}\n"
        f"smtp_tls_policy_maps = inline:{{ {{ [127.0.0.1]:{sink.port} = secure match=mx.{DOMAIN} }} }}\n"
        "smtp_tls_loglevel = 1\n"
        "minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\n"
    )


@pytest.fixture
def relay(binary, dns, rsa):
    """Makes a Postfix in front of a sink, with the page's lines, and a site whose relay it is."""
    dns.zone[rsa.name] = [rsa.record()]
    made = []

    def make(sink, authority):
        chosen = page_block("main.cf", "tlsreport").replace("example.com", SENDER)
        postfix = Postfix(sink.port, strict(sink, authority) + chosen, page_block("master.cf", "tlsreport"))
        made.append(postfix)
        site = Site(dns=dns, smtp=postfix, keys=[rsa])
        made.append(site)
        return site, postfix

    yield make
    for one in reversed(made):
        if isinstance(one, Postfix):
            print(f"--- the end of Postfix's log\n{one.log()[-8000:]}")
        one.close()


def send_both(site, postfix):
    """One report from Rapporteur, and one mail of somebody else to the same domain."""
    site.start()
    site.dns.tlsrpt(DOMAIN, f"v=TLSRPTv1; rua=mailto:{ADDRESS}")
    site.feed_old([session(DOMAIN, epoch=OLD_EPOCH, success=False, details=[failure()])])
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as client:
        client.sendmail(f"someone@{SENDER}", [ORDINARY], "Subject: an ordinary mail\r\n\r\nHello.\r\n")
    site.wait_for_delivery(DOMAIN, "delivered")


def attempts(postfix, address):
    """What the log says of the attempts to deliver to this address, once there is one."""
    return wait_until(lambda: postfix.deliveries(address), lambda: f"a delivery\n{postfix.log()[-8000:]}")


def received_report(sink, postfix):
    (message,) = wait_until(lambda: sink.to(ADDRESS), lambda: f"the report\n{postfix.log()[-8000:]}", 120)
    return message


def test_a_report_reaches_a_server_whose_certificate_is_for_another_name(relay, shared, dns):
    other = certificates.signed(shared, "other-name", alt="DNS:other.example")
    with SmtpSink("offer", other) as sink:
        site, postfix = relay(sink, other.authority)
        send_both(site, postfix)
        message = received_report(sink, postfix)
        assert message.tls
        assert message.mail_from == f"noreply-tls@{SENDER}"
        assert [v.verified for v in keys.verify(message.raw, dns.txt)] == [True], "on the far side of Postfix"
        assert mail.read_report(message.raw).report["report-id"] == site.deliveries(DOMAIN)[0]["report-id"]
        assert attempts(postfix, ADDRESS) == [("postfix/tlsreport/smtp", "sent (250 2.0.0 queued)")]
        # The policy that the report did not have to meet is in force.
        assert set(attempts(postfix, ORDINARY)) == {
            ("postfix/smtp", "deferred (Server certificate not verified)")
        }
        assert "hostname mismatch" in postfix.log()
        assert sink.to(ORDINARY) == []


def test_a_report_reaches_a_server_that_cannot_speak_tls(relay, certificate, dns):
    with SmtpSink("broken") as sink:
        site, postfix = relay(sink, certificate.authority)
        send_both(site, postfix)
        message = received_report(sink, postfix)
        assert not message.tls
        assert sink.handshakes > 0, "TLS was tried first"
        assert [v.verified for v in keys.verify(message.raw, dns.txt)] == [True]
        assert {service for service, _ in attempts(postfix, ADDRESS)} == {"postfix/tlsreport/smtp"}
        assert all("deferred" in status for _, status in attempts(postfix, ORDINARY))
        assert sink.to(ORDINARY) == []
