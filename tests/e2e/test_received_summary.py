"""What received reports add up to: for people, for programs, for spreadsheets, and beside our own record."""

import csv
import io
import json

import pytest

from peers import reports
from peers.dns_server import NXDOMAIN, SERVFAIL
from peers.rapporteur import USAGE, Site
from peers.reports import OURS, add, report, stored, summary


@pytest.fixture
def inbox(binary, dns):
    """A site for commands with a name server."""
    with Site(dns=dns) as site:
        site.write_config()
        yield site


def put(site, *policies, **more):
    return stored(site, json.dumps(report(*policies, **more)))


def said(site, *options):
    return site.run("received", "summary", *options).stdout


def spread(site, *options):
    text = site.run("received", "summary", "--csv", *options).stdout
    return list(csv.DictReader(io.StringIO(text, newline="")))


class TestSums:
    def test_they_are_told_by_domain_organization_failure_and_day(self, inbox):
        put(inbox, reports.policy(successful=10, details=[reports.detail(2), reports.detail(1, "sts-webpki-invalid")]),
            reports.policy("b.example", successful=5))
        put(inbox, reports.policy(successful=1, details=[reports.detail(4)]), organization="Another", ago=2)
        told = summary(inbox)
        assert told["total"] == {"reports": 2, "successful": 16, "failed": 7, "reports-before": 0,
                                 "successful-before": 0, "failed-before": 0}
        assert {d["domain"]: (d["reports"], d["successful"], d["failed"]) for d in told["domains"]} == \
            {OURS: (2, 11, 7), "b.example": (1, 5, 0)}
        assert {o["organization"]: (o["reports"], o["successful"], o["failed"]) for o in told["organizations"]} == \
            {"Other Inc.": (1, 15, 3), "Another": (1, 1, 4)}
        keys = ("result-type", "mx", "sessions", "organizations", "domains")
        assert [tuple(failure[key] for key in keys) for failure in told["failures"]] == [
            ("certificate-expired", f"mx1.{OURS}", 6, ["Another", "Other Inc."], [OURS]),
            ("sts-webpki-invalid", f"mx1.{OURS}", 1, ["Other Inc."], [OURS])]
        days = {step["start"]: (step["successful"], step["failed"]) for step in told["steps"]}
        assert len(days) == 30
        assert days[f"{reports.day(1):%Y-%m-%dT%H:%M:%SZ}"] == (15, 3)
        assert days[f"{reports.day(2):%Y-%m-%dT%H:%M:%SZ}"] == (1, 4)

    def test_each_is_compared_with_the_period_before(self, inbox):
        put(inbox, reports.policy(successful=30, details=[reports.detail(3)]), ago=1)
        put(inbox, reports.policy(successful=20, details=[reports.detail(2)]), ago=9)
        put(inbox, reports.policy(successful=1000), ago=20)
        week = ("--since", f"{reports.day(7):%Y-%m-%d}", "--until", f"{reports.day(0):%Y-%m-%d}")
        assert summary(inbox, *week)["total"] == {"reports": 1, "successful": 30, "failed": 3, "reports-before": 1,
                         "successful-before": 20, "failed-before": 2}
        text = said(inbox, *week)
        (line,) = [line for line in text.splitlines() if line.startswith("  successful ") and "%" in line]
        assert line.split() == ["successful", "30", "+50%"]
        (failure,) = [line for line in text.splitlines() if "certificate-expired" in line]
        assert "+50%" in failure

    def test_a_report_at_midnight_belongs_to_one_period(self, inbox):
        put(inbox, reports.policy(successful=3), ago=3)
        day = [f"{reports.day(n):%Y-%m-%d}" for n in range(5)]
        assert summary(inbox, "--since", day[3], "--until", day[2])["total"]["successful"] == 3
        assert summary(inbox, "--since", day[4], "--until", day[3])["total"]["successful"] == 0
        after = summary(inbox, "--since", day[2], "--until", day[1])["total"]
        assert (after["successful"], after["successful-before"]) == (0, 3)

    def test_a_terminal_gets_a_bar_for_each_day(self, inbox):
        for ago, successful in ((1, 8), (2, 4), (4, 1)):
            put(inbox, reports.policy(successful=successful), ago=ago)
        (line,) = [line for line in said(inbox).splitlines() if "█" in line]
        assert line.split()[1] == "·" * 25 + "▂·▅█·"

    def test_ends_that_make_no_period_are_wrong_usage(self, inbox):
        inbox.run("received", "summary", "--since", "2026-02-01", "--until", "2026-01-01", code=USAGE)
        inbox.run("received", "summary", "--since", "yesterdayish", code=USAGE)

    def test_an_empty_store_is_summed_up(self, inbox):
        assert summary(inbox)["total"]["reports"] == 0
        assert "reports" in said(inbox)
        assert spread(inbox)[0]["reports"] == "0"


class TestClasses:
    def test_what_is_unverified_is_left_out_and_told(self, inbox):
        put(inbox)
        forged = report(reports.policy(successful=0, details=[reports.detail(999)]), report_id="forged")
        stored(inbox, reports.mail(forged))
        told = summary(inbox)
        assert (told["total"]["failed"], told["failures"], told["left-out"]) == (0, [], {"unverified": 1})
        assert told["total"]["reports"] == 1
        assert "left out: 1 report of the class unverified" in said(inbox)
        assert ("left-out", "unverified", "1") in [(row["by"], row["name"], row["reports"]) for row in spread(inbox)]

    def test_the_classes_that_count_can_be_chosen(self, inbox):
        put(inbox)
        inbox.config["received"] = {"count": ["dkim"]}
        inbox.write_config()
        told = summary(inbox)
        assert (told["counted"], told["left-out"], told["total"]["reports"]) == (["dkim"], {"local": 1}, 0)


class TestSpreadsheets:
    @pytest.mark.parametrize("name", [
        "=cmd()", "+1", "-1", "@SUM(A1)", "=HYPERLINK(\"http://evil.example\",\"x\")", "a,b\"c\"",
        "\t=cmd()", " =cmd()", "'=1"])
    def test_a_name_is_no_formula(self, inbox, name):
        put(inbox, reports.policy(details=[reports.detail(1, result_type=name, mx=name)]), organization=name)
        rows = spread(inbox)
        assert {len(row) for row in rows} == {9} and None not in rows[0]
        (organization,) = [row["name"] for row in rows if row["by"] == "organization"]
        (failure,) = [row for row in rows if row["by"] == "failure"]
        for text in (organization, failure["name"], failure["mx"]):
            assert text[0] not in "=+-@\t\r ", text
        assert organization.lstrip("'").strip() == name.lstrip("'").strip()

    def test_they_have_the_same_numbers(self, inbox):
        put(inbox, reports.policy(successful=4, details=[reports.detail(2)]))
        put(inbox, reports.policy(successful=3), ago=40)
        (total,) = [row for row in spread(inbox) if row["by"] == "total"]
        assert [total[key] for key in ("reports", "successful", "failed", "reports-before", "successful-before")] == \
            ["1", "4", "2", "1", "3"]
        raw = inbox.run("received", "summary", "--csv").stdout
        assert raw.count("\r\n") == raw.count("\n")


class TestOurSide:
    def test_our_record_is_looked_up(self, inbox, dns):
        dns.tlsrpt(OURS, "v=TLSRPTv1; rua=mailto:tlsrpt@ours.example,https://r.ours.example/v1/tlsrpt")
        record = summary(inbox, "--domain", OURS)["record"]
        assert record["state"] == "ok" and record["stopped"] == [] and record["problem"] is None
        assert record["rua"] == ["mailto:tlsrpt@ours.example", "https://r.ours.example/v1/tlsrpt"]
        text = said(inbox, "--domain", OURS)
        assert f"_smtp._tls.{OURS}" in text and "asks for reports at mailto:tlsrpt@ours.example" in text

    @pytest.mark.parametrize("answer,state", [
        (NXDOMAIN, "none"), (SERVFAIL, "temporary"), ("v=TLSRPTv1; rua=ftp://x", "invalid")])
    def test_a_record_that_asks_nobody_is_told(self, inbox, dns, answer, state):
        dns.tlsrpt(OURS, answer)
        put(inbox)
        told = summary(inbox, "--domain", OURS)
        assert told["record"]["state"] == state and told["total"]["reports"] == 1
        assert state in said(inbox, "--domain", OURS)

    def test_several_records_are_told(self, inbox, dns):
        dns.tlsrpt(OURS, "v=TLSRPTv1; rua=mailto:a@ours.example", "v=TLSRPTv1; rua=mailto:b@ours.example")
        assert summary(inbox, "--domain", OURS)["record"]["state"] == "several"

    def test_globs_and_all_domains_have_no_record(self, inbox, dns):
        assert "record" not in summary(inbox) and "record" not in summary(inbox, "--domain", "*.example")
        assert dns.asked_for(f"_smtp._tls.{OURS}") == 0

    def test_who_reported_daily_and_stopped_is_told(self, inbox):
        for ago in range(5, 14):
            put(inbox, organization="Stopped", ago=ago)
        for ago in range(1, 10):
            put(inbox, organization="Daily", ago=ago)
        for ago in (5, 9, 13):
            put(inbox, organization="Seldom", ago=ago)
        for ago in range(5, 14):
            put(inbox, reports.policy("b.example"), organization="Elsewhere", ago=ago)
            add(inbox, reports.mail(report(organization="Forged", ago=ago)))
        (stopped,) = summary(inbox, "--domain", OURS)["record"]["stopped"]
        assert stopped == {"organization": "Stopped", "last": f"{reports.day(5):%Y-%m-%dT%H:%M:%SZ}"}
        assert f"Stopped reported daily and has stopped: its last report is about {reports.day(5):%Y-%m-%d}" in \
            said(inbox, "--domain", OURS)

    def test_a_domain_narrows_every_sum(self, inbox):
        put(inbox, reports.policy(successful=1, details=[reports.detail(1)]),
            reports.policy("b.example", successful=100, details=[reports.detail(50, "dane-required")]))
        told = summary(inbox, "--domain", OURS)
        assert (told["total"]["successful"], told["total"]["failed"]) == (1, 1)
        assert [d["domain"] for d in told["domains"]] == [OURS]
        assert [f["result-type"] for f in told["failures"]] == ["certificate-expired"]
        assert told["organizations"][0]["successful"] == 1


class TestNews:
    def test_a_failure_is_new_once_a_week(self, inbox):
        def new(details, **more):
            return put(inbox, reports.policy(details=details), **more)["new-failures"]

        assert new([reports.detail(1), reports.detail(2, "sts-webpki-invalid")]) == 2
        assert new([reports.detail(5)], ago=2) == 0
        assert new([reports.detail(5), reports.detail(1, mx="mx2.ours.example")], ago=3) == 1
        assert new([reports.detail(1)], organization="Another") == 1
        assert new([reports.detail(0)], organization="Third") == 0
        assert inbox.json("stats")["received"]["new-failures"] == 4

    def test_an_unverified_report_tells_nothing_new_and_hides_nothing_new(self, inbox):
        failing = report(reports.policy(details=[reports.detail(1)]), report_id="forged")
        assert stored(inbox, reports.mail(failing))["new-failures"] == 0
        assert put(inbox, reports.policy(details=[reports.detail(1)]))["new-failures"] == 1

    def test_a_new_failure_is_a_warning_of_the_log(self, inbox):
        done = inbox.run("received", "add", "-", stdin=json.dumps(report(reports.policy(details=[reports.detail(3)]))))
        (line,) = [line for line in done.stderr.splitlines() if "new-tls-failure" in line]
        assert " warning " in line and "result-type=certificate-expired" in line and f"mx=mx1.{OURS}" in line
        assert "sessions=3" in line
