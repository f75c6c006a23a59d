"""What the program shows at a terminal: lines that fit, colours, progress."""

import fcntl
import json
import os
import pty
import re
import sqlite3
import struct
import subprocess
import termios
import threading

import pytest

from peers.rapporteur import BINARY, failure, session

LONG = "very-long-name-of-a-subdomain.of-some-organisation.example"
SEQUENCE = re.compile(r"\x1b\[[0-9;]*[mK]")


def at_terminal(site, *arguments, columns=80, **environment):
    """What the command writes to a terminal of this width, standard output and error together."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {**site.environment(), "TERM": "xterm", **environment}
    process = subprocess.Popen([BINARY, *map(str, arguments)], stdin=its, stdout=its, stderr=its, env=variables)
    os.close(its)
    written = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # nobody holds the other side any more
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    assert process.wait(60) == 0, written
    return written.decode().replace("\r\n", "\n")


@pytest.fixture
def filled(site):
    site.write_config()
    site.feed([
        session("a.example"),
        session("a.example", success=False, details=[failure(receiving_mx_hostname="mx.a.example")]),
        session("held.example"),
        session(LONG),
    ])
    site.run("schedule", "hold", "held.example")
    return site


@pytest.mark.parametrize("command", [
    ("schedule", "list"), ("schedule", "show", "a.example"), ("schedule", "show", LONG),
    ("schedule", "explain", "a.example"), ("stats",), ("received", "summary"), ("delivery", "list"),
], ids=" ".join)
@pytest.mark.parametrize("columns", [80, 132])
def test_lines_fit(filled, command, columns):
    shown = SEQUENCE.sub("", at_terminal(filled, *command, columns=columns))
    longest = max(shown.split("\n"), key=len)
    assert len(longest) <= columns, longest
    # Nothing is left out: the same words, wherever the lines are broken.
    plain = filled.run(*command).stdout
    for word in re.findall(r"[a-z0-9.-]+\.example|certificate-expired|[0-9-]{10}T[0-9:]{8}Z", plain):
        assert word in shown


def test_states_are_coloured_at_a_terminal_only(filled):
    assert "\x1b[33mheld\x1b[0m" in at_terminal(filled, "schedule", "list")
    assert "\x1b" not in at_terminal(filled, "schedule", "list", NO_COLOR="1")
    assert "\x1b" not in at_terminal(filled, "schedule", "list", TERM="dumb")
    assert "\x1b" not in filled.run("schedule", "list").stdout
    assert json.loads(at_terminal(filled, "--json", "schedule", "list"))["windows"]


def busy_for_a_second(store):
    """Another program writes in the store: who wants to write waits."""
    writer = sqlite3.connect(store, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    end = threading.Timer(1.0, writer.close)
    end.start()
    return end


def test_long_work_tells_how_far_it_is(site):
    site.write_config()
    site.feed([session(f"d{number}.example") for number in range(250)])
    end = busy_for_a_second(site.directory / "rapporteur.db")
    shown = at_terminal(site, "schedule", "hold", "*", "--yes")
    end.join()
    line = r"\r\x1b\[Khold: \d+ %, \S+ left, [\d,]+ windows a second, [\d,]+ of 250 windows"
    assert re.search(line, shown), shown[-2000:]
    # The line is gone before the result is told.
    assert "held" in shown.rsplit("\r\x1b[K", 1)[1]
    assert site.run("schedule", "release", "*", "--yes").stderr == ""


def test_a_file_tells_how_far_it_is_before_its_first_batch_is_stored(site):
    site.write_config()
    lines = [f'{{"no": "session {number}"}}' for number in range(3)]
    lines += [json.dumps(session(f"d{number}.example")) for number in range(60_000)]
    path = site.new_file("\n".join(lines) + "\n")
    shown = at_terminal(site, "ingest", path)
    told = re.findall(r"\r\x1b\[K\S+: \d+ %, \S+ left, [\d,]+ bytes a second, ([\d,]+)", shown)
    assert len(set(told)) >= 2, shown[-2000:]
    # Lines of the log stand alone.
    samples = re.findall(r"(.*)session-rejected", shown.replace("\r\x1b[K", "\n"))
    assert len(samples) == 3
    assert all(re.fullmatch(r"\S+Z warning ", sample) for sample in samples), samples
    assert shown.rsplit("\r\x1b[K", 1)[1].startswith(f"{path}: accepted 60000, rejected 3, ")
