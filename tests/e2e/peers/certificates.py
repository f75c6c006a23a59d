"""Certificates made on the fly with the openssl command: for loopback, and never to be kept."""

import os
import ssl
import subprocess
from dataclasses import dataclass

LOOPBACK = "DNS:localhost,IP:127.0.0.1,IP:::1"


@dataclass(frozen=True)
class Certificate:
    certificate: str  # PEM files
    key: str
    authority: str  # what a client has to trust

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def openssl(*arguments, stdin=None):
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr.decode()}")
    return done.stdout


def _key(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)


def self_signed(directory, name="self-signed", alt=LOOPBACK):
    """A certificate that nobody vouches for."""
    key, cert = (os.path.join(directory, f"{name}.{kind}") for kind in ("key", "pem"))
    _key(key)
    openssl("req", "-x509", "-new", "-key", key, "-days", "2", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName={alt}", "-out", cert)
    return Certificate(cert, key, cert)


def signed(directory, name="signed", alt=LOOPBACK, days=2):
    """A certificate for `alt` from an authority of its own. `days` below 0: it has expired."""
    ca_key, ca, key, request, cert, extensions = (
        os.path.join(directory, f"{name}{kind}")
        for kind in ("-ca.key", "-ca.pem", ".key", ".csr", ".pem", ".ext")
    )
    _key(ca_key)
    openssl("req", "-x509", "-new", "-key", ca_key, "-days", "2", "-subj", f"/CN={name} authority",
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign", "-out", ca)
    _key(key)
    openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
    with open(extensions, "w", encoding="utf-8") as file:
        file.write(f"subjectAltName={alt}\nbasicConstraints=critical,CA:FALSE\n")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
            "-days", str(days), "-extfile", extensions, "-out", cert)
    return Certificate(cert, key, ca)
