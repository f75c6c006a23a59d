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

// Kinds of failures of a report that are told apart. What is beyond them counts without its MX.
constexpr std::size_t kMostKinds = 1000;
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

void tally_policies(const std::vector<const ReceivedPolicy*>& ours, ReceivedAddition& addition) {
  std::map<std::pair<std::string, std::string>, PolicyTally> tallies;
  for (const auto* policy : ours) {
    auto& tally = tallies[{policy->domain, policy->type}];
    tally.domain = policy->domain;
    tally.type = policy->type;
    tally.successful = add_counts(tally.successful, policy->successful);
    tally.failed = add_counts(tally.failed, policy->failed);
    auto& report = addition.report;
    report.successful = add_counts(report.successful, policy->successful);
    report.failed = add_counts(report.failed, policy->failed);
  }
  for (auto& [place, tally] : tallies) addition.policies.push_back(std::move(tally));
}

void tally_failures(const std::vector<const ReceivedPolicy*>& ours, ReceivedAddition& addition) {
  std::map<std::vector<std::string>, std::uint64_t> kinds;
  for (const auto* policy : ours) {
    for (const auto& detail : policy->details) {
      if (detail.sessions == 0) continue;  // told, but of no session
      std::vector<std::string> kind = {policy->domain, detail.result_type,
                                       detail.receiving_mx_hostname};
      if (kinds.size() >= kMostKinds && !kinds.contains(kind)) {
        odd(addition.report.oddities, "it tells of more than " + std::to_string(kMostKinds) +
                                          " kinds of failures; the others count without an MX");
        kind.back().clear();
      }
      auto& sessions = kinds[kind];
      sessions = add_counts(sessions, detail.sessions);
    }
  }
  for (const auto& [kind, sessions] : kinds) {
    addition.failures.push_back({kind[0], kind[1], kind[2], sessions});
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
  std::set<std::string> domains;
  for (const auto& policy : report.policies) {
    about.insert(policy.domain);
    if (!is_ours(policy, around.domains)) continue;
    ours.push_back(&policy);
    if (!policy.domain.empty()) domains.insert(policy.domain);
  }
  if (ours.empty() && !around.domains.empty()) {
    return Refusal{"not-ours", "it is not about our domains but about " +
                                   (about.empty() ? "none" : *about.begin()) +
                                   (about.size() > 1 ? " and others" : "")};
  }
  auto& kept = addition.report;
  kept.organization = report.organization;
  kept.contact = report.contact;
  kept.report_id = report.report_id;
  kept.start = *report.start;
  kept.end = *report.end;
  kept.domains = {domains.begin(), domains.end()};
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
