"""The program from a session to an accepted report, for people to watch: scripts/demo runs it.

Starts a DNS server, a relay and an HTTPS server on loopback, the daemon on a new store, feeds sessions
in four formats, sends, and checks what arrives. Exits 1 if any fact is false."""

import gzip
import hashlib
import json
import pathlib
import shutil
import sys
import tempfile
import traceback

from peers import certificates, keys, mail
from peers.dns_server import DnsServer
from peers.https_sink import HttpsSink
from peers.rapporteur import DATA, NOT_FOUND, OLD_EPOCH, Site, failure, session, wait_until
from peers.smtp_sink import SmtpSink

SENDER, SECOND = "sender.example", "reports.example"
LIMIT = 12_000  # bytes of a mail about large.example
SHOWN_LINES = 60  # of one command's output
DETAILS = 400  # its different failures

CONFIGURATION = """\
[system]
domain   = "{sender}"
hostname = "mail.{sender}"

[report.tls]
subject = "'Report Domain: ' + rcpt_domain + ' Submitter: ' + submitter + ' Report-ID: <' + report_id + '>'"
sendFrequency = [ {{ if = "rcpt_domain == 'example.com'", then = "hourly" }},
                  {{ if = "matches('^dane\\\\.', rcpt_domain)", then = "weekly" }},
                  {{ if = "ends_with(rcpt_domain, 'cert.com')", then = "never" }},
                  {{ else = "daily" }} ]

[report.tls.domain."*.bird.com"]        # an override: who writes to these domains
orgName = "'Example Group for ' + to_lowercase('BIRD')"

[report.tls.domain."sts.example"]       # signed with an RSA and an Ed25519 key
fromAddress    = "'tlsrpt@{second}'"
dkimSignDomain = "'{second}'"

[report.tls.domain."large.example"]     # so much to tell that it is split
maxReportSize = "{limit}"

[[dkim]]
domain = "{sender}"
selector = "main"
key = "{main}"

[[dkim]]
domain = "{second}"
selector = "rsa"
key = "{rsa}"

[[dkim]]
domain = "{second}"
selector = "ed"
key = "{ed}"

[store]
url = "sqlite:{directory}/rapporteur.db"

[ingest.datagram]
path = "{directory}/tlsrpt.sock"

[schedule]
grace  = "1s"
spread = {{ hourly = "0s", daily = "0s", weekly = "0s" }}

[dns]
servers = ["{dns}"]

[delivery.smtp]
url = "{smtp}"
tls = "opportunistic"

[delivery.https]
caFile = "{authority}"
allow  = ["localhost"]                  # our HTTPS server is on loopback

[log]
level = "info"
"""


class Facts:
    def __init__(self):
        self.lines = []

    def check(self, text, value):
        self.lines.append((bool(value), text))

    def equal(self, text, value, wanted):
        same = value == wanted
        self.check(text if same else f"{text} (it is {value!r}, not {wanted!r})", same)

    def report(self):
        """Prints them all; whether all are true."""
        for good, text in self.lines:
            print(f"{'ok   ' if good else 'FALSE'} {text}")
        return bool(self.lines) and all(good for good, _ in self.lines)


def heading(text):
    print(f"\n=== {text}\n", flush=True)


def shortened(report):
    """A report as text that fits a screen."""
    lines = json.dumps(report, indent=2, ensure_ascii=False).splitlines()
    if len(lines) > 60:
        lines = [*lines[:45], f"  … {len(lines) - 55} lines more …", *lines[-10:]]
    return "\n".join(lines)


class Demo:
    def __init__(self, folder):
        self.facts = Facts()
        self.certificate = certificates.signed(folder)
        self.main = keys.make_key(folder, SENDER, "main")
        self.rsa = keys.make_key(folder, SECOND, "rsa")
        self.ed = keys.make_key(folder, SECOND, "ed", "ed25519")
        self.dns = DnsServer()
        self.smtp = SmtpSink("offer", self.certificate)
        self.https = HttpsSink(self.certificate)
        self.site = Site(dns=self.dns, smtp=self.smtp, https=self.https)
        self.published = {
            "example.com": "mailto:tlsrpt@example.com",
            "example.org": f"mailto:r@example.org,{self.https.url}/example.org",
            "plain.example": f"{self.https.url}/v1/tlsrpt",
            "sts.example": "mailto:tls@sts.example",
            "dane.example": "mailto:tls@dane.example",
            "badsts.example": "mailto:tls@badsts.example",
            "test.bird.com": "mailto:tls@bird.com",
            "large.example": "mailto:tls@large.example",
            "mismatch.cert.com": "mailto:nobody@cert.com",
        }

    def close(self):
        self.site.close()
        for peer in (self.https, self.smtp, self.dns):
            peer.close()

    def command(self, *arguments, show=True, **keywords):
        shown = " ".join(f"'{a}'" if "*" in str(a) else str(a) for a in arguments)
        print(f"$ rapporteur {shown}", flush=True)
        done = self.site.run(*arguments, **keywords)
        if show:
            lines = done.stdout.splitlines()
            print("\n".join(lines[:SHOWN_LINES]))
            if len(lines) > SHOWN_LINES:
                print(f"… {len(lines) - SHOWN_LINES} lines more")
            print(flush=True)
        return done.stdout

    # The steps

    def set_up(self):
        heading("A DNS server, a relay with a self-made certificate, an HTTPS server, and a configuration")
        # One key has no service type, one says s=tlsrpt (RFC 8460, section 3).
        for key, service in ((self.main, None), (self.rsa, None), (self.ed, "tlsrpt")):
            self.dns.zone[key.name] = [key.record(service)]
        for domain, uris in self.published.items():
            self.dns.tlsrpt(domain, f"v=TLSRPTv1; rua={uris}")
            print(f'_smtp._tls.{domain} TXT "v=TLSRPTv1; rua={uris}"')
        print("_smtp._tls.nopolicy.example does not exist\n")
        text = CONFIGURATION.format(
            sender=SENDER, second=SECOND, limit=LIMIT, main=self.main.path, rsa=self.rsa.path,
            ed=self.ed.path, directory=self.site.directory, dns=self.dns.address, smtp=self.smtp.url,
            authority=self.certificate.authority,
        )
        print(text)
        self.site.write_config = lambda: self.site.config_path.write_text(text, encoding="utf-8")
        self.site.write_config()
        self.facts.check("the configuration is accepted", self.command("config", "check") is not None)
        self.site.start()
        print(f"The daemon runs with a new store in {self.site.directory}.")

    def feed(self):
        heading("Sessions come in: four formats, from files and through the socket")
        print("Paused, so that there is time to look at what is going to be sent.")
        self.command("pause")
        at = ("--at", "2026-01-14T12:00:00Z")
        wanted = {
            "libtlsrpt.jsonl": (at, {"accepted": 18, "rejected": 1, "ignored": 0}),
            "halon.jsonl": ((), {"accepted": 5, "rejected": 0, "ignored": 1}),
            # One of its two sessions is of a domain whose sendFrequency is never.
            "momentum.jsonl": ((), {"accepted": 1, "rejected": 0, "ignored": 1}),
        }
        for name, (options, counts) in wanted.items():
            said = json.loads(self.command("ingest", "--send-old", "--json", *options, DATA / name))
            self.facts.equal(f"{name} is counted as it should be", {k: said.get(k) for k in counts}, counts)
        native = [session("large.example", epoch=OLD_EPOCH, count=1000)]
        for number in range(DETAILS):
            noise = hashlib.sha256(str(number).encode()).hexdigest()
            detail = failure("validation-failure", receiving_mx_hostname=f"mx{number}.large.example",
                             failure_reason_code=f"handshake {noise}")
            native.append(session("large.example", epoch=OLD_EPOCH, success=False, details=[detail]))
        path = self.site.new_file("".join(json.dumps(line) + "\n" for line in native))
        said = json.loads(self.command("ingest", "--format", "native", "--json", path))
        self.facts.equal("the native file is counted", said["accepted"], len(native))
        self.command("ingest", path)
        self.facts.equal(
            "the same file again adds nothing",
            self.site.window("large.example")["successful-sessions"], 1000,
        )
        datagrams = [line for line in (DATA / "libtlsrpt.jsonl").read_text().splitlines()
                     if '"d": "plain.example"' in line]
        print(f"{len(datagrams)} datagrams of libtlsrpt about plain.example, and one of garbage, go to the socket.")
        for datagram in (datagrams[0], "garbage", *datagrams[1:]):
            self.site.send_datagram(datagram)

        def counted():
            windows = self.site.windows("plain.example")
            today = windows[-1]["successful-sessions"] + windows[-1]["failed-sessions"]
            return len(windows) == 2 and today == len(datagrams)

        wait_until(counted, "the datagrams are counted", 20)
        self.facts.check("garbage in the socket stops nothing", self.site.process.poll() is None)

    def look(self):
        heading("What is going to be sent")
        listed = self.command("schedule", "list")
        self.facts.check("the list says that sending is paused", "pause" in listed.lower())
        windows = {d: self.site.windows(d)[0] for d in ("example.com", "dane.example", "sts.example")}
        self.facts.equal(
            "example.com has an hourly, dane.example a weekly, sts.example a daily window",
            [(w["frequency"], w["start"], w["end"]) for w in windows.values()],
            [("hourly", "2026-01-14T12:00:00Z", "2026-01-14T13:00:00Z"),
             ("weekly", "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z"),
             ("daily", "2026-01-14T00:00:00Z", "2026-01-15T00:00:00Z")],
        )
        self.site.run("schedule", "show", "mismatch.cert.com", code=NOT_FOUND)
        self.facts.check("mismatch.cert.com, whose frequency is never, has no window", True)
        self.facts.equal("large.example is old and held", self.site.window("large.example")["state"], "held")
        explained = self.command("schedule", "explain", "example.com")
        self.facts.check("explain gives the rule and its place in the file",
                         "hourly" in explained and "rapporteur.toml:" in explained)
        explained = self.command("schedule", "explain", "test.bird.com")
        self.facts.check("explain names the override for *.bird.com",
                         "Example Group for bird" in explained and "*.bird.com" in explained)
        self.facts.equal("nothing was sent while paused", (self.smtp.offered, self.https.requests), ([], []))

    def send(self):
        heading("Sending")
        self.command("resume")
        self.command("schedule", "send-now", "large.example", "--yes")
        self.command("schedule", "send-now", "plain.example", "--yes")
        expected = {domain for domain in self.published if domain != "mismatch.cert.com"}

        def finished():
            windows = [w for domain in sorted(expected) for w in self.site.windows(domain)]
            return all(w["state"] == "done" for w in windows) and (
                self.site.window("nopolicy.example")["state"] == "suppressed"
            )

        wait_until(finished, lambda: f"all windows are done\n{self.site.log()[-6000:]}", 40, 0.2)
        deliveries = [d for domain in expected for d in self.site.deliveries(domain)]
        self.facts.equal("every delivery was accepted", {d["state"] for d in deliveries}, {"delivered"})
        self.facts.equal(
            "the servers hold as many reports as were delivered",
            len(self.smtp.messages) + len(self.https.accepted), len(deliveries),
        )
        self.facts.equal(
            "every address got its mail",
            {address for message in self.smtp.messages for address in message.rcpt_tos},
            {uri.removeprefix("mailto:") for domain in expected for uri in self.published[domain].split(",")
             if uri.startswith("mailto:")},
        )
        self.facts.check("one recipient a message", all(len(m.rcpt_tos) == 1 for m in self.smtp.messages))
        self.facts.check("the relay was spoken to with TLS", all(m.tls for m in self.smtp.messages))

    def verdicts(self, raw):
        """Of each signature, by the rules that its key record asks for: a record without service type
        for everybody, one with s=tlsrpt for TLS reports only."""
        strict = {v.selector: v for v in keys.verify(raw, self.dns.txt, "strict")}
        return [strict[v.selector] if "s=tlsrpt" in self.dns.txt(f"{v.selector}._domainkey.{v.domain}")[0] else v
                for v in keys.verify(raw, self.dns.txt)]

    def show_mails(self):
        heading("What the relay received")
        large = [m for m in self.smtp.messages if m.rcpt_tos == ["tls@large.example"]]
        for message in sorted(self.smtp.messages, key=lambda m: (m.rcpt_tos, m.raw)):
            read = mail.read_report(message.raw)
            verdicts = self.verdicts(message.raw)
            print(f"To {message.rcpt_tos[0]}, {len(message.raw)} bytes")
            print(f"Subject: {read.subject}")
            print(f"Attached: {read.filename}")
            for verdict in verdicts:
                print(f"DKIM (dkimpy): {verdict}")
            if message not in large or message is large[0]:
                print(f"\n{read.text.strip()}\n\n{shortened(read.report)}")
            print()
            self.check_mail(message, read, verdicts)
        self.check_split(large)

    def check_mail(self, message, read, verdicts):
        to = message.rcpt_tos[0]
        report_id = read.report["report-id"]
        domain = read.message["TLS-Report-Domain"]
        good = (
            read.message.get_content_type() == "multipart/report"
            and read.message.get_param("report-type") == "tlsrpt"
            and read.subject_report_id == report_id
            and read.message["TLS-Required"] == "No"
            and f".{domain}." in report_id
            and f"!{domain}!" in read.filename
            and read.filename.endswith(".json.gz")
        )
        self.facts.check(f"the mail to {to} is a TLS report, Subject and JSON name {report_id}", good)
        count = 2 if to == "tls@sts.example" else 1
        self.facts.check(
            f"dkimpy verifies its {'RSA and Ed25519 signatures' if count == 2 else 'RSA signature'}",
            len(verdicts) == count and all(v.verified for v in verdicts),
        )
        changed = message.raw.replace(b"TLS-Required: No", b"TLS-Required: no", 1)
        covered = all("tls-required" in v.tags["h"].lower().split(":") and "l" not in v.tags for v in verdicts)
        self.facts.check("one changed byte breaks every signature, and none has l=",
                         covered and not any(v.verified for v in self.verdicts(changed)))

    def check_split(self, large):
        reports = [mail.read_report(m.raw).report for m in large]
        self.facts.check(f"the report about large.example came in {len(large)} parts of at most {LIMIT} bytes",
                         len(large) > 1 and max(len(m.raw) for m in large) <= LIMIT)
        ((successes, failures, details),) = mail.sums(reports).values()
        self.facts.equal("their sums are exact", (successes, failures, len(details), sum(details.values())),
                         (1000, DETAILS, DETAILS, DETAILS))
        ids = {r["report-id"] for r in reports}
        self.facts.equal("each part has a report-id of its own", len(ids), len(reports))

    def show_posts(self):
        heading("What the HTTPS server received")
        for request in self.https.accepted:
            report = json.loads(gzip.decompress(request.body))
            print(f"{request.method} {request.path}, {request.headers['content-type']}, {len(request.body)} bytes")
            print(f"{shortened(report)}\n")
            self.facts.check(
                f"the POST to {request.path} is a gzip report",
                request.headers["content-type"] == "application/tlsrpt+gzip" and report["policies"],
            )
        paths = sorted(r.path for r in self.https.accepted)
        self.facts.equal("example.org once, plain.example twice (old and today)", paths,
                         ["/example.org", "/v1/tlsrpt", "/v1/tlsrpt"])
        by_mail = [mail.read_report(m.raw).body for m in self.smtp.to("r@example.org")]
        self.facts.equal("example.org got the same report by mail and by HTTPS", by_mail,
                         [r.body for r in self.https.accepted if r.path == "/example.org"])
        names = [mail.read_report(m.raw).report["organization-name"] for m in self.smtp.to("tls@bird.com")]
        self.facts.equal("the override names the organisation", names, ["Example Group for bird"])

    def receive(self):
        heading("The same mails, as those who receive them see them")
        large = [m for m in self.smtp.messages if m.rcpt_tos == ["tls@large.example"]]
        files = [str(self.site.new_file(m.raw, ".eml")) for m in self.smtp.messages]
        taken = self.site.run("received", "add", "--json", *files).stdout.splitlines()
        self.facts.equal("each mail is stored as a report", {json.loads(line)["status"] for line in taken}, {"stored"})
        kept = self.site.json("received", "list")
        self.facts.equal("each was verified by its DKIM signature", {report["trust"] for report in kept}, {"dkim"})
        parts = [report for report in kept if report["domains"] == ["large.example"]]
        self.facts.equal(
            "the parts of the split report add up to the whole",
            (len(parts), sum(p["successful"] for p in parts), sum(p["failed"] for p in parts)),
            (len(large), 1000, DETAILS),
        )
        again = self.site.run("received", "add", "--json", *files).stdout.splitlines()
        self.facts.equal("and each is kept once", {json.loads(line)["status"] for line in again}, {"duplicate"})
        self.command("received", "summary", "--since", "2026-01-01")

    def show_end(self):
        heading("Everything is delivered")
        for domain in ("example.org", "plain.example", "large.example", "nopolicy.example"):
            self.command("schedule", "show", domain)
        none = self.site.window("nopolicy.example")
        self.facts.check(f"nopolicy.example got nothing, and it is said why: {none['reason']}",
                         none["state"] == "suppressed" and none["reason"])
        self.command("delivery", "list")
        took = self.site.stop()
        self.facts.check(f"the daemon stops within 5 s (it took {took:.1f} s)", took < 5)

    def run(self):
        for step in (self.set_up, self.feed, self.look, self.send, self.show_mails, self.show_posts, self.receive,
                     self.show_end):
            step()


def main():
    folder = tempfile.mkdtemp(prefix="rapporteur-demo-")
    demo = Demo(folder)
    try:
        demo.run()
    except Exception as error:
        traceback.print_exc()
        print(f"\nThe end of the daemon's log:\n{demo.site.log()[-6000:]}", file=sys.stderr)
        demo.facts.check(f"the demo runs to its end ({type(error).__name__}: {str(error)[:200]})", False)
    finally:
        demo.close()
        shutil.rmtree(pathlib.Path(folder), ignore_errors=True)
    heading("What was checked")
    return 0 if demo.facts.report() else 1


if __name__ == "__main__":
    sys.exit(main())
