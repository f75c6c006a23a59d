"""Reports of others through Debian's Postfix, connected as docs/received.md has it: by its pipe, and by a Maildir."""

import os
import re
import shutil
import smtplib

import pytest

from peers.postfix import NOBODY, Postfix
from peers.rapporteur import BINARY, ROOT, Site, wait_until

PAGE = ROOT / "docs" / "received.md"
ADDRESS = "tlsrpt@reports.example.org"
REPORT = (ROOT / "tests/e2e/data/received/google_2022-09-15.eml").read_bytes()


def page_block(file, word):
    """The block of the page that is a part of this file and has this word in it."""
    blocks = re.findall(rf"(?ms)^```\n# {re.escape(file)}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"))
    (block,) = [block for block in blocks if word in block]
    return block


@pytest.fixture
def looking(binary, dns):
    """A site that can look up keys."""
    with Site(dns=dns) as site:
        yield site


@pytest.fixture
def nobodys(looking):
    """A site that belongs to the user whom Postfix runs commands as, with a copy of the program."""
    if os.geteuid() != 0:
        pytest.fail("run this test as root: Postfix runs commands as another user")
    shutil.copy(BINARY, looking.directory / "rapporteur")
    looking.write_config()
    for path in (looking.directory, *looking.directory.iterdir()):
        shutil.chown(path, NOBODY)
    return looking


@pytest.fixture
def postfix(nobodys):
    command = f"{nobodys.directory}/rapporteur --config {nobodys.config_path} "
    master = page_block("master.cf", "pipe").replace("user=rapporteur", f"user={NOBODY}")
    master = master.replace("/usr/bin/rapporteur ", command)
    main = page_block("main.cf", "transport_maps")
    # Longer than a delivery agent may still hold its lock on a mail that it has deferred: one that is found
    # locked is put aside for minutes.
    main += "minimal_backoff_time = 5s\nmaximal_backoff_time = 5s\nqueue_run_delay = 1s\n"
    with Postfix(1, main, master) as one:
        yield one


def send(postfix, message):
    with smtplib.SMTP("127.0.0.1", postfix.port) as client:
        client.sendmail("stranger@example.net", [ADDRESS], message)


def statuses(postfix):
    return [status for _, status in postfix.deliveries(ADDRESS)]


def test_a_report_goes_through_the_pipe_into_the_store(postfix, nobodys):
    send(postfix, REPORT)
    wait_until(lambda: statuses(postfix), postfix.log)
    assert statuses(postfix)[0].startswith("sent"), postfix.log()
    (kept,) = nobodys.json("received", "list")
    assert (kept["successful"], kept["source"], kept["organization"]) == (3, "mail", "Google Inc.")


def test_what_is_no_report_is_swallowed_and_not_bounced(postfix, nobodys):
    send(postfix, b"Subject: hello\r\n\r\nhow are you\r\n")
    wait_until(lambda: statuses(postfix), postfix.log)
    assert statuses(postfix)[0].startswith("sent")
    assert "non-delivery" not in postfix.log()
    assert nobodys.json("received", "list") == []


def test_trouble_of_ours_keeps_the_mail_until_it_is_over(postfix, nobodys):
    config = nobodys.config_path.read_text()
    nobodys.config_path.write_text(config + "\n[broken\n")
    send(postfix, REPORT)
    wait_until(lambda: statuses(postfix), postfix.log)
    assert statuses(postfix)[0].startswith("deferred"), postfix.log()
    nobodys.config_path.write_text(config)
    wait_until(lambda: any(s.startswith("sent") for s in statuses(postfix)), postfix.log, 60)
    assert len(nobodys.json("received", "list")) == 1


def test_a_maildir_of_postfix_is_read(looking):
    if os.geteuid() != 0:
        pytest.fail("run this test as root: Postfix delivers as another user")
    main = page_block("main.cf", "virtual_mailbox_base")
    virtual = "virtual unix - n n - - virtual\n"
    with Postfix(1, main.replace("/var/mail/virtual", str(looking.directory / "virtual")), virtual) as postfix:
        looking.directory.chmod(0o755)
        (looking.directory / "virtual").mkdir()
        os.chown(looking.directory / "virtual", 5000, 5000)
        send(postfix, REPORT)
        wait_until(lambda: statuses(postfix), postfix.log)
        assert statuses(postfix)[0].startswith("sent (delivered to maildir)"), postfix.log()
    looking.config["received"] = {"maildir": [str(looking.directory / "virtual" / "tlsrpt")]}
    looking.start()
    wait_until(lambda: looking.json("received", "list"), looking.log)
    wait_until(lambda: not list((looking.directory / "virtual/tlsrpt/new").iterdir()), "it is moved away")
