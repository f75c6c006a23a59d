// The documents that Halon's tls-rpt hook script writes to Elasticsearch: one policy, one result,
// the recipient domain under the name "policy-domain".

#include <utility>

#include <simdjson.h>

#include "base/text.h"
#include "ingest/json.h"

namespace rapporteur {

namespace {

constexpr double kMillisecondsPerSecond = 1000;

// What makes a document that is sent again recognisable; empty if it carries too little.
std::string identity(const JsonObject& object, std::string_view result_type) {
  const auto transaction = text_or_number_at(object, "transactionid");
  const auto timestamp = text_or_number_at(object, "timestamp");
  if (transaction.empty() || timestamp.empty()) return {};
  return session_id("halon", transaction + '/' + timestamp + '/' + std::string(result_type));
}

// "policy-domain" is the recipient's domain also for DANE, where RFC 8460 means the MX host.
std::string policy_domain_of(const JsonObject& object, PolicyType type,
                             const std::string& recipient_domain) {
  if (type != PolicyType::kTlsa) return recipient_domain;
  auto mx = normalise_host(text_at(object, "receiving-mx-hostname"));
  return mx.empty() ? recipient_domain : mx;
}

}  // namespace

Judgement decode_halon(const JsonObject& object, Session& session) {
  if (!has(object, "policy-type") && !has(object, "policy-domain") && !has(object, "result-type")) {
    return ignored("no-tls-event");
  }
  if (!read_time(object, "timestamp", kMillisecondsPerSecond, session.time)) {
    return rejected("bad-time");
  }
  const auto recipient = text_at(object, "policy-domain");
  if (trim(recipient).empty()) return rejected("no-recipient-domain");
  session.recipient_domain = normalise_host(recipient);
  if (session.recipient_domain.empty()) return rejected("bad-domain");
  const auto type = parse_policy_type(to_lower(trim(text_at(object, "policy-type"))));
  if (!type) return rejected("unknown-policy-type");
  const auto result_type = text_or_number_at(object, "result-type");
  if (trim(result_type).empty()) return rejected("bad-result");

  PolicyOutcome outcome;
  outcome.policy =
      normalise_policy(*type, policy_domain_of(object, *type, session.recipient_domain),
                       texts_at(object, "policy-string"), texts_at(object, "mx-host"));
  outcome.success = equals_ignoring_case(trim(result_type), "success");
  if (!outcome.success) {
    RawDetail detail;
    read_detail(object, detail);
    add_detail(outcome, normalise_detail(detail));
  }
  add_outcome(session, std::move(outcome));
  session.id = identity(object, result_type);
  return {};
}

}  // namespace rapporteur
