// The datagram of libtlsrpt, protocol version 1. A datagram of another version is read the same
// way, as the collector of its authors does.

#include <utility>

#include <simdjson.h>

#include "base/domain.h"
#include "ingest/json.h"

namespace rapporteur {

namespace {

std::optional<PolicyType> policy_type_of(std::int64_t number) {
  switch (number) {
    case 1:
      return PolicyType::kTlsa;
    case 2:
      return PolicyType::kSts;
    case 9:
      return PolicyType::kNoPolicyFound;
    default:
      return std::nullopt;
  }
}

std::optional<ResultType> result_type_of(std::int64_t number) {
  switch (number) {
    case 201:
      return ResultType::kStarttlsNotSupported;
    case 202:
      return ResultType::kCertificateHostMismatch;
    case 203:
      return ResultType::kCertificateNotTrusted;
    case 204:
      return ResultType::kCertificateExpired;
    case 205:
      return ResultType::kValidationFailure;
    case 301:
      return ResultType::kStsPolicyFetchError;
    case 302:
      return ResultType::kStsPolicyInvalid;
    case 303:
      return ResultType::kStsWebpkiInvalid;
    case 304:
      return ResultType::kTlsaInvalid;
    case 305:
      return ResultType::kDnssecInvalid;
    case 306:
      return ResultType::kDaneRequired;
    default:
      return std::nullopt;
  }
}

Judgement read_failure(const JsonObject& object, PolicyOutcome& outcome) {
  const auto code = integer_at(object, "c");
  if (!code) return rejected("bad-failure-code");
  RawDetail raw;
  const auto known = result_type_of(*code);
  raw.result_type = known.value_or(ResultType::kValidationFailure);
  if (!known) raw.original_type = std::to_string(*code);
  raw.sending_mta_ip = text_at(object, "s");
  raw.receiving_mx_hostname = text_at(object, "n");
  raw.receiving_mx_helo = text_at(object, "h");
  raw.receiving_ip = text_at(object, "r");
  raw.additional_information = text_at(object, "a");
  raw.failure_reason_code = text_or_number_at(object, "f");
  add_detail(outcome, normalise_detail(raw));
  return {};
}

Judgement read_policy(const JsonObject& object, const std::string& recipient_domain,
                      std::size_t& details_left, PolicyOutcome& outcome) {
  const auto number = integer_at(object, "policy-type");
  const auto type = number ? policy_type_of(*number) : std::nullopt;
  if (!type) return rejected("unknown-policy-type");
  const auto final_result = integer_at(object, "f");
  if (!final_result || (*final_result != 0 && *final_result != 1)) return rejected("bad-result");
  outcome.success = *final_result == 0;

  auto domain = recipient_domain;
  if (const auto written = text_at(object, "policy-domain"); !written.empty()) {
    domain = normalise_host(written);
    if (domain.empty()) return rejected("bad-policy-domain");
  }
  outcome.policy = normalise_policy(*type, std::move(domain), texts_at(object, "policy-string"),
                                    texts_at(object, "mx-host"));

  if (!has(object, "failure-details")) return {};
  const auto failures = objects_at(object, "failure-details");
  if (!failures) return rejected("bad-failure-details");
  if (failures->size() > details_left) return rejected("too-many-details");
  details_left -= failures->size();
  for (const auto& failure : *failures) {
    const auto judgement = read_failure(failure, outcome);
    if (!judgement.is_session()) return judgement;
  }
  return {};
}

}  // namespace

Judgement decode_tlsrpt(const JsonObject& object, Session& session) {
  const auto recipient = text_at(object, "d");
  if (recipient.empty()) return rejected("no-recipient-domain");
  session.recipient_domain = normalise_host(recipient);
  if (session.recipient_domain.empty()) return rejected("bad-domain");
  session.tlsrpt_record = normalise_record(text_at(object, "pr"));

  if (!has(object, "policies")) return rejected("no-policies");
  const auto policies = objects_at(object, "policies");
  if (!policies) return rejected("bad-policies");
  if (policies->empty()) return rejected("no-policies");
  if (policies->size() > kMaxPolicies) return rejected("too-many-policies");
  std::size_t details_left = kMaxDetails;
  for (const auto& policy : *policies) {
    PolicyOutcome outcome;
    const auto judgement = read_policy(policy, session.recipient_domain, details_left, outcome);
    if (!judgement.is_session()) return judgement;
    add_outcome(session, std::move(outcome));
  }
  return {};
}

}  // namespace rapporteur
