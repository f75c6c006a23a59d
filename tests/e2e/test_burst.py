"""A burst over very many domains: on disk within flushEvery, in windows a little later, counted once whatever happens."""

import json
import sqlite3

from peers.rapporteur import session, wait_until

DOMAINS = 6000


def burst(site):
    """A session of each domain, and a second one of the first hundred; the sender waits for room in the queue."""
    for number in [*range(DOMAINS), *range(100)]:
        site.send_datagram(json.dumps(session(f"d{number}.example")))
    return DOMAINS + 100


def stored(site):
    """Pieces of the journal, and sessions in windows."""
    path = site.config["store"]["url"].removeprefix("sqlite:")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as store:
        (pieces,) = store.execute("SELECT count(*) FROM journal").fetchone()
        (sessions,) = store.execute("SELECT coalesce(sum(successful), 0) FROM windows").fetchone()
    return pieces, sessions


def accepted(site):
    return site.json("stats")["sessions"].get("datagram.accepted", 0)


def test_a_burst_is_journalled_and_reaches_its_windows(site):
    site.start()
    sent = burst(site)
    wait_until(lambda: stored(site) == (0, sent), "everything is in its windows")
    assert accepted(site) == sent
    assert site.window("d5.example")["successful-sessions"] == 2
    assert site.window("d5999.example")["successful-sessions"] == 1


def test_a_journalled_burst_survives_a_crash_and_counts_once(site):
    # One hand-over for all of it, so that it is more than a few entries.
    site.config["store"]["flushEvery"] = "3s"
    site.start()
    sent = burst(site)
    wait_until(lambda: stored(site)[0] > 0, "something is in the journal")
    site.kill()
    kept = stored(site)
    assert kept[0] > 0
    site.start()
    wait_until(lambda: stored(site)[0] == 0, "the journal was recorded")
    assert "journal-recovered" in site.log()
    recorded = stored(site)[1]
    assert kept[1] < recorded <= sent
    assert accepted(site) == recorded
    assert site.window("d5.example")["successful-sessions"] <= 2
    site.kill()
    site.start()
    assert stored(site) == (0, recorded)


def test_a_stop_brings_all_of_it_into_windows(site):
    site.config["store"]["flushEvery"] = "1h"
    site.start()
    sent = burst(site)
    site.stop()
    assert stored(site) == (0, sent)
