#pragma once
// Finds the report in a mail (RFC 8460, section 5.3), and reads what its header says about it. Any
// input is allowed; time and memory are bounded by the message's size and the limits here.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace rapporteur {

struct MailLimits {
  std::size_t depth = 8;         // multiparts and forwarded messages within each other
  std::size_t parts = 200;       // in all
  std::size_t attachments = 10;  // that may be reports
};

// A part that may be a report.
struct Attachment {
  std::string bytes;       // without its transfer encoding
  std::string file_name;   // without a path; empty: none was told
  bool typed = false;      // its media type is one of RFC 8460's
  bool forwarded = false;  // it stands in a message within the message
};

struct MailedReport {
  std::string from_domain;      // of the one From address, normalised; empty: none, or several
  std::string report_domain;    // TLS-Report-Domain, normalised; empty: none
  std::string submitter;        // TLS-Report-Submitter, likewise
  std::string message_id;       // without brackets
  std::optional<Time> arrived;  // when the last host took it, as its Received field says
  std::vector<std::string> authentication_results;  // each field as one line, topmost first
  std::vector<Attachment> attachments;              // the likeliest kind only
  std::vector<std::string> oddities;
};

// Fails with Fault::kInput and one line that says why if no part can be a report.
Result<MailedReport> read_report_mail(std::string_view message, const MailLimits& limits = {});

// Whether the text begins like a message rather than like a report alone: with a header field.
bool begins_like_mail(std::string_view text);

// What RFC 8460, section 5.1, puts into a file name: "sender!policy-domain!begin!end!unique-id.…".
struct ReportFileName {
  std::string policy_domain;
  Time begin;
  Time end;
  std::string unique_id;  // letters and digits; empty: none
};
std::optional<ReportFileName> parse_file_name(std::string_view name);

// "Fri, 20 Nov 2026 00:00:00 +0000 (UTC)", with or without the day of the week and its seconds (RFC
// 5322, section 3.3); obsolete zones count as UTC.
std::optional<Time> parse_mail_date(std::string_view text);

}  // namespace rapporteur
