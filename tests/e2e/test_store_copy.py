"""A store that moves from a file to a PostgreSQL server: `rapporteur store copy`."""

import subprocess

import pytest

from peers.postgres import Postgres
from peers.rapporteur import CONFIGURATION, OLD_EPOCH, failure, session

# U+0000 is what a PostgreSQL text cannot hold; U+0001 is what stands for it there.
STRANGE = "mx.\u0000\u0001é.example"


@pytest.fixture
def postgres():
    with Postgres() as server:
        yield server


def url_of(site):
    return f"sqlite:{site.directory}/rapporteur.db"


def seen(site, domains):
    shown = [site.json("schedule", "show", domain) for domain in domains]
    return shown, site.json("received", "list"), site.json("suppress", "list"), site.json("stats")["windows"]


def token_of(delivery):
    """The store's token, which stands before the '@' of a report-id."""
    return delivery["report-id"].split("@")[0].split(".")[-1]


def move(site, postgres):
    site.config["store"]["url"] = postgres.url
    site.write_config()


def test_everything_is_there_as_it_was_and_goes_on(site, dns, smtp, postgres):
    dns.tlsrpt("sent.example", "v=TLSRPTv1; rua=mailto:tls@sent.example")
    dns.tlsrpt("later.example", "v=TLSRPTv1; rua=mailto:tls@later.example")
    site.start()
    site.feed_old([session("sent.example", epoch=OLD_EPOCH, success=False, details=[failure()])])
    (sent,) = site.wait_for_delivery("sent.example", "delivered")
    site.stop()
    site.run("suppress", "add", "tls@never.example", "--reason", "asked")
    domains = [f"d{i}.example" for i in range(60)]
    site.feed([session(domain, success=i % 3 != 0,
                       details=[failure(receiving_mx_hostname=STRANGE)] if i % 3 == 0 else [])
               for i, domain in enumerate(domains)])
    domains += ["sent.example"]
    before = seen(site, domains)
    told = site.run("store", "copy", url_of(site), postgres.url).stdout
    assert "windows" in told
    move(site, postgres)
    assert seen(site, domains) == before
    site.check_store()
    # The token went along: what is sent from here has ids of the same store.
    site.start()
    site.feed_old([session("later.example", epoch=OLD_EPOCH)])
    (later,) = site.wait_for_delivery("later.example", "delivered")
    site.stop()
    assert token_of(later) == token_of(sent)
    assert len(smtp.messages) == 2


def test_a_store_that_was_used_is_not_copied_to(site, postgres):
    site.feed([session("a.example")])
    site.run("store", "copy", url_of(site), postgres.url)
    again = site.run("store", "copy", url_of(site), postgres.url, code=CONFIGURATION)
    assert "is not new" in again.stderr


def test_a_copy_that_was_killed_goes_on(site, binary, postgres):
    domains = 20_000
    site.feed([session(f"d{i}.example") for i in range(domains)])
    command = [binary, "--config", site.config_path, "store", "copy", url_of(site), postgres.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as copying:
        # A line for each step: further ones are under way.
        assert any(line.startswith("windows") for line in copying.stdout)
        copying.kill()
    there = int(postgres.query("SELECT count(*) FROM windows")[0])
    assert there > 0
    half = site.run("store", "copy", url_of(site), postgres.url).stdout
    assert "were there from an earlier copy" in half
    move(site, postgres)
    assert site.json("stats")["windows"] == {"collecting": domains}
    site.check_store()
