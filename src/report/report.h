#pragma once
// A window's counts as a TLS report: RFC 8460, sections 4.4 and 5.1, with its errata. Splitting by
// size is in report/split.h, compression in report/gzip.h.

#include <map>
#include <string>
#include <string_view>

#include "model/counts.h"
#include "model/window.h"

namespace rapporteur {

// What stands above the policies of a report. Texts are UTF-8.
struct ReportHead {
  std::string organization_name;
  std::string contact_info;  // an address
  Period period;             // as the window has it: end-datetime is told as one second less
  std::string report_id;
};

// The report as compact JSON (I-JSON, RFC 7493): the keys of RFC 8460 in its order, required ones
// always, unknown optional ones never, "failure-details" always an array. Policies are sorted by
// type, domain, strings and MX hosts, details by count, largest first, then by content: equal
// counts make equal bytes. Broken UTF-8 becomes U+FFFD.
std::string report_json(const ReportHead& head, const WindowCounts& counts);

// "<start>-<end>.<domain>.<part>.<store token>@<submitter>" with compact UTC times: a legal msg-id
// (RFC 5322, section 3.6.4) without its angle brackets.
std::string report_id(const Period& period, std::string_view domain, int part,
                      std::string_view store_token, std::string_view submitter);

// "<contact domain>!<domain>!<begin>!<end>!<unique-id>.json.gz" (RFC 8460, section 5.1): seconds
// since 1970 that agree with the report's date-range, the unique-id being the part number in at
// least three digits and the store token.
std::string file_name(std::string_view contact_domain, std::string_view domain,
                      const Period& period, int part, std::string_view store_token);

// A sending-mta-ip as the world may see it: what `nat` maps it to (keys in canonical text); empty
// if it is neither mapped nor globally reachable.
std::string shown_sending_ip(const std::string& address,
                             const std::map<std::string, std::string>& nat);

}  // namespace rapporteur
