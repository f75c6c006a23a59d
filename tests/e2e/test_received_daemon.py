"""The daemon takes reports of others: by HTTP on a listener of its own, and from Maildirs."""

import contextlib
import json
import os
import re
import socket
import sqlite3
import ssl
import subprocess

import pytest

from peers import reports
from peers.dns_server import SERVFAIL
from peers.http_client import HttpClient, RawClient, listen, port_of, trusting
from peers.rapporteur import BINARY, CONFIGURATION, OLD_EPOCH, Site, failure, session, wait_until
from peers.reports import OURS, add, mail, packed, report, rows, signed

PATH = "/v1/tlsrpt"
GZIP = {"Content-Type": "application/tlsrpt+gzip"}
JSON = {"Content-Type": "application/tlsrpt+json"}
FAILING = report(reports.policy(details=[reports.detail(3)]))


@pytest.fixture
def inbox(binary, dns, other_key):
    """A site whose daemon is not started; other.example publishes its key."""
    dns.zone[other_key.name] = [other_key.record()]
    with Site(dns=dns) as site:
        site.config["received"] = {}
        yield site


@pytest.fixture
def served(inbox):
    inbox.config["received"]["listen"] = "127.0.0.1:0"
    inbox.start()
    with HttpClient(received_port(inbox)) as client:
        yield inbox, client


def received_port(site):
    def found():
        ports = re.findall(r" started .*received=127\.0\.0\.1:(\d+)", site.log())
        return int(ports[-1]) if ports else None

    return wait_until(found, lambda: f"the log names no port:\n{site.log()}")


def reload(site):
    seen = site.log().count(" reloaded ")
    site.write_config()
    site.hang_up()
    wait_until(lambda: site.log().count(" reloaded ") > seen, lambda: f"a reload:\n{site.log()}")


class TestPosts:
    def test_a_report_is_stored_once(self, served):
        site, client = served
        answer = client.ask("POST", PATH, packed(report()), GZIP)
        assert answer.status == 201, answer.body
        (kept,) = rows(site)
        assert answer.json() == {"status": "stored", "id": kept["id"]}
        assert (kept["trust"], kept["source"], kept["successful"]) == ("https", "https", 10)
        again = client.ask("POST", PATH, json.dumps(report()), JSON)
        assert (again.status, again.json()) == (200, {"status": "duplicate", "id": kept["id"]})
        assert rows(site) == [kept]

    @pytest.mark.parametrize("kind", [
        "application/tlsrpt+gzip", "application/gzip", "APPLICATION/TLSRPT+GZIP; charset=x", "application/tlsrpt+json",
        "application/json"])
    def test_the_bytes_decide_whatever_their_type_says(self, served, kind):
        site, client = served
        assert client.ask("POST", PATH, packed(report()), {"Content-Type": kind}).status == 201
        assert client.ask("POST", PATH, json.dumps(report(ago=2)), {"Content-Type": kind}).status == 201
        assert len(rows(site)) == 2

    def test_what_was_answered_with_201_survives_a_kill(self, served):
        site, client = served
        for ago in range(1, 6):
            assert client.ask("POST", PATH, packed(report(ago=ago)), GZIP).status == 201
        site.kill()
        assert len(rows(site)) == 5

    @pytest.mark.parametrize("body", [
        b"", b"hello", b"{}", b"\x1f\x8b", b"[" * 100_000, packed(report())[:-5], mail(report()),
        packed(report(date_range=None)), packed(b"a" * 50_000_000),
    ], ids=["empty", "text", "object", "magic", "arrays", "cut", "mail", "no-period", "bomb"])
    def test_what_is_no_report_is_400_with_a_reason(self, served, body):
        site, client = served
        answer = client.ask("POST", PATH, body, GZIP)
        assert answer.status == 400 and len(answer.body.strip()) > 5, (answer.status, answer.body)
        assert client.ask("POST", PATH, packed(report()), GZIP).status == 201
        assert len(rows(site)) == 1

    def test_only_its_path_is_there(self, served):
        _, client = served
        for path in ("/", "/v1/sessions", "/metrics", "/healthz", "/readyz", "/v1/tlsrpt/", "/V1/TLSRPT", "/i/_doc"):
            assert client.ask("POST", path, packed(report()), GZIP).status == 404, path
            assert client.ask("GET", path).status == 404, path

    def test_only_posts_are_taken(self, served):
        _, client = served
        for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
            answer = client.ask(method, PATH, packed(report()) if method == "PUT" else None, GZIP)
            assert (answer.status, answer.headers["Allow"]) == (405, "POST"), method

    @pytest.mark.parametrize("kind", [None, "text/plain", "multipart/form-data; boundary=x",
                                      "application/x-www-form-urlencoded"])
    def test_other_types_are_415(self, served, kind):
        site, client = served
        assert client.ask("POST", PATH, packed(report()), {"Content-Type": kind} if kind else {}).status == 415
        assert rows(site) == []

    def test_ten_megabytes_are_the_limit(self, served):
        _, client = served
        body = json.dumps(report()).encode()
        assert client.ask("POST", PATH, body + b" " * (10_000_000 - len(body)), JSON).status == 201
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/tlsrpt+json\r\n"
        with RawClient(received_port(served[0])) as raw:
            raw.send(f"{head}Content-Length: 10000001\r\n\r\n".encode())
            assert raw.read().status == 413
        with RawClient(received_port(served[0])) as raw:
            raw.send(f"{head}Transfer-Encoding: chunked\r\n\r\n989681\r\n".encode())
            raw.send(b" " * 10_000_001)
            assert raw.read().status == 413

    def test_what_is_about_others_is_refused_and_a_reload_changes_whose(self, served):
        site, client = served
        site.config["received"]["domains"] = [OURS]
        reload(site)
        assert client.ask("POST", PATH, packed(report()), GZIP).status == 201
        foreign = packed(report(reports.policy("new.example")))
        answer = client.ask("POST", PATH, foreign, GZIP)
        assert answer.status == 400 and b"not about our domains" in answer.body
        site.config["received"]["domains"].append("new.example")
        reload(site)
        assert client.ask("POST", PATH, foreign, GZIP).status == 201

    def test_another_address_waits_for_a_restart(self, served):
        site, client = served
        site.config["received"]["listen"] = ""
        site.write_config()
        site.hang_up()
        wait_until(lambda: "restart-needed key=received.listen" in site.log(), "the log says so")
        assert client.ask("POST", PATH, packed(report()), GZIP).status == 201

    def test_a_store_that_cannot_be_written_is_503(self, served):
        site, client = served
        with contextlib.closing(sqlite3.connect(site.directory / "rapporteur.db", isolation_level=None)) as database:
            database.execute("ALTER TABLE received RENAME TO away")
            assert client.ask("POST", PATH, packed(report()), GZIP).status == 503
            database.execute("ALTER TABLE away RENAME TO received")
        assert client.ask("POST", PATH, packed(report()), GZIP).status == 201

    def test_a_mail_and_a_file_of_the_same_report_raise_its_class(self, served, other_key):
        site, client = served
        answer = client.ask("POST", PATH, packed(report()), GZIP)
        assert add(site, signed(mail(report()), other_key))["status"] == "duplicate"
        assert client.ask("POST", PATH, packed(report()), GZIP).status == 200
        assert [(kept["id"], kept["trust"]) for kept in rows(site)] == [(answer.json()["id"], "dkim")]


class TestClients:
    def test_too_many_requests_of_one_address_are_429(self, served):
        _, client = served
        statuses = []
        while len(statuses) < 3000 and 429 not in statuses:
            statuses.append(client.ask("GET", "/").status)
        assert set(statuses[:300]) == {404} and statuses[-1] == 429

    def test_more_than_twenty_connections_of_one_address_are_closed(self, served):
        site, client = served
        client.close()
        port = received_port(site)
        raws = [RawClient(port) for _ in range(20)]
        for raw in raws:
            raw.send(b"POST ")
        with RawClient(port) as one_more:
            assert one_more.ended()
        raws.pop().close()

        def answered():
            with RawClient(port) as raw:
                try:
                    raw.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    return raw.socket.recv(100).startswith(b"HTTP/1.1 404")
                except OSError:
                    return False

        wait_until(answered, "room for another")
        for raw in raws:
            raw.close()


class TestTls:
    @pytest.fixture
    def secured(self, inbox, certificate):
        inbox.config["received"].update(listen="127.0.0.1:0", certificate=certificate.certificate, key=certificate.key)
        inbox.start()
        return inbox

    def test_reports_are_taken_by_tls_alone(self, secured, certificate):
        with HttpClient(received_port(secured), trusting(certificate.authority)) as client:
            assert client.ask("POST", PATH, packed(report()), GZIP).status == 201
        with RawClient(received_port(secured)) as raw:
            raw.send(b"POST /v1/tlsrpt HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert raw.ended()
        context = trusting(certificate.authority)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", received_port(secured)), 20) as plain:
            with context.wrap_socket(plain) as tls:
                assert tls.version() in ("TLSv1.2", "TLSv1.3")

    def test_our_own_https_delivery_arrives(self, site, certificate):
        files = {"certificate": certificate.certificate, "key": certificate.key}
        site.config["received"] = {"listen": "127.0.0.1:0", **files}
        site.trust(certificate.authority)
        site.start()
        site.dns.tlsrpt("a.example", f"v=TLSRPTv1; rua=https://localhost:{received_port(site)}{PATH}")
        site.feed_old([session("a.example", epoch=OLD_EPOCH, count=7),
                       session("a.example", epoch=OLD_EPOCH, success=False, details=[failure()])])
        (delivery,) = site.wait_for_delivery("a.example", "delivered")
        (kept,) = rows(site)
        assert (kept["trust"], kept["report-id"]) == ("https", delivery["report-id"])
        assert (kept["successful"], kept["failed"], kept["domains"]) == (7, 1, ["a.example"])

    def test_other_addresses_than_loopback_need_it(self, inbox):
        inbox.config["received"]["listen"] = "0.0.0.0:0"
        inbox.write_config()
        done = subprocess.run([BINARY, "run"], env=inbox.environment(), capture_output=True, timeout=60, check=False)
        assert done.returncode == CONFIGURATION
        assert b"listening on 0.0.0.0:0 needs certificate, key" in done.stderr


class Maildir:
    def __init__(self, path):
        self.path, self.count = path, 0
        for folder in ("tmp", "new", "cur"):
            (path / folder).mkdir(parents=True)

    def deliver(self, content):
        self.count += 1
        name = f"{self.count}.here"
        (self.path / "tmp" / name).write_bytes(content)
        os.rename(self.path / "tmp" / name, self.path / "new" / name)
        return name

    def waiting(self):
        return len(list((self.path / "new").iterdir()))

    def wait_until_empty(self):
        wait_until(lambda: self.waiting() == 0, "the messages are taken")


class TestMaildir:
    @pytest.fixture
    def maildir(self, inbox):
        inbox.config["received"]["maildir"] = [str(inbox.directory / "reports")]
        return Maildir(inbox.directory / "reports")

    def test_messages_are_taken_and_moved(self, inbox, maildir, other_key):
        contents = [signed(mail(report()), other_key), signed(mail(report()), other_key), mail(report(ago=2)),
                    packed(report(ago=3)), b"hello", b"", mail(report()) + b"x" * (17 << 20)]
        for content in contents:
            maildir.deliver(content)
        inbox.start()
        maildir.wait_until_empty()
        assert len(list((maildir.path / "cur").iterdir())) == len(contents)
        assert sorted((kept["trust"], kept["source"]) for kept in rows(inbox)) == \
            [("dkim", "mail"), ("unverified", "mail"), ("unverified", "mail")]
        counts = inbox.json("stats")["received"]
        assert (counts["duplicates"], counts["refused"]) == (1, {"too-large": 1, "unreadable": 2})
        assert inbox.log().count("report-refused") == 3
        maildir.deliver(signed(mail(report(ago=4)), other_key))
        maildir.wait_until_empty()
        assert len(rows(inbox)) == 4

    def test_a_mail_waits_while_its_key_cannot_be_asked_for_and_keeps_no_other(self, inbox, maildir, dns, other_key):
        dns.zone[other_key.name] = SERVFAIL
        maildir.deliver(signed(mail(report()), other_key))
        maildir.deliver(mail(report(ago=2)))
        inbox.start()
        wait_until(lambda: maildir.waiting() == 1, "the other mail is taken")
        assert [kept["trust"] for kept in rows(inbox)] == ["unverified"]
        dns.zone[other_key.name] = [other_key.record()]
        maildir.wait_until_empty()
        assert rows(inbox)[0]["trust"] == "dkim"

    def test_a_reload_watches_another(self, inbox, maildir):
        inbox.config["received"]["maildir"] = []
        inbox.start()
        other = Maildir(inbox.directory / "other")
        inbox.config["received"]["maildir"] = [str(maildir.path), str(other.path)]
        reload(inbox)
        maildir.deliver(mail(report()))
        other.deliver(mail(report(ago=2)))
        maildir.wait_until_empty()
        other.wait_until_empty()
        assert len(rows(inbox)) == 2

    def test_a_folder_that_is_missing_is_told_and_taken_up_when_it_is_there(self, inbox):
        inbox.config["received"]["maildir"] = [str(inbox.directory / "later")]
        inbox.start()
        wait_until(lambda: "reports-not-taken" in inbox.log(), "the log says so")
        later = Maildir(inbox.directory / "later")
        later.deliver(mail(report()))
        later.wait_until_empty()
        assert len(rows(inbox)) == 1

    def test_the_command_takes_a_maildir_too(self, inbox, maildir, other_key):
        inbox.write_config()
        maildir.deliver(signed(mail(report()), other_key))
        maildir.deliver(mail(report(ago=2)))
        assert len(inbox.run("received", "add", maildir.path, "--json").stdout.splitlines()) == 2
        assert maildir.waiting() == 0 and len(rows(inbox)) == 2


class TestNewFailures:
    # The report has its name when it is whole.
    SCRIPT = (
        '#!/bin/sh\nprintf "%s\\n" "$@" >"$0.$$.arguments"\n'
        'cat >"$0.$$.part"\nmv "$0.$$.part" "$0.$$.report"\n'
    )
    ARGUMENTS = ["; touch hacked", "$(touch hacked)", "`touch hacked`", "a b", "*", "", "--x=\"'"]

    @pytest.fixture
    def telling(self, inbox):
        script = inbox.directory / "tell"
        script.write_text(self.SCRIPT)
        script.chmod(0o755)
        inbox.config["received"]["onNewFailure"] = [str(script), *self.ARGUMENTS]
        inbox.write_config()
        return inbox

    @staticmethod
    def told(site):
        return [json.loads(path.read_text()) for path in site.directory.glob("tell.*.report")]

    def test_the_command_gets_the_report_once_and_no_shell_its_arguments(self, telling):
        add(telling, json.dumps(FAILING))
        add(telling, json.dumps(FAILING))
        add(telling, json.dumps({**FAILING, "report-id": "later"}))
        assert self.told(telling) == [FAILING]
        (arguments,) = telling.directory.glob("tell.*.arguments")
        assert arguments.read_text().split("\n")[:-1] == self.ARGUMENTS
        assert not list(telling.directory.glob("**/hacked")) and not os.path.exists("hacked")

    def test_reports_without_failures_or_without_proof_run_nothing(self, telling):
        add(telling, json.dumps(report()))
        add(telling, mail(FAILING))
        assert self.told(telling) == []

    @pytest.mark.parametrize("command", [
        ["/bin/false"], ["/nonexistent/tell"], ["/bin/sh", "-c", "echo broken >&2; exit 7"],
        ["/bin/sh", "-c", "kill -9 $$"], ["/etc/passwd"]])
    def test_a_command_that_fails_is_told_and_changes_nothing(self, telling, command):
        telling.config["received"]["onNewFailure"] = command
        telling.write_config()
        done = telling.run("received", "add", "-", "--json", stdin=json.dumps(FAILING))
        assert json.loads(done.stdout)["status"] == "stored"
        (line,) = [line for line in done.stderr.splitlines() if "new-failure-command-failed" in line]
        assert " error " in line and command[0] in line
        assert [kept["new-failures"] for kept in rows(telling)] == [1]

    def test_the_daemon_runs_it_for_posts_and_mails(self, telling, other_key):
        maildir = Maildir(telling.directory / "reports")
        telling.config["received"].update(maildir=[str(maildir.path)], listen="127.0.0.1:0")
        telling.start()
        with HttpClient(received_port(telling)) as client:
            assert client.ask("POST", PATH, packed(FAILING), GZIP).status == 201
            wait_until(lambda: len(self.told(telling)) == 1, "the command has run")
            other = report(reports.policy(details=[reports.detail(1, "sts-webpki-invalid")]), ago=2)
            maildir.deliver(signed(mail(other), other_key))
            maildir.deliver(mail(report(reports.policy(details=[reports.detail(1, "dane-required")]), ago=3)))
            maildir.wait_until_empty()
        wait_until(lambda: len(self.told(telling)) == 2, "the command has run")
        assert {one["report-id"] for one in self.told(telling)} == {FAILING["report-id"], other["report-id"]}
        assert telling.log().count(" new-tls-failure ") == 2


    def test_a_command_that_takes_its_time_holds_up_no_answer(self, telling):
        gate = telling.directory / "gate"
        os.mkfifo(gate)
        telling.config["received"].update(listen="127.0.0.1:0", onNewFailure=["/bin/cat", str(gate)])
        telling.start()
        with HttpClient(received_port(telling), timeout=10) as client:
            assert client.ask("POST", PATH, packed(FAILING), GZIP).status == 201
            assert client.ask("POST", PATH, packed(report(ago=2)), GZIP).status == 201


class TestMetrics:
    def test_what_came_is_counted(self, inbox, other_key):
        listen(inbox)
        inbox.config["received"]["listen"] = "127.0.0.1:0"
        inbox.start()
        with HttpClient(received_port(inbox)) as client:
            assert client.ask("POST", PATH, packed(FAILING), GZIP).status == 201
            assert client.ask("POST", PATH, packed(FAILING), GZIP).status == 200
            assert client.ask("POST", PATH, b"hello", GZIP).status == 400
            add(inbox, signed(mail(report(ago=2)), other_key))
            add(inbox, mail(report(ago=3)))

            def samples():
                with HttpClient(port_of(inbox)) as metrics:
                    return metrics.ask("GET", "/metrics").body.decode().splitlines()

            want = [
                'rapporteur_received_reports{class="https"} 1', 'rapporteur_received_reports{class="dkim"} 1',
                'rapporteur_received_reports{class="unverified"} 1',
                'rapporteur_received_reports_total{class="https"} 1',
                'rapporteur_received_reports_total{class="local"} 0',
                "rapporteur_received_duplicates_total 1", 'rapporteur_received_refused_total{reason="unreadable"} 1',
                "rapporteur_received_new_failures_total 1", "rapporteur_received_connections 1",
            ]
            wait_until(lambda: set(want) <= set(samples()),
                       lambda: [want, *(sample for sample in samples() if "received" in sample)])
