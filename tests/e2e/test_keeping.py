"""Backups, checks and removal while the daemon works, and what each of its roles does."""

import json
import os
import socket
import stat
import threading


from peers.http_client import HttpClient, listen, port_of
from peers.rapporteur import FAILED, OLD_EPOCH, Site, failure, session, wait_until

DOMAIN = "a.example"


def failed_session(domain=DOMAIN):
    return session(domain, epoch=OLD_EPOCH, success=False, details=[failure()])


class Traffic:
    """Sends sessions of ever more domains to a site until it is left."""

    def __init__(self, site):
        self.site, self.sent, self.error = site, 0, None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def _send(self):
        try:
            while not self._ending.is_set():
                self.site.send_datagram(json.dumps(session(f"t{self.sent % 500}.example")))
                self.sent += 1
        except Exception as error:  # told by the thread that waits
            self.error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()
        assert self.error is None, self.error


def test_a_backup_made_while_sessions_come_is_a_store_that_goes_on(site, binary, dns, smtp, rsa):
    dns.tlsrpt("b.example", "v=TLSRPTv1; rua=mailto:tls@b.example")
    site.config["store"]["flushEvery"] = "50ms"
    site.start()
    site.run("pause")
    site.feed_old([failed_session("b.example")])
    copy = site.directory / "copy.db"
    with Traffic(site) as traffic:
        wait_until(lambda: site.json("stats")["windows"].get("collecting", 0) > 100, "windows of the traffic")
        made = site.json("store", "backup", copy)
        after = traffic.sent
        wait_until(lambda: traffic.sent > after + 100, "traffic goes on")
    assert made == {"file": str(copy), "bytes": copy.stat().st_size}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    assert "flush-failed" not in site.log()
    site.stop()
    counted = site.json("stats")["sessions"]["datagram.accepted"]
    assert counted == traffic.sent
    site.check_store()

    with Site(dns=dns, smtp=smtp, keys=[rsa]) as other:
        os.rename(copy, other.directory / "rapporteur.db")
        rows = other.check_store()
        stats = other.json("stats")
        assert 100 < rows["windows"] <= 501
        assert 0 < stats["sessions"]["datagram.accepted"] <= counted
        assert stats["paused"]["everything"], "the state of the moment, the pause included"
        other.run("resume")
        other.start()
        (delivery,) = other.wait_for_delivery("b.example", "delivered")
        other.stop()
        other.check_store()
    # The copy has the same token, so that a restored store sends under the same ids.
    site.run("resume")
    site.start()
    (again,) = site.wait_for_delivery("b.example", "delivered")
    assert again["report-id"] == delivery["report-id"]


def test_a_backup_overwrites_nothing(site):
    site.feed([session(DOMAIN)])
    copy = site.directory / "copy.db"
    copy.write_text("precious")
    assert "is there already" in site.run("store", "backup", copy, code=FAILED).stderr
    assert copy.read_text() == "precious"
    assert [p.name for p in site.directory.iterdir() if p.name.startswith("copy")] == ["copy.db"]


def test_prune_removes_while_the_daemon_works_and_tells_before(site, dns):
    dns.tlsrpt(DOMAIN, f"v=TLSRPTv1; rua=mailto:tls@{DOMAIN}")
    site.start()
    site.feed_old([failed_session()])
    site.wait_for_state(DOMAIN, "done")
    told = site.json("store", "prune", "--dry-run")
    assert told["dry-run"] and told["removed"]["windows"] == 0, "it is kept for 30 days"
    assert site.json("store", "prune")["removed"]["windows"] == 0
    assert site.window(DOMAIN)["state"] == "done"
    site.check_store()


def test_a_daemon_says_that_it_lives(site):
    site.config["store"]["node"] = "first"
    site.start()
    (node,) = wait_until(lambda: site.json("stats", "--nodes")["nodes"], lambda: site.log())
    assert (node["name"], node["role"], node["alive"]) == ("first", "all", True)
    assert node["process"] == site.process.pid
    assert node["host"] == socket.gethostname()
    site.stop()
    # Who has ended is known for a week.
    (node,) = site.json("stats", "--nodes")["nodes"]
    assert node["name"] == "first"
    site.config["store"].pop("node")
    site.start()
    wait_until(lambda: len(site.json("stats", "--nodes")["nodes"]) == 2, lambda: site.log())


def test_a_node_that_only_takes_sessions_assembles_nothing(site, dns, smtp):
    dns.tlsrpt(DOMAIN, f"v=TLSRPTv1; rua=mailto:tls@{DOMAIN}")
    listen(site)
    site.start(role="ingest")
    with HttpClient(port_of(site)) as client:
        assert client.sessions([session("http.example")])["accepted"] == 1
        site.send_datagram(json.dumps(session("socket.example")))
        wait_until(lambda: site.windows("socket.example", None), lambda: site.log())
        site.feed_old([failed_session()])
        # The work of the others, which this one sees and leaves.
        assert client.ask("GET", "/readyz").status == 200
        metrics = client.ask("GET", "/metrics").body.decode()
        assert "rapporteur_windows_overdue 1" in metrics
    (node,) = site.json("stats", "--nodes")["nodes"]
    assert node["role"] == "ingest"
    site.stop()
    assert "window-assembled" not in site.log() and not smtp.connections
    assert site.window(DOMAIN)["state"] == "collecting"
    site.check_store()

    site.start(role="schedule")
    site.wait_for_delivery(DOMAIN, "delivered")


def test_a_node_that_only_assembles_takes_no_sessions_and_tells_how_it_is(site, dns):
    dns.tlsrpt(DOMAIN, f"v=TLSRPTv1; rua=mailto:tls@{DOMAIN}")
    listen(site)
    site.start(role="schedule")
    assert not site.socket_path.exists()
    with HttpClient(port_of(site)) as client:
        answer = client.ask("POST", "/v1/sessions", json.dumps(session("http.example")))
        assert answer.status == 503 and "takes no sessions" in answer.body.decode()
        assert client.ask("POST", "/tls/_doc", "{}").status == 503
        assert client.ask("GET", "/healthz").status == 200
        assert client.ask("GET", "/readyz").status == 200
        assert "rapporteur_windows_overdue 0" in client.ask("GET", "/metrics").body.decode()
        site.feed_old([failed_session()])
        site.wait_for_delivery(DOMAIN, "delivered")
        assert 'outcome="assembled"} 1' in client.ask("GET", "/metrics").body.decode()
    (node,) = site.json("stats", "--nodes")["nodes"]
    assert node["role"] == "schedule"
    assert site.windows("http.example", None) == []
    site.check_store()


def test_a_node_for_all_does_both(site, dns):
    dns.tlsrpt(DOMAIN, f"v=TLSRPTv1; rua=mailto:tls@{DOMAIN}")
    listen(site)
    site.start(role="all")
    with HttpClient(port_of(site)) as client:
        assert client.sessions([session("http.example")])["accepted"] == 1
    site.send_datagram(json.dumps(session("socket.example")))
    wait_until(lambda: site.windows("socket.example", None), lambda: site.log())
    site.feed_old([failed_session()])
    site.wait_for_delivery(DOMAIN, "delivered")
    assert site.json("stats", "--nodes")["nodes"][0]["role"] == "all"
    site.check_store()
