"""Reports of others that come again, forged or in parts, and what was made to do harm."""

import base64
import gzip
import hashlib
import io
import json
import struct
import zipfile
import zlib

import pytest

from peers import mail as mails, reports
from peers.rapporteur import OLD_EPOCH, Site, failure, session
from peers.reports import OURS, add, add_within, mail, oddities, refused, report, rows, signed, stored

# Of address space, which is more than of memory.
MEMORY = 400 << 20


@pytest.fixture
def inbox(binary, dns, other_key):
    """A site for commands; other.example publishes its key."""
    dns.zone[other_key.name] = [other_key.record()]
    with Site(dns=dns) as site:
        site.write_config()
        yield site


class TestOnce:
    def test_the_same_report_is_one_whichever_way_it_comes(self, inbox, other_key):
        message = signed(mail(report()), other_key)
        first = stored(inbox, message)
        ways = [message, json.dumps(report()), json.dumps(report(), indent=3), reports.packed(report()),
                mail(report(), content_type="application/octet-stream"),
                mail(report(), parts=[reports.part(reports.packed(report()), name="other-name.json.gz")])]
        for content in ways:
            assert add(inbox, content) == {"status": "duplicate", "id": first["id"], "why": None}
        assert rows(inbox) == [first]

    def test_the_order_of_policies_and_details_makes_no_difference(self, inbox):
        details = [reports.detail(1), reports.detail(2, "sts-webpki-invalid")]
        one = report(reports.policy(details=details), reports.policy("b.example"))
        two = report(reports.policy("b.example"), reports.policy(details=details[::-1]))
        first = stored(inbox, json.dumps(one))
        assert add(inbox, json.dumps(two)) == {"status": "duplicate", "id": first["id"], "why": None}

    @pytest.mark.parametrize("other", [
        report(report_id="another"), report(organization="Another"), report(reports.policy("b.example")),
        report(ago=2, report_id=report()["report-id"]),
    ], ids=["report-id", "organization", "domain", "period"])
    def test_what_differs_in_what_names_it_is_another_report(self, inbox, other):
        stored(inbox, json.dumps(report()))
        stored(inbox, json.dumps(other))
        assert len(rows(inbox)) == 2

    def test_a_better_proof_of_the_same_report_raises_its_class(self, inbox, other_key):
        first = stored(inbox, mail(report()))
        assert first["trust"] == "unverified"
        told = add(inbox, signed(mail(report()), other_key))
        assert (told["status"], told["id"]) == ("duplicate", first["id"])
        (kept,) = rows(inbox)
        assert (kept["trust"], kept["id"]) == ("dkim", first["id"])
        add(inbox, mail(report()))
        assert rows(inbox) == [kept]

    def test_a_forgery_does_not_keep_the_genuine_report_out(self, inbox, other_key):
        forged = stored(inbox, mail(report(reports.policy(successful=0, details=[reports.detail(999)]))))
        told = add(inbox, signed(mail(report()), other_key))
        assert told["status"] == "stored" and "less to be trusted" in told["why"]
        (kept,) = rows(inbox)
        assert (kept["trust"], kept["successful"], kept["failed"], kept["id"]) == ("dkim", 10, 0, forged["id"])
        assert reports.summary(inbox)["total"]["failed"] == 0

    def test_a_forgery_does_not_take_the_place_of_the_genuine_report(self, inbox, other_key):
        genuine = stored(inbox, signed(mail(report()), other_key))
        told = add(inbox, mail(report(reports.policy(successful=0, details=[reports.detail(999)]))))
        assert (told["status"], told["id"]) == ("duplicate", genuine["id"]) and "something else" in told["why"]
        assert rows(inbox) == [genuine]

    def test_a_forgery_that_calls_itself_a_part_does_not_keep_the_genuine_report_out(self, inbox, other_key):
        forged = mail(report(reports.policy(successful=999)), name=reports.file_name("forged"))
        stored(inbox, forged)
        assert add(inbox, signed(mail(report()), other_key))["status"] == "stored"
        genuine = [kept for kept in rows(inbox) if kept["trust"] == "dkim"]
        assert [kept["successful"] for kept in genuine] == [10]

    def test_parts_with_one_report_id_are_all_kept(self, inbox, other_key):
        parts = [mail(report(reports.policy(successful=n)), name=reports.file_name(str(n))) for n in (1, 2, 3)]
        for one in parts:
            stored(inbox, signed(one, other_key))
        for one in parts:
            assert add(inbox, signed(one, other_key))["status"] == "duplicate"
        assert sorted(kept["successful"] for kept in rows(inbox)) == [1, 2, 3]
        assert reports.summary(inbox)["total"]["successful"] == 6


class TestOurOwn:
    DOMAIN = "a.example"

    @pytest.mark.parametrize("service", [None, "tlsrpt"])
    def test_the_parts_of_our_own_report_add_up(self, site, rsa, service):
        site.dns.zone[rsa.name] = [rsa.record(service)]
        site.config["report"]["tls"]["maxReportSize"] = "20000"
        site.dns.tlsrpt(self.DOMAIN, f"v=TLSRPTv1; rua=mailto:tls@{self.DOMAIN}")
        site.start()
        lines = [session(self.DOMAIN, epoch=OLD_EPOCH, count=11)]
        lines += [session(self.DOMAIN, epoch=OLD_EPOCH, success=False, details=[
            failure(receiving_mx_hostname=f"mx{n}.a.example",
                    failure_reason_code=hashlib.sha256(b"%d" % n).hexdigest())])
            for n in range(700)]
        site.feed_old(lines + [session(self.DOMAIN, epoch=OLD_EPOCH, policy="no-policy-found", count=2)])
        window = site.wait_for_state(self.DOMAIN, "done")
        sent = [message.raw for message in site.smtp.messages]
        assert len(sent) > 1
        paths = [site.new_file(raw, ".eml") for raw in sent]
        for line in site.run("received", "add", "--json", *paths).stdout.splitlines():
            assert json.loads(line)["status"] == "stored", line
        kept = rows(site)
        assert {(one["trust"], one["organization"], tuple(one["domains"])) for one in kept} == \
            {("dkim", mails.read_report(sent[0]).report["organization-name"], (self.DOMAIN,))}
        assert len(kept) == len(sent) and all(oddities(site, one["id"]) == [] for one in kept)
        assert sum(one["successful"] for one in kept) == window["successful-sessions"] == 13
        assert sum(one["failed"] for one in kept) == window["failed-sessions"] == 700
        given = [json.loads(site.run("received", "show", one["id"], "--json").stdout) for one in kept]
        assert mails.sums(given) == mails.sums([mails.read_report(raw).report for raw in sent])
        assert len(reports.summary(site, "--since", "2026-01-01T00:00:00Z")["failures"]) == 700
        for line in site.run("received", "add", "--json", *paths).stdout.splitlines():
            assert json.loads(line)["status"] == "duplicate", line


def zip_of(content, name="report.json", method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def gzip_bomb(megabytes):
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [squeeze.compress(b'{"report-id": "')]
    pieces += [squeeze.compress(b"a" * (1 << 20)) for _ in range(megabytes)]
    return b"".join([*pieces, squeeze.compress(b'"}'), squeeze.flush()])


def lying_zip():
    """An archive whose directory tells a size of 100 bytes for 100 MB."""
    data = bytearray(zip_of(b'{"a":"' + b"a" * 100_000_000 + b'"}'))
    local, central = data.index(b"PK\x03\x04"), data.rindex(b"PK\x01\x02")
    data[local + 22:local + 26] = data[central + 24:central + 28] = struct.pack("<I", 100)
    return bytes(data)


def many_zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(5000):
            archive.writestr(f"{number}.json", "{}")
    return buffer.getvalue()


def nested_mail(depth):
    head = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(depth))
    return ("From: a@b.example\r\nMIME-Version: 1.0\r\n" + head + reports.part(reports.packed(report()))).encode()


def nested_forwards(depth):
    head = "From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n"
    return (head * depth + mail(report()).decode()).encode()


def of_many_parts(count):
    body = "--b\r\nContent-Type: application/octet-stream\r\n\r\n{}\r\n" * count
    head = 'From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    return (head + body + "--b--\r\n").encode()


def bombed_mail():
    return mail(gzip_bomb(500))


BOMBS = {
    "gzip": lambda: gzip_bomb(1000),
    "gzip-in-gzip": lambda: gzip.compress(gzip_bomb(1000)),
    "gzip-in-mail": bombed_mail,
    "zip": lambda: zip_of(b'{"a":"' + b"a" * 200_000_000 + b'"}'),
    "zip-of-gzip": lambda: zip_of(gzip_bomb(1000), "report.json.gz"),
    "zip-that-lies": lying_zip,
    "zip-of-many": many_zipped,
    "arrays": lambda: b"[" * 100_000,
    "closed-arrays": lambda: b"[" * 100_000 + b"]" * 100_000,
    "objects": lambda: b'{"policies":' * 100_000,
    "gzipped-arrays": lambda: gzip.compress(b"[" * 1_000_000),
    "policies": lambda: b'{"policies":[' + b"{}," * 999_999 + b"{}]}",
    "details": lambda: b'{"policies":[{"failure-details":[' + b"{}," * 999_999 + b"{}]}]}",
    "policy-strings": lambda: b'{"policies":[{"policy":{"policy-string":[' + b'"",' * 999_999 + b'""]}}]}',
    "lines": lambda: b'{"policies":[{"policy":{"policy-string":["' + b"\\n" * 999_999 + b'"]}}]}',
    "mx-hosts": lambda: b'{"policies":[{"policy":{"mx-host":[' + b'"a",' * 999_999 + b'"a"]}}]}',
    "multiparts": lambda: nested_mail(20_000),
    "forwards": lambda: nested_forwards(2000),
    "parts": lambda: of_many_parts(100_000),
    "header": lambda: b"X: y\r\n" * 1_000_000 + b"\r\n",
    "long-field": lambda: b"Content-Type: multipart/mixed; boundary=" + b"(" * 5_000_000 + b"\r\n\r\n--\r\n",
    "base64": lambda: mail(b"", parts=[reports.part(b"", name="r.json.gz") + "*&^%$#=A" * 500_000]),
    "large": lambda: b"{" + b" " * (70 << 20),
    "large-mail": lambda: mail(report()) + b"x" * (17 << 20),
}


class TestBombs:
    @pytest.mark.parametrize("name", BOMBS)
    def test_a_bomb_is_refused_with_a_reason_and_costs_little(self, inbox, name):
        told = add_within(inbox, BOMBS[name](), MEMORY)
        assert told["status"] == "refused" and told["id"] is None and told["why"]
        assert len(told["why"]) < 500
        assert rows(inbox) == []

    def test_a_report_that_is_large_and_honest_is_taken(self, inbox):
        details = [reports.detail(2, mx=f"mx{n}.{OURS}", failure_reason_code=hashlib.sha256(b"%d" % n).hexdigest())
                   for n in range(50_000)]
        kept = stored(inbox, reports.packed(report(reports.policy(details=details))))
        assert kept["failed"] == 100_000
        assert any("1000 kinds" in text for text in oddities(inbox, kept["id"]))

    def test_what_was_refused_is_counted_by_reason(self, inbox):
        refused(inbox, b"hello")
        refused(inbox, b"[" * 1000)
        refused(inbox, mail(report()) + b"x" * (17 << 20))
        assert inbox.json("stats")["received"]["refused"] == {"too-large": 1, "unreadable": 2}


class TestTricks:
    @pytest.mark.parametrize("message", [
        b'From: a@b.example\r\nContent-Type: multipart/mixed\r\n\r\n--\r\n\r\n',
        b'From: a@b.example\r\nContent-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n\r\n--\r\n',
        b'From: a@b.example\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b--\r\n--b\r\n',
        b'From: a@b.example\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n" * 50_000,
        b'From: a@b.example\r\nContent-Type: message/rfc822\r\n\r\n',
        b'From: a@b.example\r\nContent-Type: multipart/mixed; boundary*0="b"; boundary*9999999999="c"\r\n\r\n--b\r\n',
    ], ids=["missing", "empty", "ended", "many", "forward", "continued"])
    def test_boundaries_without_a_report_are_refused(self, inbox, message):
        assert "no TLS report is in the message" in refused(inbox, message)

    def test_a_boundary_that_begins_another_is_told_from_it(self, inbox):
        inner = 'Content-Type: multipart/mixed; boundary="=_b1x"\r\n\r\n--=_b1x\r\n' + reports.part(
            reports.packed(report())) + "\r\n--=_b1x--\r\n"
        assert stored(inbox, mail(b"", parts=[reports.TEXT, inner]))["successful"] == 10

    def test_a_last_boundary_may_be_missing(self, inbox):
        assert stored(inbox, mail(report()).removesuffix(b"--=_b1--\r\n"))["successful"] == 10

    def test_base64_with_rubbish_between_its_lines_is_read(self, inbox):
        text = base64.encodebytes(reports.packed(report())).decode().replace("\n", " \r\n\r\n")
        part = reports.part(b"").rstrip() + "\r\n\r\n" + text
        assert stored(inbox, mail(b"", parts=[reports.TEXT, part]))["successful"] == 10

    def test_long_texts_are_cut_and_that_is_told(self, inbox):
        kept = stored(inbox, reports.packed(report(organization="x" * 100_000 + hashlib.sha256(b"").hexdigest())))
        assert len(kept["organization"]) <= 4100
        assert any("longer than 4096" in text for text in oddities(inbox, kept["id"]))

    @pytest.mark.parametrize("count,want,odd", [
        (-5, 0, "negative"), ("12", 12, "written as a text"), (1e300, 2**53 - 1, "larger than"),
        (2**64, 2**53 - 1, "larger"), (2.5, 2, "whole number"), (None, 0, "null"), ([], 0, None),
        ("many", 0, "no number"), (True, 0, "no number"),
    ])
    def test_odd_counts_are_bounded_and_told(self, inbox, count, want, odd):
        one = reports.policy()
        one["summary"]["total-successful-session-count"] = count
        kept = stored(inbox, json.dumps(report(one)))
        assert kept["successful"] == want
        assert odd is None or any(odd in text for text in oddities(inbox, kept["id"]))

    def test_sums_stay_within_what_json_can_tell(self, inbox):
        policies = [reports.policy(f"d{n}.example", successful=2**53 - 1) for n in range(3)]
        kept = stored(inbox, json.dumps(report(*policies)))
        assert kept["successful"] == 2**53 - 1
        stored(inbox, json.dumps(report(reports.policy(successful=2**53 - 1), ago=2)))
        assert reports.summary(inbox)["total"]["successful"] == 2**53 - 1
        inbox.run("received", "summary")

    @pytest.mark.parametrize("start,end,odd", [
        ("2026-01-14T00:00:00", "2026-01-14T23:59:59", "no time zone"),
        ("2026-01-14 00:00:00Z", "2026-01-14 23:59:59Z", None),
        ("2026-01-14T00:00:00 +00:00", "2026-01-14T23:59:59 +00:00", "spaces"),
        ("2026-01-14T23:59:59Z", "2026-01-14T00:00:00Z", "ends before it begins"),
        ("2026-01-14T01:00:00+01:00", "2026-01-15T00:59:59+01:00", None),
        ("2026-01-14T00:00:00Z", None, "one end"),
    ])
    def test_odd_periods_are_understood_and_told(self, inbox, start, end, odd):
        odd_report = report(date_range={"start-datetime": start, **({"end-datetime": end} if end else {})})
        kept = stored(inbox, json.dumps(odd_report))
        assert (kept["start"], kept["end"]) == ("2026-01-14T00:00:00Z", "2026-01-14T23:59:59Z")
        assert any(odd in text for text in oddities(inbox, kept["id"])) if odd else oddities(inbox, kept["id"]) == []

    @pytest.mark.parametrize("period", [{}, None, [], "yesterday", {"start-datetime": "soon"}])
    def test_a_report_without_a_period_is_refused(self, inbox, period):
        assert "date-range" in refused(inbox, json.dumps(report(date_range=period)))

    def test_the_file_name_tells_a_period_that_is_missing(self, inbox):
        nameless = report(date_range=None)
        kept = stored(inbox, mail(nameless))
        assert kept["start"] == f"{reports.day():%Y-%m-%dT%H:%M:%SZ}"
        assert any("file name's" in text for text in oddities(inbox, kept["id"]))
