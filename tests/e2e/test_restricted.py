"""The program as its unit lets the daemon run: other tests of this folder, again, with the service's restrictions."""

import errno
import os
import pathlib
import shutil
import subprocess
import sys

import as_service
import pytest
from peers.rapporteur import BINARY, ROOT

HERE = pathlib.Path(__file__).parent
CONFINED = HERE / "rapporteur_confined"
# Sessions in, reports out by mail and HTTPS, the HTTP server, commands that the daemon starts, a reload, a stop.
QUICK = ("test_mail.py", "test_service.py", "test_received_daemon.py")
# `scripts/test restricted` tries every file of the folder, one at a time.
ALONE = os.environ.get("RAPPORTEUR_RESTRICTED")
FILES = (ALONE,) if ALONE else QUICK
# What is not tried so, and why.
EXCEPT = {
    "test_restricted.py": "is what restricts",
    "test_installation.py": "is about what an administrator installs, and gives files away as root",
    "test_reference.py": "compares pages and completions with what the program says about itself",
    "test_full_disk.py": "mounts a small disk, which is root's",
    "test_postfix_relay.py": "starts Postfix, which only root can",
    "test_received_postfix.py": "starts Postfix, which only root can, and has it run the program as another user",
}

# Says by its exit code whether a call is refused as the filter refuses it, and goes on otherwise.
REFUSED = """
import ctypes, mmap, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
calls = {
    "socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "mmap": lambda: mmap.mmap(-1, 4096, prot=7),
    "mount": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
    "unshare": lambda: libc.unshare(0x10000000),
}
try:
    failed = calls[sys.argv[1]]() == -1
except OSError as error:
    ctypes.set_errno(error.errno)
    failed = True
sys.exit(ctypes.get_errno() if failed else 0)
"""


def missing():
    if ALONE in EXCEPT:
        return f"{ALONE} {EXCEPT[ALONE]}"
    if os.geteuid() != 0:
        return "only root can take everything away"
    return "" if shutil.which("systemd-analyze") else "systemd-analyze knows the sets of system calls"


if missing() and ALONE and ALONE not in EXCEPT:
    raise RuntimeError(missing())
pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


def as_user(*command, environment=None):
    return subprocess.run(
        [sys.executable, HERE / "as_service.py", *command], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, env={**os.environ, **(environment or {})}, timeout=800, check=False,
    )


def test_the_restrictions_are_those_of_the_unit():
    done = as_user("sh", "-c", "umask; id -un; cat /proc/self/status; touch /etc/x 2>&1; touch /tmp/x && ls /tmp")
    lines = done.stdout.splitlines()
    assert lines[:2] == [as_service.read_unit()["UMask"][0], "nobody"]
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert {status[key] for key in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert "Read-only file system" in done.stdout and lines[-1] == "x"


@pytest.mark.parametrize("call", ["socket", "mmap", "mount", "unshare"])
def test_the_filter_refuses_what_the_unit_refuses(call):
    done = subprocess.run(
        [CONFINED, "-c", REFUSED, call], env={**os.environ, "RAPPORTEUR_CONFINED": sys.executable}, check=False
    )
    assert done.returncode == errno.EPERM


@pytest.mark.parametrize("name", FILES)
def test_the_program_works_with_them(name):
    said = as_user(
        sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", HERE / name,
        environment={
            "RAPPORTEUR_BIN": str(CONFINED),
            "RAPPORTEUR_CONFINED": os.path.realpath(BINARY),
            "RAPPORTEUR_BUILD": os.path.dirname(os.path.realpath(BINARY)),
            # The leak check of a build with sanitizers traces the process, which the unit does not allow.
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0",
        },
    )
    assert said.returncode == 0, said.stdout[-8000:] + said.stderr[-2000:]
    assert " passed" in said.stdout and " skipped" not in said.stdout
