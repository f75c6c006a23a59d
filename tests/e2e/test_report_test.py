"""`rapporteur report test`: a sample report that a relay and an HTTPS server really get."""

import gzip
import json

import pytest

from peers import keys, mail
from peers.rapporteur import FAILED, SENDER, USAGE

DOMAIN = "a.example"


def said(delivery, who):
    return [line["line"] for line in delivery["conversation"] if line["who"] == who]


def test_a_mail_is_signed_marked_and_told(site, rsa):
    told = site.json("report", "test", "--to", f"tlsrpt@{DOMAIN}")
    (message,) = site.smtp.to(f"tlsrpt@{DOMAIN}")
    read = mail.read_report(message.raw)
    (delivery,) = told["deliveries"]
    assert delivery["outcome"] == "accepted"
    assert read.subject.startswith(f"TEST: Report Domain: {DOMAIN} Submitter: {SENDER} Report-ID:")
    assert read.report["organization-name"] == f"{SENDER} (TEST)"
    assert read.report["report-id"] == delivery["report-id"]
    (verdict,) = keys.verify(message.raw, lambda name: [rsa.record()] if name == rsa.name else [])
    assert verdict.verified, str(verdict)
    assert f"RCPT TO:<tlsrpt@{DOMAIN}>" in said(delivery, "us")
    assert any(line.startswith("250") for line in said(delivery, "peer"))
    assert any(line.startswith("Connected to ") for line in said(delivery, "note"))
    # Neither a window nor a database.
    assert not (site.directory / "rapporteur.db").exists()


def test_two_samples_have_two_report_ids(site):
    ids = {site.json("report", "test", "--to", f"tlsrpt@{DOMAIN}")["deliveries"][0]["report-id"] for _ in range(2)}
    assert len(ids) == 2


def test_a_post_is_told(site, https, certificate):
    site.trust(certificate.authority)
    told = site.json("report", "test", "--to", f"{https.url}/v1", "--domain", DOMAIN)
    (request,) = https.accepted
    assert request.headers["content-type"] == "application/tlsrpt+gzip"
    report = json.loads(gzip.decompress(request.body))
    (delivery,) = told["deliveries"]
    assert report["report-id"] == delivery["report-id"]
    assert "POST /v1 HTTP/1.1" in said(delivery, "us")
    assert any(line.startswith("HTTP/1.1 201") for line in said(delivery, "peer"))
    assert f"({len(request.body)} bytes)" in said(delivery, "us")


def test_an_address_in_a_url_is_no_domain(site):
    done = site.run("report", "test", "--to", "https://127.0.0.1:8443/v1", code=USAGE)
    assert "--domain names a recipient domain" in done.stderr


def test_a_certificate_that_is_not_trusted_is_told(site, https):
    done = site.run("report", "test", "--to", f"{https.url}/v1", "--domain", DOMAIN, code=FAILED)
    assert "certificate" in done.stdout
    assert https.requests == []


@pytest.mark.parametrize(
    "stage, reply, outcome",
    [("RCPT", "550 5.1.1 no such user", "permanent"), ("MAIL", "451 4.3.0 later", "relay-trouble")],
)
def test_a_refusal_fails_and_is_shown(site, stage, reply, outcome):
    site.smtp.always(stage, reply)
    told = site.json("report", "test", "--to", f"tlsrpt@{DOMAIN}", code=FAILED)
    (delivery,) = told["deliveries"]
    assert delivery["outcome"] == outcome
    assert reply in delivery["response"]
    assert reply in said(delivery, "peer")
    people = site.run("report", "test", "--to", f"tlsrpt@{DOMAIN}", code=FAILED).stdout
    assert f"\n< {reply}\n" in people
