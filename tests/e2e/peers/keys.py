"""DKIM keys made with the openssl command, their DNS records, and dkimpy's verdict on a message."""

import base64
import os
import re
from dataclasses import dataclass

import dkim

from .certificates import openssl


@dataclass(frozen=True)
class DkimKey:
    type: str  # "rsa" or "ed25519"
    domain: str
    selector: str
    path: str  # private key, PEM, mode 0600
    public: str  # base64 as in p=

    @property
    def name(self):
        return f"{self.selector}._domainkey.{self.domain}"

    def record(self, service=None):
        """The text to publish under `name`."""
        tags = ["v=DKIM1", f"k={self.type}"]
        if service:
            tags.append(f"s={service}")
        return "; ".join([*tags, f"p={self.public}"])


def make_key(directory, domain, selector, type="rsa", bits=2048):
    path = os.path.join(directory, f"{selector}.{domain[:40]}.pem")
    if type == "rsa":
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", "-out", path)
    else:
        openssl("genpkey", "-algorithm", "ED25519", "-out", path)
    os.chmod(path, 0o600)
    public = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")
    if type == "ed25519":
        public = public[-32:]  # RFC 8463, section 4: the bare key, no SubjectPublicKeyInfo
    return DkimKey(type, domain, selector, path, base64.b64encode(public).decode())


@dataclass(frozen=True)
class Verdict:
    selector: str
    domain: str
    algorithm: str
    tags: dict
    verified: bool
    why: str = ""

    def __str__(self):
        result = "verified" if self.verified else f"NOT verified ({self.why})"
        return f"{self.algorithm} d={self.domain} s={self.selector}: {result}"


def signatures(raw):
    """The tags of every DKIM-Signature of a message, topmost first."""
    head = raw.split(b"\r\n\r\n", 1)[0] + b"\r\n"
    found = []
    for match in re.finditer(rb"^DKIM-Signature:(.*(?:\r\n[ \t].*)*)\r\n", head, re.M | re.I):
        text = re.sub(r"\s+", "", match.group(1).decode())
        found.append(dict(tag.split("=", 1) for tag in text.split(";") if tag))
    return found


def verify(raw, zone, tlsrpt=False):
    """dkimpy's verdict on each signature. `zone`: a function from a name to its TXT texts.
    `tlsrpt`: as dkimpy has it; "strict" demands a key record with s=tlsrpt."""

    def look_up(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        texts = zone(name.rstrip("."))
        return texts[0].encode() if len(texts) == 1 else None

    verdicts = []
    for index, tags in enumerate(signatures(raw)):
        why = ""
        try:
            good = bool(dkim.DKIM(raw, tlsrpt=tlsrpt).verify(idx=index, dnsfunc=look_up))
        except dkim.DKIMException as error:
            good, why = False, str(error)
        if not good and not why:
            why = "the signature does not match"
        verdicts.append(Verdict(tags.get("s", ""), tags.get("d", ""), tags.get("a", ""), tags, good, why))
    return verdicts
