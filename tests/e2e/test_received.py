"""Reports that others sent, on the command line: what is taken, what is kept, what is told of it."""

import contextlib
import gzip
import io
import json
import re
import sqlite3
import subprocess
import zipfile

import pytest

from peers import reports
from peers.dns_server import SERVFAIL, SILENCE
from peers.rapporteur import BINARY, FAILED, NOT_FOUND, USAGE, Site
from peers.reports import OURS, SAMPLES, add, oddities, refused, row, rows, shown, stored

TRY_AGAIN = 75


@pytest.fixture
def inbox(binary, dns):
    """A site for commands with a name server."""
    with Site(dns=dns) as site:
        site.write_config()
        yield site


def zipped(*files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


class TestSamples:
    # organization, domains, start, successful, failed, what is odd
    WANT = {
        "google.com_smtp_tls_report.eml":
            ("Google Inc.", ["cardinalhealth.ca"], "2024-09-03T00:00:00Z", 48, 0, None),
        "google_2022-09-15.eml": ("Google Inc.", ["test.xmox.nl"], "2022-09-15T00:00:00Z", 3, 0, None),
        "microsoft_2023-01-10_no-timezone.eml":
            ("Microsoft Corporation", ["test.xmox.nl"], "2023-01-10T00:00:00Z", 2, 0, "has no time zone"),
        "microsoft_tlsa_nested-array.json":
            ("Microsoft Corporation", ["random.net"], "2025-05-23T00:00:00Z", 4, 0,
             "an array that is written as a text"),
        "mox_style_rcptdomain_report_mixed_tlsa_sts.json":
            ("remote.example", ["mail.mox.example", "test.xmox.nl", "unknown.xmox.nl"],
             "2024-02-25T00:00:00Z", 3, 0, None),
        "rfc8460.json": ("Company-X", ["company-y.example"], "2016-04-01T00:00:00Z", 5326, 303, "mx-host is no array"),
        "stalwart_contact-null.json":
            ("refluxstop.de", ["hin.ch"], "2026-01-11T00:00:00Z", 1, 0, "contact-info is null"),
    }

    def test_every_sample_has_its_expectation(self):
        assert {path.name for path in SAMPLES.iterdir()} == set(self.WANT)

    @pytest.mark.parametrize("name", sorted(WANT))
    @pytest.mark.parametrize("end", ["LF", "CRLF"])
    def test_a_sample_is_listed_with_its_counts_and_oddities(self, inbox, name, end):
        content = (SAMPLES / name).read_bytes().replace(b"\r\n", b"\n")
        if end == "CRLF":
            content = content.replace(b"\n", b"\r\n")
        kept = stored(inbox, content)
        organization, domains, start, successful, failed, odd = self.WANT[name]
        assert (kept["organization"], kept["domains"], kept["start"]) == (organization, domains, start)
        assert (kept["successful"], kept["failed"]) == (successful, failed)
        told = [text for text in oddities(inbox, kept["id"]) if not text.startswith("unverified: ")]
        if odd:
            assert any(odd in text for text in told), told
        else:
            assert told == []
        if name.endswith(".json"):
            given = inbox.run("received", "show", kept["id"], "--json").stdout
            assert given.removesuffix("\n") == content.decode().removesuffix("\n")
        else:
            assert json.loads(inbox.run("received", "show", kept["id"], "--json").stdout)["organization-name"]

    def test_files_of_one_command_are_all_taken(self, inbox):
        paths = sorted(SAMPLES.iterdir())
        lines = inbox.run("received", "add", "--json", *paths).stdout.splitlines()
        assert [json.loads(line)["status"] for line in lines] == ["stored"] * len(paths)
        assert len(rows(inbox)) == len(paths)

    def test_the_numbers_of_nested_policies_are_those_of_the_file(self, inbox):
        kept = stored(inbox, (SAMPLES / "microsoft_tlsa_nested-array.json").read_bytes())
        text = shown(inbox, kept["id"])
        assert "\n  3 1 1 6007EEE553E85D8DF007A845D19EC343283D4E416E9A33F9EF3040C8B7C285BC\n" in text
        assert "\n  3 1 1 837C773D54C2E2BD71871A3FC352BE8214D5646CBAE5E3091401A7274717998B\n" in text


class TestForms:
    @pytest.mark.parametrize("wrap", [
        lambda text: text,
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: b"\r\n  " + text,
        lambda text: b"[" + text + b"]",
        gzip.compress,
        lambda text: zipped(("report.json", text)),
        lambda text: zipped(("readme.txt", b"hello"), ("a/", b""), ("report.json", text)),
        lambda text: zipped(("report.json.gz", gzip.compress(text))),
    ], ids=["json", "byte-order-mark", "blanks", "array", "gzip", "zip", "zip-of-several", "zip-of-gzip"])
    def test_json_and_archives_are_local(self, inbox, wrap):
        kept = stored(inbox, wrap(json.dumps(reports.report()).encode()))
        assert (kept["trust"], kept["source"], kept["domains"]) == ("local", "file", [OURS])
        assert (kept["successful"], kept["failed"]) == (10, 0)

    HTML = "Content-Type: text/html; charset=utf-8\r\n\r\n<p>{ \"organization-name\": \"no\" }</p>\r\n"

    @pytest.mark.parametrize("message", [
        reports.mail(reports.report()),
        reports.mail(reports.report(), name=""),
        reports.mail(json.dumps(reports.report()).encode(), content_type="application/tlsrpt+json", encoding="8bit"),
        reports.mail(b"", parts=[HTML, reports.part(reports.packed(reports.report()))]),
        reports.mail(b"", parts=[reports.part(reports.packed(reports.report()))]),
        reports.mail(reports.report(), content_type="application/octet-stream"),
        reports.mail(reports.report(), content_type="application/gzip"),
        reports.mail(zipped(("r.json", json.dumps(reports.report()))), content_type="application/zip", name="r.zip"),
        reports.mail(b"", parts=[
            reports.TEXT, "Content-Type: message/rfc822\r\n\r\n" + reports.mail(reports.report()).decode()]),
        b"From tls@other.example Fri Nov 20 00:00:00 2026\r\n" + reports.mail(reports.report()),
    ], ids=["rfc", "no-file-name", "json", "html-first", "alone", "octet-stream", "gzip", "zip", "forwarded", "mbox"])
    @pytest.mark.parametrize("end", ["LF", "CRLF"])
    def test_mails_are_taken_in_every_form(self, inbox, message, end):
        kept = stored(inbox, message if end == "CRLF" else message.replace(b"\r\n", b"\n"))
        assert (kept["source"], kept["organization"], kept["domains"]) == ("mail", "Other Inc.", [OURS])
        assert (kept["successful"], kept["failed"]) == (10, 0)
        assert kept["trust"] == "unverified"

    def test_what_is_unusual_about_a_mail_is_told(self, inbox):
        kept = stored(inbox, reports.mail(reports.report(), content_type="application/octet-stream"))
        assert "its attachment has no media type of RFC 8460" in oddities(inbox, kept["id"])

    def test_the_body_decides_over_subject_and_file_name(self, inbox):
        name = "evil.example!wrong.example!1600000000!1600086399.json.gz"
        message = reports.mail(reports.report(), name=name).replace(
            f"Report Domain: {OURS}".encode(), b"Report Domain: wrong.example")
        kept = stored(inbox, message)
        assert kept["domains"] == [OURS]
        assert kept["start"] == f"{reports.day():%Y-%m-%dT%H:%M:%SZ}"
        assert kept["report-id"] == reports.report()["report-id"]

    def test_two_reports_of_one_mail_are_both_kept(self, inbox):
        two = [reports.report(report_id=name) for name in ("one", "two")]
        message = reports.mail(b"", parts=[reports.TEXT, *(reports.part(reports.packed(r)) for r in two)])
        assert add(inbox, message)["status"] == "stored"
        assert {kept["report-id"] for kept in rows(inbox)} == {"one", "two"}

    @pytest.mark.parametrize("content", [
        b"", b"hello", b"Subject: hello\n\nthere\n", b"null", b"[]", b"{}", b'{"policies": ', b"\x1f\x8b",
        b"PK\x03\x04", b"\x00" * 1000, b"<html></html>",
    ])
    def test_what_is_no_report_is_refused_with_a_reason(self, inbox, content):
        assert refused(inbox, content)

    def test_a_damaged_archive_is_refused(self, inbox):
        whole = reports.packed(reports.report())
        assert refused(inbox, whole[:-9])
        assert refused(inbox, whole[:20] + b"\xff" * 8 + whole[28:])
        archive = zipped(("r.json", json.dumps(reports.report())))
        assert refused(inbox, archive[:-30])

    def test_a_terminal_gets_no_control_characters_of_strangers(self, inbox):
        evil = reports.report(reports.policy(details=[reports.detail(additional_information="\x1b]0;x\x07")]),
                              organization="\x1b[31mred\x1b[0m\nline", contact_info="a\rb", report_id="id\x9b1m")
        kept = stored(inbox, json.dumps(evil))
        said = shown(inbox, kept["id"]) + inbox.run("received", "list").stdout + inbox.run("received", "summary").stdout
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", said), said
        assert "[31mred[0mline" in said


class TestPipe:
    def test_it_ends_well_with_stored_duplicate_and_refused(self, inbox):
        content = json.dumps(reports.report())
        first, second = add(inbox, content), add(inbox, content)
        assert (first["status"], first["why"]) == ("stored", None)
        assert (second["status"], second["id"]) == ("duplicate", first["id"])
        assert add(inbox, "hello")["status"] == "refused"

    def test_a_store_that_cannot_be_made_is_trouble_of_ours(self, inbox):
        inbox.config["store"]["url"] = f"sqlite:{inbox.directory}/missing/rapporteur.db"
        inbox.write_config()
        inbox.run("received", "add", "-", stdin=json.dumps(reports.report()), code=TRY_AGAIN)

    def test_a_store_that_cannot_be_written_is_trouble_of_ours(self, inbox):
        stored(inbox, json.dumps(reports.report()))
        with contextlib.closing(sqlite3.connect(inbox.directory / "rapporteur.db", isolation_level=None)) as database:
            database.execute("ALTER TABLE received RENAME TO away")
            inbox.run("received", "add", "-", stdin=json.dumps(reports.report(ago=2)), code=TRY_AGAIN)
            database.execute("ALTER TABLE away RENAME TO received")
        stored(inbox, json.dumps(reports.report(ago=2)))

    def test_a_store_that_stays_locked_is_trouble_of_ours(self, inbox):
        stored(inbox, json.dumps(reports.report()))
        with contextlib.closing(sqlite3.connect(inbox.directory / "rapporteur.db", isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            done = inbox.run("received", "add", "-", stdin=json.dumps(reports.report(ago=2)), code=TRY_AGAIN)
            assert done.stderr.startswith("rapporteur: "), done.stderr
            database.execute("ROLLBACK")

    @pytest.mark.parametrize("text", ["[system\n", "[received]\nlisten = 7\n", "[received]\nnothing = 7\n"])
    def test_a_broken_configuration_is_trouble_of_ours(self, inbox, text):
        inbox.write_config(text)
        inbox.run("received", "add", "-", stdin=json.dumps(reports.report()), code=TRY_AGAIN)
        inbox.config_path.unlink()
        missing = subprocess.run([BINARY, "received", "add", "-"], input=b"{}", capture_output=True,
                                 env=inbox.environment(), timeout=60, check=False)
        assert missing.returncode == TRY_AGAIN, missing.stderr

    def test_an_output_that_cannot_be_written_bounces_no_report(self, inbox):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([BINARY, "received", "add", "-"], input=json.dumps(reports.report()).encode(),
                                  stdout=full, stderr=subprocess.PIPE, env=inbox.environment(), timeout=60, check=False)
        assert done.returncode in (0, TRY_AGAIN), (done.returncode, done.stderr)

    @pytest.mark.parametrize("answer", [SILENCE, SERVFAIL])
    def test_a_fresh_mail_waits_for_the_name_server(self, inbox, dns, other_key, answer):
        inbox.config["dns"]["timeout"] = "1s"
        inbox.write_config()
        dns.zone[other_key.name] = answer
        message = reports.signed(reports.mail(reports.report()), other_key)
        done = inbox.run("received", "add", "-", stdin=message, code=TRY_AGAIN)
        assert other_key.name in done.stderr
        assert rows(inbox) == []
        dns.zone[other_key.name] = [other_key.record()]
        assert stored(inbox, message)["trust"] == "dkim"

    def test_an_old_mail_waits_for_no_name_server(self, inbox, dns, other_key):
        dns.zone[other_key.name] = SERVFAIL
        message = reports.signed(reports.mail(reports.report(), date=reports.day(2)), other_key)
        assert stored(inbox, message)["trust"] == "unverified"

    def test_a_date_in_the_future_lets_no_mail_wait_for_ever(self, inbox, dns, other_key):
        dns.zone[other_key.name] = SERVFAIL
        message = reports.signed(reports.mail(reports.report(), date=reports.day(-3650)), other_key)
        assert stored(inbox, message)["trust"] == "unverified"

    def test_files_are_for_people_and_fail_otherwise(self, inbox):
        inbox.run("received", "add", inbox.directory / "missing", code=FAILED)
        inbox.run("received", "add", code=USAGE)
        good = inbox.new_file(json.dumps(reports.report()))
        inbox.run("received", "add", inbox.directory / "missing", good, code=FAILED)
        assert len(rows(inbox)) == 1


class TestList:
    @pytest.fixture
    def filled(self, inbox):
        for number in range(1, 6):
            stored(inbox, json.dumps(reports.report(ago=number)))
        stored(inbox, json.dumps(reports.report(
            reports.policy("mail.ours.example", details=[reports.detail(3)]), organization="Failing Ltd")))
        stored(inbox, json.dumps(reports.report(reports.policy("third.example"), organization="Other Inc.")))
        return inbox

    def test_the_newest_stand_first_and_pages_follow_each_other(self, filled):
        every = rows(filled)
        assert len(every) == 7 and every[0]["domains"] == ["third.example"]
        assert every[-1]["start"] == f"{reports.day(1):%Y-%m-%dT%H:%M:%SZ}"
        pages, after = [], []
        while page := rows(filled, "--limit", 3, *after):
            assert len(page) <= 3
            pages += page
            after = ["--after", page[-1]["id"]]
        assert pages == every

    def test_filters_narrow_it(self, filled):
        assert len(rows(filled, "--domain", OURS)) == 5
        assert len(rows(filled, "--domain", "*.ours.example")) == 1
        assert len(rows(filled, "--domain", "OURS.Example")) == 5
        assert len(rows(filled, "--organization", "failing ltd")) == 1
        assert len(rows(filled, "--organization", "Other*")) == 6
        (failed,) = rows(filled, "--failed")
        assert (failed["failed"], failed["new-failures"]) == (3, 1)
        assert rows(filled, "--domain", "none.example") == []

    def test_a_report_is_found_by_the_start_of_its_id_and_by_its_report_id(self, filled):
        newest = rows(filled)[0]
        assert newest["id"] in shown(filled, newest["id"][:8])
        unique = rows(filled, "--domain", OURS)[0]
        assert unique["report-id"] in shown(filled, unique["report-id"])
        filled.run("received", "show", "ffffffffffffffff0", code=NOT_FOUND)
        filled.run("received", "list", "--after", "ffffffffffffffff0", code=NOT_FOUND)

    def test_the_table_names_what_is_new(self, filled):
        (line,) = [line for line in filled.run("received", "list").stdout.splitlines() if "Failing Ltd" in line]
        assert "3 new" in line and row(filled, rows(filled, "--failed")[0]["id"])["id"].startswith(line.split()[0])


class TestOurDomains:
    def test_what_is_about_others_is_refused(self, inbox):
        inbox.config["received"] = {"domains": [OURS]}
        inbox.write_config()
        assert "not about our domains" in refused(inbox, json.dumps(reports.report(reports.policy("else.example"))))
        assert stored(inbox, json.dumps(reports.report()))["domains"] == [OURS]

    def test_policies_of_others_are_left_out_of_the_counts(self, inbox):
        inbox.config["received"] = {"domains": [OURS]}
        inbox.write_config()
        both = reports.report(reports.policy(successful=7), reports.policy("else.example", successful=100),
                              reports.policy(f"mx.{OURS}", successful=5, kind="tlsa"))
        kept = stored(inbox, json.dumps(both))
        assert (kept["successful"], kept["domains"]) == (12, [f"mx.{OURS}", OURS])
        assert any("left out" in text for text in oddities(inbox, kept["id"]))
