"""Windows on their way to a report: what sends them, what holds them back, what ends them."""

import contextlib
import hashlib
import json
import sqlite3

import pytest

from peers import keys, mail
from peers.rapporteur import NOT_FOUND, OLD_EPOCH, OLD_START, SENDER, failure, session, wait_until

DOMAIN = "a.example"


def publish(site, *domains):
    for domain in domains:
        site.dns.tlsrpt(domain, f"v=TLSRPTv1; rua=mailto:tlsrpt@{domain}")


def failed_session(domain=DOMAIN, epoch=OLD_EPOCH, **fields):
    return session(domain, epoch=epoch, success=False, details=[failure(**fields)])


class TestByHand:
    def test_old_windows_are_held_until_they_are_released(self, site):
        site.start()
        publish(site, DOMAIN, "b.example")
        site.feed([failed_session(), failed_session("b.example")])
        assert {site.window(d)["state"] for d in (DOMAIN, "b.example")} == {"held"}
        site.run("schedule", "release", DOMAIN, "--yes")
        site.wait_for_delivery(DOMAIN, "delivered")
        assert site.window(DOMAIN)["state"] == "done"
        assert site.window("b.example")["state"] == "held"
        assert site.smtp.to("tlsrpt@b.example") == []

    def test_send_now_closes_a_collecting_window_at_this_second(self, site):
        site.start()
        publish(site, DOMAIN)
        site.feed([session(DOMAIN, count=5)])
        before = site.window(DOMAIN)
        assert before["state"] == "collecting" and site.smtp.offered == []
        site.run("schedule", "send-now", DOMAIN, "--yes")
        site.wait_for_delivery(DOMAIN, "delivered")
        sent = site.window(DOMAIN)
        assert sent["start"] == before["start"] and sent["end"] < before["end"]
        report = mail.read_report(site.smtp.messages[0].raw).report
        assert report["date-range"]["start-datetime"] == sent["start"]
        assert report["date-range"]["end-datetime"] < sent["end"]
        # Later sessions open the next window.
        site.feed([session(DOMAIN, epoch=None, count=2), session(DOMAIN, count=1)])

        def windows():
            return sorted(site.windows(DOMAIN), key=lambda w: (w["start"], w["state"]))

        assert sum(w["successful-sessions"] for w in windows()) == 8

    def test_a_dry_run_changes_nothing(self, site):
        publish(site, DOMAIN)
        site.feed([session(DOMAIN)])
        said = site.run("schedule", "send-now", DOMAIN, "--dry-run").stdout
        assert DOMAIN in said
        assert site.window(DOMAIN)["state"] == "collecting"

    def test_hold_and_release(self, site):
        site.start()
        publish(site, DOMAIN)
        site.feed([session(DOMAIN)])
        site.run("schedule", "hold", DOMAIN, "--reason", "asked by phone")
        window = site.window(DOMAIN)
        assert window["state"] == "held" and "asked by phone" in window["reason"]
        site.feed([session(DOMAIN), session(DOMAIN)])
        assert site.window(DOMAIN)["successful-sessions"] == 3, "a held window counts on"
        site.run("schedule", "release", DOMAIN)
        assert site.window(DOMAIN)["state"] == "collecting"
        site.run("schedule", "send-now", DOMAIN, "--yes")
        site.wait_for_delivery(DOMAIN, "delivered")

    def test_cancel_ends_a_window_without_a_report(self, site):
        site.start()
        publish(site, DOMAIN)
        site.feed([failed_session()])
        site.run("schedule", "cancel", DOMAIN, "--reason", "a test of ours", "--yes")
        window = site.window(DOMAIN)
        assert window["state"] == "suppressed" and "a test of ours" in window["reason"]
        assert window["deliveries"] == [] and site.smtp.offered == []

    def test_a_glob_and_a_window_choose(self, site):
        domains = ("a.one.example", "b.one.example", "c.two.example")
        site.feed([failed_session(d) for d in domains] + [failed_session("a.one.example", OLD_EPOCH + 86400)])
        site.run("schedule", "cancel", "a.one.example", "--window", OLD_START, "--yes")
        assert sorted(w["state"] for w in site.windows("a.one.example")) == ["held", "suppressed"]
        site.run("schedule", "cancel", "*.one.example", "--yes")
        assert {w["state"] for d in domains[:2] for w in site.windows(d)} == {"suppressed"}
        assert site.window("c.two.example")["state"] == "held"
        site.run("schedule", "release", "*.none.example", "--yes", code=NOT_FOUND)

    def test_the_list_can_be_filtered(self, site):
        site.feed([failed_session("a.one.example"), session("b.one.example"), session("c.two.example")])
        every = json.dumps(site.json("schedule"))
        assert all(d in every for d in ("a.one.example", "b.one.example", "c.two.example"))
        assert "a.one.example" in site.run("schedule", "list").stdout
        held = json.dumps(site.json("schedule", "list", "--state", "held"))
        assert "a.one.example" in held and "b.one.example" not in held
        one = json.dumps(site.json("schedule", "list", "--domain", "*.one.example"))
        assert "b.one.example" in one and "c.two.example" not in one
        limited = json.dumps(site.json("schedule", "list", "--limit", "1"))
        assert sum(d in limited for d in ("a.one.example", "b.one.example", "c.two.example")) == 1


class TestPause:
    def test_nothing_leaves_until_resume(self, site):
        site.start()
        publish(site, DOMAIN)
        site.run("pause")
        for command in (["schedule", "list"], ["delivery", "list"], ["report", "list"]):
            assert "pause" in site.run(*command).stdout.lower(), "every listing says so"
        site.feed_old([failed_session()])
        site.feed([session("other.example", count=4)])
        assert site.window("other.example")["successful-sessions"] == 4, "intake goes on"
        site.run("schedule", "send-now", "other.example", "--yes")
        assert site.window(DOMAIN)["state"] in ("collecting", "due")
        assert site.smtp.offered == [] and site.deliveries(DOMAIN) == []
        site.run("resume")
        assert "pause" not in site.run("schedule", "list").stdout.lower()
        site.wait_for_delivery(DOMAIN, "delivered")


class TestQuietEnds:
    def wait(self, site, state, domain=DOMAIN):
        window = site.wait_for_state(domain, state)
        assert window["reason"], "and nobody says why"
        assert window["deliveries"] == []
        return window

    def test_never_makes_no_window(self, site):
        site.config["report"]["tls"]["domain"] = {"never.example": {"sendFrequency": "disable"}}
        site.start()
        publish(site, DOMAIN, "never.example")
        site.feed_old([failed_session("never.example"), failed_session()])
        site.wait_for_delivery(DOMAIN, "delivered")
        site.run("schedule", "show", "never.example", code=NOT_FOUND)
        assert len(site.smtp.offered) == 1

    def test_never_discards_what_was_collecting(self, site):
        site.feed([session(DOMAIN)])
        site.config["report"]["tls"]["sendFrequency"] = "never"
        publish(site, DOMAIN)
        site.start()
        site.run("schedule", "send-now", DOMAIN, "--yes")
        self.wait(site, "suppressed")
        assert site.smtp.offered == []

    def test_send_when_is_asked(self, site):
        site.config["report"]["tls"]["sendWhen"] = "failed_sessions > 0"
        site.start()
        publish(site, DOMAIN, "b.example")
        site.feed_old([session(DOMAIN, epoch=OLD_EPOCH, count=9), failed_session("b.example")])
        site.wait_for_delivery("b.example", "delivered")
        assert "sendWhen" in self.wait(site, "suppressed")["reason"]

    @pytest.mark.parametrize(
        "records",
        [
            ["NXDOMAIN"],
            ["NODATA"],
            ["v=TLSRPTv1; rua=mailto:a@a.example", "v=TLSRPTv1; rua=mailto:b@a.example"],
            ["v=TLSRPTv1; rua=gopher://a.example"],
            ["v=TLSRPTv1; rua=mailto:root@localhost"],
        ],
    )
    def test_a_domain_without_a_usable_record_takes_no_part(self, site, records):
        site.start()
        site.dns.tlsrpt(DOMAIN, *records)
        publish(site, "b.example")
        # What the MTA saw does not count against a definite answer.
        site.feed_old([session(DOMAIN, epoch=OLD_EPOCH, **{"tlsrpt-record": "v=TLSRPTv1; rua=mailto:x@a.example"}),
                       failed_session("b.example")])
        self.wait(site, "suppressed")
        site.wait_for_delivery("b.example", "delivered")
        assert site.smtp.to("x@a.example") == []

    def test_report_to_may_send_elsewhere(self, site):
        site.config["report"]["tls"]["reportTo"] = "['mailto:archive@' + rcpt_domain]"
        site.start()
        publish(site, DOMAIN)
        site.feed_old([failed_session()])
        site.wait_for_delivery(DOMAIN, "delivered")
        assert [m.rcpt_tos for m in site.smtp.messages] == [["archive@a.example"]]


class TestFaults:
    def test_dns_trouble_is_temporary(self, site):
        site.start()
        site.dns.tlsrpt(DOMAIN, "SERVFAIL")
        publish(site, "b.example")
        site.feed_old([failed_session(), failed_session("b.example")])
        site.wait_for_delivery("b.example", "delivered")

        def waits():
            window = site.window(DOMAIN)
            return window["state"] == "due" and window["reason"]

        wait_until(waits, lambda: f"{site.windows(DOMAIN)}\n{site.log()[-4000:]}")
        assert site.deliveries(DOMAIN) == []

    def test_without_a_key_nothing_is_sent_until_there_is_one(self, site, rsa):
        site.use_keys()
        site.start()
        publish(site, DOMAIN)
        site.feed_old([failed_session()])
        window = site.wait_for_state(DOMAIN, "blocked")
        assert "key" in window["reason"].lower() and SENDER in window["reason"]
        assert SENDER in site.run("schedule", "show", DOMAIN).stdout
        assert site.smtp.offered == []
        site.use_keys(rsa)
        site.write_config()
        site.hang_up()
        site.wait_for_delivery(DOMAIN, "delivered")
        assert [v.verified for v in keys.verify(site.smtp.messages[0].raw, site.dns.txt)] == [True]

    def test_a_relay_that_signs_gets_it_unsigned(self, site):
        site.use_keys()
        site.config["delivery"]["smtp"]["relaySigns"] = True
        site.start()
        publish(site, DOMAIN)
        site.feed_old([failed_session()])
        site.wait_for_delivery(DOMAIN, "delivered")
        assert keys.signatures(site.smtp.messages[0].raw) == []

    def test_an_expression_that_fails_blocks_its_domain_only(self, site):
        site.config["report"]["tls"]["domain"] = {DOMAIN: {"orgName": "'n' + 1 / (len(rcpt_domain) - 9)"}}
        site.start()
        publish(site, DOMAIN, "b.example")
        site.feed_old([failed_session(), failed_session("b.example")])
        site.wait_for_delivery("b.example", "delivered")
        assert "orgName" in site.wait_for_state(DOMAIN, "blocked")["reason"]

    def test_a_window_with_broken_rows_stops_no_other(self, site):
        publish(site, DOMAIN, "b.example")
        site.feed_old([failed_session(), failed_session("b.example", epoch=OLD_EPOCH + 1)])
        with contextlib.closing(sqlite3.connect(site.directory / "rapporteur.db")) as database:
            database.execute(
                "UPDATE policies SET type = 'nonsense' WHERE window_id ="
                " (SELECT id FROM windows WHERE domain = ?)", (DOMAIN,))
            database.commit()
        site.start()
        site.wait_for_delivery("b.example", "delivered")
        wait_until(lambda: "window-failed" in site.log(), lambda: site.log())

    def test_a_window_that_was_blocked_before_its_end_collects_again_after_the_reload(self, site):
        site.config["report"] = {"tls": {"sendFrequency": "if_then(1 / (len(rcpt_domain) - 9), daily, hourly)"}}
        site.start()
        publish(site, DOMAIN)
        site.feed([session(DOMAIN)])
        assert site.window(DOMAIN)["state"] == "blocked"
        site.config["report"]["tls"]["sendFrequency"] = "daily"
        site.write_config()
        site.hang_up()
        site.wait_for_state(DOMAIN, "collecting")
        assert site.window(DOMAIN)["reason"] is None

    def test_a_cancelled_window_keeps_its_late_sessions_to_itself(self, site):
        site.start()
        publish(site, DOMAIN)
        site.feed([session(DOMAIN)])
        site.run("schedule", "cancel", DOMAIN, "--yes")
        site.feed([session(DOMAIN, count=3)])
        assert [w["state"] for w in site.windows(DOMAIN)] == ["suppressed"]
        assert site.window(DOMAIN)["successful-sessions"] == 4


class TestSplitting:
    LIMIT = 20_000

    def test_parts_are_valid_and_add_up(self, site):
        site.config["report"]["tls"]["maxReportSize"] = str(self.LIMIT)
        site.start()
        publish(site, DOMAIN)
        lines = [session(DOMAIN, epoch=OLD_EPOCH, count=11)]
        for i in range(700):
            noise = hashlib.sha256(str(i).encode()).hexdigest()
            lines.append(failed_session(receiving_mx_hostname=f"mx{i}.a.example", failure_reason_code=noise))
        lines += lines[1:4] + [session(DOMAIN, epoch=OLD_EPOCH, policy="no-policy-found", count=2)]
        site.feed(lines)
        whole = json.loads(site.run("report", "preview", DOMAIN, "--as", "json").stdout)
        site.run("schedule", "send-now", DOMAIN, "--yes")
        site.wait_for_state(DOMAIN, "done")
        window, deliveries = site.window(DOMAIN), site.deliveries(DOMAIN)
        assert len(deliveries) > 1 and {d["state"] for d in deliveries} == {"delivered"}
        assert sorted(d["part"] for d in deliveries) == list(range(1, len(deliveries) + 1))
        mails = [mail.read_report(m.raw) for m in site.smtp.messages]
        assert max(len(m.raw) for m in site.smtp.messages) <= self.LIMIT
        assert len({m.report["report-id"] for m in mails}) == len(mails) == len(deliveries)
        assert len({m.filename for m in mails}) == len(mails)
        assert len({json.dumps(m.report["date-range"]) for m in mails}) == 1
        for m in mails:
            part = int(m.report["report-id"].split("@")[0].rsplit(".", 2)[1])
            assert f"part {part} of {len(mails)}" in m.text
            assert [v.verified for v in keys.verify(m.raw, site.dns.txt)] == [True]
        total = mail.sums([m.report for m in mails])
        assert sum(p[0] for p in total.values()) == window["successful-sessions"] == 13
        assert sum(p[1] for p in total.values()) == window["failed-sessions"] == 703
        (details,) = [p[2] for p in total.values() if p[2]]
        assert len(details) == 700 and sum(details.values()) == 703
        assert whole["date-range"] == mails[0].report["date-range"]
