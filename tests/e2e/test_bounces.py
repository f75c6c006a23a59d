"""Notices that come back about report mails, destinations that are left alone, and where reports go
by the administrator's word."""

import hashlib
import re
import time

import pytest

from peers.mail import read_report
from peers.rapporteur import NOT_FOUND, OLD_EPOCH, USAGE, failure, session, wait_until

DOMAIN = "a.example"
DEAD = "tls@b.example"


def publish(site, *uris, domain=DOMAIN):
    site.dns.tlsrpt(domain, "v=TLSRPTv1; rua=" + ",".join(uris or (f"mailto:{DEAD}",)))


def feed(site, domain=DOMAIN, epoch=OLD_EPOCH, success=False):
    details = [] if success else [failure()]
    site.feed_old([session(domain, epoch=epoch, success=success, details=details)])


def notice(message, recipient=DEAD, status="5.1.1", to="postmaster@sender.example", action="failed"):
    """What Postfix writes about a message."""
    return "\r\n".join([
        f"Return-Path: <>\r\nTo: {to}\r\nFrom: MAILER-DAEMON@relay.example (Mail Delivery System)",
        "Subject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        "\tboundary=\"4D2A.1/relay.example\"\r\n",
        "--4D2A.1/relay.example\r\nContent-Description: Notification\r\nContent-Type: text/plain\r\n",
        "This is the mail system at host relay.example.\r\n",
        "--4D2A.1/relay.example\r\nContent-Description: Delivery report",
        "Content-Type: message/delivery-status\r\n",
        "Reporting-MTA: dns; relay.example\r\nX-Postfix-Queue-ID: 4D2A\r\n",
        f"Final-Recipient: rfc822; {recipient}\r\nOriginal-Recipient: rfc822;{recipient}",
        f"Action: {action}\r\nStatus: {status}\r\nRemote-MTA: dns; mx.b.example",
        f"Diagnostic-Code: smtp; 550 {status} <{recipient}>: user unknown\r\n",
        "--4D2A.1/relay.example\r\nContent-Description: Undelivered Message",
        "Content-Type: message/rfc822\r\n",
        message.raw.decode(),
        "--4D2A.1/relay.example--\r\n",
    ])


def delivered(site, domain=DOMAIN):
    (delivery,) = site.wait_for_delivery(domain, "delivered")
    return delivery


class TestBounces:
    def test_a_notice_in_the_pipe_bounces_its_delivery(self, site):
        site.start()
        publish(site)
        feed(site)
        delivery = delivered(site)
        (message,) = site.smtp.messages
        (taken,) = site.json("bounce", "-", stdin=notice(message))
        assert taken["status"] == "recorded" and taken["delivery"] == delivery["id"]
        (after,) = site.deliveries(DOMAIN)
        assert after["state"] == "bounced"
        assert after["last-response"] == f"550 5.1.1 <{DEAD}>: user unknown (bounce)"
        (again,) = site.json("bounce", "-", stdin=notice(message))
        assert again["status"] == "repeated"

    def test_the_envelope_address_finds_it_too(self, site):
        site.config["report"]["tls"]["envelopeFrom"] = "'tlsrpt+' + delivery_id + '@' + system('domain')"
        site.start()
        publish(site)
        feed(site)
        delivery = delivered(site)
        (message,) = site.smtp.messages
        bare = notice(message, to=message.mail_from).replace("Message-ID:", "X-Was:")
        (taken,) = site.json("bounce", "-", stdin=bare)
        assert taken == {"status": "recorded", "delivery": delivery["id"], "why": taken["why"]}

    @pytest.mark.parametrize("content", [
        "", "hello", "Subject: I am away\r\n\r\nuntil Monday\r\n",
    ])
    def test_what_is_no_notice_ends_well_and_changes_nothing(self, site, content):
        (taken,) = site.json("bounce", "-", stdin=content)
        assert taken["status"] == "ignored" and taken["delivery"] is None

    def test_a_notice_about_a_mail_of_somebody_else_is_ignored(self, site):
        site.start()
        publish(site)
        feed(site)
        delivered(site)
        (message,) = site.smtp.messages
        forged = re.sub(r"Message-ID: <[a-z0-9]{12}", "Message-ID: <aaaaaaaaaaaa", notice(message))
        (taken,) = site.json("bounce", "-", stdin=forged)
        assert taken["status"] == "ignored"
        assert delivered(site)["state"] == "delivered"

    def test_a_delay_is_no_bounce(self, site):
        site.start()
        publish(site)
        feed(site)
        delivered(site)
        (message,) = site.smtp.messages
        (taken,) = site.json("bounce", "-", stdin=notice(message, status="4.4.1", action="delayed"))
        assert taken["status"] == "ignored" and "delayed" in taken["why"]

    def test_the_daemon_watches_a_maildir(self, site):
        maildir = site.directory / "bounces"
        for folder in ("tmp", "new", "cur"):
            (maildir / folder).mkdir(parents=True)
        site.config["delivery"]["smtp"]["bounceMaildir"] = [str(maildir)]
        site.start()
        publish(site)
        feed(site)
        delivered(site)
        (maildir / "tmp" / "1.x").write_text(notice(site.smtp.messages[0]))
        (maildir / "tmp" / "1.x").rename(maildir / "new" / "1.x")
        site.wait_for_delivery(DOMAIN, "bounced")
        wait_until(lambda: not list((maildir / "new").iterdir()), "the notice moved away")
        assert len(list((maildir / "cur").iterdir())) == 1
        assert "delivery-bounced" in site.log()

    def test_with_deliver_to_first_a_bounce_lets_the_next_have_it(self, site):
        site.config["delivery"]["deliverTo"] = "first"
        site.start()
        publish(site, f"mailto:{DEAD}", "mailto:second@c.example")
        feed(site)
        wait_until(lambda: site.smtp.to(DEAD), "the first destination")
        wait_until(lambda: site.window(DOMAIN)["state"] == "done", "the end of the window")
        assert not site.smtp.to("second@c.example")
        site.run("bounce", "-", stdin=notice(site.smtp.messages[0]))
        wait_until(lambda: site.smtp.to("second@c.example"), "the second destination")


class TestSuppression:
    def test_the_list_holds_for_what_it_names_until_it_is_removed(self, site):
        site.start()
        site.run("suppress", "add", "@b.example", "--reason", "asked for it")
        publish(site, f"mailto:{DEAD}", "mailto:tls@c.example")
        feed(site)
        site.wait_for_state(DOMAIN, "done")
        held = [d for d in site.deliveries(DOMAIN) if d["destination"] == f"mailto:{DEAD}"]
        assert held[0]["state"] == "suppressed" and held[0]["attempts"] == 0
        assert "asked for it" in held[0]["last-response"] and "@b.example" in held[0]["last-response"]
        assert site.smtp.to("tls@c.example") and DEAD not in site.smtp.recipients
        site.run("suppress", "remove", "@b.example")
        site.run("suppress", "remove", "@b.example", code=NOT_FOUND)
        site.run("delivery", "retry", "*", "--state", "suppressed")
        wait_until(lambda: site.smtp.to(DEAD), "what was held back")

    def test_reports_about_a_domain_can_be_named(self, site):
        site.start()
        site.run("suppress", "add", "report:*.corp.example")
        publish(site, domain="in.corp.example")
        feed(site, "in.corp.example")
        site.wait_for_delivery("in.corp.example", "suppressed")
        assert site.window("in.corp.example")["state"] == "done"

    def test_what_is_no_destination_is_wrong_usage(self, bare):
        bare.run("suppress", "add", "b.example", code=USAGE)

    def test_three_windows_that_fail_suppress_a_destination(self, site):
        site.config["delivery"]["suppressAfter"] = "1s"
        site.smtp.refuse(DEAD, "550 5.1.1 no such user")
        site.start()
        for number in range(4):
            domain = f"d{number}.example"
            publish(site, domain=domain)
            feed(site, domain)
            if number < 3:
                site.wait_for_delivery(domain, "failed")
                begun = time.monotonic()
                wait_until(lambda since=begun: time.monotonic() - since > 1.1, "another second")
        site.wait_for_delivery("d3.example", "suppressed")
        (entry,) = site.json("suppress", "list")["suppressions"]
        assert entry["pattern"] == DEAD and entry["automatic"] and entry["state"] == "suppressed"
        assert "550 5.1.1 no such user" in entry["reason"]
        assert site.smtp.recipients.count(DEAD) == 3


class TestWhereReportsGo:
    def test_report_to_redirects_adds_and_removes(self, site):
        site.config["report"]["tls"]["reportTo"] = [
            {"if": "rcpt_domain == 'redirect.example'", "then": "['mailto:mine@c.example']"},
            {"if": "rcpt_domain == 'copy.example'", "then": "rua + ['mailto:copy@c.example']"},
            {"if": "rcpt_domain == 'remove.example'", "then": "rua - 'mailto:first@b.example'"},
            {"else": "rua"},
        ]
        publish_all = {
            "redirect.example": {"mine@c.example"},
            "copy.example": {"first@b.example", "second@b.example", "copy@c.example"},
            "remove.example": {"second@b.example"},
            "plain.example": {"first@b.example", "second@b.example"},
        }
        site.start()
        for domain, want in publish_all.items():
            publish(site, "mailto:first@b.example", "mailto:second@b.example", domain=domain)
            feed(site, domain)
            site.wait_for_delivery(domain, "delivered", len(want))
            got = {m.rcpt_tos[0] for m in site.smtp.messages
                   if read_report(m.raw).message["TLS-Report-Domain"] == domain}
            assert got == want, domain

    def test_failures_only(self, site):
        site.config["report"]["tls"]["sendWhen"] = "failed_sessions > 0"
        site.start()
        for domain, success in (("good.example", True), ("bad.example", False)):
            publish(site, domain=domain)
            feed(site, domain, success=success)
        site.wait_for_delivery("bad.example", "delivered")
        site.wait_for_state("good.example", "suppressed")
        assert site.window("good.example")["reason"] == "sendWhen"
        assert len(site.smtp.messages) == 1

    def test_a_relay_that_signs_gets_unsigned_mail(self, site):
        site.use_keys()
        site.config["delivery"]["smtp"]["relaySigns"] = True
        site.start()
        publish(site)
        feed(site)
        delivered(site)
        assert b"DKIM-Signature" not in site.smtp.messages[0].raw

    def test_without_a_key_nothing_is_sent_until_there_is_one(self, site, rsa):
        site.use_keys()
        site.start()
        publish(site)
        feed(site)
        site.wait_for_state(DOMAIN, "blocked")
        assert "no [[dkim]] key" in site.window(DOMAIN)["reason"]
        site.use_keys(rsa)
        site.write_config()
        site.hang_up()
        delivered(site)
        assert b"DKIM-Signature" in site.smtp.messages[0].raw


class TestPreview:
    @staticmethod
    def but_for_time(mail):
        """Without Date, t= and b=."""
        mail = re.sub(r"(?m)^Date: [^\r\n]*", "Date:", mail)
        mail = re.sub(r"\bt=\d+;", "t=;", mail)
        return re.sub(r"(?s)\bb=[A-Za-z0-9+/=\s]+?(?=\r\n[A-Za-z])", "b=", mail)

    def test_what_is_previewed_is_what_is_sent_but_for_its_time(self, site, ed25519):
        site.use_keys(ed25519)
        site.dns.zone[ed25519.name] = [ed25519.record()]
        site.config["report"]["tls"]["envelopeFrom"] = "'b+' + delivery_id + '@' + system('domain')"
        site.config["report"]["tls"]["maxReportSize"] = "4096"
        publish(site)
        details = [failure("validation-failure", failure_reason_code=hashlib.sha256(str(n).encode()).hexdigest())
                   for n in range(300)]
        site.feed([session(DOMAIN, epoch=OLD_EPOCH, success=False, details=details[n:n + 30])
                   for n in range(0, 300, 30)])
        assert site.window(DOMAIN)["state"] == "held"
        whole = site.json("report", "preview", DOMAIN, "--as", "eml")
        assert len(whole["parts"]) > 1
        before = {}
        for part in whole["parts"]:
            before[part["part"]] = site.run(
                "report", "preview", DOMAIN, "--as", "eml", "--part", part["part"]).stdout
        second = int(time.time())
        wait_until(lambda: int(time.time()) > second, "the next second")
        site.start()
        site.run("schedule", "release", DOMAIN)
        wait_until(lambda: len(site.smtp.messages) == len(before), "all parts", 30)
        wait_until(lambda: site.window(DOMAIN)["state"] == "done", "the end of the window")
        for number, text in before.items():
            stored = site.run("report", "preview", DOMAIN, "--as", "eml", "--part", number).stdout
            sent = [m.raw.decode() for m in site.smtp.messages if m.raw.decode() == stored]
            assert len(sent) == 1, "byte for byte what was submitted"
            assert self.but_for_time(text) == self.but_for_time(stored)
            assert text != stored
            assert len(stored) <= 4096
