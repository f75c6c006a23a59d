#include "received/addition.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <utility>

#include "base/domain.h"
#include "base/hash.h"
#include "base/text.h"
#include "received/report_reader.h"

namespace rapporteur {

namespace {

using namespace std::chrono_literals;

// Rows that a report may have of each kind; as many again say less, and what is beyond these counts
// in one that says nothing else. Domains, types and MX names are strangers' words, and so is how
// many there are.
constexpr std::size_t kMostRows = 1000;
constexpr std::size_t kMostNameBytes = 255;
constexpr std::size_t kMostContactBytes = 320;
constexpr std::size_t kMostIdBytes = 996;  // what a line of a mail holds between the brackets
constexpr Seconds kLongestPeriod = 32 * 24h;

void odd(std::vector<std::string>& oddities, std::string phrase) {
  if (std::ranges::find(oddities, phrase) == oddities.end()) oddities.push_back(std::move(phrase));
}

// Texts with their lengths, so that no two lists look alike.
class Fingerprint {
 public:
  Fingerprint& text(std::string_view value) {
    bytes_ += std::to_string(value.size());
    bytes_ += ':';
    bytes_ += value;
    return *this;
  }
  Fingerprint& number(std::uint64_t value) { return text(std::to_string(value)); }
  Fingerprint& time(Time value) { return text(std::to_string(value.time_since_epoch().count())); }
  Fingerprint& texts(const std::vector<std::string>& values) {
    number(values.size());
    for (const auto& value : values) text(value);
    return *this;
  }
  std::string digest() const { return sha256(bytes_); }

 private:
  std::string bytes_;
};

void fill_policy_domains(ReceivedReport& report, const Surroundings& around,
                         const std::optional<ReportFileName>& file) {
  const auto& header = around.mail != nullptr ? around.mail->report_domain : std::string();
  const auto domain = !header.empty() ? header : file ? file->policy_domain : std::string();
  if (domain.empty()) return;
  for (auto& policy : report.policies) {
    if (policy.domain.empty()) policy.domain = domain;
  }
}

// False: it tells none.
bool fill_period(ReceivedReport& report, const std::optional<ReportFileName>& file) {
  auto& oddities = report.oddities;
  if (!report.start && !report.end && file) {
    odd(oddities, "its date-range is missing; the file name's was taken");
    report.start = file->begin;
    report.end = file->end;
  }
  if (!report.start && !report.end) return false;
  if (!report.start || !report.end) odd(oddities, "one end of its date-range is missing");
  if (!report.start) report.start = *report.end - 24h;
  if (!report.end) report.end = *report.start + 24h - 1s;
  if (*report.end < *report.start) std::swap(report.start, report.end);
  if (*report.end - *report.start > kLongestPeriod) odd(oddities, "its period is very long");
  return true;
}

void fill_organization(ReceivedReport& report, const Surroundings& around) {
  if (!report.organization.empty()) return;
  report.organization = domain_of_address(report.contact);
  if (report.organization.empty() && around.mail != nullptr) {
    report.organization = around.mail->from_domain;
  }
  if (report.organization.empty()) report.organization = "(unknown)";
}

void compare_with_mail(const MailedReport& mail, const ReceivedReport& report,
                       std::vector<std::string>& oddities) {
  const auto names = [&](const ReceivedPolicy& policy) {
    return policy.domain == mail.report_domain;
  };
  if (mail.report_domain.empty()) {
    odd(oddities, "TLS-Report-Domain is missing");
  } else if (std::ranges::none_of(report.policies, names)) {
    odd(oddities, "TLS-Report-Domain is " + mail.report_domain + ", which no policy is about");
  }
  if (mail.submitter.empty()) {
    odd(oddities, "TLS-Report-Submitter is missing");
  } else if (!mail.from_domain.empty() && !is_same_or_below(mail.from_domain, mail.submitter) &&
             !is_same_or_below(mail.submitter, mail.from_domain)) {
    odd(oddities,
        "TLS-Report-Submitter is " + mail.submitter + ", the mail comes from " + mail.from_domain);
  }
}

std::string key_of(const ReceivedReport& report, const std::set<std::string>& domains,
                   const std::string& digest) {
  Fingerprint key;
  key.text(to_lower(report.organization));
  // Without an id only what it tells can tell it from others.
  key.text(report.report_id.empty() ? digest : report.report_id);
  key.texts({domains.begin(), domains.end()}).time(*report.start).time(*report.end);
  return key.digest();
}

std::string digest_of(std::vector<ReceivedPolicy> policies) {
  for (auto& policy : policies) std::ranges::sort(policy.details);
  std::ranges::sort(policies);
  Fingerprint print;
  for (const auto& policy : policies) {
    print.text(policy.type).text(policy.domain).texts(policy.strings).texts(policy.mx_hosts);
    print.number(policy.successful).number(policy.failed).number(policy.details.size());
    for (const auto& detail : policy.details) {
      print.text(detail.result_type).text(detail.sending_mta_ip).text(detail.receiving_mx_hostname);
      print.text(detail.receiving_mx_helo).text(detail.receiving_ip);
      print.text(detail.additional_information).text(detail.failure_reason_code);
      print.number(detail.sessions);
    }
  }
  return print.digest();
}

std::string name_of(const std::string& text) {
  return truncate_utf8(text, kMostNameBytes);
}

// The place of `key`; if there are too many, of the key without its last word, then of one without
// words.
template <class Value>
Value& place_in(std::map<std::vector<std::string>, Value>& rows, std::vector<std::string> key,
                std::vector<std::string>& oddities) {
  if (rows.size() < kMostRows || rows.contains(key)) return rows[std::move(key)];
  odd(oddities, "it tells of more than " + std::to_string(kMostRows) +
                    " kinds of failures or domains; the others were added up");
  key.back().clear();
  if (rows.size() >= 2 * kMostRows && !rows.contains(key)) {
    for (auto& word : key) word.clear();
  }
  return rows[std::move(key)];
}

void tally_policies(const std::vector<const ReceivedPolicy*>& ours, ReceivedAddition& addition) {
  std::map<std::vector<std::string>, PolicyTally> rows;
  auto& report = addition.report;
  for (const auto* policy : ours) {
    auto& row = place_in(rows, {name_of(policy->domain), name_of(policy->type)}, report.oddities);
    row.successful = add_counts(row.successful, policy->successful);
    row.failed = add_counts(row.failed, policy->failed);
    report.successful = add_counts(report.successful, policy->successful);
    report.failed = add_counts(report.failed, policy->failed);
  }
  for (const auto& [key, row] : rows) {
    addition.policies.push_back({key[0], key[1], row.successful, row.failed});
    // Sorted by domain, each domain once.
    const bool known = !report.domains.empty() && report.domains.back() == key[0];
    if (!key[0].empty() && !known) report.domains.push_back(key[0]);
  }
}

void tally_failures(const std::vector<const ReceivedPolicy*>& ours, ReceivedAddition& addition) {
  std::map<std::vector<std::string>, std::uint64_t> rows;
  for (const auto* policy : ours) {
    for (const auto& detail : policy->details) {
      if (detail.sessions == 0) continue;  // told, but of no session
      auto& sessions = place_in(rows,
                                {name_of(policy->domain), name_of(detail.result_type),
                                 name_of(detail.receiving_mx_hostname)},
                                addition.report.oddities);
      sessions = add_counts(sessions, detail.sessions);
    }
  }
  for (const auto& [key, sessions] : rows) {
    addition.failures.push_back({key[0], key[1], key[2], sessions});
  }
}

}  // namespace

bool is_ours(const ReceivedPolicy& policy, std::span<const std::string> domains) {
  return domains.empty() || std::ranges::any_of(domains, [&](const std::string& domain) {
           return policy.type == "tlsa" ? is_same_or_below(policy.domain, domain)
                                        : policy.domain == domain;
         });
}

std::optional<Refusal> fill_addition(ReceivedReport report, const Surroundings& around,
                                     ReceivedAddition& addition) {
  const auto file = parse_file_name(around.file_name);
  fill_policy_domains(report, around, file);
  if (!fill_period(report, file)) {
    return Refusal{"no-period", "it does not tell which period it is about (date-range)"};
  }
  fill_organization(report, around);
  std::vector<const ReceivedPolicy*> ours;
  std::set<std::string> about;
  for (const auto& policy : report.policies) {
    about.insert(policy.domain);
    if (is_ours(policy, around.domains)) ours.push_back(&policy);
  }
  if (ours.empty() && !around.domains.empty()) {
    return Refusal{"not-ours", "it is not about our domains but about " +
                                   (about.empty() ? "none" : *about.begin()) +
                                   (about.size() > 1 ? " and others" : "")};
  }
  auto& kept = addition.report;
  kept.organization = name_of(report.organization);
  kept.contact = truncate_utf8(report.contact, kMostContactBytes);
  kept.report_id = truncate_utf8(report.report_id, kMostIdBytes);
  kept.start = *report.start;
  kept.end = *report.end;
  for (auto& phrase : report.oddities) odd(kept.oddities, std::move(phrase));
  if (ours.size() < report.policies.size()) {
    odd(kept.oddities, "policies that are not about our domains were left out");
  }
  if (around.mail != nullptr) compare_with_mail(*around.mail, report, kept.oddities);
  tally_policies(ours, addition);
  tally_failures(ours, addition);
  addition.digest = digest_of(report.policies);
  addition.key = key_of(report, about, addition.digest);
  addition.part = file ? file->unique_id : std::string();
  return std::nullopt;
}

}  // namespace rapporteur
