"""Kills the daemon again and again, at instants that chance or the work under way decides, while sessions
come in and reports go out; then lets it finish, and checks what the receivers hold against what was sent.
scripts/soak runs it. Exits 1 if anything was lost, counted twice, or sent under two names."""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

from peers import certificates, keys, mail
from peers.dns_server import DnsServer
from peers.https_sink import HttpsSink, drop
from peers.ledger import Arrival, Batch, Ledger
from peers.rapporteur import BINARY, SENDER, Site, failure, session, wait_until
from peers.smtp_sink import LOST, SmtpSink

FLUSH_EVERY = 1.0  # seconds; what a datagram may wait for
MARGIN = 2.0  # on top of that, for a machine that has other things to do
SMALL_REPORTS = "3600"  # bytes of a mail: windows with many failures are split

MAIL_STAGES = ("GREETING", "EHLO", "MAIL", "RCPT", "DATA", "DOT")
# What a kill waits for, and how often it is chosen. "clock": any instant.
KINDS = {
    "clock": 8, "start": 3, "stop": 2, "DNS query": 2, "after DNS query": 4, "HTTPS request": 3,
    "after HTTPS request": 3, "after DOT": 4, "datagrams": 3, "ingest": 3, "send-now": 2,
    **{stage: 3 if stage == "DOT" else 2 for stage in MAIL_STAGES},
}


class Soak:
    def __init__(self, folder, rounds, seed, say=print, margin=MARGIN):
        self.rounds, self.seed, self.say = rounds, seed, say
        self.chance = random.Random(seed)
        self.flush_within = FLUSH_EVERY + margin
        self.ledger = Ledger()
        self.kills = collections.Counter()
        self.commands_killed = collections.Counter()
        self.armed = None  # the kind of kill that is waited for
        self.lock = threading.Lock()
        certificate = certificates.signed(folder)
        key = keys.make_key(folder, SENDER, "soak")
        self.dns = DnsServer({key.name: [key.record()]})
        self.smtp = SmtpSink()
        self.https = HttpsSink(certificate)
        self.site = Site(dns=self.dns, smtp=self.smtp, https=self.https, keys=[key])
        self.configure(certificate)
        self.dns.observer = lambda _: self.reached("DNS query")
        self.smtp.observer = self.at_stage
        self.https.observer = self.at_request

    def configure(self, certificate):
        self.site.trust(certificate.authority)
        tls = self.site.config["report"]["tls"]
        tls["sendFrequency"] = "hourly"
        tls["domain"] = {f"d{n}.example": {"maxReportSize": SMALL_REPORTS} for n in (0, 3, 6)}
        self.site.config["schedule"]["ownReportSlack"] = 0  # what is counted here are no mails of ours
        self.site.config["store"]["flushEvery"] = f"{FLUSH_EVERY:g}s"
        self.site.config["delivery"]["stopGrace"] = "2s"
        for number in range(10):
            domain = f"d{number}.example"
            mailto, post = f"mailto:tls@{domain}", f"{self.https.url}/{domain}"
            uris = {0: [mailto, post], 1: [mailto, f"mailto:second@{domain}"], 2: [post], 3: [post],
                    4: [post, mailto]}.get(number, [mailto])
            self.ledger.destinations[domain] = uris
            self.dns.tlsrpt(domain, "v=TLSRPTv1; rua=" + ",".join(uris))

    def close(self):
        self.armed = None
        self.site.close()
        for peer in (self.https, self.smtp, self.dns):
            peer.close()

    # Killing

    def kill(self, kind):
        """Ends the daemon as a power failure does. Any thread."""
        with self.lock:
            process = self.site.process
            if process is None or process.poll() is not None:
                return
            self.armed = None
            process.send_signal(signal.SIGKILL)
            self.ledger.interruptions.append(time.time())
            self.ledger.kills.append(time.time())
            self.kills[kind] += 1

    def reached(self, what):
        """Something happens at a peer: if it is what a kill waits for, it waits no longer."""
        armed = self.armed
        if armed == what:
            self.kill(what)
        elif armed == f"after {what}":
            self.armed = None
            threading.Timer(self.chance.uniform(0, 0.02), self.kill, (armed,)).start()

    def at_stage(self, stage):
        self.reached(stage)

    def at_request(self):
        self.reached("HTTPS request")

    def script_trouble(self):
        """Receivers that are not always in the mood, and replies that get lost."""
        if self.chance.random() < 0.3:
            self.smtp.script(self.chance.choice(["RCPT", "DATA", "DOT"]), "451 4.3.0 not now")
        if self.chance.random() < 0.3:
            self.https.script(self.chance.choice([500, 503, (429, {"Retry-After": "1"})]))
        if self.chance.random() < 0.2:
            self.smtp.script("DOT", LOST)
            self.ledger.lost_replies += 1
        if self.chance.random() < 0.2:
            self.https.script(self.take_and_drop)
            self.ledger.lost_replies += 1
        self.smtp.delay("DOT", self.chance.choice([0, 0, 0.05, 0.3]))

    def take_and_drop(self, handler):
        self.https.accepted.append(self.https.requests[-1])
        drop(handler)

    # Sessions

    def new_batch(self, channel, successes, failures):
        number = len(self.ledger.batches)
        batch = Batch(
            number=number,
            domain=f"d{self.chance.randrange(10)}.example",
            channel=channel,
            epoch=int(time.time()) - self.chance.choice([0, 0, 0, 1, 5, 20]),
            successes=successes,
            tracers=[f"t{number}-{i}-{self.chance.getrandbits(160):040x}" for i in range(failures)],
        )
        self.ledger.batches.append(batch)
        return batch

    def lines_of(self, batch):
        """Its sessions in the native form. The policy tells the batch, each failure its session."""
        def one(**more):
            made = session(batch.domain, epoch=batch.epoch, **more)
            made["policies"][0]["policy"]["policy-string"][3] = f"max_age: {batch.number}"
            return made

        made = [one(success=False, details=[failure("validation-failure", failure_reason_code=tracer)])
                for tracer in batch.tracers]
        success = one()
        if batch.channel == "identified":
            made += [{**success, "id": f"{self.seed}-{batch.number}-s{i}"} for i in range(batch.successes)]
            for index, failed in enumerate(made[: len(batch.tracers)]):
                failed["id"] = f"{self.seed}-{batch.number}-f{index}"
            return [json.dumps(line) for line in made]
        return [json.dumps(line) for line in made] + [json.dumps(success)] * batch.successes

    def send_datagrams(self, batch):
        """False if the daemon went away meanwhile."""
        lines = self.lines_of(batch)
        self.chance.shuffle(lines)
        middle = self.chance.randrange(len(lines))
        batch.begun = time.time()
        try:
            for index, line in enumerate(lines):
                self.site.send_datagram(line)
                if index == middle:
                    self.reached("datagrams")
        except OSError:
            return False
        batch.sent = time.time()
        return True

    def datagrams(self):
        few = self.chance.randrange(1, 20)
        batch = self.new_batch("datagram", few, self.chance.randrange(0, 10))
        self.send_datagrams(batch)

    def identified(self):
        batch = self.new_batch("identified", self.chance.randrange(1, 8), self.chance.randrange(1, 5))
        self.send_datagrams(batch)

    def repeat_identified(self):
        """An MTA that does not know whether its sessions were counted hands them in again."""
        for batch in self.ledger.batches:
            if batch.channel != "identified" or self.ledger.is_sure(batch, self.flush_within):
                continue
            if self.chance.random() < 0.3:
                self.ingest(self.site.new_file("\n".join(self.lines_of(batch)) + "\n"))
                batch.acknowledged = True
            else:
                self.send_datagrams(batch)

    def file(self):
        size = self.chance.randrange(10_500, 22_000) if self.chance.random() < 0.2 else self.chance.randrange(1, 300)
        batch = self.new_batch("file", size, self.chance.randrange(0, 80))
        lines = self.lines_of(batch)
        self.chance.shuffle(lines)
        path = self.site.new_file("\n".join(lines) + "\n")
        self.reached("ingest")
        self.ingest(path)
        batch.acknowledged = True
        if self.chance.random() < 0.25 and self.ingest(path, kill=False) != 0:
            self.ledger.problems.append(f"{path} was taken a second time")
        path.unlink()

    def ingest(self, path, kill=True):
        """Until it is acknowledged, however often it is killed on the way; what the last run accepted."""
        while True:
            delay = self.chance.uniform(0, 0.3) if kill and self.chance.random() < 0.4 else None
            code, said = self.command(delay, "ingest", "--json", str(path))
            if code == 0:
                return json.loads(said)["accepted"]
            if code != -signal.SIGKILL:
                self.ledger.problems.append(f"ingest ended with {code}: {said}")
                return None

    def command(self, kill_after, *arguments):
        """Runs a command, and kills it after so many seconds; exit code and output."""
        begun = time.time()
        process = subprocess.Popen([BINARY, *arguments], env=self.site.environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            said, _ = process.communicate(timeout=kill_after if kill_after is not None else 120)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            self.commands_killed[arguments[0]] += 1
        self.ledger.commands.append((begun, time.time()))
        return process.returncode, said

    def send_now(self):
        which = "*" if self.chance.random() < 0.6 else f"d{self.chance.randrange(10)}.example"
        delay = self.chance.uniform(0, 0.05) if self.chance.random() < 0.2 else None
        self.reached("send-now")
        code, said = self.command(delay, "schedule", "send-now", which, "--state", "collecting", "--yes")
        if code not in (0, 1, 3, -signal.SIGKILL):
            self.ledger.problems.append(f"send-now ended with {code}: {said}")

    # Rounds

    def run(self):
        begun = time.monotonic()
        self.say(f"seed {self.seed}, {self.rounds} rounds")
        for number in range(1, self.rounds + 1):
            self.round()
            if number % 20 == 0:
                self.say(f"round {number}: {len(self.ledger.kills)} kills, {len(self.ledger.batches)} batches, "
                         f"{len(self.smtp.messages)} mails, {len(self.https.accepted)} posts, "
                         f"{time.monotonic() - begun:.0f} s")
        self.drain()
        self.collect()
        return self.ledger.check(self.flush_within)

    def round(self):
        kind = self.chance.choices(list(KINDS), list(KINDS.values()))[0]
        if kind == "start":
            self.site.start(wait=False)
            time.sleep(self.chance.uniform(0, 0.15))
            self.end(kind)
            return
        self.site.start()
        self.repeat_identified()
        self.script_trouble()
        self.armed = kind if kind not in ("clock", "stop") else None
        lasting = self.chance.uniform(0, 1.5) if self.chance.random() < 0.7 else self.chance.uniform(3.5, 6)
        until = time.monotonic() + lasting
        timer = threading.Timer(lasting, self.kill, ("clock",))
        if kind == "clock":
            timer.start()
        work = self.chance.choices([self.datagrams, self.identified, self.file, self.send_now], [6, 3, 3, 3],
                                   k=self.chance.randrange(1, 6))
        for action in work + {"ingest": [self.file], "datagrams": [self.datagrams]}.get(kind, []):
            action()
        if kind not in ("datagrams", "ingest", "stop"):
            self.send_now()
        if kind == "stop":
            self.stop()
            return
        # What does not happen in time is not waited for.
        patience = max(until, time.monotonic() + 2.5 if kind != "clock" else until)
        while self.site.process.poll() is None and time.monotonic() < patience:
            time.sleep(0.01)
        timer.cancel()
        self.end("clock")

    def stop(self):
        """The other way to end, in which nothing is lost at all."""
        self.ledger.interruptions.append(time.time())
        self.kills["SIGTERM"] += 1
        self.site.stop()
        self.ledger.interruptions.append(time.time())
        self.ledger.stops.append(time.time())

    def end(self, kind):
        self.kill(kind)
        self.site.process.wait()
        self.site.process = None

    def windows(self):
        listed = self.site.json("schedule", "list", "--all", "--limit", "100000")["windows"]
        return collections.Counter(window["state"] for window in listed)

    def drain(self):
        """Lets everything come to its end."""
        self.armed = None
        self.smtp.delay("DOT", 0)
        for replies in self.smtp.plan.replies.values():
            replies.clear()
        self.https.forget_script()
        self.site.start()
        self.repeat_identified()
        self.site.stop()
        self.ledger.stops.append(time.time())
        self.site.start()
        open_states = ("collecting", "due", "assembled", "blocked", "held")

        def ended():
            states = self.windows()
            if states["collecting"]:
                self.command(None, "schedule", "send-now", "*", "--state", "collecting", "--yes")
            return not any(states[state] for state in open_states)

        wait_until(ended, lambda: f"all windows end: {self.windows()}\n{self.site.log()[-6000:]}",
                   120 + self.rounds / 2, 0.5)
        self.site.stop()

    def collect(self):
        for message in self.smtp.messages:
            read = mail.read_report(message.raw)
            self.ledger.arrivals.append(Arrival(
                f"mailto:{message.rcpt_tos[0]}", message.when, read.body, message.raw, read.message["Message-ID"]))
        for request in self.https.accepted:
            self.ledger.arrivals.append(Arrival(self.https.url + request.path, request.when, request.body,
                                                request.body, None))
        for domain in self.ledger.destinations:
            for window in self.site.windows(domain, code=None):
                self.ledger.windows.append({**window, "domain": domain})
        with contextlib.closing(sqlite3.connect(self.site.directory / "rapporteur.db")) as database:
            said = database.execute("PRAGMA integrity_check").fetchall()
        if said != [("ok",)]:
            self.ledger.problems.append(f"the store is damaged: {said[:3]}")

    def figures(self):
        kills = ", ".join(f"{kind} {count}" for kind, count in sorted(self.kills.items()))
        commands = ", ".join(f"{name} {count}" for name, count in sorted(self.commands_killed.items()))
        return [
            f"rounds {self.rounds}, seed {self.seed}",
            f"ends of the daemon, by what was under way: {kills}",
            f"commands killed: {commands or 'none'}",
            *self.ledger.figures(self.flush_within),
        ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--keep", metavar="DIRECTORY", help="copies the log and the store here at the end")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(folder, options.rounds, options.seed, lambda text: print(text, flush=True))
        try:
            problems = soak.run()
            print("\n".join(soak.figures()))
            print("\n".join(["WRONG:", *problems[:50]]) if problems else "Nothing lost, nothing twice.")
            return 1 if problems else 0
        finally:
            if options.keep:
                keep = pathlib.Path(options.keep)
                keep.mkdir(parents=True, exist_ok=True)
                for file in (soak.site.log_path, soak.site.directory / "rapporteur.db"):
                    shutil.copy(file, keep)
            soak.close()


if __name__ == "__main__":
    sys.exit(main())
