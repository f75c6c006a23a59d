// The resolver, the domain's TLSRPT record, and the records of our keys.

#include <map>

#include <fmt/format.h>

#include "cli/check.h"
#include "dns/tlsrpt_record.h"

namespace rapporteur {

namespace {

constexpr int kAdvisedRsaBits = 2048;

std::string publish(const std::string& name, const DkimKey& key) {
  return fmt::format("publish the TXT record {}", zone_line(name, key_record(key.key, "")));
}

std::string kind_of(const PrivateKey& key) {
  return key.type() == PrivateKey::Type::kRsa ? fmt::format("RSA, {} bits", key.bits())
                                              : std::string("Ed25519");
}

// A key that matches its record.
void judge_match(const DkimKey& key, const std::string& check, const KeyVerdict& verdict,
                 Checks& checks) {
  if (verdict.service == KeyService::kOther) {
    return checks.fault(check, "the s= tag of the record allows neither tlsrpt nor email",
                        "take the s= tag out of the record");
  }
  if (verdict.under_test) {
    return checks.warning(check, "the record says t=y: verifiers count its signatures for nothing",
                          "take t=y out of the record");
  }
  if (verdict.service == KeyService::kEmailOnly) {
    return checks.warning(check, "the s= tag of the record allows email, but not tlsrpt",
                          "take the s= tag out of the record: RFC 8460, section 3, lets receivers "
                          "refuse such a key");
  }
  if (key.key.type() == PrivateKey::Type::kRsa && key.key.bits() < kAdvisedRsaBits) {
    return checks.warning(
        check, fmt::format("published and matching, but of {} bits only", key.key.bits()),
        fmt::format("`rapporteur dkim generate {} NEW-SELECTOR` makes one of 2048", key.domain));
  }
  checks.ok(check, "published and matching (" + kind_of(key.key) + ")");
}

// What the keys of a domain do together.
struct KeysOfDomain {
  int good = 0;       // that match their records
  int for_email = 0;  // of these: that ordinary verifiers take
  int rsa = 0;        // of those: RSA
};

void judge_together(const std::string& domain, const KeysOfDomain& keys, Checks& checks) {
  if (keys.good == 0) return;
  const auto check = "keys of " + domain;
  if (keys.for_email == 0) {
    checks.warning(
        check,
        "ordinary verifiers do not count keys with s=tlsrpt: to them the mail has no valid "
        "signature, and DMARC fails",
        fmt::format("sign by a second selector without s=: `rapporteur dkim generate {} "
                    "NEW-SELECTOR`",
                    domain));
  } else if (keys.rsa == 0) {
    checks.warning(
        check, "they are all Ed25519, which many verifiers do not know",
        fmt::format("sign by an RSA key, too: `rapporteur dkim generate {} NEW-SELECTOR`", domain));
  }
}

}  // namespace

void check_resolver(const DnsAnswer& answer, const std::string& domain, bool asked_for,
                    Checks& checks) {
  const auto name = tlsrpt_name(domain);
  if (answer.status == DnsAnswer::Status::kTemporary) {
    return checks.fault("resolver", fmt::format("no answer about {}: {}", name, answer.problem),
                        "look at [dns] servers, or at /etc/resolv.conf without them");
  }
  checks.ok("resolver", fmt::format("answers about {}{}", name,
                                    answer.secure ? ", validated with DNSSEC" : ""));
  if (!asked_for) return;
  const auto record = read_tlsrpt_answers(answer.records);
  if (record.status == RecordStatus::kOk) {
    return checks.ok("record " + name, fmt::format("asks for reports to {}", record.rua.front()));
  }
  checks.warning("record " + name,
                 record.status == RecordStatus::kNone
                     ? "there is none: the domain asks for no reports"
                     : fmt::format("cannot be used: {}", record.problem),
                 "nothing is sent there; that is for the domain to change");
}

void judge_key(const DkimKey& key, const std::string& name, const DnsAnswer& answer,
               const KeyVerdict& verdict, Checks& checks) {
  using State = KeyVerdict::State;
  const auto check = "key " + name;
  if (answer.status == DnsAnswer::Status::kTemporary) {
    return checks.fault(check, "could not be looked up: " + answer.problem, "try again later");
  }
  switch (verdict.state) {
    case State::kMatches:
      return judge_match(key, check, verdict, checks);
    case State::kNone:
      return checks.fault(check, "there is no TXT record", publish(name, key));
    case State::kSeveral:
      return checks.fault(
          check,
          fmt::format("there are {} TXT records; which one a verifier takes is open",
                      answer.records.size()),
          "leave one of them: " + zone_line(name, key_record(key.key, "")));
    case State::kRevoked:
      return checks.fault(check, "the key is revoked (p= is empty)",
                          "take its [[dkim]] table out, or " + publish(name, key));
    case State::kOther:
      break;
    case State::kUnusable:
      break;
  }
  checks.fault(check, "the record does not fit: " + verdict.why, publish(name, key));
}

void check_keys(const CheckScene& scene, Checks& checks) {
  const auto& keys = scene.config.dkim;
  if (keys.empty()) {
    if (scene.config.delivery.smtp.relay_signs) {
      return checks.ok("keys", "none; relaySigns says that the relay signs");
    }
    return checks.fault("keys", "there is no [[dkim]] table: no report is sent by mail",
                        fmt::format("`rapporteur dkim generate {} SELECTOR`", scene.config.domain));
  }
  std::vector<std::string> names;
  for (const auto& key : keys) {
    const auto name = key_record_name(key.selector, key.domain);
    names.push_back(name ? *name : key.selector + "._domainkey." + key.domain);
  }
  const auto answers = scene.resolver.txt(names);
  std::map<std::string, KeysOfDomain> domains;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto verdict = judge_key_records(answers[i].records, keys[i].key);
    judge_key(keys[i], names[i], answers[i], verdict, checks);
    auto& sum = domains[keys[i].domain];
    if (verdict.state != KeyVerdict::State::kMatches) continue;
    ++sum.good;
    if (!verdict.for_email) continue;
    ++sum.for_email;
    if (keys[i].key.type() == PrivateKey::Type::kRsa) ++sum.rsa;
  }
  for (const auto& [domain, sum] : domains) judge_together(domain, sum, checks);
}

}  // namespace rapporteur
