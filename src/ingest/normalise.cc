#include "ingest/normalise.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/domain.h"
#include "base/hash.h"
#include "base/ip.h"
#include "base/text.h"

namespace rapporteur {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// The next run of characters that are no blanks, taken off the front of `text`.
std::string_view take_word(std::string_view& text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  const auto end = std::ranges::find_if(text, blank);
  const auto word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(word.size());
  return word;
}

std::string_view without_reply_code(std::string_view line) {
  constexpr std::size_t kDigits = 3;
  const bool has_code = line.size() >= kDigits && is_digit(line[0]) && is_digit(line[1]) &&
                        is_digit(line[2]) &&
                        (line.size() == kDigits || line[kDigits] == ' ' || line[kDigits] == '-');
  return has_code ? line.substr(std::min(kDigits + 1, line.size())) : line;
}

// "u s m hex" (RFC 6698, section 2.2) in its one spelling; empty if it is none.
std::string canonical_tlsa(std::string_view text) {
  std::string record;
  for (int i = 0; i < 3; ++i) {
    const auto word = take_word(text);
    unsigned number = 0;
    const auto* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, number);
    if (word.empty() || error != std::errc() || stop != end || number > 255) return {};
    record += std::to_string(number) + ' ';
  }
  const auto numbers = record.size();
  for (auto word = take_word(text); !word.empty(); word = take_word(text)) {
    if (!std::ranges::all_of(word, is_hex_digit)) return {};
    record += to_lower(word);
  }
  return record.size() > numbers ? record : std::string();
}

std::vector<std::string> tlsa_records(const std::vector<std::string_view>& strings) {
  std::vector<std::string> records;
  for (const auto text : strings) {
    auto record = canonical_tlsa(trim(text));
    if (record.empty()) {
      // What stays is read again, so that it has one spelling, too.
      const auto clean = without_controls(text);
      record = canonical_tlsa(trim(clean));
      if (record.empty()) record = trim(clean);
    }
    if (!record.empty()) records.push_back(truncate_utf8(record, kMaxPolicyLine));
  }
  std::ranges::sort(records);
  records.erase(std::unique(records.begin(), records.end()), records.end());
  if (records.size() > kMaxTlsaRecords) records.resize(kMaxTlsaRecords);
  return records;
}

std::vector<std::string> policy_lines(const std::vector<std::string_view>& strings) {
  std::vector<std::string> lines;
  for (auto text : strings) {
    while (!text.empty() && lines.size() < kMaxPolicyLines) {
      const auto end = text.find('\n');
      auto line = normalise_text(text.substr(0, end), kMaxPolicyLine);
      if (!line.empty()) lines.push_back(std::move(line));
      text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
  }
  return lines;
}

void add_pattern(std::vector<std::string>& patterns, std::string_view text) {
  if (patterns.size() == kMaxMxPatterns) return;
  auto pattern = normalise_mx_pattern(trim(text));
  if (pattern && std::ranges::find(patterns, *pattern) == patterns.end()) {
    patterns.push_back(*std::move(pattern));
  }
}

// RFC 8461, section 3.2.
std::vector<std::string> patterns_of_lines(const std::vector<std::string>& lines) {
  std::vector<std::string> patterns;
  for (const std::string_view line : lines) {
    const auto colon = line.find(':');
    if (colon == line.npos || trim(line.substr(0, colon)) != "mx") continue;
    add_pattern(patterns, line.substr(colon + 1));
  }
  return patterns;
}

void join_reason(std::string& reason, std::string_view more) {
  more = trim(more);
  if (more.empty()) return;
  if (!reason.empty()) reason += "; ";
  reason += more;
}

}  // namespace

std::string normalise_text(std::string_view text, std::size_t max_bytes) {
  const auto clean = without_controls(text);
  return truncate_utf8(trim(clean), max_bytes);
}

std::string normalise_ip(std::string_view text) {
  const auto address = parse_ip(trim(text));
  return address ? format_ip(*address) : std::string();
}

std::string normalise_host(std::string_view text) {
  auto domain = normalise_domain(trim(text));
  return domain ? *std::move(domain) : std::string();
}

std::string normalise_helo(std::string_view text) {
  text = trim(text);
  auto line = without_reply_code(text.substr(0, text.find_first_of("\r\n")));
  return normalise_text(take_word(line), kMaxHelo);
}

std::string normalise_record(std::string_view text) {
  constexpr std::size_t kMaxRecord = 4096;
  return text.size() > kMaxRecord ? std::string() : normalise_text(text, kMaxRecord);
}

bool is_uri(std::string_view text) {
  constexpr std::string_view kMarks = "-._~:/?#[]@!$&'()*+,;=";
  const auto colon = text.find(':');
  if (colon == text.npos || colon == 0 || colon + 1 == text.size() || !is_letter(text.front())) {
    return false;
  }
  const auto scheme = text.substr(0, colon);
  if (!std::ranges::all_of(scheme, [](char c) {
        return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
      })) {
    return false;
  }
  for (std::size_t i = colon + 1; i < text.size(); ++i) {
    const char c = text[i];
    if (is_letter(c) || is_digit(c) || kMarks.find(c) != kMarks.npos) continue;
    const bool escape =
        c == '%' && i + 2 < text.size() && is_hex_digit(text[i + 1]) && is_hex_digit(text[i + 2]);
    if (!escape) return false;
  }
  return true;
}

void set_result_type(RawDetail& detail, std::string_view name) {
  name = trim(name);
  const auto known = parse_result_type(to_lower(name));
  detail.result_type = known.value_or(ResultType::kValidationFailure);
  detail.original_type = known ? std::string() : std::string(name);
}

FailureDetail normalise_detail(const RawDetail& raw) {
  FailureDetail detail;
  detail.result_type = raw.result_type;
  detail.sending_mta_ip = normalise_ip(raw.sending_mta_ip);
  detail.receiving_mx_hostname = normalise_host(raw.receiving_mx_hostname);
  detail.receiving_mx_helo = normalise_helo(raw.receiving_mx_helo);
  detail.receiving_ip = normalise_ip(raw.receiving_ip);
  std::string reason;
  join_reason(reason, raw.original_type);
  join_reason(reason, raw.failure_reason_code);
  const auto information = trim(raw.additional_information);
  if (is_uri(information)) {
    detail.additional_information = normalise_text(information, kMaxAdditionalInformation);
  } else {
    join_reason(reason, information);
  }
  detail.failure_reason_code = normalise_text(reason, kMaxReason);
  return detail;
}

Policy normalise_policy(PolicyType type, std::string domain,
                        const std::vector<std::string_view>& strings,
                        const std::vector<std::string_view>& mx_hosts) {
  Policy policy;
  policy.type = type;
  policy.domain = std::move(domain);
  policy.strings = type == PolicyType::kTlsa ? tlsa_records(strings) : policy_lines(strings);
  if (type == PolicyType::kSts) {
    for (const auto text : mx_hosts) add_pattern(policy.mx_hosts, text);
    if (policy.mx_hosts.empty()) policy.mx_hosts = patterns_of_lines(policy.strings);
  }
  return policy;
}

void add_outcome(Session& session, PolicyOutcome outcome) {
  const auto equal = std::ranges::find(session.outcomes, outcome.policy, &PolicyOutcome::policy);
  if (equal == session.outcomes.end()) {
    session.outcomes.push_back(std::move(outcome));
    return;
  }
  equal->success = equal->success && outcome.success;
  for (auto& detail : outcome.failure_details) add_detail(*equal, std::move(detail));
}

void add_detail(PolicyOutcome& outcome, FailureDetail detail) {
  auto& details = outcome.failure_details;
  if (std::ranges::find(details, detail) == details.end()) details.push_back(std::move(detail));
}

std::string session_id(std::string_view prefix, std::string_view text) {
  constexpr std::size_t kLongestPlain = 200;
  const auto clean = normalise_text(text, text.size() + 3);
  if (clean.empty()) return {};
  std::string id(prefix);
  id += ':';
  id += clean.size() > kLongestPlain ? sha256_hex(clean) : clean;
  return id;
}

}  // namespace rapporteur
