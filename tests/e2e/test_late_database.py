"""A node that starts while its database is away: it counts, tells what is wrong, and loses nothing of what it has taken."""

import collections
import json
import socket
import threading
import time

import pytest

from peers.http_client import HttpClient, listen, port_of
from peers.postgres import Postgres
from peers.rapporteur import CONFIGURATION, FAILED, session, wait_until

DOMAINS = 300
STOP = 30  # seconds that a stop may take


@pytest.fixture
def postgres():
    with Postgres() as server:
        yield server


@pytest.fixture
def node(postgres, site):
    site.config["store"] = {"url": postgres.url, "node": "mx1", "lease": "6s", "flushEvery": "1s",
                            "spill": str(site.directory / "spill")}
    site.config["log"] = {"level": "info"}
    listen(site)
    return site


def send(site, prefix, domains=DOMAINS):
    """A session of each domain, as an MTA does."""
    for number in range(domains):
        site.send_datagram(json.dumps(session(f"{prefix}{number}.example")))


def spilled_files(site):
    return sorted((site.directory / "spill" / "mx1").glob("*.spill"))


def spilled(site):
    return {path.name: path.read_bytes() for path in spilled_files(site)}


def stored(postgres):
    """Sessions of each domain; none before there are tables."""
    if postgres.query("SELECT to_regclass('windows')") == [""]:
        return {}
    rows = postgres.query("SELECT domain, sum(successful + failed) FROM windows GROUP BY domain")
    return {domain: int(count) for domain, count in (row.split("|") for row in rows)}


def counts(*prefixes, domains=DOMAINS):
    counted = collections.Counter()
    for prefix in prefixes:
        counted.update(f"{prefix}{number}.example" for number in range(domains))
    return dict(counted)


def problems(site):
    """Those that keep the node from being ready, and whether its threads live."""
    with HttpClient(port_of(site)) as client:
        told = client.ask("GET", "/readyz", headers={"Accept": "application/json"}).json()
        assert client.ask("GET", "/healthz").status == 200
    return {one["problem"] for one in told["problems"] if one["keeps-from-ready"]}


def is_ready(site):
    with HttpClient(port_of(site)) as client:
        return client.ask("GET", "/readyz").status == 200


class Client(threading.Thread):
    """Posts sessions under one key until they are acknowledged, whatever becomes of the node meanwhile."""

    def __init__(self, site, sessions):
        super().__init__()
        self.site = site
        self.body = "\n".join(map(json.dumps, sessions))
        self.answers = collections.Counter()
        self.ending = threading.Event()

    def run(self):
        while not self.ending.is_set() and not self.answers[200]:
            try:
                with HttpClient(port_of(self.site), timeout=30) as client:
                    answer = client.ask("POST", "/v1/sessions", self.body.encode(), {"Idempotency-Key": "once"})
                    self.answers[answer.status] += 1
            except (OSError, AssertionError):
                self.answers["none"] += 1
            self.ending.wait(0.2)


@pytest.fixture
def client(node):
    one = Client(node, [session(f"http{number}.example") for number in range(DOMAINS)])
    yield one
    one.ending.set()
    if one.ident:
        one.join()


def test_nothing_is_lost_until_the_database_is_there(node, dns, smtp, postgres, client):
    dns.tlsrpt("stopped0.example", "v=TLSRPTv1; rua=mailto:tls@stopped0.example")
    postgres.halt()
    node.start()
    assert "store-away" in node.log()
    wait_until(lambda: " started " in node.log(), "it says that it has started")
    wait_until(lambda: problems(node) == {"flush", "store-read", "store-schedule", "store-delivery"},
               lambda: f"all tell that the store is away: {problems(node)}")
    client.start()
    wait_until(lambda: client.answers[503], "who waits for the store is told to come again")
    send(node, "stopped")
    assert node.stop() < STOP
    left = spilled(node)
    assert len(left) == 1, "what had been taken is in a file"

    # The next one keeps the file. What it has in memory alone goes with it; nothing else does.
    node.start()
    send(node, "killed")
    time_of_crash = len(node.log())
    node.kill()
    assert spilled(node) == left
    assert "spill-failed" not in node.log()

    node.start()
    send(node, "last")
    send(node, "last")
    assert "flush-recovered" not in node.log()[time_of_crash:]
    postgres.resume()
    want = counts("stopped", "last", "last", "http")
    wait_until(lambda: stored(postgres) == want, lambda: f"every session is counted once\n{node.log()[-4000:]}", 60)
    wait_until(lambda: is_ready(node), lambda: f"it is ready: {problems(node)}")
    client.join()
    assert set(client.answers) >= {503, 200}
    assert spilled(node) == {}
    assert "flush-recovered" in node.log()[time_of_crash:] and "spill-recovered" in node.log()
    assert "store-recovered" in node.log()[time_of_crash:]

    # Schedule and delivery have begun.
    node.run("schedule", "send-now", "stopped0.example", "--yes")
    node.wait_for_delivery("stopped0.example", "delivered")
    node.stop()
    assert stored(postgres) == want
    node.check_store()


def test_what_memory_does_not_hold_goes_to_files_and_survives_a_crash(node, postgres):
    lines = [f"{number:03}-{'x' * 490}" for number in range(199)]

    def large(number):
        one = session(f"large{number}.example")
        one["policies"][0]["policy"]["policy-string"] = [str(number), *lines]
        return json.dumps(one)

    postgres.halt()
    node.start()
    # More than the 192 MiB that wait in memory.
    sent = 2200
    for number in range(sent):
        node.send_datagram(large(number))
    wait_until(lambda: spilled_files(node), lambda: f"it spills: {node.log()[-2000:]}")
    node.kill()
    left = spilled_files(node)
    node.start()
    assert spilled_files(node) == left
    postgres.resume()
    wait_until(lambda: not spilled_files(node), lambda: f"all files are recorded\n{node.log()[-2000:]}", 300)
    counted = stored(postgres)
    # What had not reached the file was in memory alone.
    assert 1800 < len(counted) <= sent and set(counted.values()) == {1}
    assert node.json("stats")["sessions"] == {"datagram.accepted": len(counted)}


def test_tables_that_are_not_ours_are_told_and_counts_wait(node, postgres):
    node.run("stats")
    postgres.query("UPDATE meta SET value = '1000' WHERE name = 'schema_version'")
    # Whoever finds them at the start does not begin.
    assert "it needs a newer program" in node.run("run", code=FAILED).stderr
    postgres.halt()
    node.start()
    send(node, "a")
    postgres.resume()
    wait_until(lambda: "flush-failed" in node.log(), "the log tells it")
    assert node.log().count("flush-failed") == 1 and "it needs a newer program" in node.log()
    send(node, "b")
    assert problems(node) >= {"flush", "store-read"}
    assert node.stop() < STOP
    assert len(spilled(node)) == 1
    postgres.query("UPDATE meta SET value = '1' WHERE name = 'schema_version'")
    node.start()
    wait_until(lambda: stored(postgres) == counts("a", "b"), "every session is counted once")
    wait_until(lambda: spilled(node) == {}, "nothing waits any more")


def test_a_database_that_refuses_ends_the_start(node, postgres):
    node.config["store"]["url"] = postgres.url.replace("/rapporteur?", "/nowhere?")
    node.write_config()
    assert '"nowhere" does not exist' in node.run("run", code=CONFIGURATION).stderr


def test_a_command_waits_and_fails(node, postgres):
    postgres.halt()
    assert "cannot be reached" in node.run("stats", code=FAILED).stderr


def test_connections_that_fail_half_way_come_later(node, postgres):
    postgres.query("CREATE ROLE limited LOGIN CONNECTION LIMIT 3")
    postgres.query("ALTER DATABASE rapporteur OWNER TO limited")
    user = postgres.url.split("://")[1].split("@")[0]
    node.config["store"]["url"] = postgres.url.replace(f"://{user}@", "://limited@")
    node.start()
    assert "too many connections" in node.log()
    send(node, "a")
    wait_until(lambda: "flush-recovered" in node.log(), "the one that counts has its own")
    wait_until(lambda: stored(postgres) == counts("a"), "every session is counted once")
    assert problems(node) == {"store-read"}
    postgres.query("ALTER ROLE limited CONNECTION LIMIT -1")
    wait_until(lambda: is_ready(node), lambda: f"it is ready: {problems(node)}")
    assert node.stop() < STOP


def test_the_service_manager_hears_of_the_start_and_each_role_comes(node, postgres, monkeypatch):
    postgres.halt()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = str(node.directory / "notify")
        manager.bind(path)
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        node.start(role="schedule")
        assert manager.recv(4096) == b"READY=1"
    postgres.resume()
    wait_until(lambda: node.log().count("store-recovered") == 2, "schedule and delivery go on")
    wait_until(lambda: is_ready(node), lambda: f"it is ready: {problems(node)}")
    alive = wait_until(lambda: node.json("stats", "--nodes")["nodes"], "it has said that it lives")
    assert [(one["name"], one["role"], one["alive"]) for one in alive] == [("mx1", "schedule", True)]
    assert node.stop() < STOP


def test_a_database_that_says_nothing_holds_up_neither_start_nor_stop(node):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        node.config["store"]["url"] = f"postgresql://me:geheim@127.0.0.1:{silent.getsockname()[1]}/x?sslmode=disable"
        began = time.monotonic()
        node.start()
        assert time.monotonic() - began < 20
        send(node, "a", 10)
        assert node.stop() < 2 * STOP
        assert len(spilled(node)) == 1
        assert "geheim" not in node.log()
