// Who the mail says that it is from: DMARC (RFC 7489), SPF (RFC 7208), and where bounces go.

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/domain.h"
#include "base/organisation.h"
#include "base/text.h"
#include "cli/check.h"
#include "dkim/tag_list.h"

namespace rapporteur {

namespace {

// What the domain in From asks of receivers.
struct Dmarc {
  std::size_t records = 0;  // at one name; what follows holds for a single one
  std::string name;         // where they are
  bool enforced = false;    // p=quarantine or p=reject
  bool strict_dkim = false;
  bool strict_spf = false;
};

// Of the name itself, else of its organisation (RFC 7489, section 6.6.3). Nullopt: no definite
// answer.
std::optional<Dmarc> dmarc_of(Resolver& resolver, const std::string& from) {
  std::vector<std::string> names = {"_dmarc." + from};
  const std::string organisation(organisational_domain(from));
  if (organisation != from) names.push_back("_dmarc." + organisation);
  const auto answers = resolver.txt(names);
  for (std::size_t index = 0; index < answers.size(); ++index) {
    if (answers[index].status == DnsAnswer::Status::kTemporary) return std::nullopt;
    std::vector<TagList> found;
    for (const auto& record : answers[index].records) {
      TagList tags(record);
      if (tags.value("v") == "DMARC1") found.push_back(std::move(tags));
    }
    if (found.empty()) continue;
    if (found.size() > 1) return Dmarc{.records = found.size(), .name = names[index]};
    const auto& tags = found.front();
    const auto policy = to_lower(tags.value(index > 0 && tags.has("sp") ? "sp" : "p"));
    return Dmarc{.records = 1,
                 .name = names[index],
                 .enforced = policy == "quarantine" || policy == "reject",
                 .strict_dkim = tags.value("adkim") == "s",
                 .strict_spf = tags.value("aspf") == "s"};
  }
  return Dmarc();
}

void judge_dmarc(const std::optional<Dmarc>& dmarc, const std::string& from, Checks& checks) {
  const auto check = "DMARC of " + from;
  if (!dmarc) return checks.warning(check, "could not be looked up", "try again later");
  if (dmarc->records == 0) return checks.ok(check, "none is published");
  if (dmarc->records > 1) {
    return checks.warning(check,
                          fmt::format("there are {} records at {}: receivers apply none of them",
                                      dmarc->records, dmarc->name),
                          "leave one of them (RFC 7489, section 6.6.3)");
  }
  checks.ok(check, dmarc->enforced ? "published and enforced" : "published, not enforced");
}

void check_dkim_alignment(const CheckScene& scene, const std::string& from, const Dmarc& dmarc,
                          Checks& checks) {
  const auto signer = text_setting(scene.config, Setting::kDkimSignDomain, scene.question);
  if (!signer) return;  // told with the settings
  const auto check = "From and DKIM";
  const bool has_key = std::ranges::any_of(
      scene.config.dkim, [&](const DkimKey& key) { return key.domain == *signer; });
  if (!has_key && !scene.config.delivery.smtp.relay_signs) {
    return checks.fault(check,
                        fmt::format("dkimSignDomain is {}, for which there is no [[dkim]] key: "
                                    "reports stay blocked",
                                    *signer),
                        fmt::format("`rapporteur dkim generate {} SELECTOR`", *signer));
  }
  const auto seen = fmt::format("From is of {}, signed by {}", from, *signer);
  if (is_aligned(from, *signer, dmarc.strict_dkim)) return checks.ok(check, seen);
  const auto advice = "let dkimSignDomain be the domain of fromAddress, with a [[dkim]] key";
  if (dmarc.enforced) {
    return checks.fault(check, seen + ": DMARC does not count that, and its policy is enforced",
                        advice);
  }
  checks.warning(check, seen + ": DMARC does not count that", advice);
}

void check_spf_record(const CheckScene& scene, const std::string& domain, Checks& checks) {
  const std::array names = {domain};
  const auto answer = scene.resolver.txt(names).front();
  const auto check = "SPF of " + domain;
  if (answer.status == DnsAnswer::Status::kTemporary) {
    return checks.fault(check, "could not be looked up: " + answer.problem, "try again later");
  }
  std::vector<std::string> records;
  for (const auto& record : answer.records) {
    const auto lower = to_lower(record);
    if (lower == "v=spf1" || lower.starts_with("v=spf1 ")) records.push_back(lower);
  }
  if (records.empty()) {
    return checks.warning(check, "there is no SPF record",
                          "publish one that names the addresses from which the relay sends");
  }
  if (records.size() > 1) {
    return checks.fault(check,
                        fmt::format("there are {} SPF records, which is an error", records.size()),
                        "leave one of them (RFC 7208, section 4.5)");
  }
  if (trim(records.front()) == "v=spf1 -all") {
    return checks.fault(check, "the record says that the domain sends no mail: v=spf1 -all",
                        "name the addresses from which the relay sends");
  }
  checks.ok(check, "published; whether it names the relay's addresses is not looked at");
}

void check_bounce_path(const CheckScene& scene, const std::string& domain, Checks& checks) {
  const std::array<DnsQuestion, 3> questions = {DnsQuestion{domain, DnsType::kMx},
                                                DnsQuestion{domain, DnsType::kIpv4},
                                                DnsQuestion{domain, DnsType::kIpv6}};
  const auto answers = scene.resolver.ask(questions);
  const auto check = "mail to " + domain;
  if (answers[0].status == DnsAnswer::Status::kFound && !answers[0].records.empty()) {
    return checks.ok(check, fmt::format("bounces go to its MX {}", answers[0].records.front()));
  }
  if (answers[0].null_mx) {
    return checks.fault(check,
                        "the domain of the envelope sender has a null MX: it takes no mail, so no "
                        "bounces and no answers",
                        "publish an MX in its place, or let envelopeFrom be in a domain that takes "
                        "mail: many servers refuse such a sender (RFC 7505, section 4.2)");
  }
  for (const auto& answer : answers) {
    if (answer.status == DnsAnswer::Status::kTemporary) {
      return checks.fault(check, "could not be looked up: " + answer.problem, "try again later");
    }
  }
  for (const auto& address : {answers[1], answers[2]}) {
    if (address.records.empty()) continue;
    return checks.ok(check, fmt::format("bounces go to its address {}", address.records.front()));
  }
  checks.fault(
      check, "the domain of the envelope sender has neither MX nor address",
      "publish one, or let envelopeFrom be in a domain that gets mail: many servers refuse "
      "such a sender, and bounces are lost");
}

}  // namespace

bool is_aligned(std::string_view one, std::string_view other, bool strict) {
  if (one == other) return true;
  return !strict && organisational_domain(one) == organisational_domain(other);
}

void check_identity(const CheckScene& scene, Checks& checks) {
  const auto from = text_setting(scene.config, Setting::kFromAddress, scene.question);
  const auto envelope = text_setting(scene.config, Setting::kEnvelopeFrom, scene.question);
  if (!from || !envelope) return;  // told with the settings
  const std::string from_domain(domain_of_address(*from));
  const std::string envelope_domain(domain_of_address(*envelope));
  const auto found = dmarc_of(scene.resolver, from_domain);
  judge_dmarc(found, from_domain, checks);
  const auto dmarc = found.value_or(Dmarc());
  check_dkim_alignment(scene, from_domain, dmarc, checks);
  const auto seen =
      fmt::format("From is of {}, the envelope sender of {}", from_domain, envelope_domain);
  if (is_aligned(from_domain, envelope_domain, dmarc.strict_spf)) {
    checks.ok("From and SPF", seen);
  } else {
    checks.warning("From and SPF", seen + ": SPF does not count for DMARC",
                   "let envelopeFrom be in the domain of fromAddress, or rely on DKIM alone");
  }
  check_spf_record(scene, envelope_domain, checks);
  check_bounce_path(scene, envelope_domain, checks);
}

}  // namespace rapporteur
