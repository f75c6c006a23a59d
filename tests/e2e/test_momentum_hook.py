"""Momentum's module hands data points to the daemon. tests/hook/momentum_driver.c stands for Momentum: it
loads the module and calls the hook from several threads."""

import json
import os
import pathlib
import re
import socket
import subprocess
import time

import pytest

from peers.rapporteur import BINARY, NOT_FOUND, ROOT, wait_until

BUILD = pathlib.Path(os.environ.get("RAPPORTEUR_BUILD") or pathlib.Path(BINARY).resolve().parent)
MODULE = BUILD / "src" / "hook" / "rapporteur_momentum.so"
LIBRARY = BUILD / "src" / "hook" / "librapporteur_hook.so"
DRIVER = BUILD / "tests" / "hook" / "momentum_driver"
DATA = ROOT / "tests" / "hook" / "data" / "momentum.jsonl"

SUCCESS, FAILURE = "test.bird.com", "mismatch.cert.com"
THREADS = 8
RING = 16 * 1024 * 1024


def data_points():
    """Those of the hook's documentation, with the time that the hook gives them: now."""
    return [{**json.loads(line), "epoch": int(time.time())} for line in DATA.read_text().splitlines()]


def drive(site, points, calls, wait_ms, *more, threads=THREADS, log=""):
    """Runs the driver to its end; what it says."""
    path = site.new_file("".join(json.dumps(point) + "\n" for point in points))
    done = subprocess.run(
        [DRIVER, MODULE, path, str(threads), str(calls), str(wait_ms), *more],
        env={**os.environ, "RAPPORTEUR_SOCKET": str(site.socket_path), "RAPPORTEUR_LOG": str(log)},
        capture_output=True, text=True, timeout=120, check=False,
    )
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
    assert "Sanitizer" not in done.stderr, done.stderr
    print(done.stdout)
    return json.loads(done.stdout)


def sessions(site):
    """Successful and failed sessions of the two domains, in all windows."""
    windows = [window for domain in (SUCCESS, FAILURE) for window in site.windows(domain, code=None)]
    return (sum(window["successful-sessions"] for window in windows),
            sum(window["failed-sessions"] for window in windows))


def wait_for_sessions(site, each):
    wait_until(lambda: sessions(site) == (each, each),
               lambda: f"{each} of each, not {sessions(site)}\n{site.log()[-4000:]}")


def test_all_data_points_of_eight_threads_arrive(site):
    site.start()
    said = drive(site, data_points(), 1000, 30_000)
    assert said["calls"] == said["handed-over"] == said["sent"] == THREADS * 1000
    wait_for_sessions(site, THREADS * 500)
    assert site.json("stats")["sessions"] == {"datagram.accepted": THREADS * 1000}
    (policy,) = site.window(FAILURE)["policies"]
    (detail,) = policy["failure-details"]
    assert detail["result-type"] == "certificate-host-mismatch"
    assert detail["failure-reason-code"] == "4.7.5 [internal] SSL certificate subject does not match host"
    assert detail["failed-session-count"] == THREADS * 500


def test_the_data_points_of_the_documentation_arrive_as_they_are(site):
    site.config["ingest"]["maxAge"] = "3650d"  # they are of May 2025
    site.start()
    said = drive(site, [json.loads(line) for line in DATA.read_text().splitlines()], 100, 30_000)
    assert said["sent"] == THREADS * 100
    wait_for_sessions(site, THREADS * 50)
    assert {window["start"][:10] for window in site.windows(SUCCESS)} == {"2025-05-08"}
    assert {window["start"][:10] for window in site.windows(FAILURE)} == {"2025-05-07"}


def test_calls_return_while_the_daemon_is_stopped_and_what_has_no_room_is_counted(site):
    """Nobody reads, and every call returns: none of them waits for the socket."""
    calls = 10_000
    said = drive(site, data_points(), calls, 0)
    assert said["calls"] == THREADS * calls
    assert said["handed-over"] + said["lost-full"] == THREADS * calls
    assert said["sent"] == said["lost"] == 0
    smallest = min(len(json.dumps(point, separators=(",", ":"))) for point in data_points())
    largest = max(len(json.dumps(point)) for point in data_points()) + 32
    assert RING // largest <= said["handed-over"] <= RING // smallest


def test_what_waits_is_sent_when_the_daemon_comes_back(site):
    """The driver is at its calls or waits, the daemon starts meanwhile."""
    path = site.new_file("".join(json.dumps(point) + "\n" for point in data_points()))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(site.socket_path))  # and nobody serves it after this
    with subprocess.Popen(
        [DRIVER, MODULE, path, str(THREADS), "100", "60000"], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "RAPPORTEUR_SOCKET": str(site.socket_path), "RAPPORTEUR_LOG": ""},
    ) as driver:
        site.start()
        said = json.loads(driver.communicate(timeout=90)[0])
    assert said["sent"] == THREADS * 100
    wait_for_sessions(site, THREADS * 50)


def test_what_is_handed_over_right_before_the_end_arrives(site):
    site.start()
    drive(site, data_points(), 100, 0)  # waits for nothing: the module does when the process ends
    wait_for_sessions(site, THREADS * 50)


def test_a_forked_child_hands_over_on_its_own(site):
    site.start()
    said = drive(site, data_points(), 100, 30_000, "fork")
    assert said["sent"] == THREADS * 100
    wait_for_sessions(site, 2 * THREADS * 50)


def test_hostile_data_points_are_refused_by_the_module_or_the_daemon(site):
    site.start()
    good = data_points()[0]
    deep = good
    for _ in range(30):
        deep = {"inner": [deep]}  # json-c parses no more than 32 levels; refused at 32 of the module
    huge = {**good, "failure-reason-code": "x" * 300_000}
    many = {**good, "policy": {**good["policy"], "policy-string": [""] * 250_000}}
    escaped = {**good, "failure-reason-code": "\u0001" * 100_000}  # six times as long as text
    odd = {**good, "sending-mta-ip": "\u0000'\"\\\n/é😀", "extra": [None, True, 1.5, -3]}
    said = drive(site, [odd, huge, many, escaped], 4, 30_000, threads=1)
    assert (said["handed-over"], said["sent"], said["lost"]) == (1, 1, 3)
    with pytest.raises(AssertionError, match="no JSON"):
        drive(site, [deep], 1, 30_000, threads=1)
    wait_until(lambda: sessions(site) == (1, 0), lambda: f"{sessions(site)}\n{site.log()[-4000:]}")


def test_losses_are_written_to_the_system_log(site):
    path = site.directory / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(path))
        log.settimeout(30)
        huge = {**data_points()[0], "failure-reason-code": "x" * 300_000}
        drive(site, [data_points()[0], huge], 6, 0, threads=1, log=path)
        lines = [log.recv(65536).decode()]
        while "the process ends" not in lines[-1]:
            lines.append(log.recv(65536).decode())
    assert len(lines) <= 2, "told at most once a minute, and at the end"
    for line in lines:
        assert re.match(r"<20>rapporteur_momentum\[\d+\]: ", line)
    assert lines[-1].endswith(
        "the process ends, and not all data points were sent: handed-over=3 sent=0 waiting=3 "
        "lost-full=0 lost-too-large=0 lost-json=3 refused=0"), lines


def test_without_a_usable_path_the_calls_return_and_are_counted(site):
    site.socket_path = pathlib.Path("relative.sock")
    path = site.directory / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(path))
        log.settimeout(30)
        said = drive(site, data_points(), 10, 0, log=path)
        assert b"no data point will be handed over" in log.recv(65536)
    assert (said["handed-over"], said["lost"]) == (0, THREADS * 10)
    site.run("schedule", "show", SUCCESS, code=NOT_FOUND)


def exported(path):
    symbols = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True)
    names = {line.split()[-1] for line in symbols.stdout.splitlines()}
    return {name for name in names if not name.startswith("_")}  # sanitizers add theirs


def test_the_libraries_export_their_functions_and_need_no_cpp_library():
    assert exported(MODULE) == {"core_smtp_tls_reporting", "rapporteur_momentum_count"}
    assert exported(LIBRARY) == {
        f"rapporteur_{name}" for name in ("open", "hand_over", "count_loss", "count", "flush", "close")
    }
    for path in (MODULE, LIBRARY):
        dynamic = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
        assert "libstdc++" not in dynamic
        assert path != MODULE or "NODELETE" in dynamic, "its thread runs in it"
