"""A report mail taken apart, and the sums of reports."""

import email
import email.policy
import gzip
import json
import re
from dataclasses import dataclass


@dataclass
class ReportMail:
    raw: bytes
    message: email.message.Message
    text: str  # the part for people
    body: bytes  # the gzip file
    report: dict
    filename: str

    @property
    def subject(self):
        return re.sub(r"\r?\n[ \t]*", " ", self.message["Subject"])

    @property
    def subject_report_id(self):
        """The report-id of a Subject in the form of RFC 8460, section 5.3; None for another."""
        match = re.fullmatch(
            r"Report\s+Domain:\s+\S+\s+Submitter:\s+\S+\s+Report-ID:\s+<([^<>@\s]+@[^<>@\s]+)>\s*",
            self.subject,
        )
        return match.group(1) if match else None


def read_report(raw):
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    parts = message.get_payload()
    if not message.is_multipart() or len(parts) != 2:
        raise ValueError("not a multipart message of two parts")
    body = parts[1].get_payload(decode=True)
    return ReportMail(
        raw=raw,
        message=message,
        text=parts[0].get_payload(decode=True).decode(),
        body=body,
        report=json.loads(gzip.decompress(body)),
        filename=parts[1].get_filename(),
    )


def _key(value):
    return json.dumps(value, sort_keys=True)


def sums(reports):
    """What reports add up to: policy to (successes, failures, detail to count), comparable."""
    total = {}
    for report in reports:
        for entry in report["policies"]:
            policy = total.setdefault(_key(entry["policy"]), [0, 0, {}])
            policy[0] += entry["summary"]["total-successful-session-count"]
            policy[1] += entry["summary"]["total-failure-session-count"]
            for detail in entry.get("failure-details", []):
                fields = {k: v for k, v in detail.items() if k != "failed-session-count"}
                key = _key(fields)
                policy[2][key] = policy[2].get(key, 0) + detail["failed-session-count"]
    return total
