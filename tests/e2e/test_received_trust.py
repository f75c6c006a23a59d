"""How much reports that others sent are to be trusted: the classes dkim, mta, local and unverified."""

import re

import pytest

from peers import keys, reports
from peers.dns_server import SILENCE
from peers.rapporteur import Site
from peers.reports import OTHER, OURS, mail, oddities, report, shown, signed, stored


@pytest.fixture
def inbox(binary, dns, other_key):
    """A site for commands; other.example publishes its key."""
    dns.zone[other_key.name] = [other_key.record()]
    with Site(dns=dns) as site:
        site.write_config()
        yield site


def judged(site, message):
    """The class of a mail's report and what was odd about it."""
    kept = stored(site, message)
    return kept["trust"], oddities(site, kept["id"])


def unverified(site, message):
    """Why a mail's report is unverified."""
    trust, odd = judged(site, message)
    assert trust == "unverified", trust
    (why,) = [text[len("unverified: "):] for text in odd if text.startswith("unverified: ")]
    assert why
    return why


def publish(dns, key, domain=OTHER, text=None):
    dns.zone[f"{key.selector}._domainkey.{domain}"] = [text or key.record()]


class TestKeyRecords:
    @pytest.mark.parametrize("service", [
        None, "*", "tlsrpt", "TLSRPT", "tlsrpt:email", "email:tlsrpt", "email : tlsrpt"])
    def test_a_key_for_reports_verifies(self, inbox, dns, other_key, service):
        publish(dns, other_key, text=other_key.record(service))
        kept = stored(inbox, signed(mail(report()), other_key))
        assert kept["trust"] == "dkim"
        assert oddities(inbox, kept["id"]) == []
        assert f"signed by {OTHER}, which was verified" in shown(inbox, kept["id"])

    def test_a_key_for_email_alone_verifies_and_is_odd(self, inbox, dns, other_key):
        publish(dns, other_key, text=other_key.record("email"))
        trust, odd = judged(inbox, signed(mail(report()), other_key))
        assert trust == "dkim" and odd == ["its DKIM key is for e-mail only"]

    def test_a_key_for_something_else_does_not(self, inbox, dns, other_key):
        publish(dns, other_key, text=other_key.record("other"))
        assert "'other'" in unverified(inbox, signed(mail(report()), other_key))

    def test_keys_that_are_revoked_or_under_test_do_not(self, inbox, dns, other_key):
        message = signed(mail(report()), other_key)
        publish(dns, other_key, text=other_key.record() + "; t=y")
        assert "t=y" in unverified(inbox, message)
        publish(dns, other_key, text="v=DKIM1; k=rsa; p=")
        assert "revoked" in unverified(inbox, signed(mail(report(ago=2)), other_key))
        del dns.zone[other_key.name]
        assert "no such key" in unverified(inbox, signed(mail(report(ago=3)), other_key))
        publish(dns, other_key, text="hello")
        assert "no key record" in unverified(inbox, signed(mail(report(ago=4)), other_key))

    def test_a_key_of_another_does_not(self, inbox, dns, other_key, rsa):
        publish(dns, other_key, text=rsa.record())
        assert other_key.name in unverified(inbox, signed(mail(report()), other_key))

    def test_a_key_of_768_bits_does_not(self, inbox, dns, shared):
        small = keys.make_key(shared, OTHER, "small", bits=768)
        publish(dns, small)
        assert unverified(inbox, signed(mail(report()), small))

    def test_an_ed25519_key_verifies(self, inbox, dns, shared):
        key = keys.make_key(shared, OTHER, "ed", "ed25519")
        publish(dns, key)
        assert judged(inbox, signed(mail(report()), key)) == ("dkim", [])

    def test_a_key_for_the_domain_alone_does_not_speak_for_names_below(self, inbox, dns, other_key):
        publish(dns, other_key, text=other_key.record() + "; t=s")
        below = f"mail.{OTHER}"
        message = signed(mail(report(), sender=f"tls@{below}"), other_key, identity=f"@{below}")
        assert unverified(inbox, message)
        assert judged(inbox, signed(mail(report(ago=2)), other_key))[0] == "dkim"


class TestSignatures:
    def test_a_parent_domain_speaks_for_names_below(self, inbox, other_key):
        message = signed(mail(report(), sender=f"TLS <tls@reports.mail.{OTHER.upper()}>"), other_key)
        assert judged(inbox, message)[0] == "dkim"

    @pytest.mark.parametrize("signer,sender", [
        ("evil.example", f"tls@{OTHER}"),
        (f"sub.{OTHER}", f"tls@{OTHER}"),
        (OTHER, f"tls@not{OTHER}"),
        ("example", f"tls@{OTHER}"),
    ])
    def test_an_unrelated_domain_does_not(self, inbox, dns, other_key, signer, sender):
        publish(dns, other_key, signer)
        message = signed(mail(report(), sender=sender), other_key, domain=signer)
        assert "no DKIM signature of" in unverified(inbox, message)

    def test_a_signature_of_a_part_of_the_body_does_not_count(self, inbox, other_key):
        assert "l=" in unverified(inbox, signed(mail(report()), other_key, length=True))

    def test_a_signature_with_sha1_does_not_count(self, inbox, other_key):
        assert "rsa-sha1" in unverified(inbox, signed(mail(report()), other_key, algorithm=b"rsa-sha1"))

    def test_what_was_changed_does_not_verify(self, inbox, other_key):
        message = signed(mail(report()), other_key)
        other = mail(report(reports.policy(successful=11)))
        changed = message[:message.index(b"\r\n\r\n")] + other[other.index(b"\r\n\r\n"):]
        assert unverified(inbox, changed)
        assert unverified(inbox, signed(mail(report(ago=2)), other_key).replace(b"\r\nSubject: R", b"\r\nSubject: P"))

    @pytest.mark.parametrize("added", [
        b"From: tls@evil.example\r\n", b"From: tls@other.example\r\n", b"FROM : a@b.example\r\n"])
    @pytest.mark.parametrize("place", ["top", "bottom"])
    def test_two_from_fields_are_nobodys(self, inbox, other_key, added, place):
        message = signed(mail(report()), other_key)
        head, body = message.split(b"\r\n\r\n", 1)
        message = b"X-First: 1\r\n" + added + message if place == "top" else head + b"\r\n" + added + b"\r\n" + body
        assert "From field" in unverified(inbox, message)

    @pytest.mark.parametrize("sender", [
        None, " ", f"tls@{OTHER}, tls@evil.example", "nobody", "a: tls@other.example, b@other.example;"])
    def test_a_from_field_without_one_address_is_nobodys(self, inbox, other_key, sender):
        field = signed(mail(report()), other_key).split(b"\r\nDate:")[0] + b"\r\n"
        assert "From field" in unverified(inbox, field + mail(report(), sender=sender))

    def test_one_good_signature_among_bad_ones_is_enough(self, inbox, dns, other_key, rsa):
        publish(dns, rsa)
        message = signed(mail(report()), other_key)
        broken = signed(message, rsa, domain=OTHER)
        broken = re.sub(rb"bh=\s*.", b"bh=A", broken, count=1)
        assert judged(inbox, signed(broken, other_key, domain="evil.example"))[0] == "dkim"

    def test_a_key_that_cannot_be_asked_for_does_not_hold_up_a_good_signature(self, inbox, dns, other_key, rsa):
        dns.zone[f"{rsa.selector}._domainkey.{OTHER}"] = SILENCE
        inbox.config["dns"]["timeout"] = "1s"
        inbox.write_config()
        assert judged(inbox, signed(signed(mail(report()), other_key), rsa, domain=OTHER))[0] == "dkim"

    @pytest.mark.parametrize("front", [
        b"", b"From tls@other.example Fri Nov 20 00:00:00 2026\n", b"Return-Path: <a@b.example>\n"])
    def test_line_ends_and_what_a_pipe_puts_in_front_change_nothing(self, inbox, other_key, front):
        message = front + signed(mail(report()), other_key).replace(b"\r\n", b"\n")
        assert judged(inbox, message)[0] == "dkim"

    def test_a_signature_within_a_forwarded_message_does_not_count(self, inbox, other_key):
        inner = signed(mail(report()), other_key).decode()
        parts = [reports.TEXT, f"Content-Type: message/rfc822\r\n\r\n{inner}"]
        outer = mail(b"", sender="someone@evil.example", parts=parts)
        assert "no DKIM signature of evil.example" in unverified(inbox, outer)


US = f"mx.{OURS}"


class TestAuthenticationResults:
    @pytest.fixture
    def believing(self, inbox):
        inbox.config["received"] = {"trustAuthserv": [US]}
        inbox.write_config()
        return inbox

    @staticmethod
    def told(*fields, ago=1, **more):
        return mail(report(ago=ago), before=[f"Authentication-Results: {field}" for field in fields], **more)

    @pytest.mark.parametrize("field", [
        f"{US}; dkim=pass header.d={OTHER}",
        f"{US} 1; spf=fail; dkim=pass (2048-bit key) header.d={OTHER} header.i=@{OTHER}; dmarc=none",
        f"MX.Ours.Example;\r\n\tdkim=fail header.d={OTHER};\r\n\tdkim = pass header.i=reports@{OTHER}",
        f"(we) {US}; dkim/1=pass header.d={OTHER.upper()}",
        f"{US}; dkim=pass header.d={OTHER} header.b=\"a; dkim=fail\"",
    ])
    def test_what_a_server_says_that_we_believe_counts(self, believing, field):
        kept = stored(believing, self.told(field))
        assert kept["trust"] == "mta"
        assert f"says that {OTHER} has signed it" in shown(believing, kept["id"])

    def test_a_parent_domain_speaks_for_names_below(self, believing):
        message = self.told(f"{US}; dkim=pass header.d={OTHER}", sender=f"tls@mail.{OTHER}")
        assert judged(believing, message)[0] == "mta"

    @pytest.mark.parametrize("field", [
        f"{US}; dkim=pass header.d=evil.example",
        f"{US}; dkim=pass header.d=evil.example header.i=@{OTHER}",
        f"{US}; dkim=pass header.d=sub.{OTHER}",
        f"{US}; dkim=pass header.d=example",
        f"{US}; dkim=pass",
        f"{US}; dkim=fail (dkim=pass header.d={OTHER})",
        f"{US}; dkim=fail reason=\"; dkim=pass header.d={OTHER}\"",
        f"{US}; dkim=passed header.d={OTHER}",
        f"{US}; spf=pass smtp.mailfrom={OTHER}; dmarc=pass header.from={OTHER}",
        f"{US}; none",
        f"evil.example; dkim=pass header.d={OTHER}",
        f"{US}.evil.example; dkim=pass header.d={OTHER}",
        f"({US}) evil.example; dkim=pass header.d={OTHER}",
        f"\"{US}; dkim=pass header.d={OTHER}",
        "", ";", "(((((",
    ])
    def test_anything_else_does_not(self, believing, field):
        unverified(believing, self.told(field))

    def test_the_topmost_of_a_believed_server_decides(self, believing):
        bad, good = f"{US}; dkim=fail header.d={OTHER}", f"{US}; dkim=pass header.d={OTHER}"
        unverified(believing, self.told(bad, good))
        unverified(believing, self.told(f"{US}; none", good, ago=2))

    def test_others_above_it_do_not_hide_it(self, believing):
        message = self.told("elsewhere.example; dkim=fail", f"{US}; dkim=pass header.d={OTHER}")
        assert judged(believing, message)[0] == "mta"

    def test_a_field_within_a_forwarded_message_does_not_count(self, believing):
        inner = self.told(f"{US}; dkim=pass header.d={OTHER}").decode()
        unverified(believing, mail(b"", parts=[reports.TEXT, f"Content-Type: message/rfc822\r\n\r\n{inner}"]))

    def test_nobody_is_believed_by_default(self, inbox):
        unverified(inbox, self.told(f"{US}; dkim=pass header.d={OTHER}"))

    def test_no_name_server_is_needed_for_what_is_believed(self, believing, dns, other_key):
        dns.zone[other_key.name] = SILENCE
        believing.config["dns"]["timeout"] = "1s"
        believing.write_config()
        message = b"Authentication-Results: %s; dkim=pass header.d=%s\r\n" % (US.encode(), OTHER.encode())
        assert judged(believing, message + signed(mail(report()), other_key))[0] == "mta"

    def test_our_own_verification_goes_before(self, believing, other_key):
        message = b"Authentication-Results: %s; dkim=pass header.d=%s\r\n" % (US.encode(), OTHER.encode())
        assert judged(believing, message + signed(mail(report()), other_key))[0] == "dkim"
