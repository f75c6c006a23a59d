// Any bytes as the JSON of a report that somebody sent: what read_report() promises of what it
// reads, and fill_addition() of what it makes of that for the store.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/domain.h"
#include "base/text.h"
#include "base/time.h"
#include "fuzz/require.h"
#include "received/addition.h"
#include "received/report_reader.h"

namespace {

using namespace rapporteur;
using fuzz::require;

constexpr std::uint64_t kMostCount = (std::uint64_t{1} << 53) - 1;
constexpr std::size_t kMostDomainBytes = 255;  // with "*."
constexpr std::size_t kMostOddityBytes = 512;

// So small that a few hundred bytes pass them.
constexpr ReadLimits kSmall{.json_bytes = 8000,
                            .depth = 7,
                            .policies = 4,
                            .details = 6,
                            .lines = 10,
                            .text_bytes = 48,
                            .oddities = 8};
constexpr ReadLimits kUsual;

void check_line(const std::string& text) {
  require(is_valid_utf8(text), "a text is UTF-8", text);
  require(without_controls(text) == text, "a text has no control characters", text);
}

void check_text(const std::string& text, const ReadLimits& limits) {
  check_line(text);
  require(text.size() <= limits.text_bytes, "a text is cut, its mark included", text);
}

// What was cut may become longer by its A-labels.
void check_domain(const std::string& domain, const ReadLimits& limits) {
  check_line(domain);
  require(domain.size() <= std::max(limits.text_bytes, kMostDomainBytes), "a domain is bounded",
          domain);
  const auto normalised = normalise_mx_pattern(domain);
  require(!normalised || *normalised == domain, "what can be a domain is normalised", domain);
}

void check_time(const std::optional<Time>& time) {
  require(!time || parse_time(format_rfc3339(*time)) == time, "a time is one of 1970 to 9999");
}

void check_detail(const ReceivedDetail& detail, const ReadLimits& limits) {
  for (const auto* text :
       {&detail.result_type, &detail.sending_mta_ip, &detail.receiving_mx_helo,
        &detail.receiving_ip, &detail.additional_information, &detail.failure_reason_code}) {
    check_text(*text, limits);
  }
  check_domain(detail.receiving_mx_hostname, limits);
  require(detail.sessions <= kMostCount, "a count is at most 2^53 - 1");
}

void check_oddities(const std::vector<std::string>& oddities) {
  require(std::set(oddities.begin(), oddities.end()).size() == oddities.size(),
          "an oddity is told once");
  for (const auto& phrase : oddities) {
    check_line(phrase);
    require(!phrase.empty() && phrase.size() <= kMostOddityBytes, "an oddity is a phrase", phrase);
  }
}

void check_report(const ReceivedReport& report, const ReadLimits& limits) {
  for (const auto* text : {&report.organization, &report.contact, &report.report_id}) {
    check_text(*text, limits);
  }
  check_time(report.start);
  check_time(report.end);
  require(report.policies.size() <= limits.policies, "policies are bounded");
  std::size_t details = 0;
  std::size_t lines = 0;
  for (const auto& policy : report.policies) {
    check_text(policy.type, limits);
    check_domain(policy.domain, limits);
    for (const auto& line : policy.strings) check_text(line, limits);
    for (const auto& host : policy.mx_hosts) check_domain(host, limits);
    for (const auto& detail : policy.details) check_detail(detail, limits);
    require(policy.successful <= kMostCount && policy.failed <= kMostCount,
            "a count is at most 2^53 - 1");
    details += policy.details.size();
    lines += policy.strings.size() + policy.mx_hosts.size();
  }
  require(details <= limits.details, "failure details are bounded");
  require(lines <= limits.lines, "lines of policies are bounded");
  require(report.oddities.size() <= limits.oddities, "oddities are bounded");
  check_oddities(report.oddities);
}

bool are_equal(const ReceivedReport& a, const ReceivedReport& b) {
  return a.organization == b.organization && a.contact == b.contact && a.report_id == b.report_id &&
         a.start == b.start && a.end == b.end && a.policies == b.policies &&
         a.oddities == b.oddities;
}

Result<ReceivedReport> read(const std::string& json, const ReadLimits& limits) {
  auto report = read_report(json, limits);
  const auto again = read_report(json, limits);
  if (report) {
    check_report(*report, limits);
    require(json.size() <= limits.json_bytes, "a text that is too large is not read");
    require(again && are_equal(*report, *again), "reading it again gives the same");
    return report;
  }
  const auto& error = report.error();
  require(error.fault == Fault::kInput, "what is no report is a fault of input");
  check_line(error.text);
  require(!error.text.empty() && error.text.size() <= kMostOddityBytes, "one line says why",
          error.text);
  require(!again && again.error().text == error.text, "it is refused again for the same",
          error.text);
  return report;
}

// Limits make a report unreadable or its texts shorter, nothing else.
void check_limits(const Result<ReceivedReport>& cut, const Result<ReceivedReport>& whole) {
  if (!cut) {
    const auto& why = cut.error().text;
    require(!whole || why.starts_with("more than ") || why.starts_with("its JSON is larger than "),
            "without its limit it was read", why);
    return;
  }
  require(static_cast<bool>(whole), "what passes small limits passes larger ones");
  require(cut->policies.size() == whole->policies.size(), "limits leave out no policy");
  for (std::size_t index = 0; index < cut->policies.size(); ++index) {
    const auto& one = cut->policies[index];
    const auto& other = whole->policies[index];
    // Numbers may be written as texts, and texts are cut.
    require(one.successful == other.successful && one.failed == other.failed &&
                one.details.size() == other.details.size() &&
                one.strings.size() == other.strings.size(),
            "limits change no numbers");
  }
}

template <class Items, class Count>
std::uint64_t sum(const Items& items, const Count& count) {
  std::uint64_t total = 0;
  for (const auto& item : items) {
    require(count(item) <= kMostCount, "a count is at most 2^53 - 1");
    total = std::min(total + count(item), kMostCount);
  }
  return total;
}

bool are_sorted_once(const auto& items) {
  return std::ranges::adjacent_find(items, [](const auto& a, const auto& b) { return !(a < b); }) ==
         items.end();
}

// The tallies tell as many sessions as those of the report's policies that are about us.
void check_tallies(const ReceivedAddition& addition, const std::vector<ReceivedPolicy>& ours) {
  const auto& kept = addition.report;
  const auto successful = [](const auto& one) { return one.successful; };
  const auto failed = [](const auto& one) { return one.failed; };
  const auto sessions = [](const auto& one) { return one.sessions; };
  require(sum(ours, successful) == kept.successful && sum(ours, failed) == kept.failed,
          "the totals are those of our policies");
  require(sum(addition.policies, successful) == kept.successful &&
              sum(addition.policies, failed) == kept.failed,
          "the tallies sum up to the totals");
  const auto of_details = sum(ours, [&](const auto& one) { return sum(one.details, sessions); });
  require(sum(addition.failures, sessions) == of_details, "no failure is lost or counted twice");
  require(are_sorted_once(kept.domains), "domains are sorted, each once");
  std::set<std::string> told;
  std::set<std::pair<std::string, std::string>> places;
  for (const auto& tally : addition.policies) {
    require(places.emplace(tally.domain, tally.type).second, "a domain and type has one tally");
    if (!tally.domain.empty()) told.insert(tally.domain);
  }
  require(std::ranges::equal(told, kept.domains), "the domains are those of the tallies");
  std::set<std::vector<std::string>> kinds;
  for (const auto& tally : addition.failures) {
    require(kinds.insert({tally.domain, tally.result_type, tally.mx}).second,
            "a kind of failure has one tally");
    require(tally.sessions > 0, "a kind of failure has sessions");
    require(tally.domain.empty() || told.contains(tally.domain), "a failure is of our domains");
  }
}

struct Filled {
  std::optional<Refusal> refusal;
  ReceivedAddition addition;
};

Filled fill(const ReceivedReport& report, const Surroundings& around) {
  constexpr Time kReceived{Seconds{1'800'000'000}};
  Filled filled;
  auto& kept = filled.addition.report;
  kept.trust = Trust::kHttps;
  kept.source = "https";
  kept.received = kReceived;
  kept.oddities = {"it came as a zip archive"};
  filled.refusal = fill_addition(report, around, filled.addition);
  require(kept.trust == Trust::kHttps && kept.source == "https" && kept.received == kReceived &&
              !kept.oddities.empty() && kept.oddities.front() == "it came as a zip archive",
          "what was there stays");
  if (filled.refusal) {
    check_line(filled.refusal->why);
    require(filled.refusal->reason == "no-period" || filled.refusal->reason == "not-ours",
            "a refusal has one of two words");
    return filled;
  }
  std::vector<ReceivedPolicy> ours;
  for (const auto& policy : report.policies) {
    if (is_ours(policy, around.domains)) ours.push_back(policy);
  }
  require(around.domains.empty() || !ours.empty(), "what is kept is about us");
  check_tallies(filled.addition, ours);
  require(filled.addition.key.size() == 32 && filled.addition.digest.size() == 32,
          "key and digest have 32 bytes");
  require(!kept.organization.empty(), "there is an organisation");
  require(kept.start <= kept.end, "a period ends after it begins");
  require((!report.start || !report.end) || (kept.start == std::min(*report.start, *report.end) &&
                                             kept.end == std::max(*report.start, *report.end)),
          "the period is the report's own");
  check_oddities(kept.oddities);
  return filled;
}

void check_addition(const ReceivedReport& report) {
  const auto any = fill(report, {});
  require(any.refusal.has_value() == (!report.start && !report.end),
          "what tells a period can be kept");
  // A file name tells the period of a report that has none, and nothing of one that is whole.
  const auto named =
      fill(report, {.mail = nullptr,
                    .file_name = "sender.example!example.com!1779235200!1779321599!part.json.gz",
                    .domains = {}});
  require(!named.refusal && named.addition.part == "part", "a file name fills in what lacks");

  auto turned = report;
  std::ranges::reverse(turned.policies);
  for (auto& policy : turned.policies) std::ranges::reverse(policy.details);
  const auto other = fill(turned, {});
  require(other.addition.digest == any.addition.digest && other.addition.key == any.addition.key,
          "a report is the same in any order");

  std::set<std::string> domains = {"example.com"};
  if (!report.policies.empty()) {
    const auto domain = normalise_domain(report.policies.front().domain);
    if (domain) domains = {*domain};
  }
  const std::vector<std::string> list(domains.begin(), domains.end());
  const auto ours = fill(report, {.mail = nullptr, .file_name = {}, .domains = list});
  if (ours.refusal) {
    require(any.refusal || std::ranges::none_of(
                               report.policies,
                               [&](const ReceivedPolicy& policy) { return is_ours(policy, list); }),
            "what is about our domains is not refused");
    return;
  }
  require(ours.addition.key == any.addition.key && ours.addition.digest == any.addition.digest,
          "a report is the same whoever reads it");
  require(ours.addition.report.successful <= any.addition.report.successful &&
              ours.addition.report.failed <= any.addition.report.failed,
          "ours are not more than all");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const auto cut = read(text, kSmall);
  const auto whole = read(text, kUsual);
  check_limits(cut, whole);
  if (cut) check_addition(*cut);
  if (whole) check_addition(*whole);
  return 0;
}
