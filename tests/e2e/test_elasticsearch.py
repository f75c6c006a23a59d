"""Elasticsearch's API as its own client and Halon's hook use it: recorded requests, sent again."""

import base64
import json
import pathlib
import re
import time

import pytest

from peers.http_client import SECRET, HttpClient, RawClient, basic, digest, listen, port_of, trusting, write_users
from peers.rapporteur import Site

RECORDED = sorted((pathlib.Path(__file__).parent / "elasticsearch").glob("*.json"))
# Made-up ids: twenty characters.
ID = re.compile(r"[A-Za-z0-9_-]{20}")


@pytest.fixture(scope="module")
def daemon(binary):
    with Site() as site:
        listen(site, credentials=write_users(site, f"hook:{SECRET}", f"script:{digest('token-of-a-script')}"))
        site.start()
        yield site


def recorded_in(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def answers(daemon):
    """The answers to all recorded requests, sent in their order."""
    found = {}
    for path in RECORDED:
        recorded = recorded_in(path)
        body = base64.b64decode(recorded["body-base64"]) if "body-base64" in recorded else recorded["body"].encode()
        with RawClient(port_of(daemon)) as client:
            client.send("\r\n".join(recorded["request"]).encode("latin1") + b"\r\n\r\n" + body)
            found[path] = client.read_to(recorded["request"][0].split()[0])
    return found


def masked(value, request):
    """Without what is different every time; an id that the client chose stays."""
    if isinstance(value, dict):
        known = {k: masked(v, request) for k, v in value.items()}
        if ID.fullmatch(str(value.get("_id", ""))) and value["_id"] not in request:
            known["_id"] = "MADE-UP"
        for name in ("took", "_seq_no", "cluster_uuid"):
            if name in known:
                assert isinstance(known[name], type(value[name]))
                known[name] = "SOME"
        if "cluster_name" in known:
            known["name"] = "HOST"
        return known
    if isinstance(value, list):
        return [masked(v, request) for v in value]
    return value


def fields_of(lines):
    return sorted(ID.sub("MADE-UP", line) if line.startswith("Location:") else line for line in lines)


def test_there_is_something_to_send_again():
    assert len(RECORDED) >= 18
    outcomes = {recorded_in(path)["outcome"] for path in RECORDED}
    assert "accepted" in outcomes and "ResponseError 400" in outcomes


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_the_client_gets_the_answers_that_it_accepts(answers, path):
    recorded, answer = recorded_in(path), answers[path]
    assert answer.status == recorded["status"]
    kept = [f"{name}: {value}" for name, value in answer.headers.items()
            if name.lower() in ("content-type", "x-elastic-product", "www-authenticate", "location", "allow")]
    assert fields_of(kept) == fields_of(recorded["fields"])
    assert answer.headers["X-elastic-product"] == "Elasticsearch"
    request = "\n".join(recorded["request"]) + recorded.get("body", "")
    got = json.loads(answer.body) if answer.body else None
    assert masked(got, request) == masked(recorded["answer"], request)


def test_everything_that_was_recorded_is_counted(daemon, answers):
    accepted = 0
    for path in answers:
        recorded = recorded_in(path)
        items = (recorded["answer"] or {}).get("items", [])
        accepted += recorded["status"] == 201
        accepted += sum(next(iter(item.values()))["status"] == 201 for item in items)
    assert accepted > 10
    assert daemon.window("recorded.example")["failed-sessions"] == accepted


# As Halon's hook sends it: http() with json_encode(), one document a request.

STS = "version: STSv1\nmode: enforce\nmx: *.mail.halon.example\nmax_age: 86400".split("\n")


def documents(when):
    common = {"timestamp": when * 1000, "sending-mta-ip": "192.0.2.10", "receiving-ip": "198.51.100.25"}
    return [
        {**common, "transactionid": "4b31", "policy-domain": "Halon.example", "policy-type": "sts", "policy-string": STS,
         "mx-host": ["*.mail.halon.example"], "result-type": "success", "receiving-mx-hostname": "a.mail.halon.example"},
        {**common, "transactionid": "4b32", "policy-domain": "halon.example", "policy-type": "tlsa",
         "policy-string": ["3 1 1 " + "AB" * 32], "result-type": "tlsa-invalid", "failure-reason-code": 18,
         "receiving-mx-hostname": "mx.halon.example"},
        {**common, "transactionid": "4b33", "policy-domain": "halon.example", "policy-type": "sts",
         "policy-string": [""], "mx-host": [], "result-type": "sts-policy-fetch-error"},
        {"timestamp": when * 1000, "transactionid": "4b34"},
    ]


def hook_request(document, credentials):
    body = json.dumps(document, separators=(",", ":"))
    return (f"POST /tlsrpt-alias/_doc HTTP/1.1\r\nHost: host:9200\r\nAuthorization: {credentials}\r\nAccept: */*\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def test_the_hook_needs_nothing_but_the_url(site, certificate):
    listen(site, certificate=certificate.certificate, key=certificate.key,
           credentials=write_users(site, f"user:{SECRET}"))
    site.start()
    sent = documents(int(time.time()) - 2)
    with RawClient(port_of(site), tls=trusting(certificate.authority)) as hook:
        for document in sent + sent[:2]:  # two of them again, as "background_retry_count" does
            hook.send(hook_request(document, basic("user", "secret")["Authorization"]))
            answer = hook.read()
            assert answer.status == 201, answer.body
            assert answer.json()["result"] == "created"
    window = site.window("halon.example")
    assert (window["successful-sessions"], window["failed-sessions"]) == (1, 2)
    details = {d["result-type"]: d for p in window["policies"] for d in p["failure-details"]}
    assert details["tlsa-invalid"]["failure-reason-code"] == "18"
    assert set(details) == {"tlsa-invalid", "sts-policy-fetch-error"}


def test_a_document_that_is_no_session_is_refused_as_elasticsearch_does(site):
    listen(site)
    site.start()
    with HttpClient(port_of(site)) as client:
        answer = client.ask("POST", "/tlsrpt-alias/_doc", {"message": "hello"}, {"Content-Type": "application/json"})
        assert answer.status == 400
        error = answer.json()["error"]
        assert error["type"] == error["root_cause"][0]["type"] == "document_parsing_exception"
