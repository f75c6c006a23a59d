#include "report/report.h"

#include <map>
#include <utility>

#include "base/ip.h"
#include "base/time.h"
#include "report/json.h"

namespace rapporteur {

namespace {

std::string three_digits(int part) {
  const auto digits = std::to_string(part);
  return digits.size() < 3 ? std::string(3 - digits.size(), '0') + digits : digits;
}

}  // namespace

std::string report_json(const ReportHead& head, const WindowCounts& counts) {
  auto out = open_report(head);
  bool first = true;
  for (const auto* policy : policies_in_order(counts)) {
    if (!first) out += ',';
    first = false;
    out += policy_json(*policy);
  }
  out += kCloseReport;
  return out;
}

std::string report_id(const Period& period, std::string_view domain, int part,
                      std::string_view store_token, std::string_view submitter) {
  std::string id = format_compact(period.start) + "-" + format_compact(period.end) + ".";
  id.append(domain).append(".").append(std::to_string(part)).append(".").append(store_token);
  return id.append("@").append(submitter);
}

std::string file_name(std::string_view contact_domain, std::string_view domain,
                      const Period& period, int part, std::string_view store_token) {
  const auto begin = period.start.time_since_epoch().count();
  const auto end = (period.end - Seconds{1}).time_since_epoch().count();
  std::string name(contact_domain);
  name.append("!").append(domain).append("!").append(std::to_string(begin)).append("!");
  name.append(std::to_string(end)).append("!").append(three_digits(part)).append(store_token);
  return name.append(".json.gz");
}

std::string shown_sending_ip(const std::string& address_text,
                             const std::map<std::string, std::string>& nat) {
  if (address_text.empty()) return {};
  const auto address = parse_ip(address_text);
  const auto mapped = nat.find(address ? format_ip(*address) : address_text);
  if (mapped != nat.end()) return mapped->second;
  return address && is_globally_reachable(*address) ? format_ip(*address) : std::string();
}

}  // namespace rapporteur
