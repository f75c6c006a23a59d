"""Texts of strangers and of the administrator that try to become SMTP commands, recipients, header fields
or MIME parts. What the relay was told is read from the raw bytes, line by line."""

import email
import email.policy
import re

import pytest

from peers import mail
from peers.rapporteur import CONFIGURATION, OLD_EPOCH, SENDER, failure, session, wait_until

FROM = f"noreply-tls@{SENDER}"
HEADERS = ["DKIM-Signature", "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
           "TLS-Report-Domain", "TLS-Report-Submitter", "TLS-Required", "Auto-Submitted"]

# A rua as it stands in the record, and the one address that may be made of it; None: none.
TRICKS = [
    ("mailto:a@t.example%0d%0aRCPT%20TO:<victim@v.example>", None),
    ("mailto:a@t.example%0aDATA", None),
    ("mailto:a@t.example\r\nRCPT TO:<victim@v.example>", None),
    ("mailto:a@t.example\nBcc: victim@v.example", None),
    ("mailto:a@t.example\0@v.example", None),
    ("mailto:a%00@t.example", None),
    ("mailto:<a@t.example>", None),
    ("mailto:%3Ca@t.example%3E", None),
    ("mailto:a@t.example>%20NOTIFY=NEVER%20ORCPT=rfc822;x", None),
    ("mailto:a@t.example%20SIZE=1", None),
    ("mailto:a@t.example%2Cvictim@v.example", None),
    ("mailto:a@t.example%3Bvictim@v.example", None),
    ("mailto:a@t.example victim@v.example", None),
    ("mailto:victim@v.example@t.example", None),
    ("mailto:@v.example:a@t.example", None),
    ("mailto:%22a%20b%22@t.example", None),
    ("mailto:%22a%5C%22%3E%22@t.example", None),
    ("mailto:a(comment)@t.example", None),
    ("mailto:a%5Cb@t.example", None),
    ("mailto:a%09b@t.example", None),
    ("mailto:a%7Fb@t.example", None),
    ("mailto:%C3%BC@t.example", None),
    ("mailto:%ff@t.example", None),
    ("mailto:a@[127.0.0.1]", None),
    ("mailto:a@127.0.0.1", None),
    ("mailto:a@localhost", None),
    ("mailto:root", None),
    ("mailto:", None),
    ("mailto:a@", None),
    ("mailto:@t.example", None),
    ("mailto:a%@t.example", None),
    ("mailto:a%4@t.example", None),
    ("mailto:.a@t.example", None),
    ("mailto:" + "a" * 65 + "@t.example", None),
    ("smtp://a@t.example", None),
    ("mailto://a@t.example", "//a@t.example"),
    ("mailto:a%40t.example", "a@t.example"),
    ("mailto:%61%40%74.example", "a@t.example"),
    ("mailto:a@t.example?cc=victim@v.example&bcc=victim@v.example&subject=x%0d%0aBcc:%20y", "a@t.example"),
    ("mailto:a@t.example?", "a@t.example"),
    ("mailto:a%2540v.example@t.example", "a%40v.example@t.example"),
    ("mailto:a%2525@t.example", "a%25@t.example"),
    ("mailto:-oQ/tmp@t.example", "-oQ/tmp@t.example"),
    ("mailto:-f@t.example", "-f@t.example"),
    ("mailto:|touch%20/tmp/x@t.example", None),
    ("mailto:'`id`'$x@t.example", "'`id`'$x@t.example"),
    ("MAILTO:a@t.example", "a@t.example"),
]


def transactions(smtp):
    """What each transaction was told: (MAIL FROM line, RCPT TO lines, message). Fails if any line is none
    of the commands that are expected, whole and alone."""
    found = []
    allowed = re.compile(rf"EHLO mail\.{re.escape(SENDER)}|MAIL FROM:<[!-;=?-~]+>|RCPT TO:<[!-;=?-~]+>|DATA|QUIT|RSET")
    for transcript in smtp.transcripts:
        messages = transcript.messages()
        for line in transcript.commands():
            assert allowed.fullmatch(line), f"not a command of ours: {line!r}"
            if line.startswith("MAIL FROM:"):
                found.append([line, [], None])
            elif line.startswith("RCPT TO:"):
                found[-1][1].append(line)
            elif line == "DATA":
                assert found[-1][2] is None
                found[-1][2] = messages.pop(0)
        assert messages == []
    return found


def headers_of(raw):
    """Names of the header fields; the head must consist of nothing but fields."""
    head = raw.split(b"\r\n\r\n", 1)[0].decode("ascii")
    names = []
    for line in head.split("\r\n"):
        if line[0] in " \t":
            assert line.strip(), "a folded line of nothing but blanks"
            continue
        name = re.match(r"([!-9;-~]+):", line)
        assert name, f"not a header field: {line!r}"
        names.append(name.group(1))
    return names


def check_mail(raw, headers=()):
    """The header has the expected fields and no others; there are two parts and nothing around them."""
    assert sorted(headers_of(raw)) == sorted([*HEADERS, *headers])
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw), "a bare CR or LF"
    read = mail.read_report(raw)
    assert read.message.defects == [] and [p.defects for p in read.message.get_payload()] == [[], []]
    assert [p.get_content_type() for p in read.message.get_payload()] == ["text/plain", "application/tlsrpt+gzip"]
    return read


def addresses_in(read, header):
    message = email.message_from_bytes(read.raw, policy=email.policy.default)
    return [a.addr_spec for a in message[header].addresses]


class TestRecordOfAStranger:
    def test_becomes_one_plain_recipient_or_none(self, site):
        site.config["delivery"]["maxDestinations"] = 10
        site.start()
        domains = {f"d{number}.example": trick for number, trick in enumerate(TRICKS)}
        for domain, (uri, _) in domains.items():
            site.dns.tlsrpt(domain, f"v=TLSRPTv1; rua={uri}")
        site.feed_old([session(domain, epoch=OLD_EPOCH) for domain in domains])

        def all_ended():
            shown = site.json("schedule", "list", "--all", "--limit", "1000")["windows"]
            return len(shown) == len(domains) and all(w["state"] in ("done", "suppressed") for w in shown)

        wait_until(all_ended, lambda: f"all end\n{site.log()[-4000:]}", 60, 0.2)
        wanted = sorted((f"MAIL FROM:<{FROM}>", [f"RCPT TO:<{address}>"]) for _, address in TRICKS if address)
        told = transactions(site.smtp)
        assert sorted((sender, to) for sender, to, _ in told) == wanted
        by_domain = {}
        for message in site.smtp.messages:
            read = check_mail(message.raw)
            by_domain[read.message["TLS-Report-Domain"]] = addresses_in(read, "To"), message
        for domain, (_, address) in domains.items():
            if address:
                assert by_domain.pop(domain)[0] == [address]
        assert by_domain == {}
        # The bytes between DATA and the final dot are one message, with no second one inside.
        assert sorted(m[:-3].replace(b"\r\n..", b"\r\n.") for _, _, m in told) == sorted(
            m.raw for m in site.smtp.messages)

    def test_gets_one_transaction_for_each_of_its_addresses(self, site):
        site.start()
        uris = [uri for uri, _ in TRICKS if "," not in uri and "!" not in uri][:40]
        site.config["delivery"]["maxDestinations"] = 10
        site.dns.tlsrpt("a.example", "v=TLSRPTv1; rua=" + ",".join(
            ["mailto:one@a.example", *uris[:20], "mailto:two@a.example"]))
        site.feed_old([session("a.example", epoch=OLD_EPOCH)])
        wait_until(lambda: [w for w in site.windows("a.example") if w["state"] in ("done", "suppressed")],
                   lambda: site.log()[-4000:])
        told = transactions(site.smtp)
        allowed = {f"RCPT TO:<{a}>" for a in ("one@a.example", "two@a.example")}
        assert all(len(to) == 1 and to[0] in allowed for _, to, _ in told)
        assert len(told) == len({to[0] for _, to, _ in told})

    @pytest.mark.parametrize("trick, address", [t for t in TRICKS if not set("\r\n\0 ") & set(t[0])][:12])
    def test_is_told_about_by_the_record_command(self, site, trick, address):
        site.dns.tlsrpt("a.example", f"v=TLSRPTv1; rua={trick}")
        said = site.json("record", "a.example", code=None)
        assert bool(said["rua"]) == bool(address)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", site.run("record", "a.example", code=None).stdout)


CRLF = r"\r\n"  # the escapes of the expression language
PAYLOAD = f"x{CRLF}Bcc: victim@v.example{CRLF}X-Evil: 1{CRLF}{CRLF}body{CRLF}.{CRLF}MAIL FROM:<victim@v.example>{CRLF}"


class TestSettings:
    """Settings may be computed from anything; they end up on one line or are refused."""

    @pytest.mark.parametrize("name", ["fromName", "subject", "orgName"])
    @pytest.mark.parametrize("text", [
        PAYLOAD, r"a\nBcc: victim@v.example", r"a\rBcc: victim@v.example", r"a\r\n\r\nbody",
        r"\r\n", r"a\u0000b", r"\"<victim@v.example>, \"", "=?utf-8?q?=0d=0aBcc:=20victim@v.example?=",
        r"ü\r\nBcc: victim@v.example", r"a\u2028Bcc: victim@v.example", "x" * 3000, "y " * 1500,
    ], ids=lambda text: re.sub(r"\W+", "-", text)[:24])
    def test_a_text_setting_stays_in_its_field(self, site, name, text):
        """Where it depends on the domain, it is known only when the report is made."""
        site.config["report"]["tls"][name] = f"'{text}' + if_then(rcpt_domain == 'never.example', 'x', '')"
        site.write_config()
        checked = site.run("config", "check", code=None)
        if checked.returncode == CONFIGURATION:
            assert name in checked.stdout + checked.stderr
            return
        site.start()
        site.dns.tlsrpt("a.example", "v=TLSRPTv1; rua=mailto:r@a.example")
        site.feed_old([session("a.example", epoch=OLD_EPOCH)])

        def ended():
            window = site.window("a.example")
            return window["state"] in ("done", "blocked") and window

        window = wait_until(ended, lambda: site.log()[-4000:])
        if window["state"] == "blocked":
            assert name in window["reason"] and site.smtp.transcripts == []
            return
        assert [(sender, to) for sender, to, _ in transactions(site.smtp)] == [
            (f"MAIL FROM:<{FROM}>", ["RCPT TO:<r@a.example>"])]
        (message,) = site.smtp.messages
        read = check_mail(message.raw)
        assert addresses_in(read, "From") == [FROM] and addresses_in(read, "To") == ["r@a.example"]
        if name == "orgName":
            assert not re.search(r"[\x00-\x1f]", read.report["organization-name"])

    @pytest.mark.parametrize("name", ["fromAddress", "envelopeFrom", "contactInfo", "reportTo", "dkimSignDomain"])
    @pytest.mark.parametrize("text", [
        rf"a@{SENDER}\r\nRCPT TO:<victim@v.example>", rf"a@{SENDER}>{CRLF}DATA{CRLF}<", rf"a@{SENDER} SIZE=1",
        rf"a@{SENDER}, victim@v.example", r"<a@b.example>", r"a b@c.example", r"",
    ], ids=lambda text: re.sub(r"\W+", "-", text)[:24])
    def test_an_address_setting_is_an_address_or_blocks_the_window(self, site, name, text):
        value = f"'{text}' + if_then(rcpt_domain == 'never.example', 'x', '')"
        site.config["report"]["tls"][name] = f"['mailto:' + {value}]" if name == "reportTo" else value
        site.write_config()
        checked = site.run("config", "check", code=None)
        if checked.returncode == CONFIGURATION:
            assert name in checked.stdout + checked.stderr
            return
        site.start()
        site.dns.tlsrpt("a.example", "v=TLSRPTv1; rua=mailto:r@a.example")
        site.feed_old([session("a.example", epoch=OLD_EPOCH)])

        def ended():
            window = site.window("a.example")
            return window["state"] in ("blocked", "suppressed") and window

        window = wait_until(ended, lambda: f"blocked: {site.windows('a.example')}\n{site.log()[-4000:]}")
        assert window["reason"]
        assert site.smtp.transcripts == []

    def test_what_the_dns_says_stays_in_the_subject(self, site):
        """A subject that is computed from a record of the recipient's."""
        site.config["report"]["tls"]["subject"] = "'For ' + dns_query('owner.' + rcpt_domain, 'txt')"
        site.dns.zone["owner.a.example"] = ["us\r\nBcc: victim@v.example\r\n\r\nbody", "and\nX-Evil: 1"]
        site.start()
        site.dns.tlsrpt("a.example", "v=TLSRPTv1; rua=mailto:r@a.example")
        site.feed_old([session("a.example", epoch=OLD_EPOCH)])
        wait_until(lambda: site.window("a.example")["state"] in ("done", "blocked"), lambda: site.log()[-4000:])
        for message in site.smtp.messages:
            read = check_mail(message.raw)
            assert read.subject.startswith("For ") and "victim" in read.subject
        assert all(len(to) == 1 for _, to, _ in transactions(site.smtp))


EVENT_TEXTS = [
    "x\r\nBcc: victim@v.example\r\n\r\nbody",
    "\r\n.\r\nMAIL FROM:<victim@v.example>\r\nRCPT TO:<victim@v.example>\r\nDATA\r\n",
    ".\r\n.",
    "--=_tlsrpt_0\r\nContent-Type: text/html\r\n\r\n<script>",
    "\u0000\u001b[31m\u202e",
]


class TestEvents:
    def test_texts_of_a_session_stay_in_the_json(self, site):
        site.start()
        site.dns.tlsrpt("a.example", "v=TLSRPTv1; rua=mailto:r@a.example")
        sessions = []
        for text in EVENT_TEXTS:
            one = session("a.example", epoch=OLD_EPOCH, success=False, details=[failure(
                "validation-failure", receiving_mx_hostname=text, receiving_mx_helo=text, failure_reason_code=text,
                additional_information="https://x.example/" + text, sending_mta_ip=text, receiving_ip=text)])
            one["tlsrpt-record"] = f"v=TLSRPTv1; rua=mailto:victim@v.example{text}"
            one["policies"][0]["policy"]["policy-string"].append(f"mx: {text}")
            one["policies"][0]["policy"]["mx-host"].append(text)
            sessions.append(one)
        said = site.feed_old(sessions)
        assert said["accepted"] + said["rejected"] == len(sessions) and said["accepted"] > 0
        (delivery,) = site.wait_for_delivery("a.example", "delivered")
        assert [(sender, to) for sender, to, _ in transactions(site.smtp)] == [
            (f"MAIL FROM:<{FROM}>", ["RCPT TO:<r@a.example>"])]
        read = check_mail(site.smtp.messages[0].raw)
        assert sum(p["summary"]["total-failure-session-count"] for p in read.report["policies"]) == said["accepted"]
        assert "victim" not in read.text and "\x1b" not in read.text

        def texts(value):
            if isinstance(value, dict):
                return [t for v in value.values() for t in texts(v)]
            if isinstance(value, list):
                return [t for v in value for t in texts(v)]
            return [value] if isinstance(value, str) else []

        assert not [t for t in texts(read.report) if re.search(r"[\x00-\x1f\x7f]", t)], "a control character"
        assert read.report["report-id"] == delivery["report-id"]

    @pytest.mark.parametrize("domain", [
        "a.example\r\nBcc: victim@v.example", "a.example\nX: y", "a.example>", "a.example\u0000.b.example",
        "a.example/../../x", "a b.example", "a.example;rm -rf", "\"a\".example", "a..example", "-", ".", "*.example",
        "a.example\r\n.\r\n", "%0d%0a.example", "a" * 64 + ".example", "b." * 130 + "example",
    ], ids=lambda text: re.sub(r"\W+", "-", text)[:24])
    def test_a_domain_that_is_none_is_no_session(self, bare, domain):
        said = bare.feed([session(domain, epoch=OLD_EPOCH)])
        assert (said["accepted"], said["rejected"]) == (0, 1)
        assert bare.json("schedule", "list", "--all")["windows"] == []

    def test_a_domain_of_odd_but_legal_letters_travels_unharmed(self, site):
        domain = "_x-1.xn--bcher-kva." + "c" * 63 + ".example"
        site.start()
        site.dns.tlsrpt(domain, "v=TLSRPTv1; rua=mailto:r@a.example")
        site.feed_old([session("_X-1.bücher." + "C" * 63 + ".Example.", epoch=OLD_EPOCH)])
        site.wait_for_delivery(domain, "delivered")
        read = check_mail(site.smtp.messages[0].raw)
        assert read.message["TLS-Report-Domain"] == domain
