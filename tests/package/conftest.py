"""The packages that scripts/package has made, and a Debian 12 to install them in."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from debian import BASE, ROOT, Debian  # noqa: E402
from peers.dns_server import DnsServer  # noqa: E402
from peers.smtp_sink import SmtpSink  # noqa: E402


@pytest.fixture(scope="session")
def packages():
    """Files by name of the package."""
    folder = pathlib.Path(os.environ.get("RAPPORTEUR_PACKAGES") or ROOT / "build" / "package" / "packages")
    found = {path.name.split("_")[0]: path for path in folder.glob("*.deb")}
    assert sorted(found) == ["rapporteur", "rapporteur-hook"], f"scripts/package has not made them: {folder}"
    return found


@pytest.fixture(scope="module")
def debian():
    assert os.geteuid() == 0, "chroot(2) is root's"
    assert BASE.is_dir(), "scripts/test package makes it"
    one = Debian()
    yield one
    one.close()


@pytest.fixture(scope="module")
def dns():
    with DnsServer() as server:
        yield server


@pytest.fixture(scope="module")
def smtp():
    with SmtpSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def told_to_publish():
    """Names and texts of TXT records, as the program has told them."""
    return []
