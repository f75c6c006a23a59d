"""Runs the built program: one configuration, one store and at most one daemon a Site."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("RAPPORTEUR_BIN") or str(ROOT / "build" / "dev" / "rapporteur")
DATA = ROOT / "tests" / "e2e" / "data"
GOLDEN = ROOT / "tests" / "golden" / "schedule"

SENDER = "sender.example"  # whose reports these are
OLD_EPOCH = 1768392000  # 2026-01-14T12:00:00Z, the time of the samples
OLD_START = "2026-01-14T00:00:00Z"
RFC_SUBJECT = (
    "'Report Domain: ' + rcpt_domain + ' Submitter: ' + submitter"
    " + ' Report-ID: <' + report_id + '>'"
)

DONE, FAILED, USAGE, NOT_FOUND, CONFIGURATION = 0, 1, 2, 3, 78

_SANITIZERS = ("Sanitizer:", "runtime error:", "WARNING: ThreadSanitizer")


# Limits are those of a machine that does nothing else. One that runs other tests beside, under a sanitizer, takes longer.
PATIENCE = 4


def wait_until(predicate, what, timeout=30.0, interval=0.05):
    """The first true value of `predicate`. Fails after `timeout` seconds, and on a busy machine after a few times that."""
    timeout *= PATIENCE
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout:g} s: {what() if callable(what) else what}")
        time.sleep(interval)


def _toml_key(key):
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    return "{ " + ", ".join(f"{_toml_key(k)} = {_toml_value(v)}" for k, v in value.items()) + " }"


class Inline(dict):
    """A table that is written on one line."""


def to_toml(table, path=()):
    """A configuration file: plain dicts become [tables], lists of dicts [[tables]]."""

    def is_table(value):
        return isinstance(value, dict) and not isinstance(value, Inline)

    def is_tables(value):
        return isinstance(value, list) and bool(value) and all(is_table(v) for v in value)

    lines = []
    plain = {k: v for k, v in table.items() if not is_table(v) and not is_tables(v)}
    if path and (plain or not table):
        lines.append(f"[{'.'.join(_toml_key(p) for p in path)}]")
    lines += [f"{_toml_key(k)} = {_toml_value(v)}" for k, v in plain.items()]
    if lines:
        lines.append("")
    for key, value in table.items():
        if is_table(value):
            lines.append(to_toml(value, (*path, key)))
        elif is_tables(value):
            for entry in value:
                lines.append(f"[[{'.'.join(_toml_key(p) for p in (*path, key))}]]")
                lines += [f"{_toml_key(k)} = {_toml_value(v)}" for k, v in entry.items()]
                lines.append("")
    return "\n".join(lines)


def session(domain, *, success=True, details=(), policy="sts", epoch=None, **more):
    """One session in the native form. `epoch` None: a second ago."""
    applied = {"policy-type": policy, "policy-domain": domain}
    if policy == "sts":
        applied["policy-string"] = ["version: STSv1", "mode: enforce", f"mx: mx.{domain}", "max_age: 86400"]
        applied["mx-host"] = [f"mx.{domain}"]
    return {
        "epoch": int(time.time()) - 1 if epoch is None else epoch,
        "recipient-domain": domain,
        "policies": [{"policy": applied, "type": int(success), "failure-details": list(details)}],
        **more,
    }


def failure(result_type="certificate-expired", **fields):
    """A failure detail; names with '_' for '-'."""
    return {"result-type": result_type, **{k.replace("_", "-"): v for k, v in fields.items()}}


class Site:
    """A directory with a configuration, a store and a socket. `config` may be changed as a dict
    and is written by write_config() and before every start of the daemon."""

    def __init__(self, dns=None, smtp=None, https=None, keys=(), domain=SENDER):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rapporteur-", dir="/tmp"))
        self.config_path = self.directory / "rapporteur.toml"
        self.socket_path = self.directory / "tlsrpt.sock"
        self.log_path = self.directory / "daemon.log"
        self.dns, self.smtp, self.https = dns, smtp, https
        self.process = None
        self._files = 0
        self.config = {
            "system": {"domain": domain, "hostname": f"mail.{domain}"},
            "report": {"tls": {"subject": RFC_SUBJECT}},
            "store": {"url": f"sqlite:{self.directory}/rapporteur.db"},
            "ingest": {"datagram": {"path": str(self.socket_path), "mode": "0660"}},
            "schedule": {
                "grace": "0s",
                "spread": Inline(hourly="0s", daily="0s", weekly="0s"),
            },
            "dns": {"servers": [dns.address if dns else "127.0.0.1:1"], "timeout": "5s"},
            "delivery": {
                "firstRetry": "1s",
                "smtp": {"url": smtp.url if smtp else "smtp://127.0.0.1:1", "tls": "opportunistic"},
                "https": {"allow": ["localhost", "127.0.0.0/8", "::1/128"]},
            },
            "log": {"level": "debug"},
        }
        self.use_keys(*keys)

    def use_keys(self, *keys):
        self.config["dkim"] = [
            {"domain": key.domain, "selector": key.selector, "key": key.path} for key in keys
        ]
        if not keys:
            del self.config["dkim"]

    def trust(self, authority):
        """HTTPS destinations and a relay with tls = "required" are verified against this file."""
        self.config["delivery"]["https"]["caFile"] = authority
        self.config["delivery"]["smtp"]["caFile"] = authority

    def write_config(self, text=None):
        self.config_path.write_text(to_toml(self.config) if text is None else text, encoding="utf-8")

    # Commands

    def environment(self):
        return {**os.environ, "RAPPORTEUR_CONFIG": str(self.config_path), "TZ": "Pacific/Chatham"}

    def run(self, *arguments, code=DONE, stdin=None, timeout=300):
        """Runs a subcommand to its end. `code`: the exit code that is expected; None: any."""
        if not self.config_path.exists():
            self.write_config()
        done = subprocess.run(
            [BINARY, *map(str, arguments)],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=self.environment(),
            timeout=timeout,
            check=False,
        )
        done.stdout = done.stdout.decode()
        done.stderr = done.stderr.decode()
        said = f"rapporteur {' '.join(map(str, arguments))}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        assert not any(word in done.stderr for word in _SANITIZERS), said
        if code is not None:
            assert done.returncode == code, f"exit code {done.returncode}, not {code}: {said}"
        return done

    def json(self, *arguments, **keywords):
        done = self.run(*arguments, "--json", **keywords)
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise AssertionError(f"{arguments} prints no JSON: {done.stdout!r}") from error

    def new_file(self, content, suffix=".jsonl"):
        self._files += 1
        path = self.directory / f"input-{self._files}{suffix}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def feed(self, sessions, *options):
        """Ingests sessions (objects, or lines as they are) from a file; the counts."""
        lines = [s if isinstance(s, str) else json.dumps(s) for s in sessions]
        return self.json("ingest", *options, self.new_file("\n".join(lines) + "\n"))

    def feed_old(self, sessions, *options):
        """The same; what is too old is sent all the same."""
        return self.feed(sessions, "--send-old", *options)

    def check_store(self):
        """Fails if rows of the store contradict each other; how many were looked at, by table."""
        checked = self.json("store", "check", code=None)
        assert checked["findings"] == [], json.dumps(checked, indent=1)
        return checked["rows"]

    def windows(self, domain, code=DONE):
        return self.json("schedule", "show", domain, code=code).get("windows", [])

    def window(self, domain):
        windows = self.windows(domain)
        assert len(windows) == 1, windows
        return windows[0]

    def deliveries(self, domain):
        return [d for w in self.windows(domain) for d in w["deliveries"]]

    # Waiting, always for something that can be seen

    def wait_for_state(self, domain, state, timeout=40.0):
        """Until the domain's only window is in this state; the window."""
        found = {}

        def reached():
            windows = self.windows(domain, code=None)
            found["windows"] = windows
            return len(windows) == 1 and windows[0]["state"] == state and windows[0]

        def what():
            return f"{domain} {state}: {json.dumps(found['windows'], indent=1)}\n{self.log()[-6000:]}"

        return wait_until(reached, what, timeout, 0.1)

    def wait_for_delivery(self, domain, state, count=1, timeout=40.0):
        """Until the domain has exactly so many deliveries, all in this state; the deliveries."""
        found = {}

        def reached():
            found["deliveries"] = deliveries = self.deliveries(domain)
            return len(deliveries) == count and all(d["state"] == state for d in deliveries) and deliveries

        def what():
            return f"{domain}: {count} {state}: {found['deliveries']}\n{self.log()[-6000:]}"

        return wait_until(reached, what, timeout, 0.1)

    # The daemon

    def start(self, wait=True, ignoring=(), role=None):
        """`ignoring`: signals that the daemon is started with as ignored. `role`: as --role; by default none is given."""
        assert self.process is None, "the daemon runs already"
        self.write_config()
        if self.socket_path.exists():
            self.socket_path.unlink()
        self._log_before = len(self.log())
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "run", *(["--role", role] if role else [])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(),
                preexec_fn=(lambda: [signal.signal(s, signal.SIG_IGN) for s in ignoring]) if ignoring else None,
            )
        if wait:
            wait_until(self.is_ready, lambda: f"the daemon does not start:\n{self.log()}", 60)
        return self

    def is_ready(self):
        assert self.process.poll() is None, f"the daemon ended:\n{self.log()}"
        return self.socket_path.exists() or " started " in self.log()[self._log_before:]

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def hang_up(self):
        """Tells the daemon to read its configuration again."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self, timeout=60.0):
        """Ends the daemon as systemd does; how many seconds that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        took = time.monotonic() - began
        self.process = None
        assert code == 0, f"the daemon ended with {code}:\n{self.log()}"
        return took

    def kill(self):
        """Ends the daemon as a power failure does, its files apart."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def send_datagram(self, payload, path=None):
        """As libtlsrpt does, except that it waits for room in the receiver's queue."""
        data = payload if isinstance(payload, bytes) else payload.encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(30)
            sender.sendto(data, str(path or self.socket_path))

    def close(self):
        """Stops what runs and removes the directory. Fails if a sanitizer had something to say."""
        if self.process is not None:
            try:
                self.process.send_signal(signal.SIGTERM)
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        log = self.log()
        shutil.rmtree(self.directory, ignore_errors=True)
        assert not any(word in log for word in _SANITIZERS), log[-8000:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        log = self.log()
        if log:
            print(f"--- the end of the daemon's log\n{log[-8000:]}")
        self.close()


# `schedule show --json` in a form that can be compared


def canonical(shown):
    """What design.md, section 10, promises of `schedule show DOMAIN --json`, with its sets sorted
    and without `due` and `reason`. A list that does not apply may be empty or absent."""

    def detail(entry):
        return dict(sorted(entry.items()))

    def policy(entry):
        result = dict(entry)
        result["policy-string"] = entry.get("policy-string") or []
        result["mx-host"] = entry.get("mx-host") or []
        if entry["policy-type"] == "tlsa":
            result["policy-string"] = sorted(result["policy-string"])
        result["failure-details"] = sorted(
            (detail(d) for d in entry.get("failure-details") or []), key=json.dumps
        )
        return dict(sorted(result.items()))

    def window(entry):
        kept = ("start", "end", "frequency", "state", "successful-sessions", "failed-sessions")
        result = {name: entry[name] for name in kept}
        result["policies"] = sorted((policy(p) for p in entry["policies"]), key=json.dumps)
        result["deliveries"] = entry["deliveries"]
        return result

    windows = sorted((window(w) for w in shown["windows"]), key=lambda w: w["start"])
    return {"domain": shown["domain"], "windows": windows}


def golden(domain):
    return json.loads((GOLDEN / f"{domain}.json").read_text(encoding="utf-8"))
