#include "report/json.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/time.h"

namespace rapporteur {

namespace {

// Most texts of a report are ASCII without anything to escape. Eight bytes are judged at a time; an
// answer of "no" may be wrong, which costs time only.
bool is_plain(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  constexpr std::uint64_t kHigh = 0x80 * kOnes;
  std::uint64_t found = 0;
  while (!text.empty()) {
    std::uint64_t bytes = ' ' * kOnes;
    const auto size = std::min(text.size(), sizeof bytes);
    std::memcpy(&bytes, text.data(), size);
    text.remove_prefix(size);
    const auto quote = bytes ^ '"' * kOnes;
    const auto backslash = bytes ^ '\\' * kOnes;
    found |= (bytes | (bytes - ' ' * kOnes) | (quote - kOnes) | (backslash - kOnes)) & kHigh;
  }
  return found == 0;
}

void append_quoted(std::string& out, std::string_view text) {
  if (is_plain(text)) {
    out += '"';
    out += text;
    out += '"';
    return;
  }
  const nlohmann::json value(text);
  out += value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void append_array(std::string& out, const std::vector<std::string>& texts) {
  out += '[';
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out += ',';
    append_quoted(out, texts[i]);
  }
  out += ']';
}

// `before` is everything up to the text, of a key that needs no escaping.
void append_optional(std::string& out, std::string_view before, std::string_view text) {
  if (text.empty()) return;
  out += before;
  append_quoted(out, text);
}

}  // namespace

std::string open_report(const ReportHead& head) {
  std::string out = "{\"organization-name\":";
  append_quoted(out, head.organization_name);
  out += ",\"date-range\":{\"start-datetime\":";
  append_quoted(out, format_rfc3339(head.period.start));
  out += ",\"end-datetime\":";
  append_quoted(out, format_rfc3339(head.period.end - Seconds{1}));
  out += "},\"contact-info\":";
  append_quoted(out, head.contact_info);
  out += ",\"report-id\":";
  append_quoted(out, head.report_id);
  out += ",\"policies\":[";
  return out;
}

std::string open_policy_to_failed(const Policy& policy, std::uint64_t successful) {
  std::string out = "{\"policy\":{\"policy-type\":";
  append_quoted(out, to_string(policy.type));
  if (policy.type != PolicyType::kNoPolicyFound && !policy.strings.empty()) {
    out += ",\"policy-string\":";
    append_array(out, policy.strings);
  }
  out += ",\"policy-domain\":";
  append_quoted(out, policy.domain);
  if (policy.type == PolicyType::kSts && !policy.mx_hosts.empty()) {
    out += ",\"mx-host\":";
    append_array(out, policy.mx_hosts);
  }
  out += "},\"summary\":{\"total-successful-session-count\":" + std::to_string(successful);
  return out += ",\"total-failure-session-count\":";
}

std::string open_policy(const Policy& policy, std::uint64_t successful, std::uint64_t failed) {
  auto out = open_policy_to_failed(policy, successful);
  out += std::to_string(failed);
  return out += kAfterFailed;
}

void append_detail(std::string& out, const DetailCount& counted) {
  const auto& detail = counted.detail;
  out.append("{\"result-type\":\"").append(to_string(detail.result_type)) += '"';
  append_optional(out, ",\"sending-mta-ip\":", detail.sending_mta_ip);
  append_optional(out, ",\"receiving-mx-hostname\":", detail.receiving_mx_hostname);
  append_optional(out, ",\"receiving-mx-helo\":", detail.receiving_mx_helo);
  append_optional(out, ",\"receiving-ip\":", detail.receiving_ip);
  out.append(",\"failed-session-count\":").append(std::to_string(counted.count));
  append_optional(out, ",\"additional-information\":", detail.additional_information);
  append_optional(out, ",\"failure-reason-code\":", detail.failure_reason_code);
  out += '}';
}

std::string detail_json(const DetailCount& counted) {
  std::string out;
  append_detail(out, counted);
  return out;
}

std::string policy_json(const PolicyCounts& counts) {
  auto out = open_policy(counts.policy, counts.successful, counts.failed);
  bool first = true;
  for (const auto* detail : details_in_order(counts)) {
    if (!first) out += ',';
    first = false;
    append_detail(out, *detail);
  }
  out += kClosePolicy;
  return out;
}

std::vector<const PolicyCounts*> policies_in_order(const WindowCounts& counts) {
  std::vector<const PolicyCounts*> order;
  order.reserve(counts.size());
  for (const auto& policy : counts) order.push_back(&policy);
  std::ranges::stable_sort(order,
                           [](const auto* a, const auto* b) { return a->policy < b->policy; });
  return order;
}

std::vector<const DetailCount*> details_in_order(const PolicyCounts& counts) {
  std::vector<const DetailCount*> order;
  order.reserve(counts.details.size());
  for (const auto& detail : counts.details) order.push_back(&detail);
  std::ranges::stable_sort(order, [](const auto* a, const auto* b) {
    return std::tie(b->count, a->detail) < std::tie(a->count, b->detail);
  });
  return order;
}

}  // namespace rapporteur
