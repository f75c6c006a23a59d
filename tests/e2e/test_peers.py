"""The peers themselves: a test that trusts a broken peer proves nothing."""

import gzip
import http.client
import smtplib
import socket
import ssl
import time

import dkim
import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from peers import keys, mail
from peers.dns_server import NODATA, NXDOMAIN, SERVFAIL, SILENCE, Alias
from peers.https_sink import drop, endless_body, endless_header
from peers.rapporteur import Inline, canonical, to_toml
from peers.smtp_sink import DROP, LOST, RESET, STAGES, SmtpSink

MESSAGE = b"From: a@sender.example\r\nTo: b@there.example\r\nSubject: s\r\n\r\n.one\r\ntwo\r\n"


def ask(dns, name, tcp=False, timeout=2.0):
    reply = DNSRecord.question(name, "TXT").send("127.0.0.1", dns.port, tcp=tcp, timeout=timeout)
    return DNSRecord.parse(reply)


def texts(reply):
    return sorted(b"".join(rr.rdata.data).decode() for rr in reply.rr if rr.rtype == QTYPE.TXT)


class TestDnsServer:
    def test_answers_several_records_of_several_strings(self, dns):
        dns.zone["a.example"] = ["one", ["tw", "o"], "x" * 600]
        reply = ask(dns, "A.Example.")
        assert texts(reply) == ["one", "two", "x" * 600]
        assert dns.queries == [("a.example", "TXT")]

    def test_says_what_is_not_there(self, dns):
        dns.zone.update({"nodata.example": NODATA, "bad.example": SERVFAIL, "no.example": NXDOMAIN})
        assert ask(dns, "unknown.example").header.rcode == RCODE.NXDOMAIN
        assert ask(dns, "no.example").header.rcode == RCODE.NXDOMAIN
        assert ask(dns, "nodata.example").header.rcode == RCODE.NOERROR
        assert ask(dns, "nodata.example").rr == []
        assert ask(dns, "bad.example").header.rcode == RCODE.SERVFAIL

    def test_can_be_silent_and_change_its_mind(self, dns):
        dns.zone["slow.example"] = SILENCE
        with pytest.raises(socket.timeout):
            ask(dns, "slow.example", timeout=0.2)
        dns.zone["slow.example"] = ["here"]
        assert texts(ask(dns, "slow.example")) == ["here"]

    def test_sends_large_answers_over_tcp_only(self, dns):
        dns.zone["large.example"] = ["y" * 3000]
        assert ask(dns, "large.example").header.tc
        assert texts(ask(dns, "large.example", tcp=True)) == ["y" * 3000]

    def test_follows_aliases(self, dns):
        dns.zone["_smtp._tls.a.example"] = Alias("_smtp._tls.b.example")
        dns.tlsrpt("b.example", "v=TLSRPTv1; rua=mailto:r@b.example")
        assert texts(ask(dns, "_smtp._tls.a.example")) == ["v=TLSRPTv1; rua=mailto:r@b.example"]
        assert dns.txt("_smtp._tls.a.example") == ["v=TLSRPTv1; rua=mailto:r@b.example"]


def deliver(sink, recipient="b@there.example", starttls=None, user=None, message=MESSAGE):
    with smtplib.SMTP("127.0.0.1", sink.port, "client.example", timeout=10) as client:
        client.ehlo()
        if starttls:
            client.starttls(context=starttls)
            client.ehlo()
        if user:
            client.login(*user)
        return client.sendmail("a@sender.example", [recipient], message)


class TestSmtpSink:
    def test_keeps_a_message_as_it_was_sent(self, smtp):
        deliver(smtp)
        assert smtp.messages[0].raw == MESSAGE
        assert smtp.messages[0].mail_from == "a@sender.example"
        assert smtp.messages[0].rcpt_tos == ["b@there.example"]
        assert smtp.messages[0].ehlo == "client.example"
        assert not smtp.messages[0].tls
        assert smtp.connections == 1

    @pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "DOT"])
    def test_refuses_once_as_it_is_told(self, smtp, stage):
        smtp.script(stage, "451 4.0.0 later")
        with pytest.raises(smtplib.SMTPException):
            deliver(smtp)
        assert smtp.messages == []
        deliver(smtp)
        assert len(smtp.messages) == 1

    def test_refuses_a_recipient_always(self, smtp):
        smtp.refuse("gone@there.example", "550 5.1.1 no such user")
        for _ in range(2):
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                deliver(smtp, "gone@there.example")
        deliver(smtp)
        assert len(smtp.to("b@there.example")) == 1
        assert smtp.recipients.count("gone@there.example") == 2

    def test_takes_its_time(self, smtp):
        smtp.delay("DOT", 0.3)
        began = time.monotonic()
        deliver(smtp)
        assert time.monotonic() - began >= 0.3

    @pytest.mark.parametrize("stage", STAGES)
    @pytest.mark.parametrize("how", [DROP, RESET])
    def test_breaks_off_where_it_is_told_to(self, certificate, stage, how):
        context = ssl.create_default_context(cafile=certificate.authority)
        with SmtpSink("offer", certificate, credentials=("user", "s3cret")) as sink:
            sink.script(stage, how)
            with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
                deliver(sink, starttls=context, user=("user", "s3cret"), message=b"line\r\n" * 10)
            assert sink.messages == []
            deliver(sink, starttls=context, user=("user", "s3cret"))
            assert len(sink.messages) == 1

    def test_loses_its_acceptance(self, smtp):
        smtp.script("DOT", LOST)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            deliver(smtp)
        assert [m.raw for m in smtp.messages] == [MESSAGE]

    def test_always_refuses_until_it_is_told_otherwise(self, smtp):
        smtp.always("MAIL", "451 4.0.0 later")
        for _ in range(2):
            with pytest.raises(smtplib.SMTPSenderRefused):
                deliver(smtp)
        smtp.always("MAIL", None)
        deliver(smtp)
        assert len(smtp.messages) == 1

    def test_remembers_every_line(self, smtp):
        smtp.script("RCPT", "550 no")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            deliver(smtp)
        deliver(smtp)
        refused, accepted = smtp.transcripts
        assert refused.commands() == ["ehlo client.example", f"mail FROM:<a@sender.example> size={len(MESSAGE)}",
                                      "rcpt TO:<b@there.example>", "rset", "QUIT"]
        assert refused.messages() == []
        assert accepted.commands() == ["ehlo client.example", f"mail FROM:<a@sender.example> size={len(MESSAGE)}",
                                       "rcpt TO:<b@there.example>", "data", "QUIT"]
        (message,) = accepted.messages()
        assert message == MESSAGE.replace(b"\r\n.one", b"\r\n..one") + b".\r\n"

    def test_speaks_starttls(self, certificate):
        with SmtpSink("offer", certificate) as sink:
            deliver(sink, starttls=ssl.create_default_context(cafile=certificate.authority))
            deliver(sink)
            assert [m.tls for m in sink.messages] == [True, False]
            assert sink.connections == 2

    def test_is_not_trusted_with_a_self_signed_certificate(self, self_signed):
        with SmtpSink("offer", self_signed) as sink:
            with pytest.raises(ssl.SSLCertVerificationError):
                deliver(sink, starttls=ssl.create_default_context())
            assert sink.messages == []

    def test_breaks_every_handshake(self):
        with SmtpSink("broken") as sink:
            with pytest.raises(ssl.SSLError):
                deliver(sink, starttls=ssl.create_default_context())
            assert sink.handshakes == 1
            deliver(sink)
            assert len(sink.messages) == 1

    def test_offers_no_starttls(self, smtp):
        with pytest.raises(smtplib.SMTPNotSupportedError):
            deliver(smtp, starttls=ssl.create_default_context())

    def test_speaks_tls_from_the_first_byte(self, certificate):
        with SmtpSink("implicit", certificate) as sink:
            context = ssl.create_default_context(cafile=certificate.authority)
            with smtplib.SMTP_SSL("127.0.0.1", sink.port, context=context, timeout=10) as client:
                client.sendmail("a@sender.example", ["b@there.example"], MESSAGE)
            assert sink.messages[0].tls

    def test_demands_authentication(self, certificate):
        context = ssl.create_default_context(cafile=certificate.authority)
        with SmtpSink("offer", certificate, credentials=("reporter", "secret")) as sink:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                deliver(sink, starttls=context, user=("reporter", "wrong"))
            with pytest.raises(smtplib.SMTPException):
                deliver(sink, starttls=context)
            deliver(sink, starttls=context, user=("reporter", "secret"))
            assert [m.user for m in sink.messages] == ["reporter"]


class TestHttpsSink:
    def post(self, sink, certificate):
        context = ssl.create_default_context(cafile=certificate.authority)
        client = http.client.HTTPSConnection("localhost", sink.port, context=context, timeout=10)
        client.request("POST", "/v1/tlsrpt", b"body", {"Content-Type": "application/tlsrpt+gzip"})
        response = client.getresponse()
        response.read()
        client.close()
        return response

    def test_keeps_requests_and_answers_as_told(self, https, certificate):
        https.script((503, {"Retry-After": "1"}))
        first = self.post(https, certificate)
        assert (first.status, first.headers["Retry-After"]) == (503, "1")
        assert self.post(https, certificate).status == 201
        assert len(https.requests) == 2
        assert len(https.accepted) == 1
        assert https.accepted[0].path == "/v1/tlsrpt"
        assert https.accepted[0].body == b"body"
        assert https.accepted[0].headers["content-type"] == "application/tlsrpt+gzip"

    def test_breaks_off_as_it_is_told(self, https, certificate):
        https.script(drop, endless_header)
        with pytest.raises(http.client.RemoteDisconnected):
            self.post(https, certificate)
        with pytest.raises(http.client.HTTPException, match="more than 100 headers"):
            self.post(https, certificate)
        assert self.post(https, certificate).status == 201
        assert (len(https.requests), len(https.accepted)) == (3, 1)

    def test_sends_without_end(self, https, certificate):
        https.script(endless_body(200))
        context = ssl.create_default_context(cafile=certificate.authority)
        client = http.client.HTTPSConnection("localhost", https.port, context=context, timeout=10)
        client.request("POST", "/", b"body")
        assert client.getresponse().read(1 << 20) == b"y" * (1 << 20)
        client.close()

    def test_survives_a_client_that_does_not_trust_it(self, https, certificate):
        client = http.client.HTTPSConnection("localhost", https.port, timeout=10)
        with pytest.raises(ssl.SSLError):
            client.request("POST", "/", b"")
        assert self.post(https, certificate).status == 201


class TestKeys:
    def sign(self, key):
        algorithm = b"rsa-sha256" if key.type == "rsa" else b"ed25519-sha256"
        with open(key.path, "rb") as file:
            pem = file.read()
        if key.type == "ed25519":  # dkimpy reads the bare seed
            import base64

            from cryptography.hazmat.primitives import serialization as form

            loaded = form.load_pem_private_key(pem, None)
            pem = base64.b64encode(
                loaded.private_bytes(form.Encoding.Raw, form.PrivateFormat.Raw, form.NoEncryption())
            )
        return dkim.sign(MESSAGE, key.selector.encode(), key.domain.encode(), pem,
                         signature_algorithm=algorithm) + MESSAGE

    @pytest.mark.parametrize("name", ["rsa", "ed25519"])
    def test_signatures_are_judged_by_the_published_record(self, name, dns, request):
        key = request.getfixturevalue(name)
        signed = self.sign(key)
        dns.zone[key.name] = [key.record()]
        assert [v.verified for v in keys.verify(signed, dns.txt)] == [True]
        assert [v.verified for v in keys.verify(signed, dns.txt, "strict")] == [False]
        assert [v.verified for v in keys.verify(signed + b"x\r\n", dns.txt)] == [False]
        dns.zone[key.name] = [key.record("tlsrpt")]
        assert [v.verified for v in keys.verify(signed, dns.txt, "strict")] == [True]
        dns.zone[key.name] = NXDOMAIN
        assert [v.verified for v in keys.verify(signed, dns.txt)] == [False]

    def test_every_signature_is_found(self, rsa, ed25519):
        second = self.sign(ed25519).removesuffix(MESSAGE)
        found = keys.signatures(second + self.sign(rsa))
        assert [(t["a"], t["s"]) for t in found] == [("ed25519-sha256", "ed1"), ("rsa-sha256", "rsa1")]


class TestForms:
    def test_configuration_is_toml(self):
        text = to_toml(
            {
                "a": {"x": "it's \"1\"", "y": [1, True], "z": Inline(k="v")},
                "b": {"domain": {"*.example.org": {"f": "daily"}}},
                "d": [{"k": 1}, {"k": 2}],
            }
        )
        import tomllib

        assert tomllib.loads(text) == {
            "a": {"x": "it's \"1\"", "y": [1, True], "z": {"k": "v"}},
            "b": {"domain": {"*.example.org": {"f": "daily"}}},
            "d": [{"k": 1}, {"k": 2}],
        }

    def test_order_of_policies_and_details_does_not_matter(self):
        def shown(policies):
            window = {"start": "s", "end": "e", "frequency": "daily", "state": "held", "due": "d",
                      "reason": "r", "successful-sessions": 1, "failed-sessions": 2,
                      "policies": policies, "deliveries": []}
            return {"domain": "a.example", "windows": [window]}

        one = {"policy-type": "tlsa", "policy-domain": "a", "policy-string": ["2", "1"],
               "successful": 1, "failed": 0, "failure-details": []}
        two = {"policy-type": "no-policy-found", "policy-domain": "a", "policy-string": [],
               "mx-host": [], "successful": 0, "failed": 2,
               "failure-details": [{"result-type": "x", "failed-session-count": 1},
                                   {"failed-session-count": 1, "result-type": "y"}]}
        turned = {**two, "failure-details": two["failure-details"][::-1]}
        assert canonical(shown([one, two])) == canonical(shown([turned, one]))
        assert canonical(shown([one])) != canonical(shown([two]))

    def test_a_report_mail_is_taken_apart(self):
        body = gzip.compress(b'{"report-id": "x@y.example"}')
        import base64

        raw = (
            b"Subject: Report Domain: a.example Submitter:\r\n y.example Report-ID: <x@y.example>\r\n"
            b'Content-Type: multipart/report; report-type="tlsrpt"; boundary="B"\r\n\r\n'
            b"--B\r\nContent-Type: text/plain\r\n\r\nHello.\r\n--B\r\n"
            b"Content-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n"
            b'Content-Disposition: attachment; filename="a.json.gz"\r\n\r\n'
            + base64.encodebytes(body).replace(b"\n", b"\r\n")
            + b"--B--\r\n"
        )
        read = mail.read_report(raw)
        assert read.report["report-id"] == read.subject_report_id == "x@y.example"
        assert read.filename == "a.json.gz"
        assert read.text.strip() == "Hello."
