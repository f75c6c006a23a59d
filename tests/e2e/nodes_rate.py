"""How much faster two nodes deliver than one where the work is bound by waiting: windows of one store, an SMTP
sink that takes 20 ms over each mail. scripts/bench runs it. Exits 1 if the claim does not hold."""

import argparse
import os
import sys
import tempfile
import time

from cluster import Node, line
from peers import keys
from peers.dns_server import DnsServer
from peers.postgres import Postgres
from peers.quick_sink import QuickSink
from peers.rapporteur import SENDER, wait_until

DELAY = 0.020
CONCURRENCY = 4  # of a node: 200 mails a second at the most
BAR = 1.6


def measure(folder, nodes, windows):
    """Windows a second from the moment at which all of them are due until the last mail is accepted."""
    key = keys.make_key(folder, SENDER, f"rate{nodes}", "ed25519")
    dns = DnsServer({key.name: [key.record()]})
    sink = QuickSink(DELAY)
    postgres = Postgres()
    running = []
    try:
        for number in range(windows):
            dns.tlsrpt(f"d{number}.example", f"v=TLSRPTv1; rua=mailto:tls@r{number % 20}.example")
        running = [Node(f"n{i}", postgres.url, dns, sink, key) for i in range(nodes)]
        for node in running:
            node.site.config["delivery"].update(concurrency=CONCURRENCY, perDestination=CONCURRENCY)
            node.site.config["store"]["lease"] = "60s"
            node.start()
        epoch = int(time.time()) - 2 * 3600
        body = "".join(line(f"d{number}.example", epoch, False) for number in range(windows))
        site = running[0].site
        site.run("ingest", site.new_file(body))
        began = time.monotonic()
        site.run("schedule", "send-now", "*", "--state", "collecting", "--yes")
        wait_until(lambda: len(sink.kept) >= windows, lambda: f"{len(sink.kept)} of {windows}", 300, 0.05)
        return windows / (time.monotonic() - began)
    finally:
        for node in running:
            node.site.close()
        sink.close()
        dns.close()
        postgres.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=4000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        one = measure(folder, 1, options.windows)
        two = measure(folder, 2, options.windows)
    ratio = two / one
    verdict = "holds" if ratio >= BAR else "DOES NOT HOLD"
    what, limit = "two nodes, a sink that takes 20 ms over each mail", "one node"
    print(f"{what}\n  {ratio:.2f} of {limit}, at least {BAR}: {verdict} ({two:.0f} and {one:.0f} windows a second)")
    if table := os.environ.get("RAPPORTEUR_BENCH_TABLE"):
        with open(table, "a", encoding="utf-8") as file:
            file.write(f"{what}\t{limit}\t{ratio:.2f}\tat least {BAR:.2f}\t{verdict}\n")
    return 0 if ratio >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
