"""What the tests of difficult relays share."""

import contextlib
import os

from . import mail
from .rapporteur import OLD_EPOCH, Site, failure, session, wait_until
from .smtp_sink import SmtpSink

DOMAIN = "a.example"
ADDRESS = f"tlsrpt@{DOMAIN}"
USER, PASSWORD = "reporter", "s3cret"

# What `last-response` calls each stage.
NAMES = {"GREETING": "greeting", "EHLO": "EHLO", "STARTTLS": "STARTTLS", "AUTH": "AUTH", "MAIL": "MAIL FROM",
         "RCPT": "RCPT TO", "DATA": "DATA", "BODY": "DATA", "DOT": "end of data"}


def feed(site, *domains):
    for domain in domains or (DOMAIN,):
        site.dns.tlsrpt(domain, f"v=TLSRPTv1; rua=mailto:tlsrpt@{domain}")
    site.feed_old([session(domain, epoch=OLD_EPOCH, success=False, details=[failure()])
                   for domain in domains or (DOMAIN,)])


def wait_for_response(site, text, domain=DOMAIN, state=None, timeout=40):
    """The domain's only delivery, once its last response ends so and it is in this state."""
    seen = {}

    def told():
        seen["all"] = deliveries = site.deliveries(domain)
        if len(deliveries) != 1 or not (deliveries[0]["last-response"] or "").endswith(text):
            return None
        return deliveries[0] if state in (None, deliveries[0]["state"]) else None

    return wait_until(told, lambda: f"{text!r}, {state}: {seen['all']}\n{site.log()[-4000:]}", timeout, 0.1)


def accepted_once(site, smtp, first, attempts=None):
    """Waits until the delivery that was seen before is delivered; checks that it is still the same, that
    its message was accepted once, and that every message that was offered had the same bytes."""
    (delivery,) = site.wait_for_delivery(DOMAIN, "delivered", timeout=90)
    assert (delivery["id"], delivery["report-id"]) == (first["id"], first["report-id"])
    assert delivery["attempts"] == attempts if attempts else delivery["attempts"] > first["attempts"]
    assert delivery["last-response"] == "250 2.0.0 queued (end of data)"
    assert site.window(DOMAIN)["state"] == "done"
    (message,) = smtp.messages
    assert message.rcpt_tos == [ADDRESS]
    assert {m.raw for m in smtp.offered} == {message.raw}
    read = mail.read_report(message.raw)
    assert read.report["report-id"] == delivery["report-id"]
    return delivery


@contextlib.contextmanager
def relays(dns, rsa, certificate):
    """Makes sinks with TLS and a password, and sites that use them with firstRetry = "1s"."""
    dns.zone[rsa.name] = [rsa.record()]
    made = []

    def make(tls="none", with_password=False, **smtp):
        sink = SmtpSink("offer" if tls != "none" else "none", certificate,
                        credentials=(USER, PASSWORD) if with_password else None, auth_in_clear=tls == "none")
        made.append(sink)
        site = Site(dns=dns, smtp=sink, keys=[rsa])
        made.append(site)
        if tls == "required":
            site.trust(certificate.authority)
        if with_password:
            secret = site.new_file(PASSWORD + "\n", ".password")
            os.chmod(secret, 0o600)
            site.config["delivery"]["smtp"].update(username=USER, passwordFile=str(secret))
        site.config["delivery"]["smtp"].update(tls=tls, **smtp)
        return site, sink

    try:
        yield make
    finally:
        for peer in reversed(made):
            peer.close()
