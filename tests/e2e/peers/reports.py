"""TLS reports as others send them: their JSON, the mails around it, and the signatures of those."""

import base64
import datetime
import gzip
import json
import mmap
import subprocess

import dkim

from .certificates import openssl
from .rapporteur import BINARY, DATA

SAMPLES = DATA / "received"
OURS = "ours.example"  # what the reports are about
OTHER = "other.example"  # who sends them


def day(ago=1):
    """The midnight that began the day so many days ago, UTC."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return datetime.datetime.combine(today - datetime.timedelta(ago), datetime.time(), datetime.timezone.utc)


def detail(sessions=1, result_type="certificate-expired", mx=f"mx1.{OURS}", **more):
    return {"result-type": result_type, "receiving-mx-hostname": mx, "failed-session-count": sessions,
            **{key.replace("_", "-"): value for key, value in more.items()}}


def policy(domain=OURS, *, successful=10, details=(), kind="sts"):
    return {
        "policy": {"policy-type": kind, "policy-domain": domain},
        "summary": {"total-successful-session-count": successful,
                    "total-failure-session-count": sum(d["failed-session-count"] for d in details)},
        "failure-details": list(details),
    }


def report(*policies, organization="Other Inc.", report_id=None, ago=1, **more):
    """A report about the day so many days ago; `more` replaces its members, '_' for '-'."""
    start = day(ago)
    return {
        "organization-name": organization,
        "date-range": {
            "start-datetime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "end-datetime": f"{start:%Y-%m-%d}T23:59:59Z",
        },
        "contact-info": f"tls@{OTHER}",
        "report-id": f"{start:%Y%m%d}.1@{OTHER}" if report_id is None else report_id,
        "policies": list(policies) or [policy()],
        **{key.replace("_", "-"): value for key, value in more.items()},
    }


def packed(content):
    return gzip.compress(content if isinstance(content, bytes) else json.dumps(content).encode())


def file_name(unique=None, ending="json.gz"):
    tail = f"!{unique}" if unique else ""
    return f"{OTHER}!{OURS}!{int(day().timestamp())}!{int(day(0).timestamp()) - 1}{tail}.{ending}"


def part(body, content_type="application/tlsrpt+gzip", name=None, encoding="base64"):
    """One MIME part, CRLF at the ends of its lines."""
    name = file_name() if name is None else name
    lines = [f"Content-Type: {content_type}", f"Content-Transfer-Encoding: {encoding}"]
    if name:
        lines.append(f'Content-Disposition: attachment; filename="{name}"')
    if encoding == "base64":
        text = base64.encodebytes(body).decode().replace("\n", "\r\n")
    else:
        text = body.decode()
    return "\r\n".join(lines) + "\r\n\r\n" + text


TEXT = "Content-Type: text/plain\r\n\r\nThis is an aggregate TLS report.\r\n"


def mail(content, *, sender=f"tls@{OTHER}", before=(), fields=(), parts=None, date=None, **of_part):
    """A report mail, unsigned. `content`: a report or the bytes of the attachment. `before`: fields on
    top; `fields`: others; `parts`: all MIME parts instead of a text and the report."""
    if not isinstance(content, bytes):
        content = packed(content)
    parts = [TEXT, part(content, **of_part)] if parts is None else parts
    date = datetime.datetime.now(datetime.timezone.utc) if date is None else date
    head = [
        *before,
        f"Date: {date:%a, %d %b %Y %H:%M:%S +0000}",
        *([f"From: {sender}"] if sender else []),
        f"To: tlsrpt@{OURS}",
        f"Subject: Report Domain: {OURS} Submitter: {OTHER} Report-ID: <of.this@{OTHER}>",
        f"Message-ID: <report@{OTHER}>",
        f"TLS-Report-Domain: {OURS}",
        f"TLS-Report-Submitter: {OTHER}",
        *fields,
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type="tlsrpt"; boundary="=_b1"',
    ]
    body = "".join(f"--=_b1\r\n{one}\r\n" for one in parts) + "--=_b1--\r\n"
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def signed(raw, key, *, domain=None, identity=None, algorithm=None, **more):
    """The mail with a signature by dkimpy on top."""
    if key.type == "ed25519":
        secret = base64.b64encode(openssl("pkey", "-in", key.path, "-outform", "DER")[-32:])
    else:
        with open(key.path, "rb") as file:
            secret = file.read()
    field = dkim.sign(
        raw, key.selector.encode(), (domain or key.domain).encode(), secret,
        identity=identity.encode() if identity else None,
        canonicalize=(b"relaxed", b"relaxed"),
        signature_algorithm=algorithm or (b"ed25519-sha256" if key.type == "ed25519" else b"rsa-sha256"),
        **more,
    )
    return field + raw


# What the program does with them


def add(site, content, *options, **keywords):
    """What became of one report from a pipe."""
    (line,) = site.run("received", "add", "-", "--json", *options, stdin=content, **keywords).stdout.splitlines()
    return json.loads(line)


def stored(site, content):
    """The report's row in the list, after it was stored as a new one."""
    told = add(site, content)
    assert told["status"] == "stored", told
    return row(site, told["id"])


def refused(site, content):
    """Why it was refused, with nothing kept of it."""
    before = rows(site)
    told = add(site, content)
    assert (told["status"], told["id"]) == ("refused", None), told
    assert rows(site) == before
    return told["why"]


def rows(site, *options):
    return site.json("received", "list", *options)


def row(site, report_id):
    return next(one for one in rows(site) if one["id"] == report_id)


def shown(site, report_id):
    return site.run("received", "show", report_id).stdout


def oddities(site, report_id):
    return [line[len("  odd: "):] for line in shown(site, report_id).splitlines() if line.startswith("  odd: ")]


def summary(site, *options):
    return site.json("received", "summary", *options)


def add_within(site, content, limit):
    """add(), with so many bytes of address space for the program unless a sanitizer needs its own."""
    limited = [] if is_sanitized() else ["prlimit", f"--as={limit}"]
    done = subprocess.run([*limited, BINARY, "received", "add", "-", "--json"], input=content, capture_output=True,
                          env=site.environment(), timeout=120, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)
    (line,) = done.stdout.splitlines()
    return json.loads(line)


def is_sanitized():
    """Whether the program was built with a sanitizer, which takes memory of its own."""
    with open(BINARY, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as program:
        return program.find(b"__asan_init") >= 0 or program.find(b"__tsan_init") >= 0
