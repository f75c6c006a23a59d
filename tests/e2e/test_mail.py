"""The mail that a relay receives: its structure, its bytes, its signatures."""

import json
import re

import pytest

from peers import keys, mail
from peers.dns_server import DnsServer
from peers.rapporteur import OLD_EPOCH, SENDER, Site, failure, session
from peers.smtp_sink import SmtpSink

# Two names of 60 characters.
LONG_DOMAIN = "d" * 52 + ".example"
LONG_SENDER = "s" * 52 + ".example"

DOMAIN = "a.example"


def publish(site, domain, *addresses):
    uris = addresses or (f"mailto:tlsrpt@{domain}",)
    site.dns.tlsrpt(domain, "v=TLSRPTv1; rua=" + ",".join(uris))


def sessions(domain):
    return [
        session(domain, epoch=OLD_EPOCH, count=7),
        session(domain, epoch=OLD_EPOCH, success=False, details=[
            failure(receiving_mx_hostname=f"mx.{domain}", receiving_ip="198.51.100.7",
                    failure_reason_code="bücher; \"quoted\" =?x?= 'and' more")]),
    ]


def send(site, domain=DOMAIN):
    """One report on its way through the running daemon; the mail that arrived."""
    publish(site, domain)
    site.feed_old(sessions(domain))
    site.wait_for_delivery(domain, "delivered")
    (message,) = site.smtp.to(f"tlsrpt@{domain}")
    return message


@pytest.fixture(scope="module")
def sent(binary, rsa, ed25519):
    """A site that has sent one report, signed with both keys; its mail must not be changed."""
    with DnsServer() as dns, SmtpSink() as smtp:
        for key in (rsa, ed25519):
            dns.zone[key.name] = [key.record()]
        with Site(dns=dns, smtp=smtp, keys=[rsa, ed25519]) as site:
            site.start()
            message = send(site)
            site.received = message
            yield site


@pytest.fixture(scope="module")
def received(sent):
    return sent.received


class TestStructure:
    def test_it_is_a_tlsrpt_report_of_two_parts(self, received):
        read = mail.read_report(received.raw)
        assert read.message.get_content_type() == "multipart/report"
        assert read.message.get_param("report-type") == "tlsrpt"
        text, body = read.message.get_payload()
        assert text.get_content_type() == "text/plain"
        assert body.get_content_type() == "application/tlsrpt+gzip"
        assert body["Content-Transfer-Encoding"] == "base64"
        assert body.get_content_disposition() == "attachment"
        assert read.text.strip()

    def test_subject_and_json_have_the_same_report_id(self, received):
        read = mail.read_report(received.raw)
        assert read.subject_report_id == read.report["report-id"]
        assert f"Report Domain: {DOMAIN} Submitter: {SENDER} Report-ID:" in read.subject
        assert re.fullmatch(
            rf"20260114T000000Z-20260115T000000Z\.{re.escape(DOMAIN)}\.1\.[a-z0-9]{{8}}@{SENDER}",
            read.report["report-id"],
        )

    def test_the_json_is_what_rfc_8460_asks_for(self, received):
        report = mail.read_report(received.raw).report
        assert report["organization-name"] == SENDER
        assert report["date-range"] == {
            "start-datetime": "2026-01-14T00:00:00Z",
            "end-datetime": "2026-01-14T23:59:59Z",
        }
        assert report["contact-info"] == f"noreply-tls@{SENDER}"
        (policy,) = report["policies"]
        assert policy["policy"] == {
            "policy-type": "sts",
            "policy-string": ["version: STSv1", "mode: enforce", f"mx: mx.{DOMAIN}", "max_age: 86400"],
            "policy-domain": DOMAIN,
            "mx-host": [f"mx.{DOMAIN}"],
        }
        assert policy["summary"] == {
            "total-successful-session-count": 7,
            "total-failure-session-count": 1,
        }
        (detail,) = policy["failure-details"]
        assert detail == {
            "result-type": "certificate-expired",
            "receiving-mx-hostname": f"mx.{DOMAIN}",
            "receiving-ip": "198.51.100.7",
            "failed-session-count": 1,
            "failure-reason-code": "bücher; \"quoted\" =?x?= 'and' more",
        }

    def test_the_file_name_is_that_of_rfc_8460(self, received):
        read = mail.read_report(received.raw)
        token = read.report["report-id"].split("@")[0].rsplit(".", 1)[1]
        assert read.filename == f"{SENDER}!{DOMAIN}!1768348800!1768435199!001{token}.json.gz"

    def test_headers_are_there_once(self, received):
        headers = mail.read_report(received.raw).message
        for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
                     "TLS-Report-Domain", "TLS-Report-Submitter", "TLS-Required",
                     "Auto-Submitted"):
            assert len(headers.get_all(name, [])) == 1, name
        assert headers["TLS-Report-Domain"] == DOMAIN
        assert headers["TLS-Report-Submitter"] == SENDER
        assert headers["TLS-Required"] == "No"
        assert headers["Auto-Submitted"] == "auto-generated"
        assert f"noreply-tls@{SENDER}" in headers["From"] and "Report Subsystem" in headers["From"]
        assert f"tlsrpt@{DOMAIN}" in headers["To"]

    def test_the_envelope_is_that_of_the_settings(self, received):
        assert received.mail_from == f"noreply-tls@{SENDER}"
        assert received.rcpt_tos == [f"tlsrpt@{DOMAIN}"]


class TestSignatures:
    @pytest.mark.parametrize("service, mode", [(None, False), ("tlsrpt", "strict")])
    def test_every_key_signs_and_dkimpy_verifies(self, sent, received, rsa, ed25519, service, mode):
        zone = {key.name: [key.record(service)] for key in (rsa, ed25519)}
        verdicts = keys.verify(received.raw, lambda name: zone.get(name, []), mode)
        assert {(v.selector, v.domain, v.algorithm) for v in verdicts} == {
            ("rsa1", SENDER, "rsa-sha256"),
            ("ed1", SENDER, "ed25519-sha256"),
        }
        assert all(v.verified for v in verdicts), [str(v) for v in verdicts]

    @pytest.mark.parametrize(
        "name, before, after",
        [
            ("body", b"\r\n--", b"\r\n.--"),
            ("TLS-Required", b"TLS-Required: No", b"TLS-Required: Na"),
            ("TLS-Report-Domain", b"TLS-Report-Domain: a", b"TLS-Report-Domain: b"),
            ("TLS-Report-Submitter", b"TLS-Report-Submitter: s", b"TLS-Report-Submitter: t"),
            ("Subject", b"Subject: Report", b"Subject: Peport"),
            ("another Subject", b"Subject:", b"Subject: x\r\nSubject:"),
            ("Message-ID", b"Message-ID: <", b"Message-ID: <x"),
        ],
    )
    def test_one_changed_byte_breaks_every_signature(self, sent, received, name, before, after):
        assert received.raw.count(before) >= 1
        verdicts = keys.verify(received.raw.replace(before, after, 1), sent.dns.txt)
        assert len(verdicts) == 2
        assert not any(v.verified for v in verdicts), name

    def test_signatures_cover_what_they_must(self, received):
        for tags in keys.signatures(received.raw):
            assert "l" not in tags, "RFC 8460, section 3"
            assert tags["c"] == "relaxed/relaxed"
            signed = tags["h"].lower().split(":")
            for name in ("tls-report-domain", "tls-report-submitter", "tls-required", "message-id"):
                assert name in signed
            for name in ("from", "to", "subject", "date"):
                assert signed.count(name) == 2, f"{name} is not oversigned"


class TestBytes:
    def check(self, raw):
        assert raw.endswith(b"\r\n")
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw), "a bare CR or LF"
        assert max(raw) < 0x80, "an 8-bit byte"
        assert max(len(line) for line in raw.split(b"\r\n")) <= 998
        head, body = raw.split(b"\r\n\r\n", 1)
        unfolded = re.sub(rb"\r\n[ \t]+", b" ", head)
        (subject,) = re.findall(rb"(?m)^Subject: ([^\r\n]*)", unfolded)
        assert b"=?" not in subject
        assert b'report-type="tlsrpt"' in unfolded
        assert b"filename*" not in raw
        names = [line for line in raw.split(b"\r\n") if re.search(rb'filename="[^"]+"', line)]
        assert len(names) == 1, "filename=\"…\" is not on one line"
        base64_lines = max(len(line) for line in body.split(b"\r\n") if re.fullmatch(rb"[A-Za-z0-9+/=]+", line))
        assert base64_lines <= 76
        return subject.decode()

    def test_an_ordinary_mail(self, received):
        self.check(received.raw)

    def test_long_names_are_not_rewritten(self, binary, dns, smtp, shared):
        assert len(LONG_DOMAIN) == len(LONG_SENDER) == 60
        key = keys.make_key(shared, LONG_SENDER, "long")
        dns.zone[key.name] = [key.record()]
        with Site(dns=dns, smtp=smtp, keys=[key], domain=LONG_SENDER) as site:
            site.start()
            raw = send(site, LONG_DOMAIN).raw
        subject = self.check(raw)
        read = mail.read_report(raw)
        assert f"Report Domain: {LONG_DOMAIN} Submitter: {LONG_SENDER} Report-ID: <" in subject
        assert read.subject_report_id == read.report["report-id"]
        assert read.filename.startswith(f"{LONG_SENDER}!{LONG_DOMAIN}!1768348800!")
        assert [v.verified for v in keys.verify(raw, dns.txt)] == [True]

    def test_an_internationalised_domain_travels_as_a_labels(self, site):
        site.start()
        site.config["report"]["tls"]["orgName"] = "'Bücher & Söhne'"
        site.stop()
        site.start()
        publish(site, "xn--bcher-kva.example", "mailto:tlsrpt@bücher.example")
        site.feed_old([session("Bücher.Example.", epoch=OLD_EPOCH)])
        site.wait_for_delivery("xn--bcher-kva.example", "delivered")
        (message,) = site.smtp.messages
        assert message.rcpt_tos == ["tlsrpt@xn--bcher-kva.example"]
        self.check(message.raw)
        report = mail.read_report(message.raw).report
        assert report["policies"][0]["policy"]["policy-domain"] == "xn--bcher-kva.example"
        assert report["organization-name"] == "Bücher & Söhne"


def test_each_recipient_gets_a_message_of_its_own(site):
    site.start()
    publish(site, DOMAIN, "mailto:one@a.example", "mailto:two@a.example", "mailto:one@a.example")
    site.feed_old(sessions(DOMAIN))
    deliveries = site.wait_for_delivery(DOMAIN, "delivered", 2)
    assert sorted(m.rcpt_tos for m in site.smtp.messages) == [["one@a.example"], ["two@a.example"]]
    assert len({d["report-id"] for d in deliveries}) == 1
    for message in site.smtp.messages:
        read = mail.read_report(message.raw)
        assert message.rcpt_tos[0] in read.message["To"]
        assert [v.verified for v in keys.verify(message.raw, site.dns.txt)] == [True]


def test_settings_shape_the_mail(site):
    site.config["report"]["tls"].update(
        fromName="'Reports of ' + system('domain')",
        fromAddress="'tls@' + system('domain')",
        contactInfo="'postmaster@' + system('domain')",
        envelopeFrom="'bounce+' + delivery_id + '@' + system('domain')",
        subject="'TLS report about ' + rcpt_domain",
        orgName="'Sender Ltd'",
    )
    site.start()
    message = send(site)
    (delivery,) = site.deliveries(DOMAIN)
    read = mail.read_report(message.raw)
    assert message.mail_from == f"bounce+{delivery['id']}@{SENDER}"
    assert f"tls@{SENDER}" in read.message["From"]
    assert read.subject == f"TLS report about {DOMAIN}"
    assert read.report["contact-info"] == f"postmaster@{SENDER}"
    assert read.report["organization-name"] == "Sender Ltd"


def test_a_preview_is_what_would_be_sent(site):
    publish(site, DOMAIN)
    site.feed(sessions(DOMAIN))
    previewed = site.run("report", "preview", DOMAIN, "--as", "eml").stdout
    as_mail = mail.read_report(previewed.encode())
    as_json = json.loads(site.run("report", "preview", DOMAIN, "--as", "json").stdout)
    assert as_mail.report == as_json
    assert site.smtp.offered == [] and site.window(DOMAIN)["state"] == "held"
    site.start()
    site.run("schedule", "send-now", DOMAIN, "--yes")
    site.wait_for_delivery(DOMAIN, "delivered")
    assert mail.read_report(site.smtp.messages[0].raw).report == as_json
