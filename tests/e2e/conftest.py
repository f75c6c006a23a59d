"""What the end-to-end tests share: peers, keys and certificates, made once a run or once a test."""

import os
import pathlib

import pytest

from peers import certificates, keys
from peers.dns_server import DnsServer
from peers.https_sink import HttpsSink
from peers.rapporteur import BINARY, SENDER, Site
from peers.smtp_sink import SmtpSink


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    return str(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
def rsa(shared):
    return keys.make_key(shared, SENDER, "rsa1", "rsa")


@pytest.fixture(scope="session")
def ed25519(shared):
    return keys.make_key(shared, SENDER, "ed1", "ed25519")


@pytest.fixture(scope="session")
def certificate(shared):
    """For localhost and 127.0.0.1, from an authority that `certificate.authority` names."""
    return certificates.signed(shared)


@pytest.fixture(scope="session")
def self_signed(shared):
    return certificates.self_signed(shared)


@pytest.fixture
def dns():
    with DnsServer() as server:
        yield server


@pytest.fixture
def smtp():
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def https(certificate):
    with HttpsSink(certificate) as sink:
        yield sink


@pytest.fixture(scope="session")
def binary():
    if not (pathlib.Path(BINARY).is_file() and os.access(BINARY, os.X_OK)):
        pytest.fail(f"{BINARY} is not built")
    return BINARY


@pytest.fixture
def bare(binary):
    """A site for commands: no keys, no peers."""
    with Site() as site:
        yield site


@pytest.fixture
def site(binary, dns, smtp, rsa):
    """A site with a resolver, a relay without TLS and one RSA key; its daemon is not started."""
    dns.zone[rsa.name] = [rsa.record()]
    with Site(dns=dns, smtp=smtp, keys=[rsa]) as one:
        yield one


@pytest.fixture(scope="session")
def other_key(shared):
    """The key of somebody whose reports come to us."""
    return keys.make_key(shared, "other.example", "s1", "rsa")
