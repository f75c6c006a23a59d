"""Destinations: HTTPS, sendmail, a directory; and what the administrator does to deliveries."""

import gzip
import json
import re
import stat

import pytest

from peers import keys, mail
from peers.https_sink import HttpsSink
from peers.rapporteur import NOT_FOUND, OLD_EPOCH, failure, session, wait_until

DOMAIN = "a.example"


def feed(site, *uris, domain=DOMAIN):
    site.dns.tlsrpt(domain, "v=TLSRPTv1; rua=" + ",".join(uris))
    site.feed_old([session(domain, epoch=OLD_EPOCH, success=False, details=[failure()])])


def told(site, domain=DOMAIN):
    """The only delivery, once it has something to tell."""

    def seen():
        deliveries = site.deliveries(domain)
        return len(deliveries) == 1 and deliveries[0]["last-response"] and deliveries[0]

    return wait_until(seen, lambda: f"a last response\n{site.log()[-4000:]}", 30, 0.1)


@pytest.fixture
def web(site, https, certificate):
    site.trust(certificate.authority)
    site.https = https
    return site


class TestHttps:
    def test_any_2xx_is_acceptance(self, web, https):
        https.script(204)
        web.start()
        feed(web, f"{https.url}/v1/tlsrpt?k=v")
        (delivery,) = web.wait_for_delivery(DOMAIN, "delivered")
        (request,) = https.requests
        assert (request.method, request.path) == ("POST", "/v1/tlsrpt?k=v")
        assert request.headers["content-type"] == "application/tlsrpt+gzip"
        assert "content-encoding" not in request.headers and "expect" not in request.headers
        report = json.loads(gzip.decompress(request.body))
        assert report["report-id"] == delivery["report-id"]
        assert web.window(DOMAIN)["state"] == "done"
        assert web.smtp.offered == []

    def test_503_is_tried_again_with_the_same_bytes(self, web, https):
        https.script((503, {"Retry-After": "1"}, b"busy"), 500)
        web.start()
        feed(web, f"{https.url}/r")
        (delivery,) = web.wait_for_delivery(DOMAIN, "delivered")
        assert delivery["attempts"] == 3
        assert [r.body for r in https.requests] == [https.accepted[0].body] * 3

    def test_404_is_final(self, web, https):
        https.script((404, {}, b"no such page"))
        web.start()
        feed(web, f"{https.url}/r")
        (delivery,) = web.wait_for_delivery(DOMAIN, "failed")
        assert "404" in delivery["last-response"]
        assert len(https.requests) == 1

    def test_redirects_are_not_followed(self, web, https):
        https.script((302, {"Location": f"{https.url}/elsewhere"}))
        web.start()
        feed(web, f"{https.url}/r")
        web.wait_for_delivery(DOMAIN, "failed")
        assert [r.path for r in https.requests] == ["/r"]

    def test_a_certificate_of_a_stranger_is_refused(self, web, self_signed):
        with HttpsSink(self_signed) as stranger:
            web.start()
            feed(web, f"{stranger.url}/r")
            assert told(web)["state"] == "pending"
            assert stranger.requests == []

    def test_private_addresses_are_refused_unless_they_are_allowed(self, web, https):
        web.config["delivery"]["https"]["allow"] = []
        web.start()
        feed(web, f"{https.url}/r")
        feed(web, f"https://127.0.0.1:{https.port}/r", domain="b.example")

        def nothing_will_come():
            return all(
                w["state"] in ("assembled", "suppressed", "done") and (w["reason"] or w["deliveries"])
                and all(d["last-response"] for d in w["deliveries"])
                for domain in (DOMAIN, "b.example") for w in web.windows(domain)
            )

        wait_until(nothing_will_come, lambda: f"{web.windows(DOMAIN)} {web.windows('b.example')}")
        assert https.requests == []
        assert all(d["state"] != "delivered" for d in web.deliveries(DOMAIN) + web.deliveries("b.example"))

    def test_both_kinds_of_destination_get_the_same_report(self, web, https, dns):
        web.start()
        feed(web, f"{https.url}/r", "mailto:tlsrpt@a.example")
        web.wait_for_delivery(DOMAIN, "delivered", 2)
        (message,) = web.smtp.messages
        assert mail.read_report(message.raw).body == https.accepted[0].body

    def test_first_stops_at_the_first_that_accepts(self, web, https):
        web.config["delivery"]["deliverTo"] = "first"
        https.script(410)
        web.start()
        feed(web, f"{https.url}/gone", f"{https.url}/here", "mailto:tlsrpt@a.example")
        wait_until(lambda: web.window(DOMAIN)["state"] == "done", lambda: web.log()[-4000:])
        assert [r.path for r in https.requests] == ["/gone", "/here"]
        assert web.smtp.offered == []


class TestOtherTransports:
    def test_sendmail_is_handed_the_message(self, site, dns):
        got = site.directory / "sendmail"
        got.mkdir()
        script = site.new_file(f'#!/bin/sh\nprintf "%s\\n" "$@" > {got}/arguments\ncat > {got}/message\n', ".sh")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        site.config["delivery"]["smtp"].update(transport="sendmail", command=f"{script} -i")
        site.start()
        feed(site, "mailto:tlsrpt@a.example")
        site.wait_for_delivery(DOMAIN, "delivered")
        arguments = (got / "arguments").read_text().splitlines()
        assert arguments[0] == "-i" and arguments[-1] == "tlsrpt@a.example"
        assert "noreply-tls@sender.example" in " ".join(arguments), "the envelope's sender"
        raw = re.sub(rb"\r?\n", b"\r\n", (got / "message").read_bytes())
        assert [v.verified for v in keys.verify(raw, dns.txt)] == [True]
        assert site.smtp.offered == []

    @pytest.mark.parametrize("code, state", [(75, "pending"), (67, "failed")])
    def test_sendmail_may_refuse(self, site, code, state):
        script = site.new_file(f"#!/bin/sh\ncat > /dev/null\necho it says why >&2\nexit {code}\n", ".sh")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        site.config["delivery"]["firstRetry"] = "1h"
        site.config["delivery"]["smtp"].update(transport="sendmail", command=str(script))
        site.start()
        feed(site, "mailto:tlsrpt@a.example")
        delivery = told(site)
        assert delivery["state"] == state
        assert str(code) in delivery["last-response"] or "it says why" in delivery["last-response"]

    def test_a_directory_takes_a_file_a_message(self, site, dns):
        out = site.directory / "out"
        out.mkdir()
        site.config["delivery"]["smtp"].update(transport="directory", directory=str(out))
        site.start()
        feed(site, "mailto:one@a.example", "mailto:two@a.example")
        site.wait_for_delivery(DOMAIN, "delivered", 2)
        files = sorted(out.iterdir())
        assert len(files) == 2 and all(f.suffix == ".eml" for f in files)
        for file in files:
            raw = file.read_bytes()
            assert [v.verified for v in keys.verify(raw, dns.txt)] == [True]
            assert mail.read_report(raw).subject_report_id


class TestAdministrator:
    def pending(self, site):
        """A delivery that waits for an hour."""
        site.config["delivery"]["firstRetry"] = "1h"
        site.smtp.script("RCPT", "451 4.3.0 later")
        site.start()
        feed(site, "mailto:tlsrpt@a.example")
        delivery = told(site)
        assert (delivery["state"], delivery["attempts"]) == ("pending", 1)
        assert "451" in delivery["last-response"] and delivery["next-attempt"]
        return delivery

    def test_a_delivery_is_tried_again_at_once(self, site):
        delivery = self.pending(site)
        assert delivery["id"] in str(site.json("delivery", "list", "--state", "pending"))
        site.run("delivery", "retry", delivery["id"])
        (done,) = site.wait_for_delivery(DOMAIN, "delivered")
        assert (done["id"], done["report-id"]) == (delivery["id"], delivery["report-id"])
        assert delivery["id"] not in str(site.json("delivery", "list", "--state", "pending"))

    def test_a_delivery_is_abandoned(self, site):
        delivery = self.pending(site)
        site.run("delivery", "abandon", delivery["id"])
        site.wait_for_delivery(DOMAIN, "abandoned")
        assert site.window(DOMAIN)["state"] == "done"
        assert site.smtp.messages == []
        site.run("delivery", "abandon", "nosuchid0000", code=NOT_FOUND)
        site.run("delivery", "retry", "nosuchid0000", code=NOT_FOUND)

    def test_what_was_sent_can_be_seen(self, site):
        site.start()
        feed(site, "mailto:tlsrpt@a.example")
        (delivery,) = site.wait_for_delivery(DOMAIN, "delivered")
        assert delivery["report-id"] in str(site.json("report", "list"))
        assert delivery["report-id"] in site.run("report", "list").stdout
        shown = site.json("report", "show", delivery["report-id"])
        assert delivery["report-id"] in json.dumps(shown)
        site.run("report", "show", "no-such@report.example", code=NOT_FOUND)
        assert delivery["id"] in site.run("delivery", "list").stdout


class TestRecord:
    @pytest.mark.parametrize(
        "records, state, rua",
        [
            (["v=TLSRPTv1; rua=mailto:r@a.example,https://r.example/x"], "ok",
             ["mailto:r@a.example", "https://r.example/x"]),
            ([["v=TLSRPTv1;", "rua=mailto:", "r@a.example"]], "ok", ["mailto:r@a.example"]),
            (["v=TLSRPTv1; rua=mailto:r@a.example", "something else"], "ok", ["mailto:r@a.example"]),
            (["v=TLSRPTv1; rua=mailto:r@a.example", "v=TLSRPTv1; rua=mailto:s@a.example"], "several", []),
            (["v=TLSRPTv1; nothing=here"], "invalid", []),
            (["something else"], "none", []),
            (["NXDOMAIN"], "none", []),
            (["NODATA"], "none", []),
            (["SERVFAIL"], "temporary", []),
        ],
    )
    def test_it_is_looked_up_and_explained(self, site, records, state, rua):
        site.dns.tlsrpt(DOMAIN, *records)
        answer = site.json("record", DOMAIN, code=None)
        assert answer["domain"] == DOMAIN
        assert answer["state"] == state
        assert answer["rua"] == rua
        if records[0] not in ("NXDOMAIN", "NODATA", "SERVFAIL"):
            assert sorted(answer["text"]) == sorted(site.dns.txt(f"_smtp._tls.{DOMAIN}"))

    def test_uris_that_cannot_be_used_are_skipped_with_a_reason(self, site):
        site.dns.tlsrpt(DOMAIN, "v=TLSRPTv1; rua=ftp://x.example,mailto:r@a.example,mailto:a%0d%0ab@a.example,"
                                "mailto:x@localhost")
        answer = site.json("record", DOMAIN)
        assert answer["rua"] == ["mailto:r@a.example"]
        assert len(answer["skipped"]) == 3
        assert all(entry["uri"] and entry["why"] for entry in answer["skipped"])

    def test_a_silent_server_is_a_temporary_failure(self, site):
        site.config["dns"]["timeout"] = "1s"
        site.write_config()
        site.dns.tlsrpt(DOMAIN, "SILENCE")
        assert site.json("record", DOMAIN, code=None)["state"] == "temporary"
