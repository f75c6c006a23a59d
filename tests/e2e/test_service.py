"""The daemon under a service manager: what systemd is told, and the socket that it hands over."""

import json
import os
import signal
import socket
import subprocess

import pytest
from peers.rapporteur import BINARY, session, wait_until


class Manager:
    """What systemd listens to, and the datagram socket that it has made for the daemon."""

    def __init__(self, site):
        self.path = str(site.directory / "notify")
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.bind(self.path)
        self._notified.settimeout(30)
        self.handed_over = site.directory / "systemd.sock"
        self._handed = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._handed.bind(str(self.handed_over))

    def told(self):
        return dict(line.split("=", 1) for line in self._notified.recv(4096).decode().splitlines())

    def start(self, site):
        """As rapporteur.service does: the process that is started is the one that LISTEN_PID names."""
        script = 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" run'
        handed = self._handed.fileno()
        site.write_config()
        site._log_before = 0
        with open(site.log_path, "ab") as log:
            site.process = subprocess.Popen(
                ["/bin/sh", "-c", script, BINARY],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**site.environment(), "NOTIFY_SOCKET": self.path},
                preexec_fn=lambda: os.dup2(handed, 3),
                pass_fds=(3,),
            )

    def close(self):
        self._notified.close()
        self._handed.close()


@pytest.fixture
def manager(site):
    one = Manager(site)
    yield one
    one.close()


def test_systemd_is_told_when_the_daemon_works_reloads_and_stops(site, manager):
    manager.start(site)
    assert manager.told() == {"READY": "1"}
    assert " started " in site.log() and "socket=systemd" in site.log()
    site.hang_up()
    told = manager.told()
    assert told.pop("RELOADING") == "1" and int(told.pop("MONOTONIC_USEC")) > 0 and not told
    assert manager.told() == {"READY": "1"}
    site.process.send_signal(signal.SIGTERM)
    # The grace of deliveries is half a minute unless it is configured.
    told = manager.told()
    assert told.pop("STOPPING") == "1" and int(told.pop("EXTEND_TIMEOUT_USEC")) > 30_000_000 and not told
    assert site.process.wait(60) == 0
    site.process = None


def test_a_refused_reload_ends_too(site, manager):
    manager.start(site)
    assert manager.told() == {"READY": "1"}
    site.config_path.write_text("nonsense", encoding="utf-8")
    site.hang_up()
    assert manager.told()["RELOADING"] == "1"
    assert manager.told() == {"READY": "1"}
    assert "reload-refused" in site.log()


def test_sessions_come_by_the_socket_that_is_handed_over_and_wait_in_it(site, manager):
    site.dns.tlsrpt("example.com", "v=TLSRPTv1; rua=mailto:tls@example.com")
    manager.start(site)
    assert manager.told() == {"READY": "1"}
    site.send_datagram(json.dumps(session("example.com")), manager.handed_over)
    wait_until(lambda: site.windows("example.com", code=None), "the session is counted")
    assert not site.socket_path.exists(), "[ingest.datagram] path is not made beside it"
    site.stop()
    site.send_datagram(json.dumps(session("example.com")), manager.handed_over)
    manager.start(site)
    wait_until(lambda: site.window("example.com")["successful-sessions"] == 2, "what waited is counted")


def test_a_manager_that_is_gone_is_named_in_the_log_and_changes_nothing(site, manager):
    manager.close()
    os.unlink(manager.path)
    os.environ["NOTIFY_SOCKET"] = manager.path
    try:
        site.start()
    finally:
        del os.environ["NOTIFY_SOCKET"]
    wait_until(lambda: "service-manager-not-told" in site.log(), site.log)
    site.stop()
