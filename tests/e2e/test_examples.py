"""The examples of the manual pages do what they say: each runs on a store that holds what it is about."""

import contextlib
import datetime
import json
import shutil
import subprocess

import pytest

from peers import reports
from peers.dns_server import DnsServer
from peers.postgres import Postgres
from peers.rapporteur import BINARY, DONE, OLD_EPOCH, ROOT, SENDER, Site, failure, session, wait_until
from peers.smtp_sink import SmtpSink
from reference_tree import read_command
from test_bounces import notice

DOMAIN = "example.org"
BLOCKED = "blocked.example"
DELIVERED, REFUSED, WAITING, SUPPRESSED = (f"{user}@{DOMAIN}" for user in ("tls", "gone", "busy", "user"))
DAYS_AGO = 3  # of the window that is held

# How each example ends, and a piece of what it prints.
WANTED = {
    "rapporteur ingest --format auto /var/log/tls-sessions.jsonl": (DONE, ": accepted 1, rejected 0, ignored 0\n"),
    "rapporteur schedule --domain '*.example.org' --due-before 2h": (DONE, "\nmail.example.org "),
    "rapporteur schedule list --state blocked": (DONE, f"\n{BLOCKED} "),
    "rapporteur schedule show example.org --json": (DONE, '{\n  "domain": "example.org",\n  "windows": [\n'),
    "rapporteur schedule explain example.org": (DONE, "\nsendFrequency = daily\n"),
    "rapporteur schedule send-now example.org": (DONE, "(collecting): made due now\n"),
    "rapporteur schedule hold '*.example.org' --reason 'migration under way'": (DONE, "windows held\n"),
    "rapporteur schedule release example.org": (DONE, "(held): released\n1 window released\n"),
    "rapporteur schedule cancel example.org --window 2026-11-20 --dry-run": (DONE, "1 window would be cancelled\n"),
    "rapporteur pause --smtp --until 2h": (DONE, "(in 2h): nothing is delivered by SMTP\n"),
    "rapporteur resume": (DONE, "nothing is paused\n"),
    "rapporteur stats --json": (DONE, '"delivered": 1,\n    "failed": 1'),
    "rapporteur report preview example.org --as eml": (DONE, "\nTo: tls@example.org"),
    "rapporteur report list --domain example.org": (DONE, "  assembled  20260114T"),
    "rapporteur report show ID --json": (DONE, '"state": "delivered"'),
    "rapporteur report test --to tlsrpt@example.org": (DONE, "\n> RCPT TO:<tlsrpt@example.org>"),
    "rapporteur delivery list --state failed": (DONE, f"mailto:{REFUSED}  failed "),
    "rapporteur delivery retry '*' --domain example.org": (DONE, f" mailto:{REFUSED} (failed): is tried again\n"),
    "rapporteur delivery abandon '*' --domain example.org --dry-run": (DONE, f" mailto:{WAITING} "),
    "rapporteur suppress list": (DONE, f"\n{SUPPRESSED}  suppressed  command "),
    "rapporteur suppress add @example.org --until 30d --reason 'asked for it'": (DONE, "@example.org is suppressed until "),
    "rapporteur suppress remove user@example.org": (DONE, f"{SUPPRESSED} is no longer suppressed; "),
    "rapporteur bounce - < notice.eml": (DONE, "the notice: recorded for delivery "),
    "rapporteur received add - < report.eml": (DONE, "standard input: stored as "),
    "rapporteur received list --failed": (DONE, "  example.org  "),
    "rapporteur received show 3f0a99c2d1e4b756": (DONE, "\n  organization: Other Inc.\n"),
    "rapporteur received summary --domain example.org --since 7d": (DONE, "TLS reports about example.org, "),
    "rapporteur store backup /var/backups/rapporteur-2026-11-20.db": (DONE, " holds the store, "),
    "rapporteur store check": (DONE, "nothing is wrong; looked at "),
    "rapporteur store copy sqlite:/var/lib/rapporteur/rapporteur.db postgresql://rapporteur@db/tlsrpt":
        (DONE, "; rows and sums are equal\n"),
    "rapporteur store prune --dry-run": (DONE, "would remove what finished before "),
    "rapporteur record example.org": (DONE, f"\n  destination: mailto:{DELIVERED}\n"),
    "rapporteur check --domain example.org": (DONE, "\n0 faults, "),
    "rapporteur config check --config ./rapporteur.toml": (DONE, "rapporteur.toml is valid\n"),
    "rapporteur config show": (DONE, '\nsendFrequency = "daily"\n'),
    "rapporteur config import-stalwart tls-report-settings.json": (DONE, "# Imported from seed.json"),
    "rapporteur dkim generate example.org tlsrpt": (DONE, "\ntlsrpt._domainkey.example.org. IN TXT ("),
    "rapporteur expr eval --domain a.example \"'tls@' + rcpt_domain\"": (DONE, "tls@a.example\n"),
}


def examples():
    return [command for command in read_command(BINARY).walk() if command.example]


def names(site, **found):
    """What the examples name, and what stands for it here."""
    return {
        "/etc/rapporteur/rapporteur.toml": site.config_path,
        "./rapporteur.toml": site.config_path,
        "/var/log/tls-sessions.jsonl": site.new_file(json.dumps(session("new.example")) + "\n"),
        "tls-report-settings.json": ROOT / "tests" / "golden" / "stalwart" / "seed.json",
        "/var/backups/rapporteur-2026-11-20.db": site.directory / "backup.db",
        "sqlite:/var/lib/rapporteur/rapporteur.db": site.config["store"]["url"],
        "notice.eml": site.new_file(found["notice"], ".eml"),
        "report.eml": site.new_file(reports.mail(reports.report(reports.policy("other.example"))), ".eml"),
        " ID ": f" {found['report']} ",
        "3f0a99c2d1e4b756": found["received"],
        "2026-11-20": f"{reports.day(DAYS_AGO):%Y-%m-%d}",
    }


class Prepared:
    """A site whose store is the same before each example."""

    def __init__(self, site):
        self.site = site
        self.database = site.directory / "rapporteur.db"
        self.kept = site.directory / "kept.db"
        self.names = names(site, **self._fill())
        site.run("store", "backup", self.kept)

    def _fill(self):
        """Reports that were sent, refused, blocked, held and received, and sessions of today."""
        site = self.site
        site.dns.tlsrpt(DOMAIN, "v=TLSRPTv1; rua=" + ",".join(f"mailto:{to}" for to in (DELIVERED, REFUSED, WAITING)))
        site.dns.tlsrpt(BLOCKED, f"v=TLSRPTv1; rua=mailto:tls@{BLOCKED}")
        site.smtp.refuse(REFUSED, "550 5.1.1 no such user")
        site.smtp.refuse(WAITING, "450 4.2.1 try again later")
        site.config["delivery"]["firstRetry"] = "1h"
        site.start()
        site.feed_old([session(DOMAIN, epoch=OLD_EPOCH, success=False, details=[failure()]),
                       session(BLOCKED, epoch=OLD_EPOCH)])
        site.wait_for_state(BLOCKED, "blocked")
        wait_until(lambda: sum(d["attempts"] for d in site.deliveries(DOMAIN)) == 3, site.log)
        site.stop()
        noon = reports.day(DAYS_AGO) + datetime.timedelta(hours=12)
        site.feed([session(DOMAIN), session(f"mail.{DOMAIN}"), session(DOMAIN, epoch=int(noon.timestamp()))])
        site.feed_old([session(f"mail.{DOMAIN}", epoch=OLD_EPOCH)])
        site.run("schedule", "hold", DOMAIN, "--window", f"{noon:%Y-%m-%d}")
        site.run("suppress", "add", SUPPRESSED, "--reason", "asked for it")
        about = reports.report(reports.policy(DOMAIN, details=[reports.detail(2, mx=f"mx1.{DOMAIN}")]))
        received = reports.stored(site, json.dumps(about))
        sent = next(d for d in site.deliveries(DOMAIN) if d["state"] == "delivered")
        (message,) = site.smtp.to(DELIVERED)
        return {"notice": notice(message, DELIVERED), "report": sent["report-id"], "received": received["id"]}

    def restore(self):
        for ending in ("-wal", "-shm"):
            self.database.with_name(self.database.name + ending).unlink(missing_ok=True)
        shutil.copy(self.kept, self.database)

    def command(self, text, **more):
        """As a shell understands it, with what stands for the names in it."""
        for name, here in {**self.names, **more}.items():
            text = text.replace(name, str(here))
        return ["/bin/sh", "-c", text.replace("rapporteur ", f"exec '{BINARY}' ", 1)]

    def environment(self):
        return self.site.environment()


@pytest.fixture(scope="module")
def prepared(binary, rsa):
    with DnsServer() as dns, SmtpSink() as smtp, Site(dns=dns, smtp=smtp, keys=[rsa]) as site:
        dns.zone[rsa.name] = [rsa.record()]
        dns.zone[SENDER] = {"TXT": ["v=spf1 ip4:192.0.2.1 -all"], "MX": [(10, f"mx.{SENDER}")]}
        # An expression that fails for this domain alone.
        site.config["report"]["tls"]["domain"] = {
            BLOCKED: {"orgName": f"'n' + 1 / (len(rcpt_domain) - {len(BLOCKED)})"}
        }
        yield Prepared(site)


@pytest.mark.parametrize("example", [pytest.param(c.example, id=c.words) for c in examples() if c.path != ("run",)])
def test_it_ends_as_it_should(prepared, example):
    prepared.restore()
    with contextlib.ExitStack() as peers:
        database = "postgresql://rapporteur@db/tlsrpt"
        standing = {database: peers.enter_context(Postgres()).url} if database in example else {}
        done = subprocess.run(prepared.command(example, **standing), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, env=prepared.environment(), timeout=300, check=False)
    said = f"{example}\nexit code {done.returncode}\n{done.stdout}{done.stderr}"
    print(said)
    assert example in WANTED, f"say here how it ends: {said}"
    code, piece = WANTED[example]
    assert done.returncode == code, said
    assert piece in done.stdout, said


def test_the_daemon_starts_as_its_example_says(prepared):
    prepared.restore()
    (example,) = [command.example for command in examples() if command.path == ("run",)]
    log = prepared.site.log_path
    with open(log, "wb") as file:
        process = subprocess.Popen(prepared.command(example), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                   env=prepared.environment())
    try:
        wait_until(lambda: b" started " in log.read_bytes(), lambda: log.read_text(errors="replace"))
    finally:
        process.terminate()
        code = process.wait(60)
    assert code == DONE, log.read_text(errors="replace")


def test_nothing_is_said_of_examples_that_there_are_not():
    assert set(WANTED) <= {command.example for command in examples()}
