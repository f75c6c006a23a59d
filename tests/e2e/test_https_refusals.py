"""An HTTPS destination that refuses, breaks off, never ends or cannot be trusted: what becomes of the
delivery, what is told about it, and what arrives afterwards."""

import email.utils
import gzip
import json
import socket
import threading
import time

import pytest

from peers import certificates
from peers.https_sink import HttpsSink, drop, endless_body, endless_header, silence
from peers.rapporteur import OLD_EPOCH, failure, session, wait_until

DOMAIN = "a.example"


@pytest.fixture
def web(site, certificate):
    """Delivers to HTTPS servers with this certificate; answers take two seconds at most."""
    site.trust(certificate.authority)
    site.config["delivery"]["https"]["timeout"] = "2s"
    return site


def feed(site, uri, domain=DOMAIN):
    site.dns.tlsrpt(domain, f"v=TLSRPTv1; rua={uri}")
    site.feed_old([session(domain, epoch=OLD_EPOCH, success=False, details=[failure()])])


def wait_for_response(site, state="pending", domain=DOMAIN):
    seen = {}

    def told():
        seen["all"] = deliveries = site.deliveries(domain)
        return (len(deliveries) == 1 and deliveries[0]["last-response"] and deliveries[0]["state"] == state
                and deliveries[0])

    return wait_until(told, lambda: f"{state}: {seen['all']}\n{site.log()[-4000:]}", 30, 0.1)


def arrived_once(site, https, attempts, first=None):
    """Waits for the delivery; one request was accepted, all had the same bytes."""
    (delivery,) = site.wait_for_delivery(DOMAIN, "delivered")
    assert delivery["attempts"] == attempts
    if first:
        assert (delivery["id"], delivery["report-id"]) == (first["id"], first["report-id"])
    assert site.window(DOMAIN)["state"] == "done"
    (request,) = https.accepted
    assert {r.body for r in https.requests} == {request.body}
    assert json.loads(gzip.decompress(request.body))["report-id"] == delivery["report-id"]
    return delivery


@pytest.mark.parametrize("status, reason", [(301, "Moved Permanently"), (308, "Permanent Redirect"),
                                            (400, "Bad Request"), (403, "Forbidden"), (410, "Gone"),
                                            (413, "Request Entity Too Large"),
                                            (415, "Unsupported Media Type")])
def test_other_answers_are_final(web, https, status, reason):
    https.script((status, {"Location": f"{https.url}/elsewhere", "Retry-After": "1"}, b"go away"))
    web.start()
    feed(web, f"{https.url}/r")
    (failed,) = web.wait_for_delivery(DOMAIN, "failed")
    assert failed["last-response"] == f"{status} {reason}: go away (POST)"
    assert failed["attempts"] == 1 and failed["next-attempt"] is None
    assert web.window(DOMAIN)["state"] == "done"
    # Nothing followed the Location, and nothing comes until the administrator says so.
    assert [r.path for r in https.requests] == ["/r"]
    web.run("delivery", "retry", failed["id"])
    arrived_once(web, https, 2, failed)


@pytest.mark.parametrize("status, reason", [(408, "Request Timeout"), (425, "Too Early"),
                                            (429, "Too Many Requests"), (500, "Internal Server Error"),
                                            (502, "Bad Gateway"), (503, "Service Unavailable")])
def test_some_answers_are_temporary(web, https, status, reason):
    web.config["delivery"]["firstRetry"] = "1h"
    https.script((status, {}, b"later"))
    web.start()
    feed(web, f"{https.url}/r")
    first = wait_for_response(web)
    assert first["last-response"] == f"{status} {reason}: later (POST)"
    assert first["attempts"] == 1 and first["next-attempt"]
    web.run("delivery", "retry", first["id"])
    arrived_once(web, https, 2, first)


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(web, https, status, form):
    until = []

    def later(handler):
        until.append(int(time.time()) + 5)
        value = "5" if form == "seconds" else email.utils.formatdate(until[0], usegmt=True)
        handler.wfile.write(b"HTTP/1.1 %d Later\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n"
                            % (status, value.encode()))

    https.script(later)
    web.start()
    feed(web, f"{https.url}/r")
    first = wait_for_response(web)
    assert first["attempts"] == 1
    arrived_once(web, https, 2, first)
    assert https.requests[1].when >= until[0], "earlier than the server asked for, though firstRetry is 1s"


def test_retries_end_with_the_retry_period(web, https):
    web.config["delivery"]["retryFor"] = "3s"
    https.script(*[503] * 20)
    web.start()
    feed(web, f"{https.url}/r")
    (failed,) = web.wait_for_delivery(DOMAIN, "failed")
    assert failed["attempts"] >= 2 and "503" in failed["last-response"]
    assert https.accepted == []


class TestAnswersWithoutEnd:
    def test_a_body_without_end_is_left_once_its_status_accepts(self, web, https):
        https.script(endless_body(200))
        web.start()
        feed(web, f"{https.url}/r")
        (delivery,) = web.wait_for_delivery(DOMAIN, "delivered")
        assert (delivery["attempts"], delivery["last-response"]) == (1, "200 Yes (POST)")
        assert len(https.requests) == 1

    def test_a_body_without_end_is_judged_by_a_status_that_refuses(self, web, https):
        https.script(endless_body(503))
        web.config["delivery"]["firstRetry"] = "1h"
        web.start()
        feed(web, f"{https.url}/r")
        first = wait_for_response(web)
        assert first["last-response"].startswith("503 Yes: yyy") and len(first["last-response"]) < 400
        web.run("delivery", "retry", first["id"])
        arrived_once(web, https, 2, first)

    def test_a_header_without_end_is_left_too(self, web, https):
        """Its first line has told the status already."""
        https.script(endless_header)
        web.start()
        feed(web, f"{https.url}/r")
        (delivery,) = web.wait_for_delivery(DOMAIN, "delivered")
        assert (delivery["attempts"], delivery["last-response"]) == (1, "200 OK (POST)")
        assert len(https.requests) == 1

    def test_a_body_that_comes_slowly_is_left_after_the_timeout(self, web, https):
        """The status is there; what drips after it does not hold up the next report."""
        stop = threading.Event()

        def drip(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not stop.wait(0.2):
                handler.wfile.write(b".")

        https.script(drip)
        web.start()
        feed(web, f"{https.url}/r")
        try:
            (delivery,) = web.wait_for_delivery(DOMAIN, "delivered", timeout=20)
        finally:
            stop.set()
        assert delivery["attempts"] == 1 and len(https.requests) == 1


class TestNoAnswer:
    def test_a_server_that_never_answers_leaves_the_delivery_uncertain(self, web, https):
        """It was handed the whole report. The same bytes follow."""
        https.script(silence)
        web.start()
        feed(web, f"{https.url}/r")
        first = wait_for_response(web, "uncertain")
        assert first["last-response"].endswith("(POST)") and "2" in first["last-response"]
        arrived_once(web, https, 2, first)
        assert len(https.requests) == 2

    def test_so_does_a_connection_that_is_dropped_after_the_request(self, web, https):
        https.script(drop)
        web.config["delivery"]["firstRetry"] = "1h"
        web.start()
        feed(web, f"{https.url}/r")
        first = wait_for_response(web, "uncertain")
        assert first["last-response"].endswith("(POST)")
        web.run("delivery", "retry", first["id"])
        arrived_once(web, https, 2, first)

    def test_a_server_that_says_nothing_at_all_has_not_got_it(self, web, certificate):
        """The TCP connection stands, and no TLS handshake answers."""
        with socket.create_server(("127.0.0.1", 0)) as mute:
            port = mute.getsockname()[1]
            web.start()
            feed(web, f"https://localhost:{port}/r")
            first = wait_for_response(web)
            assert first["last-response"].endswith("(connect)")
        with HttpsSink(certificate, port=port) as https:
            arrived_once(web, https, wait_for_attempts(web), first)

    def test_nobody_is_there(self, web, certificate):
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        web.start()
        feed(web, f"https://localhost:{port}/r")
        first = wait_for_response(web)
        assert first["last-response"].endswith("(connect)")
        with HttpsSink(certificate, port=port) as https:
            arrived_once(web, https, wait_for_attempts(web), first)


def wait_for_attempts(site):
    """How many attempts the delivery took, once it is delivered."""
    return site.wait_for_delivery(DOMAIN, "delivered")[0]["attempts"]


class TestCertificates:
    @pytest.mark.parametrize("name, alt, days, why", [
        ("another-name", "DNS:reports.other.example", 2, "subject name"),
        ("expired", certificates.LOOPBACK, -1, "expired"),
    ])
    def test_one_that_is_not_valid_gets_nothing_until_it_is_replaced(self, site, tmp_path, name, alt, days, why):
        bad = certificates.signed(str(tmp_path), name, alt, days)
        site.trust(bad.authority)
        site.config["delivery"]["firstRetry"] = "1h"
        with HttpsSink(bad) as https:
            site.start()
            feed(site, f"{https.url}/r")
            first = wait_for_response(site)
            assert why in first["last-response"] and first["last-response"].endswith("(connect)")
            assert https.requests == []
        good = certificates.signed(str(tmp_path), name + "-renewed")
        site.trust(good.authority)
        site.write_config()
        site.hang_up()
        wait_until(lambda: "reloaded" in site.log(), site.log)
        with HttpsSink(good, port=https.port) as renewed:
            site.run("delivery", "retry", first["id"])
            arrived_once(site, renewed, 2, first)

    def test_verification_can_be_switched_off(self, site, self_signed):
        site.config["delivery"]["https"]["verify"] = False
        with HttpsSink(self_signed) as https:
            site.start()
            feed(site, f"{https.url}/r")
            arrived_once(site, https, 1)


def test_a_host_that_does_not_answer_holds_up_its_own_reports_only(web, https, certificate):
    """Its deliveries wait behind one probe; another host gets its report meanwhile."""
    silent = HttpsSink(certificate)
    silent.script(*[silence] * 100)
    try:
        web.start()
        for number in range(4):
            feed(web, f"{silent.url}/{number}", f"d{number}.example")
        wait_until(lambda: silent.requests, lambda: web.log()[-4000:])
        feed(web, f"{https.url}/r")
        began = time.monotonic()
        arrived_once(web, https, 1)
        assert time.monotonic() - began < 10
    finally:
        silent.close()
