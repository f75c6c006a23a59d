"""The books of a soak: what was handed in, what arrived, and whether the two agree. Pure."""

import collections
import gzip
import itertools
import json
import re
from dataclasses import dataclass, field
from datetime import datetime

REPORT_ID = re.compile(r"(\d{8}T\d{6}Z)-(\d{8}T\d{6}Z)\.(.+)\.(\d+)\.([a-z0-9]{8})@(\S+)")


@dataclass
class Batch:
    """Sessions that were handed in together. Their policy has the line `max_age: NUMBER`; successes are
    counted, every failure has a reason of its own, its tracer."""

    number: int
    domain: str
    channel: str  # "file", "datagram", or "identified": by datagram or file, again until it is certain
    epoch: int
    successes: int
    tracers: list
    begun: float = 0.0  # time.time() before the first datagram
    sent: float = 0.0  # after the last; 0: not all of them were
    acknowledged: bool = False  # a command said so


@dataclass
class Arrival:
    """A report that a receiver has accepted."""

    destination: str
    when: float
    gz: bytes
    raw: bytes  # the mail, or the body that was posted
    message_id: str  # None: posted

    @property
    def text(self):
        return gzip.decompress(self.gz)

    @property
    def report(self):
        return json.loads(self.text)


def _seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@dataclass
class Ledger:
    batches: list = field(default_factory=list)  # by number
    arrivals: list = field(default_factory=list)
    windows: list = field(default_factory=list)  # as `schedule show --json` tells them, and their "domain"
    destinations: dict = field(default_factory=dict)  # domain to the URIs of its record
    kills: list = field(default_factory=list)  # time.time() of each
    stops: list = field(default_factory=list)  # when a SIGTERM had ended the daemon
    interruptions: list = field(default_factory=list)  # kills, stops
    commands: list = field(default_factory=list)  # (begin, end) of those that write to the store
    lost_replies: int = 0  # acceptances that the receivers were told to keep to themselves
    problems: list = field(default_factory=list)  # found on the way

    def is_sure(self, batch, flush_within):
        """Whether every session of the batch must be counted: a command has acknowledged it, or its
        datagrams came before a clean stop, or `flush_within` seconds before a kill. The time in which
        commands were writing does not count: a flush may have waited for them."""
        if batch.acknowledged:
            return True
        if not batch.sent:
            return False
        end = min((time for time in [*self.kills, *self.stops] if time >= batch.begun), default=float("inf"))
        if end in self.stops or end == float("inf"):
            return True
        return end - batch.sent - self._busy(batch.sent, end) > flush_within

    def _busy(self, begin, end):
        return sum(max(0.0, min(end, last) - max(begin, first)) for first, last in self.commands)

    def check(self, flush_within):
        """Everything that is wrong, a line each."""
        wrong = list(self.problems)
        reports = self._check_copies(wrong)
        self._check_counts(reports, flush_within, wrong)
        self._check_periods(reports, wrong)
        self._check_names(reports, wrong)
        self._check_windows(wrong)
        self._check_deliveries(wrong)
        self._check_repetitions(wrong)
        return wrong

    def _check_copies(self, wrong):
        """One report under each report-id, one mail under each Message-ID; the reports by id."""
        texts, by_id, mails, ids = {}, {}, {}, {}
        for arrival in self.arrivals:
            report = arrival.report
            name = report["report-id"]
            if texts.setdefault(name, arrival.text) != arrival.text:
                wrong.append(f"{name}: two different reports")
            by_id.setdefault(name, report)
            first = mails.setdefault((name, arrival.destination), arrival)
            if first.raw != arrival.raw:
                wrong.append(f"{name} to {arrival.destination}: repeated with other bytes")
            if first.message_id != arrival.message_id:
                wrong.append(f"{name} to {arrival.destination}: two Message-IDs")
            if arrival.message_id and ids.setdefault(arrival.message_id, first) is not first:
                wrong.append(f"{arrival.message_id}: the Message-ID of two mails")
        return by_id

    def _check_counts(self, reports, flush_within, wrong):
        successes, failures = collections.Counter(), collections.Counter()
        tracers = collections.Counter()
        for name, report in reports.items():
            for entry in report["policies"]:
                number = self._batch_of(entry["policy"])
                if number is None or number >= len(self.batches):
                    wrong.append(f"{name}: a policy that nobody sent: {entry['policy']}")
                    continue
                if entry["policy"]["policy-domain"] != self.batches[number].domain:
                    wrong.append(f"{name}: batch {number} under a policy of {entry['policy']['policy-domain']}")
                successes[number] += entry["summary"]["total-successful-session-count"]
                failures[number] += entry["summary"]["total-failure-session-count"]
                for detail in entry.get("failure-details", []):
                    tracers[detail["failure-reason-code"]] += detail["failed-session-count"]
        for batch in self.batches:
            self._check_batch(batch, successes[batch.number], failures[batch.number], tracers, flush_within, wrong)
        known = {tracer for batch in self.batches for tracer in batch.tracers}
        wrong += [f"a failure that nobody sent: {tracer}" for tracer in tracers if tracer not in known]

    @staticmethod
    def _batch_of(policy):
        for line in policy.get("policy-string", []):
            if line.startswith("max_age: "):
                return int(line.split()[1])
        return None

    def _check_batch(self, batch, successes, failures, tracers, flush_within, wrong):
        name = f"batch {batch.number} ({batch.channel} to {batch.domain})"
        counted = [tracers[tracer] for tracer in batch.tracers]
        if any(count > 1 for count in counted) or successes > batch.successes:
            wrong.append(f"{name}: counted twice: {successes} of {batch.successes} successes, {counted}")
        if failures != sum(counted):
            wrong.append(f"{name}: {failures} failures, and details of {sum(counted)}")
        sure = self.is_sure(batch, flush_within)
        if sure and (successes < batch.successes or any(count < 1 for count in counted)):
            wrong.append(f"{name}: lost: {successes} of {batch.successes} successes, {counted}; {self._times(batch)}")

    def _times(self, batch):
        """When it was sent and what came next, for people who look for the reason."""
        later = [f"{name} {min(times):.3f}" for name, times in (
            ("kill", [k for k in self.kills if k >= batch.begun]), ("stop", [s for s in self.stops if s >= batch.begun]))
            if times]
        return f"sent {batch.begun:.3f} to {batch.sent:.3f}, " + ", ".join(later)

    def _check_periods(self, reports, wrong):
        """Nothing is reported under a period, or to a domain, that it does not belong to."""
        for name, report in reports.items():
            start, end = (_seconds(report["date-range"][f"{which}-datetime"]) for which in ("start", "end"))
            match = REPORT_ID.fullmatch(name)
            for entry in report["policies"]:
                number = self._batch_of(entry["policy"])
                if number is None or number >= len(self.batches):
                    continue
                batch = self.batches[number]
                if match and match.group(3) != batch.domain:
                    wrong.append(f"{name}: batch {number}, which is about {batch.domain}")
                if not start <= batch.epoch <= end:
                    wrong.append(f"{name}: batch {number}, which is of {batch.epoch}")

    @staticmethod
    def _check_names(reports, wrong):
        """One report-id for a window and part."""
        names = collections.defaultdict(set)
        for name in reports:
            match = REPORT_ID.fullmatch(name)
            if not match:
                wrong.append(f"{name}: not a report-id of ours")
                continue
            start, end, domain, part, _, _ = match.groups()
            names[start, end, domain, part].add(name)
        wrong += [f"two report-ids for one part: {sorted(same)}" for same in names.values() if len(same) > 1]

    def _check_windows(self, wrong):
        """Every window is done; those of a domain do not overlap, supplements apart, which lie in theirs; the
        parts of a window and its supplements are numbered without gaps, each with one report-id."""
        windows = collections.defaultdict(dict)  # domain to start to end
        parts = collections.defaultdict(lambda: collections.defaultdict(set))
        for window in self.windows:
            name = self._name_of(window)
            if window["state"] != "done":
                wrong.append(f"{name}: {window['state']}, {window.get('reason')}")
            if not window.get("supplement", 0):
                if window["start"] in windows[window["domain"]]:
                    wrong.append(f"{name}: twice")
                windows[window["domain"]][window["start"]] = window["end"]
            for delivery in window["deliveries"]:
                parts[window["domain"], window["start"]][delivery["part"]].add(
                    (window.get("supplement", 0), delivery["report-id"]))
        for domain, ends in windows.items():
            for (first, end), (start, _) in itertools.pairwise(sorted(ends.items())):
                if start < end:
                    wrong.append(f"{domain}: windows overlap, from {first} to {end} and from {start}")
        for window in self.windows:
            end = windows[window["domain"]].get(window["start"])
            if window.get("supplement", 0) and window["end"] != end:
                wrong.append(f"{self._name_of(window)}: a supplement of no window, or of another period")
        for name, numbered in parts.items():
            if sorted(numbered) != list(range(1, len(numbered) + 1)):
                wrong.append(f"{name}: parts {sorted(numbered)}")
            wrong += [f"{name}: part {part} is {sorted(ids)}" for part, ids in numbered.items() if len(ids) != 1]

    @staticmethod
    def _name_of(window):
        return f"{window['domain']} from {window['start']} to {window['end']}, supplement {window.get('supplement', 0)}"

    def _check_deliveries(self, wrong):
        """Each part went to each destination, and nothing else did."""
        arrived = {(a.report["report-id"], a.destination) for a in self.arrivals}
        expected = set()
        for window in self.windows:
            reached = collections.defaultdict(set)
            for delivery in window["deliveries"]:
                key = (delivery["report-id"], delivery["destination"])
                expected.add(key)
                reached[delivery["part"]].add(delivery["destination"])
                if delivery["state"] != "delivered":
                    wrong.append(f"{key}: {delivery['state']}, {delivery['last-response']}")
                if key not in arrived:
                    wrong.append(f"{key}: never arrived")
            wanted = set(self.destinations.get(window["domain"], []))
            if window["state"] == "done" and not reached:
                wrong.append(f"{window['domain']} {window['start']}: done, and nothing was sent")
            wrong += [f"{window['domain']} {window['start']}: part {part} went to {sorted(uris)}"
                      for part, uris in reached.items() if uris != wanted]
        wrong += [f"{key}: arrived, and the store does not know it" for key in sorted(arrived - expected)]

    def _repetitions(self):
        """Pairs of one arrival and its next repetition."""
        times = collections.defaultdict(list)
        for arrival in self.arrivals:
            times[arrival.report["report-id"], arrival.destination].append(arrival.when)
        return [(key, pair) for key, whens in times.items() for pair in itertools.pairwise(sorted(whens))]

    def _check_repetitions(self, wrong):
        """What was accepted is sent again only if the daemon could not know: it was ended in between, or
        the reply was lost."""
        unexplained = [key for key, (first, second) in self._repetitions()
                       if not any(first <= when <= second for when in self.interruptions)]
        if len(unexplained) > self.lost_replies:
            wrong.append(f"sent again though nothing had been interrupted: {unexplained[:5]}")

    def figures(self, flush_within):
        sure = [batch for batch in self.batches if self.is_sure(batch, flush_within)]
        by_channel = collections.Counter(batch.channel for batch in self.batches)

        def sessions(batches):
            return sum(batch.successes + len(batch.tracers) for batch in batches)

        ids = {a.report["report-id"]: a.report for a in self.arrivals}
        counted = sum(entry["summary"][which] for report in ids.values() for entry in report["policies"]
                      for which in ("total-successful-session-count", "total-failure-session-count"))
        again = collections.Counter(key[1].split(":")[0] for key, _ in self._repetitions())
        return [
            f"batches {len(self.batches)} ({', '.join(f'{k} {v}' for k, v in sorted(by_channel.items()))})",
            f"sessions handed in {sessions(self.batches)}, of which must be counted {sessions(sure)}, counted {counted}",
            f"windows {len(self.windows)}, of which supplements {sum(w.get('supplement', 0) > 0 for w in self.windows)}",
            f"reports {len(ids)}, deliveries {len({(a.report['report-id'], a.destination) for a in self.arrivals})}",
            f"sent again after an end whose outcome was unknown: mails {again['mailto']}, posts {again['https']}",
        ]
