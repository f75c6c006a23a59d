"""Sessions by HTTP, and the server that takes them."""

import contextlib
import gzip
import json
import os
import socket
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest

from peers import certificates
from peers.http_client import (
    CHANGED, SECRET, HttpClient, RawClient, basic, digest, listen, port_of, trusting, write_users,
)
from peers.rapporteur import BINARY, CONFIGURATION, failure, session, wait_until

def halon(domain, transaction="t-1", result="success", when=None):
    return {
        "timestamp": (int(time.time()) - 1 if when is None else when) * 1000,
        "transactionid": transaction,
        "policy-domain": domain,
        "policy-type": "no-policy-found",
        "result-type": result,
    }


@pytest.fixture
def served(site):
    listen(site)
    site.start()
    with HttpClient(port_of(site)) as client:
        yield site, client


def post_head(length, path="/v1/sessions", **fields):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {length}"]
    lines += [f"{k.replace('_', '-')}: {v}" for k, v in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_what_was_answered_is_on_disk(served):
    site, client = served
    counts = client.sessions([session("a.example"), session("a.example", success=False, details=[failure()])])
    assert counts == {"status": "counted", "accepted": 2, "rejected": 0, "ignored": 0, "by-reason": {}}
    site.kill()
    window = site.window("a.example")
    assert (window["successful-sessions"], window["failed-sessions"]) == (1, 1)


def test_every_form_is_taken(served):
    site, client = served
    pretty = json.dumps(session("pretty.example"), indent=2)
    array = json.dumps([session("array.example"), halon("halon.example")])
    zipped = gzip.compress(json.dumps(session("zipped.example")).encode())
    for body, headers, accepted in [
        (pretty, {"Content-Type": "application/json"}, 1),
        (array, {"Content-Type": "application/json"}, 2),
        (array, {}, 2),
        (zipped, {"Content-Encoding": "gzip"}, 1),
    ]:
        answer = client.ask("POST", "/v1/sessions", body, headers)
        assert (answer.status, answer.json()["rejected"]) == (200, 0), answer.body
        assert answer.json()["accepted"] + answer.json()["ignored"] == accepted
    for domain, count in {"pretty.example": 1, "array.example": 2, "halon.example": 1, "zipped.example": 1}.items():
        assert site.window(domain)["successful-sessions"] == count, domain


def test_a_request_is_counted_once(served):
    site, client = served
    one = [session("a.example")]
    assert client.sessions(one, Idempotency_Key="first")["accepted"] == 1
    assert client.sessions(one, Idempotency_Key="first")["status"] == "duplicate"
    assert client.sessions(one, Idempotency_Key="second")["accepted"] == 1
    site.stop()
    site.start()
    with HttpClient(port_of(site)) as again:
        counts = again.sessions(one, Idempotency_Key="first")
        assert (counts["status"], counts["accepted"]) == ("duplicate", 0)
    assert site.window("a.example")["successful-sessions"] == 2


def test_a_session_is_counted_once(served):
    site, client = served
    named = session("a.example", id="queue-1")
    assert client.sessions([named, named])["by-reason"] == {"duplicate": 1}
    assert client.sessions([named, session("a.example", id="queue-2")])["accepted"] == 1
    document = halon("b.example", "t-1")
    assert client.ask("POST", "/tlsrpt/_doc", document).status == 201
    assert client.ask("POST", "/tlsrpt/_doc", document).status == 201
    assert client.sessions([document])["by-reason"] == {"duplicate": 1}
    assert site.window("a.example")["successful-sessions"] == 2
    assert site.window("b.example")["successful-sessions"] == 1


def test_a_request_counts_whole_or_not_at_all(served):
    site, client = served
    line = json.dumps(session("a.example")) + "\n"
    answer = client.ask("POST", "/v1/sessions", f"[{line},{line}")
    assert (answer.status, answer.json()["error"]) == (400, "the body ends within its array; nothing was counted")
    with RawClient(port_of(site)) as raw:
        raw.send(post_head(10 * len(line)) + 5 * line.encode())
    with RawClient(port_of(site)) as raw:
        raw.send(post_head(1000, Content_Encoding="gzip") + gzip.compress(line.encode())[:-4])
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.ended()
    answer = client.ask("POST", "/v1/sessions", gzip.compress(line.encode())[:-4], {"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert client.sessions([session("b.example")])["accepted"] == 1
    site.stop()
    assert site.windows("a.example", code=None) == []


def test_rejected_sessions_are_told_and_counted(served):
    site, client = served
    answer = client.ask("POST", "/v1/sessions", json.dumps(session("a.example")) + "\nrubbish\n{}\n")
    assert answer.json() == {
        "status": "counted",
        "accepted": 1,
        "rejected": 2,
        "ignored": 0,
        "by-reason": {"not-json": 1, "unknown-format": 1},
        "errors": [{"line": 2, "reason": "not-json"}, {"line": 3, "reason": "unknown-format"}],
    }
    assert "session-rejected source=http reason=not-json" in site.log()
    counters = site.json("stats")
    assert "not-json" in json.dumps(counters)


def memory_of(pid):
    """The most memory that the process ever took, in bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def test_a_hundred_megabytes_take_no_memory_and_hold_up_nobody(site, monkeypatch):
    # AddressSanitizer keeps what was freed; that is not to be measured here.
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4")
    listen(site, maxBody="110mb")
    site.start()
    port = port_of(site)
    filler = "x" * 20_000
    lines = [(json.dumps(session(f"d{i}.example", note=filler)) + "\n").encode() for i in range(50)]
    assert len(b"".join(lines)) > 1_000_000
    with HttpClient(port) as client:
        client.sessions([session("first.example")])
        before = memory_of(site.process.pid)
        done = threading.Event()
        waits = []

        def ask_meanwhile():
            with HttpClient(port) as other:
                while not done.is_set():
                    began = time.monotonic()
                    assert other.ask("POST", "/i/_doc", halon("b.example", f"t-{len(waits)}")).status == 201
                    waits.append(time.monotonic() - began)

        asking = threading.Thread(target=ask_meanwhile)
        asking.start()
        with RawClient(port) as raw:
            size = sum(map(len, lines)) * 100
            assert size > 100_000_000
            raw.send(post_head(size))
            for _ in range(100):
                raw.send(b"".join(lines))
            counts = raw.read().json()
        done.set()
        asking.join()
    assert counts["accepted"] == 5000
    assert site.window("d7.example")["successful-sessions"] == 100
    assert memory_of(site.process.pid) - before < 64 << 20
    assert max(waits) < 5 and sorted(waits)[len(waits) // 2] < 0.5, sorted(waits)[-5:]


def test_a_body_is_limited_before_and_after_gzip(site):
    listen(site, maxBody="100kb")
    site.start()
    bomb = gzip.compress(b"\n" * (200 << 10))
    assert len(bomb) < 1000
    with HttpClient(port_of(site)) as client:
        assert client.ask("POST", "/v1/sessions", b"\n" * (100 << 10)).status == 200
        assert client.ask("POST", "/v1/sessions", bomb, {"Content-Encoding": "gzip"}).status == 413
    with HttpClient(port_of(site)) as client:
        assert client.ask("POST", "/v1/sessions", b"\n" * (101 << 10)).status == 413
    with HttpClient(port_of(site)) as client:
        assert client.ask("POST", "/v1/sessions", b"x", {"Content-Encoding": "br"}).status == 415


def test_a_store_that_is_away_is_told(served):
    site, client = served
    # A database without its table is a store that cannot be written.
    with contextlib.closing(sqlite3.connect(site.directory / "rapporteur.db", isolation_level=None)) as database:
        database.execute("ALTER TABLE counters RENAME TO away")
        answer = client.ask("POST", "/v1/sessions", session("a.example"))
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert client.ask("POST", "/tlsrpt/_doc", halon("a.example")).status == 503
        database.execute("ALTER TABLE away RENAME TO counters")
    assert client.sessions([session("a.example")])["accepted"] == 1
    assert site.window("a.example")["successful-sessions"] == 1


def test_a_stop_ends_requests_that_are_under_way(served):
    site, client = served
    client.sessions([session("a.example")])
    body = (json.dumps(session("a.example")) + "\n").encode()
    with RawClient(port_of(site)) as raw:
        raw.send(post_head(2 * len(body), Expect="100-continue"))
        interim = raw.socket.recv(100)
        assert interim.startswith(b"HTTP/1.1 100 "), interim
        raw.send(body)
        stopping = threading.Thread(target=site.stop)
        stopping.start()
        # The idle connection is closed at once.
        assert client.connection.sock.recv(1) == b""
        raw.send(body)
        answer = raw.read()
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        stopping.join()
    assert site.window("a.example")["successful-sessions"] == 3


def test_metrics_and_health(served):
    _, client = served
    client.sessions([session("a.example")])
    metrics = client.ask("GET", "/metrics")
    assert metrics.status == 200 and metrics.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b'/v1/sessions' in metrics.body
    assert client.ask("GET", "/healthz").status == 200
    assert client.ask("GET", "/readyz").status == 200
    assert client.ask("HEAD", "/readyz").body == b""


def test_credentials_are_asked_for(site):
    listen(site, credentials=write_users(site, f"mta:{SECRET}", f"script:{digest('token')}"))
    site.start()
    with HttpClient(port_of(site)) as client:
        for headers in [{}, basic("mta", "wrong"), basic("nobody", "secret"), {"Authorization": "Bearer x"}]:
            answer = client.ask("POST", "/v1/sessions", session("a.example"), headers)
            assert answer.status == 401
            assert answer.headers.get_all("WWW-Authenticate") == [
                'Basic realm="rapporteur", charset="UTF-8"', 'Bearer realm="rapporteur"'
            ]
        assert client.ask("GET", "/metrics").status == 401
        assert client.ask("GET", "/healthz").status == 200
        for headers in [basic("mta", "secret"), {"Authorization": "Bearer token"}]:
            assert client.ask("POST", "/v1/sessions", session("a.example"), headers).status == 200
        write_users(site, f"mta:{CHANGED}")
        site.hang_up()
        wait_until(lambda: "reloaded" in site.log(), "the configuration is read again")
        assert client.ask("GET", "/metrics", headers=basic("mta", "secret")).status == 401
        assert client.ask("GET", "/metrics", headers=basic("mta", "changed")).status == 200
        assert client.ask("GET", "/metrics", headers={"Authorization": "Bearer token"}).status == 401
    assert "http-authentication-failed" in site.log()
    assert "secret" not in site.log()
    assert site.window("a.example")["successful-sessions"] == 2


def test_a_file_of_users_with_faults_is_refused_with_its_lines(bare):
    listen(bare, credentials=write_users(bare, "mta:plain text", "mta", f"ok:{SECRET}"))
    bare.write_config()
    done = bare.run("config", "check", code=CONFIGURATION)
    said = done.stdout + done.stderr
    assert "users:3: what follows 'mta' is no hash" in said, said
    assert "users:4: the line is not of the form user:hash" in said, said
    assert "plain text" not in said


def test_others_than_this_machine_need_tls_and_credentials(bare, certificate):
    def said(**http):
        bare.config["http"] = {"listen": "0.0.0.0:0", **http}
        bare.write_config()
        done = subprocess.run([BINARY, "run"], env=bare.environment(), capture_output=True, timeout=60, check=False)
        assert done.returncode == CONFIGURATION
        return done.stderr.decode()

    tls = {"certificate": certificate.certificate, "key": certificate.key}
    assert "listening on 0.0.0.0:0 needs certificate, key, credentials" in said()
    assert "listening on 0.0.0.0:0 needs credentials" in said(**tls)


def handshake(port, context):
    with socket.create_connection(("localhost", port), 20) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            return tls.version(), tls.selected_alpn_protocol(), tls.getpeercert(binary_form=True)


def test_tls_follows_a_reload_without_dropping_connections(site, certificate, tmp_path):
    users = write_users(site, f"mta:{SECRET}")
    listen(site, certificate=certificate.certificate, key=certificate.key, credentials=users)
    site.start()
    port = port_of(site)
    context = trusting(certificate.authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    version, protocol, shown = handshake(port, context)
    assert version in ("TLSv1.2", "TLSv1.3") and protocol == "http/1.1"
    old = trusting(certificate.authority)
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        handshake(port, old)
    with HttpClient(port, trusting(certificate.authority)) as client:
        kept = basic("mta", "secret")
        assert client.ask("POST", "/v1/sessions", session("a.example"), kept).status == 200
        other = certificates.signed(str(tmp_path), "renewed")
        site.config["http"].update(certificate=other.certificate, key=other.key)
        site.write_config()
        site.hang_up()
        wait_until(lambda: "reloaded" in site.log(), "the configuration is read again")
        assert client.ask("POST", "/v1/sessions", session("a.example"), kept).status == 200
        assert handshake(port, trusting(other.authority))[2] != shown
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(port, trusting(certificate.authority))
    wait_until(lambda: "http-tls-failed" in site.log(), "the log names the failed handshake")
    with RawClient(port) as raw:
        raw.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.ended()
    assert site.window("a.example")["successful-sessions"] == 2


def test_a_certificate_that_is_not_the_keys_is_refused(site, certificate, self_signed):
    listen(site, certificate=certificate.certificate, key=certificate.key)
    site.start()
    site.config["http"]["key"] = self_signed.key
    site.write_config()
    site.hang_up()
    wait_until(lambda: "reload-refused" in site.log(), "the reload is refused")
    assert f"the key in {self_signed.key} is not that of {certificate.certificate}" in site.log()
    handshake(port_of(site), trusting(certificate.authority))


def test_another_address_waits_for_a_restart(served):
    site, client = served
    site.config["http"]["listen"] = "[::1]:0"
    site.write_config()
    site.hang_up()
    wait_until(lambda: "restart-needed key=http.listen" in site.log(), "the log says so")
    assert client.sessions([session("a.example")])["accepted"] == 1


def test_a_socket_of_systemd_is_taken(site):
    listen(site)
    site.write_config()
    with socket.create_server(("127.0.0.1", 0)) as given:
        port = given.getsockname()[1]
        # As systemd does: the descriptor is number 3, and the variables name this very process.
        script = 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" run'
        with open(site.log_path, "ab") as log:
            site.process = subprocess.Popen(["/bin/sh", "-c", script, BINARY], env=site.environment(), stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, close_fds=False,
                                            preexec_fn=lambda: os.dup2(given.fileno(), 3))
        assert port_of(site) == port
    with HttpClient(port) as client:
        assert client.sessions([session("a.example")])["accepted"] == 1
    site.stop()


def test_connections_beyond_the_limit_are_closed(site):
    listen(site, maxConnections=2)
    site.start()
    port = port_of(site)
    with HttpClient(port) as one, HttpClient(port) as two:
        assert one.ask("GET", "/healthz").status == two.ask("GET", "/healthz").status == 200
        with RawClient(port) as three:
            assert three.ended()
        assert one.ask("GET", "/healthz").status == 200
    assert "http-connections-full" in site.log()
