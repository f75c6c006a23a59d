"""A disk that is full: nothing that was acknowledged is lost, it is said, and work goes on by itself when
there is room again."""

import contextlib
import json
import os
import pathlib
import resource
import signal
import sqlite3
import subprocess

import pytest

from peers import mail
from peers.rapporteur import FAILED, failure, session, wait_until

DISK_BYTES = 8 << 20


class SmallDisk:
    """A file system of its own, for the store."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs", folder],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        self.database = self.folder / "rapporteur.db"

    def fill(self):
        """Takes every byte that is left, those included that the write-ahead log has to spare."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=30)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        with open(self.folder / "ballast", "ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * size)
        assert os.statvfs(self.folder).f_bavail == 0

    def free(self):
        (self.folder / "ballast").unlink()

    def is_sound(self):
        with contextlib.closing(sqlite3.connect(self.database)) as database:
            return database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def close(self):
        subprocess.run(["umount", "-l", str(self.folder)], check=False, capture_output=True)


@pytest.fixture
def disk(site, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    small = SmallDisk(str(folder))
    site.config["store"]["url"] = f"sqlite:{small.database}"
    yield small
    if site.process is not None:
        site.process.send_signal(signal.SIGTERM)
        site.process.wait(60)
        site.process = None
    small.close()


def counted(site, domain):
    return sum(w["successful-sessions"] + w["failed-sessions"] for w in site.windows(domain, None))


def send(site, domain, first, count):
    """So many sessions by datagram, each with a failure of its own."""
    for number in range(first, first + count):
        site.send_datagram(json.dumps(session(domain, success=False, details=[
            failure("validation-failure", failure_reason_code=f"n{number}")])))


def publish(site, *domains):
    for domain in domains:
        site.dns.tlsrpt(domain, f"v=TLSRPTv1; rua=mailto:tlsrpt@{domain}")


def reasons_of(policies):
    details = [d for p in policies for d in p["failure-details"]]
    assert all(d["failed-session-count"] == 1 for d in details)
    return sorted(d["failure-reason-code"] for d in details)


def test_sessions_wait_in_memory_until_there_is_room(site, disk):
    site.start()
    send(site, "a.example", 0, 20)
    wait_until(lambda: counted(site, "a.example") == 20, site.log)
    disk.fill()
    send(site, "a.example", 20, 500)
    wait_until(lambda: "flush-failed" in site.log(), lambda: site.log()[-4000:])
    assert "full" in site.log()
    assert counted(site, "a.example") == 20 and site.process.poll() is None
    send(site, "b.example", 0, 30)  # it goes on taking them
    disk.free()
    wait_until(lambda: counted(site, "a.example") == 520 and counted(site, "b.example") == 30,
               lambda: site.log()[-4000:])
    assert "flush-recovered" in site.log()
    (window,) = site.windows("a.example")
    assert reasons_of(window["policies"]) == sorted(f"n{number}" for number in range(520))
    assert "dropped" not in json.dumps(site.json("stats"))
    site.stop()
    assert disk.is_sound()


def test_a_file_is_not_acknowledged_and_counts_once_when_it_is_taken_again(site, disk):
    site.start()
    disk.fill()
    lines = [json.dumps(session("a.example", success=False, details=[
        failure("validation-failure", failure_reason_code=f"n{number}")])) for number in range(300)]
    path = site.new_file("\n".join(lines) + "\n")
    refused = site.run("ingest", "--json", path, code=FAILED)
    said = json.loads(refused.stdout)
    assert "full" in said["error"] and said["accepted"] == 0
    assert "full" in site.run("ingest", path, code=FAILED).stderr
    assert site.windows("a.example", None) == []
    disk.free()
    assert site.json("ingest", path)["accepted"] == 300
    assert site.json("ingest", path)["accepted"] == 0
    (window,) = site.windows("a.example")
    assert reasons_of(window["policies"]) == sorted(f"n{number}" for number in range(300))
    assert disk.is_sound()


def test_commands_that_change_nothing_work_on(site, disk):
    site.start()
    send(site, "a.example", 0, 3)
    wait_until(lambda: counted(site, "a.example") == 3, site.log)
    disk.fill()
    assert site.window("a.example")["failed-sessions"] == 3
    assert site.json("schedule", "list")["windows"]
    site.json("stats")
    assert "full" in site.run("schedule", "hold", "a.example", code=FAILED).stderr
    assert site.window("a.example")["state"] == "collecting"
    disk.free()
    site.run("schedule", "hold", "a.example")


def test_windows_that_are_due_wait_and_are_sent_once(site, disk, smtp):
    site.start()
    publish(site, "a.example", "b.example")
    send(site, "a.example", 0, 50)
    send(site, "b.example", 0, 5)
    wait_until(lambda: counted(site, "a.example") == 50 and counted(site, "b.example") == 5, site.log)
    site.run("pause")
    site.run("schedule", "send-now", "*", "--yes")
    disk.fill()
    # Nothing can be written, not even the end of the pause: that is said, and it holds.
    assert "full" in site.run("resume", code=FAILED).stderr
    assert smtp.transcripts == []
    disk.free()
    site.run("resume")
    for domain, count in (("a.example", 50), ("b.example", 5)):
        site.wait_for_delivery(domain, "delivered")
        (message,) = smtp.to(f"tlsrpt@{domain}")
        assert reasons_of(mail.read_report(message.raw).report["policies"]) == sorted(f"n{n}" for n in range(count))


def test_a_disk_that_fills_up_while_reports_are_made_delays_them(site, disk, smtp, dns):
    """It is full from the moment on in which the daemon asks for the record of the first window."""
    site.start()
    domains = [f"d{number}.example" for number in range(5)]
    publish(site, *domains)
    for domain in domains:
        send(site, domain, 0, 40)
    wait_until(lambda: all(counted(site, domain) == 40 for domain in domains), site.log)
    asked = []

    def first_question(name):
        if not asked:
            asked.append(name)
            disk.fill()

    dns.observer = first_question
    site.run("schedule", "send-now", "*", "--yes")
    wait_until(lambda: "full" in site.log(), lambda: site.log()[-4000:])
    assert site.process.poll() is None
    disk.free()
    for domain in domains:
        # Of a window that was the only one to meet the full disk it is written that it waits for a minute.
        (delivery,) = site.wait_for_delivery(domain, "delivered", timeout=100)
        (message,) = smtp.to(f"tlsrpt@{domain}")
        read = mail.read_report(message.raw)
        assert read.report["report-id"] == delivery["report-id"]
        assert reasons_of(read.report["policies"]) == sorted(f"n{number}" for number in range(40))
    site.stop()
    assert disk.is_sound()


def test_an_acceptance_that_cannot_be_recorded_is_kept_until_it_can(site, disk, smtp):
    """The relay has the mail, and the daemon remembers it: no second one is sent."""
    site.start()
    publish(site, "a.example")
    send(site, "a.example", 0, 10)
    wait_until(lambda: counted(site, "a.example") == 10, site.log)
    full = []

    def at_the_dot(stage):
        if stage == "DOT" and not full:
            full.append(stage)
            disk.fill()

    smtp.observer = at_the_dot
    site.run("schedule", "send-now", "a.example", "--yes")
    wait_until(lambda: "full" in site.log(), lambda: site.log()[-4000:])
    assert [d["state"] for d in site.deliveries("a.example")] != ["delivered"]
    disk.free()
    (delivery,) = site.wait_for_delivery("a.example", "delivered")
    assert delivery["attempts"] == 1
    assert len(smtp.offered) == 1
    assert site.window("a.example")["state"] == "done"


def test_a_start_on_a_full_disk_changes_nothing(site, disk, smtp):
    """It ends and says why. What was counted before a crash is there as soon as there is room."""
    site.start()
    publish(site, "a.example")
    send(site, "a.example", 0, 10)
    wait_until(lambda: counted(site, "a.example") == 10, site.log)
    site.kill()
    disk.fill()
    before = len(site.log())
    site.start(wait=False)
    assert site.process.wait(30) == FAILED
    assert str(disk.database) in site.log()[before:]
    site.process = None
    disk.free()
    site.start()
    send(site, "a.example", 10, 10)
    wait_until(lambda: counted(site, "a.example") == 20, lambda: site.log()[-4000:])
    site.run("schedule", "send-now", "a.example", "--yes")
    site.wait_for_delivery("a.example", "delivered")
    (message,) = smtp.messages
    assert len(reasons_of(mail.read_report(message.raw).report["policies"])) == 20


def test_a_stop_on_a_full_disk_says_that_something_is_lost(site, disk):
    site.start()
    send(site, "a.example", 0, 1)
    wait_until(lambda: counted(site, "a.example") == 1, site.log)
    disk.fill()
    send(site, "a.example", 1, 500)
    wait_until(lambda: "flush-failed" in site.log(), lambda: site.log()[-4000:])
    site.process.send_signal(signal.SIGTERM)
    assert site.process.wait(60) == 1
    site.process = None
    assert "clean=no" in site.log()
    disk.free()
    assert counted(site, "a.example") == 1 and disk.is_sound()


def test_a_store_that_may_not_grow(site):
    """The same without a file system of its own: the daemon's files meet a limit (EFBIG)."""
    site.start(ignoring=[signal.SIGXFSZ])
    send(site, "a.example", 0, 10)
    wait_until(lambda: counted(site, "a.example") == 10, site.log)
    pid = site.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    room = (site.directory / "rapporteur.db-wal").stat().st_size + 20_000  # the daemon's log stays far below
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (room, hard))
    send(site, "a.example", 10, 2000)
    wait_until(lambda: "flush-failed" in site.log(), lambda: site.log()[-4000:])
    assert site.process.poll() is None
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
    wait_until(lambda: counted(site, "a.example") == 2010, lambda: site.log()[-4000:])
    assert "flush-recovered" in site.log()
    (window,) = site.windows("a.example")
    assert reasons_of(window["policies"]) == sorted(f"n{number}" for number in range(2010))
