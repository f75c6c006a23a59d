"""Three nodes on one PostgreSQL store, all real processes: sessions are offered to all of them and reports
go out while nodes are killed, paused for longer than their leases, and the database is restarted. Then the
receivers' reports are checked against what was acknowledged: everything counted once, every window reported
once, no part under two names. scripts/soak --cluster runs it. Exits 1 if anything is wrong."""

import argparse
import collections
import gzip
import http.client
import json
import os
import queue
import random
import re
import signal
import sys
import tempfile
import threading
import time

from peers import keys, mail
from peers.dns_server import DnsServer
from peers.ledger import REPORT_ID
from peers.postgres import Postgres
from peers.quick_sink import QuickSink
from peers.rapporteur import SENDER, Inline, Site, wait_until

LEASE = 3  # seconds
PERIOD = 3600
REQUEST = 2000  # sessions
PATIENCE = 8  # seconds that a client waits for an answer before it asks another node
RECEIVERS = 50


def line(domain, epoch, failed):
    details = ('[{"result-type":"certificate-expired","receiving-mx-hostname":"mx.%s"}]' % domain) if failed else "[]"
    return (
        '{"epoch":%d,"recipient-domain":"%s","policies":[{"policy":{"policy-type":"sts","policy-domain":"%s",'
        '"policy-string":["version: STSv1","mode: enforce","mx: mx.%s","max_age: 86400"],"mx-host":["mx.%s"]},'
        '"type":%d,"failure-details":%s}]}\n' % (epoch, domain, domain, domain, domain, 0 if failed else 1, details)
    )


class Node:
    """One process, its folder, and a lock so that it is ended and started by one thread at a time."""

    def __init__(self, name, url, dns, smtp, key):
        self.name = name
        self.site = Site(dns=dns, smtp=smtp, keys=[key])
        config = self.site.config
        config["store"] = {"url": url, "node": name, "lease": f"{LEASE}s", "flushEvery": "1s",
                           "spill": str(self.site.directory / "spill")}
        config["http"] = {"listen": "127.0.0.1:0"}
        config["report"]["tls"]["sendFrequency"] = "hourly"
        config["schedule"] = {"grace": "900s", "spread": Inline(hourly="0s", daily="0s", weekly="0s")}
        config["delivery"].update(concurrency=16, perDestination=16)
        config["log"] = {"level": "warning"}
        self.port = None
        self.paused = False

    def start(self):
        self.site.config["log"]["level"] = "info"  # the port is told there
        self.site.start(wait=False)
        seen = len(self.site.log())

        def listening():
            assert self.site.process.poll() is None, f"{self.name} ended:\n{self.site.log()[-6000:]}"
            found = re.findall(r"started .*http=\S*:(\d+)", self.site.log()[seen:])
            return int(found[-1]) if found else None

        self.port = wait_until(listening, lambda: f"{self.name} does not start:\n{self.site.log()[-6000:]}", 90)

    def kill(self):
        self.port = None
        self.site.kill()


class Cluster:
    def __init__(self, folder, sessions, domains, troubles, seed, say=print):
        self.sessions, self.domains, self.troubles, self.say = sessions, domains, troubles, say
        self.chance = random.Random(seed)
        self.seed = seed
        self.figure = collections.Counter()
        self.offered = collections.defaultdict(lambda: [0, 0])  # domain to (successes, failures)
        self.lock = threading.Lock()
        self.problems = []
        self.done = False
        self.interruptions = 0
        now = int(time.time())
        self.epoch = now - now % PERIOD - PERIOD - PERIOD // 2  # in the hour before the last
        key = keys.make_key(folder, SENDER, "cluster", "ed25519")
        self.dns = DnsServer({key.name: [key.record()]})
        for number in range(domains):
            self.dns.tlsrpt(self.name_of(number), f"v=TLSRPTv1; rua=mailto:tls@r{number % RECEIVERS}.example")
        self.smtp = QuickSink()
        self.postgres = Postgres()
        self.nodes = [Node(f"n{i}", self.postgres.url, self.dns, self.smtp, key) for i in (1, 2, 3)]

    @staticmethod
    def name_of(number):
        return f"{'ab'[number % 2]}{number}.example"

    def close(self):
        for node in self.nodes:
            if node.paused and node.site.process:
                node.site.process.send_signal(signal.SIGCONT)
            if node.site.process:
                node.site.process.kill()
                node.site.process.wait()
                node.site.process = None
            node.site.close()
        self.smtp.close()
        self.dns.close()
        self.postgres.close()

    # Sessions

    def request(self, number, letter):
        """The body of a request, and what it adds."""
        chance = random.Random(f"{self.seed}-{letter}-{number}")
        adds = collections.Counter()
        lines = []
        offset = "ab".index(letter)
        for _ in range(REQUEST):
            domain = self.name_of(2 * chance.randrange(self.domains // 2) + offset)
            failed = chance.random() < 0.05
            adds[domain, failed] += 1
            lines.append(line(domain, self.epoch, failed))
        return "".join(lines).encode(), adds

    def offer(self, letter, requests):
        """Offers so many requests to all nodes at once, each until it is acknowledged."""
        waiting = queue.SimpleQueue()
        for number in range(requests):
            waiting.put(number)
        clients = [threading.Thread(target=self.client, args=(letter, waiting, index)) for index in range(6)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    def client(self, letter, waiting, index):
        connections = {}
        turn = index
        while not self.problems:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            body, adds = self.request(number, letter)
            give_up = time.monotonic() + 600
            while not self.ask(self.nodes[turn % len(self.nodes)], connections, f"{letter}-{number}", body):
                with self.lock:
                    self.figure["requests repeated"] += 1
                turn += 1
                time.sleep(0.05)
                if time.monotonic() > give_up:
                    self.problems.append(f"request {letter}-{number} was never acknowledged")
                    return
            turn += 1
            with self.lock:
                self.figure["sessions acknowledged"] += REQUEST
                for (domain, failed), count in adds.items():
                    self.offered[domain][failed] += count

    def ask(self, node, connections, key, body):
        """Whether the node has acknowledged the request."""
        port = node.port
        if port is None:
            return False
        try:
            connection = connections.get(port)
            if connection is None:
                connection = connections[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            connection.request("POST", "/v1/sessions", body, {"Idempotency-Key": key})
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            connections.pop(port, None)
            return False
        if answer.status == 200:
            told = json.loads(said)
            if told.get("rejected"):
                self.problems.append(f"{key}: {said[:300]}")
            return True
        if answer.status != 503:
            self.problems.append(f"{key}: {answer.status} {said[:300]}")
        return False

    # Trouble

    def trouble(self):
        """Makes trouble until everything is done; at least what was asked for."""
        plan = (["kill", "pause"] * self.troubles)[:self.troubles]
        for place in (len(plan) // 3, 2 * len(plan) // 3):
            plan.insert(place, "database")
        for kind in plan:
            time.sleep(self.chance.uniform(1.0, 3.0))
            if self.done:
                return
            getattr(self, kind)()
            self.interruptions += 1
            self.figure[f"trouble: {kind}"] += 1

    def kill(self):
        node = self.chance.choice(self.nodes)
        node.kill()
        time.sleep(self.chance.uniform(0, 2 * LEASE))
        node.start()

    def pause(self):
        node = self.chance.choice(self.nodes)
        node.paused = True
        node.site.process.send_signal(signal.SIGSTOP)
        time.sleep(LEASE * self.chance.uniform(1.5, 2.5))
        node.site.process.send_signal(signal.SIGCONT)
        node.paused = False

    def database(self):
        self.postgres.halt(self.chance.choice(["fast", "immediate"]))
        time.sleep(self.chance.uniform(0.5, 5))
        self.postgres.resume()

    # The run

    def run(self):
        began = time.monotonic()
        for node in self.nodes:
            node.start()
        self.say(f"seed {self.seed}: {self.sessions:,} sessions, {self.domains:,} domains, three nodes")
        maker = threading.Thread(target=self.trouble)
        maker.start()
        requests = self.sessions // REQUEST // 2
        try:
            self.offer("a", requests)
            self.say(f"{time.monotonic() - began:.0f} s: the first half is acknowledged; its windows are sent "
                     "while the second half comes")
            self.send("a*.example")
            self.offer("b", requests)
            self.say(f"{time.monotonic() - began:.0f} s: all are acknowledged")
            self.figure["seconds until all was acknowledged"] = round(time.monotonic() - began)
            self.send("b*.example")
            maker.join()
            self.drain()
        finally:
            self.done = True
            maker.join()
        self.figure["seconds"] = round(time.monotonic() - began)
        for node in self.nodes:
            node.site.stop(120)
        self.check()
        return self.problems

    def send(self, glob):
        """The command line of any node will do; the database may be away for a while."""
        site = self.chance.choice(self.nodes).site
        give_up = time.monotonic() + 120
        while True:
            done = site.run("schedule", "send-now", glob, "--state", "collecting", "--yes", code=None, timeout=600)
            if done.returncode == 0:
                break
            if time.monotonic() > give_up:
                self.problems.append(f"send-now {glob}: {done.returncode} {done.stderr[-300:]}")
                return
            time.sleep(0.5)
        # What was stored by a node while the command was running is still collecting: once more.
        site.run("schedule", "send-now", glob, "--state", "collecting", "--yes", code=None, timeout=600)

    def states(self):
        rows = self.postgres.query("SELECT state, count(*) FROM windows GROUP BY state")
        return {state: int(count) for state, count in (row.split("|") for row in rows)}

    def drain(self):
        def ended():
            return set(self.states()) <= {"done"}

        def what():
            logs = "".join(node.site.log()[-2000:] for node in self.nodes)
            return f"all windows end: {self.states()}\n{logs}"

        wait_until(ended, what, 120 + self.domains / 100, 1.0)

    # The books

    def check(self):
        names = collections.defaultdict(set)  # (domain, period, part) to report-ids
        bodies = {}
        reported = collections.defaultdict(lambda: [0, 0])
        for kept in self.smtp.kept:
            read = mail.read_report(kept.raw)
            report = read.report
            name = report["report-id"]
            match = REPORT_ID.fullmatch(name)
            if not match:
                self.problems.append(f"{name} is not a report-id of ours")
                continue
            start, end, domain, part, *_ = match.groups()
            names[domain, start, end, part].add(name)
            body = gzip.decompress(read.body)
            if bodies.setdefault(name, body) != body:
                self.problems.append(f"{name}: two different reports")
        for name, body in bodies.items():
            for policy in json.loads(body)["policies"]:
                total = reported[policy["policy"]["policy-domain"]]
                total[0] += policy["summary"]["total-successful-session-count"]
                total[1] += policy["summary"]["total-failure-session-count"]
        for window, found in names.items():
            if len(found) > 1:
                self.problems.append(f"{window}: {len(found)} report-ids: {sorted(found)}")
        for domain in self.offered.keys() | reported.keys():
            if self.offered[domain] != reported[domain]:
                self.problems.append(f"{domain}: {self.offered[domain]} acknowledged, {reported[domain]} reported")
        rows = self.postgres.query("SELECT count(*), count(DISTINCT domain) FROM windows")
        windows, domains = map(int, rows[0].split("|"))
        if windows != domains:
            self.problems.append(f"{windows} windows of {domains} domains")
        copies = len(self.smtp.kept) - len(bodies)
        if copies and not self.interruptions:
            self.problems.append(f"{copies} reports came again, and nothing had been interrupted")
        self.figure["windows"] = windows
        self.figure["mails"] = len(self.smtp.kept)
        self.figure["copies of a mail (same report-id)"] = copies

    def figures(self):
        return [f"{name}: {count:,}" for name, count in sorted(self.figure.items())]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=2_000_000)
    parser.add_argument("--domains", type=int, default=50_000)
    parser.add_argument("--troubles", type=int, default=24, help="kills and pauses; the database restarts twice")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(folder, options.sessions, options.domains, options.troubles, options.seed,
                          lambda text: print(text, flush=True))
        try:
            problems = cluster.run()
            print("\n".join(cluster.figures()))
            print("\n".join(["WRONG:", *problems[:50]]) if problems else "Nothing lost, nothing twice.")
            return 1 if problems else 0
        finally:
            cluster.close()


if __name__ == "__main__":
    sys.exit(main())
