"""The daemon's life: starting, reloading, stopping, and the command line beside it."""

import json
import re
import subprocess

from peers import mail
from peers.rapporteur import BINARY, OLD_EPOCH, USAGE, Site, failure, session, wait_until

DOMAIN = "a.example"


def publish(site, *domains):
    for domain in domains:
        site.dns.tlsrpt(domain, f"v=TLSRPTv1; rua=mailto:tlsrpt@{domain}")


def failed_session(domain=DOMAIN):
    return session(domain, epoch=OLD_EPOCH, success=False, details=[failure()])


def test_a_second_daemon_on_the_same_store_refuses(site):
    site.start()
    with Site() as other:
        other.config["store"] = site.config["store"]
        other.write_config()
        done = subprocess.run([BINARY, "run"], env=other.environment(), capture_output=True, timeout=60,
                              check=False)
        said = done.stderr.decode()
        assert done.returncode > 0
        assert re.search(r"already|another|other daemon|in use|lock", said), said
        assert "rapporteur.db" in said or str(site.process.pid) in said, said
    # The first one is none the worse for it.
    publish(site, DOMAIN)
    site.feed_old([failed_session()])
    site.wait_for_delivery(DOMAIN, "delivered")


def test_after_a_crash_the_daemon_starts_again(site):
    site.start()
    site.send_datagram(json.dumps(session("kept.example")))
    wait_until(lambda: site.windows("kept.example", None), "kept.example is stored")
    site.kill()
    site.start()
    assert site.window("kept.example")["successful-sessions"] == 1
    publish(site, DOMAIN)
    site.feed_old([failed_session()])
    site.wait_for_delivery(DOMAIN, "delivered")
    site.check_store()


def test_it_stops_within_five_seconds_and_drains_the_socket(site):
    site.config["store"]["flushEvery"] = "1h"
    site.start()
    for _ in range(300):
        site.send_datagram(json.dumps(session(DOMAIN)))
    assert site.stop() < 5
    assert site.window(DOMAIN)["successful-sessions"] == 300


def test_it_stops_within_five_seconds_when_the_relay_is_silent(site, smtp):
    smtp.delay("EHLO", 30)
    site.start()
    publish(site, DOMAIN)
    site.feed_old([failed_session()])
    wait_until(lambda: smtp.connections, lambda: f"a connection\n{site.log()[-4000:]}")
    assert site.stop() < 5
    assert [d["state"] for d in site.deliveries(DOMAIN)] == ["pending"]


def test_deliveries_that_wait_for_the_final_reply_get_their_time(site, smtp):
    smtp.delay("DOT", 2)
    site.start()
    publish(site, DOMAIN)
    site.feed_old([failed_session()])
    wait_until(lambda: smtp.offered, lambda: f"a message\n{site.log()[-4000:]}")
    site.stop()
    assert [d["state"] for d in site.deliveries(DOMAIN)] == ["delivered"]
    assert len(smtp.messages) == 1


def test_what_gets_no_final_reply_is_uncertain_and_sent_again_with_the_same_id(site, smtp):
    smtp.delay("DOT", 20)
    site.config["delivery"]["stopGrace"] = "1s"
    site.start()
    publish(site, DOMAIN)
    site.feed_old([failed_session()])
    wait_until(lambda: smtp.offered, lambda: f"a message\n{site.log()[-4000:]}")
    assert site.stop() < 7
    assert [d["state"] for d in site.deliveries(DOMAIN)] == ["uncertain"]
    site.check_store()
    smtp.delay("DOT", 0)
    site.start()
    (delivery,) = site.wait_for_delivery(DOMAIN, "delivered")
    first, second = smtp.offered[0], smtp.offered[-1]
    assert len(smtp.offered) == 2 and first.raw == second.raw
    assert mail.read_report(second.raw).report["report-id"] == delivery["report-id"]


def test_reload_takes_a_good_file(site):
    site.start()
    site.config["report"]["tls"]["orgName"] = "'Second Name'"
    site.write_config()
    site.hang_up()
    publish(site, DOMAIN)

    def reloaded():
        return "reload" in site.log().lower()

    wait_until(reloaded, lambda: f"the log tells of a reload\n{site.log()}")
    site.feed_old([failed_session()])
    site.wait_for_delivery(DOMAIN, "delivered")
    assert mail.read_report(site.smtp.messages[0].raw).report["organization-name"] == "Second Name"


def test_reload_reports_a_bad_file_and_keeps_the_old_one(site):
    site.config["report"]["tls"]["orgName"] = "'First Name'"
    site.start()
    good = site.config_path.read_text()
    site.write_config(good + '\n[nonsense]\nkey = "value"\n')
    line = good.count("\n") + 2
    site.hang_up()
    place = re.compile(rf"rapporteur\.toml\S*[: ](?:line=)?{line}\b")
    wait_until(lambda: place.search(site.log()), lambda: f"the place is logged\n{site.log()}")
    assert site.process.poll() is None
    site.write_config(good)  # for the commands that follow; the daemon is not told
    publish(site, DOMAIN)
    site.feed_old([failed_session()])
    site.wait_for_delivery(DOMAIN, "delivered")
    assert mail.read_report(site.smtp.messages[0].raw).report["organization-name"] == "First Name"


def test_daemon_and_command_line_work_on_the_same_store(site):
    site.start()
    domains = [f"d{i}.example" for i in range(8)]
    publish(site, *domains)
    running = [
        subprocess.Popen(
            [BINARY, "ingest", "--send-old",
             str(site.new_file("".join(json.dumps(failed_session(d)) + "\n" for d in domains for _ in range(i + 1))))],
            env=site.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for i in range(3)
    ]
    for _ in range(40):
        site.send_datagram(json.dumps(session("socket.example")))
        site.json("schedule", "list")
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()

    def counted():
        return sum(w["successful-sessions"] for w in site.windows("socket.example", None)) == 40

    wait_until(counted, lambda: f"40 sessions\n{site.log()[-4000:]}")
    for domain in domains:
        # What came after the first report was assembled stands in a supplement.
        assert sum(w["failed-sessions"] for w in site.windows(domain)) == 6
        wait_until(lambda d=domain: any(x["state"] == "delivered" for x in site.deliveries(d)),
                   lambda: f"{domain}\n{site.log()[-4000:]}", 60)
    site.check_store()


def test_an_unknown_role_is_wrong_usage(site):
    assert site.run("run", "--role", "no-such-role", code=USAGE).stderr
