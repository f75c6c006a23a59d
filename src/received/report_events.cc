#include "received/report_events.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/domain.h"
#include "base/text.h"
#include "model/session.h"

namespace rapporteur {

namespace {

constexpr std::uint64_t kMostCount = (std::uint64_t{1} << 53) - 1;
constexpr std::size_t kMostKeyBytes = 64;  // no key of a report is longer

using Kind = ReportValue::Kind;

// A domain in A-labels; what can be none stays as it is, in lower case.
std::string domain_text(const std::string& text) {
  if (text.empty()) return text;
  const auto domain = normalise_mx_pattern(text);
  return domain ? *domain : to_lower(text);
}

// The elements of a JSON array of texts that itself is written as a text, as Microsoft sends TLSA
// records: ["3 1 1 …","3 1 1 …"]. Nothing in them is escaped.
std::vector<std::string_view> unwrapped(std::string_view text) {
  text = trim(text);
  if (!text.starts_with("[\"") || !text.ends_with("\"]")) return {};
  std::vector<std::string_view> elements;
  for (const auto piece : split(text.substr(1, text.size() - 2), ',')) {
    auto element = trim(piece);
    if (element.size() < 2 || !element.starts_with('"') || !element.ends_with('"')) return {};
    element = element.substr(1, element.size() - 2);
    if (element.find_first_of("\"\\") != element.npos) return {};
    elements.push_back(element);
  }
  return elements;
}

std::string quoted(std::string_view text) {
  return "'" + truncate_utf8(text, 80) + "'";
}

}  // namespace

bool ReportEvents::refuse(std::string why) {
  if (refusal_.empty()) refusal_ = std::move(why);
  return false;
}

void ReportEvents::odd(std::string phrase) {
  auto& oddities = report_.oddities;
  if (oddities.size() >= limits_.oddities) return;
  if (std::ranges::find(oddities, phrase) == oddities.end()) oddities.push_back(std::move(phrase));
}

ReceivedPolicy& ReportEvents::policy() {
  return report_.policies.back();
}

ReceivedDetail& ReportEvents::detail() {
  return policy().details.back();
}

// ---- Where we are

ReportEvents::Place ReportEvents::inside_report(bool array) {
  const auto& key = frames_.back().key;
  if (key == "date-range" && !array) return Place::kDateRange;
  if (key != "policies") return Place::kIgnored;
  has_policies_ = true;
  if (array) return Place::kPolicies;
  odd("policies is an object");
  return Place::kEntry;
}

ReportEvents::Place ReportEvents::inside_entry(bool array) {
  const auto& key = frames_.back().key;
  if (key == "policy" && !array) return Place::kPolicy;
  if (key == "summary" && !array) return Place::kSummary;
  if (key != "failure-details") return Place::kIgnored;
  if (array) return Place::kDetails;
  odd("failure-details is an object");
  return Place::kDetail;
}

// What begins here.
ReportEvents::Place ReportEvents::place_of(bool array) {
  const auto place = frames_.empty() ? Place::kOutside : frames_.back().place;
  switch (place) {
    case Place::kOutside:
      if (array) odd("the report stands in an array");
      return array ? Place::kWrapper : Place::kReport;
    case Place::kWrapper:
      if (begun_) odd("the array holds more than one report; the first was read");
      return array || begun_ ? Place::kIgnored : Place::kReport;
    case Place::kReport:
      return inside_report(array);
    case Place::kPolicies:
      return array ? Place::kIgnored : Place::kEntry;
    case Place::kEntry:
      return inside_entry(array);
    case Place::kPolicy:
      if (!array) return Place::kIgnored;
      if (frames_.back().key == "policy-string") return Place::kStrings;
      if (frames_.back().key.starts_with("mx-host")) {
        note_mx_host_name();
        return Place::kMxHosts;
      }
      return Place::kIgnored;
    case Place::kStrings:
    case Place::kMxHosts:
      if (array) odd("a list stands in a list");
      return array ? place : Place::kIgnored;
    case Place::kDetails:
      return array ? Place::kIgnored : Place::kDetail;
    case Place::kDateRange:
    case Place::kSummary:
    case Place::kDetail:
    case Place::kIgnored:
      break;
  }
  return Place::kIgnored;
}

// Drafts of the RFC called it mx-host-pattern.
void ReportEvents::note_mx_host_name() {
  const auto& key = frames_.back().key;
  if (key != "mx-host") odd("mx-host is called " + quoted(without_controls(to_valid_utf8(key))));
}

bool ReportEvents::begin(Place place) {
  if (place == Place::kReport) begun_ = true;
  if (place == Place::kEntry) {
    if (report_.policies.size() >= limits_.policies) {
      return refuse("more than " + std::to_string(limits_.policies) + " policies");
    }
    report_.policies.emplace_back();
    has_failures_.push_back(false);
  }
  if (place == Place::kDetail) {
    if (++details_ > limits_.details) {
      return refuse("more than " + std::to_string(limits_.details) + " failure details");
    }
    policy().details.emplace_back();
  }
  return true;
}

bool ReportEvents::open(bool array) {
  if (frames_.size() >= limits_.depth) {
    return refuse("more than " + std::to_string(limits_.depth) +
                  " arrays and objects within each other");
  }
  const auto place = place_of(array);
  frames_.push_back({place, {}});
  return begin(place);
}

bool ReportEvents::close() {
  frames_.pop_back();
  return true;
}

bool ReportEvents::key(std::string_view name) {
  frames_.back().key = to_lower(name.substr(0, kMostKeyBytes));
  return true;
}

bool ReportEvents::value(const ReportValue& value) {
  if (frames_.empty()) return true;  // a lone scalar is no report; finish() says so
  switch (frames_.back().place) {
    case Place::kReport:
      take_report(value);
      return true;
    case Place::kDateRange:
      take_date(value);
      return true;
    case Place::kEntry:
      take_entry(value);
      return true;
    case Place::kPolicy:
      return take_policy(value);
    case Place::kStrings:
      return take_string(value);
    case Place::kMxHosts:
      return take_mx(value);
    case Place::kSummary:
      take_summary(value);
      return true;
    case Place::kDetail:
      take_detail(value);
      return true;
    case Place::kOutside:
    case Place::kWrapper:
    case Place::kPolicies:
    case Place::kDetails:
    case Place::kIgnored:
      break;
  }
  return true;
}

// ---- Values

// The text of a value, bounded and without what could harm a terminal.
std::string ReportEvents::taken(const ReportValue& value) {
  if (value.kind == Kind::kNull || value.kind == Kind::kTruth) return {};
  auto text = without_controls(value.text);
  if (text.size() <= limits_.text_bytes) return text;
  odd("a text is longer than " + std::to_string(limits_.text_bytes) + " bytes");
  return truncate_utf8(text, limits_.text_bytes);
}

// taken() of what should be a text.
std::string ReportEvents::label(const ReportValue& value) {
  const auto& key = frames_.back().key;
  if (value.kind == Kind::kNull) {
    odd(key + " is null");
  } else if (value.kind != Kind::kText) {
    odd(key + " is no text");
  }
  return std::string(trim(taken(value)));
}

std::uint64_t ReportEvents::count(const ReportValue& value) {
  const auto& key = frames_.back().key;
  double number = value.number;
  if (value.kind == Kind::kText) {
    odd(key + " is written as a text");
    const auto text = trim(value.text);
    const bool digits =
        !text.empty() && text.size() <= 20 && text.find_first_not_of("0123456789") == text.npos;
    number = digits ? std::stod(std::string(text)) : 0;
    if (!digits) odd(key + " is no number");
  } else if (value.kind != Kind::kNumber) {
    odd(key + (value.kind == Kind::kNull ? " is null" : " is no number"));
    return 0;
  }
  if (!(number >= 0)) {
    odd(key + " is negative");
    return 0;
  }
  if (number > static_cast<double>(kMostCount)) {
    odd(key + " is larger than 2^53 - 1");
    return kMostCount;
  }
  if (std::floor(number) != number) odd(key + " is no whole number");
  return static_cast<std::uint64_t>(number);
}

std::optional<Time> ReportEvents::time(const ReportValue& value) {
  const auto& key = frames_.back().key;
  if (value.kind == Kind::kNumber) odd(key + " is a number");
  auto text = std::string(trim(taken(value)));
  if (const auto plain = parse_time(text)) return plain;
  constexpr std::size_t kTimeAt = 10;  // behind the date
  if (text.size() > kTimeAt && text[kTimeAt] == ' ') text[kTimeAt] = 'T';
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  if (const auto spaced = parse_time(text)) {
    odd(key + " is written with spaces");
    return spaced;
  }
  if (const auto zoned = parse_time(text + "Z")) {
    odd(key + " has no time zone; it was taken as UTC");
    return zoned;
  }
  odd(key + " is no time: " + quoted(text));
  return std::nullopt;
}

void ReportEvents::take_report(const ReportValue& value) {
  const auto& key = frames_.back().key;
  if (key == "organization-name") {
    report_.organization = label(value);
  } else if (key == "contact-info") {
    report_.contact = label(value);
  } else if (key == "report-id") {
    report_.report_id = label(value);
  } else if (key == "policies") {
    odd("policies is no array");
  }
}

void ReportEvents::take_date(const ReportValue& value) {
  const auto& key = frames_.back().key;
  if (key == "start-datetime") {
    report_.start = time(value);
  } else if (key == "end-datetime") {
    report_.end = time(value);
  }
}

void ReportEvents::take_entry(const ReportValue& value) {
  const auto& key = frames_.back().key;
  if (key != "failure-details" && key != "policy" && key != "summary") return;
  odd(key + (value.kind == Kind::kNull ? " is null" : " is no object"));
}

bool ReportEvents::take_policy(const ReportValue& value) {
  const auto& key = frames_.back().key;
  if (key == "policy-type") {
    policy().type = to_lower(label(value));
  } else if (key == "policy-domain") {
    policy().domain = domain_text(label(value));
  } else if (key == "policy-string") {
    odd(value.kind == Kind::kNull ? "policy-string is null" : "policy-string is no array");
    return value.kind == Kind::kNull || take_string(value);
  } else if (key.starts_with("mx-host")) {
    note_mx_host_name();
    odd(value.kind == Kind::kNull ? "mx-host is null" : "mx-host is no array");
    return value.kind == Kind::kNull || take_mx(value);
  }
  return true;
}

void ReportEvents::take_summary(const ReportValue& value) {
  const auto& key = frames_.back().key;
  if (key == "total-successful-session-count") {
    policy().successful = count(value);
  } else if (key == "total-failure-session-count") {
    policy().failed = count(value);
    has_failures_.back() = true;
  }
}

void ReportEvents::take_detail(const ReportValue& value) {
  const auto& key = frames_.back().key;
  auto& now = detail();
  if (key == "failed-session-count") {
    now.sessions = count(value);
  } else if (key == "result-type") {
    now.result_type = to_lower(label(value));
  } else if (key == "receiving-mx-hostname") {
    now.receiving_mx_hostname = domain_text(label(value));
  } else if (key == "sending-mta-ip") {
    now.sending_mta_ip = label(value);
  } else if (key == "receiving-mx-helo") {
    now.receiving_mx_helo = label(value);
  } else if (key == "receiving-ip") {
    now.receiving_ip = label(value);
  } else if (key == "additional-information" || key == "additional-info-uri") {
    if (key != "additional-information") odd("additional-information is called " + quoted(key));
    now.additional_information = label(value);
  } else if (key == "failure-reason-code" || key == "failure-error-code") {
    if (key != "failure-reason-code") odd("failure-reason-code is called " + quoted(key));
    // A number is what some MTAs have for an error code.
    now.failure_reason_code =
        value.kind == Kind::kNumber ? taken(value) : std::string(trim(label(value)));
  }
}

bool ReportEvents::take_string(const ReportValue& value) {
  if (value.kind == Kind::kNull) {
    odd("policy-string holds null");
    return true;
  }
  // Kept whole until it is taken apart: a list may be longer than one text is allowed to be.
  const auto elements = unwrapped(value.text);
  if (elements.empty()) return take_lines(value.text);
  odd("policy-string holds an array that is written as a text");
  return std::ranges::all_of(elements, [this](std::string_view text) { return take_lines(text); });
}

bool ReportEvents::take_lines(std::string_view text) {
  text = trim(text);
  if (text.find('\n') != text.npos) odd("policy-string has several lines in one text");
  for (const auto line : split(text, '\n')) {
    if (++lines_ > limits_.lines) {
      return refuse("more than " + std::to_string(limits_.lines) + " policy lines");
    }
    policy().strings.push_back(taken({Kind::kText, trim(line), 0}));
  }
  return true;
}

bool ReportEvents::take_mx(const ReportValue& value) {
  if (++lines_ > limits_.lines) {
    return refuse("more than " + std::to_string(limits_.lines) + " policy lines");
  }
  if (auto text = domain_text(std::string(trim(taken(value)))); !text.empty()) {
    policy().mx_hosts.push_back(std::move(text));
  }
  return true;
}

// ---- The whole

void ReportEvents::judge_policy(ReceivedPolicy& policy, bool has_failures) {
  if (!parse_policy_type(policy.type)) {
    odd(policy.type.empty() ? "policy-type is missing"
                            : "policy-type " + quoted(policy.type) + " is none of RFC 8460");
  }
  if (policy.domain.empty()) odd("policy-domain is missing");
  for (const auto& one : policy.details) {
    if (one.result_type.empty()) {
      odd("result-type is missing");
    } else if (!parse_result_type(one.result_type)) {
      odd("result-type " + quoted(one.result_type) + " is not registered");
    }
  }
  if (has_failures) return;
  odd("a policy has no total-failure-session-count; its details were added up");
  for (const auto& one : policy.details) policy.failed = add_counts(policy.failed, one.sessions);
}

// Notes a text that every report has, unless it was noted why it is empty.
void ReportEvents::demand(std::string_view key, const std::string& text) {
  if (!text.empty()) return;
  const bool noted = std::ranges::any_of(report_.oddities, [&](const std::string& phrase) {
    return phrase.starts_with(std::string(key) + " is ");
  });
  if (!noted) odd(std::string(key) + " is missing");
}

Result<ReceivedReport> ReportEvents::finish() {
  if (!begun_) return Error{Fault::kInput, "no TLS report: no JSON object"};
  if (!has_policies_ && report_.report_id.empty() && !report_.start) {
    return Error{Fault::kInput,
                 "no TLS report: neither policies nor report-id nor date-range are in it"};
  }
  for (std::size_t index = 0; index < report_.policies.size(); ++index) {
    judge_policy(report_.policies[index], has_failures_[index]);
  }
  if (report_.policies.empty()) odd("it tells of no policy");
  demand("organization-name", report_.organization);
  demand("report-id", report_.report_id);
  demand("contact-info", report_.contact);
  if (report_.start && report_.end && *report_.end < *report_.start) {
    odd("the period ends before it begins");
  }
  return std::move(report_);
}

}  // namespace rapporteur
