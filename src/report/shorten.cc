#include "report/shorten.h"

#include "base/text.h"

namespace rapporteur {

namespace {

std::string shortened_uri(const std::string& uri, std::size_t max_bytes) {
  constexpr std::string_view kMark = "%E2%80%A6";
  if (uri.size() <= max_bytes) return uri;
  auto cut = uri.substr(0, max_bytes - kMark.size());
  const auto escape = cut.rfind('%');
  if (escape != cut.npos && escape + 3 > cut.size()) cut.resize(escape);
  return cut.append(kMark);
}

}  // namespace

FailureDetail shortened(FailureDetail detail, std::size_t max_bytes) {
  detail.receiving_mx_helo = truncate_utf8(detail.receiving_mx_helo, max_bytes);
  detail.failure_reason_code = truncate_utf8(detail.failure_reason_code, max_bytes);
  detail.additional_information = shortened_uri(detail.additional_information, max_bytes);
  return detail;
}

Policy shortened(Policy policy, std::size_t max_lines, std::size_t max_bytes) {
  const bool left_out = policy.strings.size() > max_lines || policy.mx_hosts.size() > max_lines;
  if (policy.strings.size() > max_lines) policy.strings.resize(max_lines);
  if (policy.mx_hosts.size() > max_lines) policy.mx_hosts.resize(max_lines);
  for (auto& line : policy.strings) line = truncate_utf8(line, max_bytes);
  if (left_out) policy.strings.emplace_back("…");
  return policy;
}

}  // namespace rapporteur
