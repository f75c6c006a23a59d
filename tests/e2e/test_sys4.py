"""`rapporteur ingest --format sys4`: the database of tlsrpt-collectd, as its own statements make it."""

import datetime
import json
import sqlite3
import time

from peers.rapporteur import FAILED, OLD_START, session

DOMAIN = "a.example"
DAY = "2026-01-14"
RECORD = f"v=TLSRPTv1; rua=mailto:tlsrpt@{DOMAIN}"
STS = {
    "policy-type": 2,
    "policy-string": ["version: STSv1", "mode: enforce", f"mx: mx.{DOMAIN}", "max_age: 86400"],
    "policy-domain": DOMAIN,
    "mx-host": [f"mx.{DOMAIN}"],
}
NONE = {"policy-type": 9}


def make_database(path):
    database = sqlite3.connect(path)
    database.executescript(
        "CREATE TABLE finalresults(day, domain, tlsrptrecord, policy, cntrtotal, cntrfailure,"
        " its datetime default CURRENT_TIMESTAMP, PRIMARY KEY(day, domain, tlsrptrecord, policy));"
        "CREATE TABLE failures(day, domain, tlsrptrecord, policy, reason, cntr,"
        " PRIMARY KEY(day, domain, tlsrptrecord, policy, reason));"
        "CREATE TABLE daystatus(daycomplete, its datetime default CURRENT_TIMESTAMP, PRIMARY KEY(daycomplete));"
        "CREATE TABLE dbversion(version, installdate, purpose);"
    )
    return database


def add_datagram(database, day, datagram):
    """Counts one datagram, each policy with its failures, as the collector does."""
    for whole in datagram["policies"]:
        policy = dict(whole)
        failed = policy.pop("f")
        failures = policy.pop("failure-details", [])
        policy.pop("t", None)
        text = json.dumps(policy)
        key = (day, datagram["d"], datagram["pr"], text)
        database.execute(
            "INSERT INTO finalresults(day, domain, tlsrptrecord, policy, cntrtotal, cntrfailure) VALUES(?,?,?,?,1,?)"
            " ON CONFLICT DO UPDATE SET cntrtotal = cntrtotal + 1, cntrfailure = cntrfailure + excluded.cntrfailure",
            (*key, failed),
        )
        for reason in failures:
            database.execute(
                "INSERT INTO failures(day, domain, tlsrptrecord, policy, reason, cntr) VALUES(?,?,?,?,?,1)"
                " ON CONFLICT DO UPDATE SET cntr = cntr + 1",
                (*key, json.dumps(reason)),
            )


def datagrams():
    """A day of one domain: successes, and failures with and without details."""
    expired = {"c": 204, "s": "192.0.2.1", "n": f"mx.{DOMAIN}", "h": f"mx.{DOMAIN}", "r": "198.51.100.7"}
    for number in range(40):
        failures = [expired] if number % 4 == 0 else []
        if number % 8 == 0:
            failures = [*failures, {"c": 301, "f": "connection refused"}]
        yield {
            "dpv": "1",
            "d": DOMAIN,
            "pr": RECORD,
            "policies": [
                {**STS, "f": int(bool(failures)), "t": len(failures), "failure-details": failures},
                {**NONE, "f": 0, "t": 0},
            ],
        }


def policies(site):
    """Of the only window: each policy's type to its numbers."""
    window = site.window(DOMAIN)
    return {
        policy["policy-type"]: (
            policy["successful"],
            policy["failed"],
            {detail["result-type"]: detail["failed-session-count"] for detail in policy["failure-details"]},
        )
        for policy in window["policies"]
    }


def test_a_day_counts_as_its_datagrams_do(bare):
    path = bare.directory / "collectd.sqlite"
    with make_database(path) as database:
        for datagram in datagrams():
            add_datagram(database, DAY, datagram)
    database.close()
    counted = bare.json("ingest", "--format", "sys4", "--send-old", path)
    assert counted["rejected"] == 0
    assert bare.window(DOMAIN)["start"] == OLD_START
    by_row = policies(bare)
    assert by_row == {
        "sts": (30, 10, {"certificate-expired": 10, "sts-policy-fetch-error": 5}),
        "no-policy-found": (40, 0, {}),
    }
    bare.check_store()


def test_taken_twice_it_counts_once(bare):
    path = bare.directory / "collectd.sqlite"
    with make_database(path) as database:
        for datagram in datagrams():
            add_datagram(database, DAY, datagram)
    bare.json("ingest", "--format", "sys4", path)
    before = policies(bare)
    # What the collector does at midnight.
    with database:
        database.execute("INSERT INTO daystatus(daycomplete) VALUES(?)", (DAY,))
    database.close()
    yesterday = bare.directory / "collectd.sqlite.yesterday"
    path.rename(yesterday)
    again = bare.json("ingest", "--format", "sys4", yesterday)
    assert again["status"] == "already-ingested"
    assert policies(bare) == before


def test_bad_rows_are_told_and_stop_nothing(bare):
    path = bare.directory / "collectd.sqlite"
    with make_database(path) as database:
        add_datagram(database, DAY, {"d": DOMAIN, "pr": RECORD, "policies": [{**NONE, "f": 0}]})
        add_datagram(database, "yesterday", {"d": DOMAIN, "pr": RECORD, "policies": [{**NONE, "f": 0}]})
        add_datagram(database, DAY, {"d": DOMAIN, "pr": RECORD, "policies": [{"policy-type": 4, "f": 0}]})
        database.execute("INSERT INTO failures VALUES(?, 'b.example', '', '{}', '{}', 3)", (DAY,))
    database.close()
    done = bare.run("ingest", "--format", "sys4", "--json", path)
    counted = json.loads(done.stdout)
    assert counted["accepted"] == 1
    assert counted["by-reason"] == {"bad-time": 1, "unknown-policy-type": 1, "no-final-result": 1}
    assert done.stderr.count("session-rejected") == 3


def test_switching_at_midnight_loses_no_day(site):
    """Yesterday comes from the collector, today from us: two windows that do not meet."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    yesterday = today - datetime.timedelta(days=1)
    path = site.directory / "collectd.sqlite"
    with make_database(path) as database:
        for datagram in datagrams():
            add_datagram(database, yesterday.isoformat(), datagram)
    database.close()
    site.feed([session(DOMAIN, epoch=int(time.time()))])
    site.json("ingest", "--format", "sys4", path)
    windows = {window["start"]: window for window in site.windows(DOMAIN)}
    assert len(windows) <= 3  # midnight may pass meanwhile
    old = windows[f"{yesterday.isoformat()}T00:00:00Z"]
    assert old["end"] == f"{today.isoformat()}T00:00:00Z"
    assert (old["successful-sessions"], old["failed-sessions"]) == (70, 10)


def test_what_is_no_such_database_is_refused(bare):
    path = bare.new_file("no database\n")
    done = bare.run("ingest", "--format", "sys4", path, code=FAILED)
    assert "cannot be read as a database of tlsrpt-collectd" in done.stderr
