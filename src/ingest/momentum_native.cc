// Momentum's hook data points (core_smtp_tls_reporting) and the native form, which is a superset of
// them: docs/design.md, section "The native form".

#include <algorithm>
#include <utility>

#include <simdjson.h>

#include "base/text.h"
#include "ingest/json.h"

namespace rapporteur {

namespace {

// One policy of the line before normalisation.
struct RawOutcome {
  PolicyType type = PolicyType::kNoPolicyFound;
  std::string_view domain;
  std::vector<std::string_view> strings;
  std::vector<std::string_view> mx_hosts;
  bool success = false;
  std::vector<RawDetail> details;
};

Judgement read_policy(const JsonObject& holder, RawOutcome& outcome) {
  simdjson::dom::object policy;
  if (holder.at_key("policy").get(policy) != simdjson::SUCCESS) return rejected("no-policy");
  const auto type = parse_policy_type(to_lower(trim(text_at(policy, "policy-type"))));
  if (!type) return rejected("unknown-policy-type");
  outcome.type = *type;
  outcome.domain = text_at(policy, "policy-domain");
  outcome.strings = texts_at(policy, "policy-string");
  outcome.mx_hosts = texts_at(policy, "mx-host");
  return {};
}

Judgement read_success(const JsonObject& holder, RawOutcome& outcome) {
  const auto type = integer_at(holder, "type");
  if (!type || (*type != 0 && *type != 1)) return rejected("bad-result");
  outcome.success = *type == 1;
  return {};
}

// What every format with Momentum's top level has in common.
Judgement read_session(const JsonObject& object, Session& session) {
  constexpr std::int64_t kMostSessions = (std::int64_t{1} << 53) - 1;  // I-JSON
  if (!read_time(object, "epoch", 1, session.time)) return rejected("bad-time");
  session.tlsrpt_record = normalise_record(text_at(object, "tlsrpt-record"));
  if (has(object, "count")) {
    const auto count = integer_at(object, "count");
    if (!count || *count < 1 || *count > kMostSessions) return rejected("bad-count");
    session.count = static_cast<std::uint64_t>(*count);
  }
  if (has(object, "own-report")) {
    if (object.at_key("own-report").get(session.own_report) != simdjson::SUCCESS) {
      return rejected("bad-own-report");
    }
  }
  if (has(object, "id")) {
    const auto id = text_or_number_at(object, "id");
    session.id = session_id("native", id);
    const bool empty_text = object.at_key("id").is_string() && id.empty();
    if (session.id.empty() && !empty_text) return rejected("bad-id");
  }
  return {};
}

// The recipient domain as written, or the policy domain that stands for it.
Judgement find_recipient(const JsonObject& object, const std::vector<RawOutcome>& outcomes,
                         bool may_guess, Session& session) {
  auto recipient = text_at(object, "recipient-domain");
  if (recipient.empty() && has(object, "recipient-domain") &&
      !object.at_key("recipient-domain").is_string()) {
    return rejected("bad-domain");
  }
  if (recipient.empty()) {
    const auto telling = std::ranges::find_if(outcomes, [](const RawOutcome& outcome) {
      return outcome.type != PolicyType::kTlsa && !outcome.domain.empty();
    });
    if (telling != outcomes.end()) {
      recipient = telling->domain;
    } else if (may_guess && outcomes.front().type == PolicyType::kTlsa) {
      recipient = outcomes.front().domain;
      session.recipient_domain_guessed = true;
    }
  }
  if (trim(recipient).empty()) return rejected("no-recipient-domain");
  session.recipient_domain = normalise_host(recipient);
  return session.recipient_domain.empty() ? rejected("bad-domain") : Judgement{};
}

Judgement finish(const std::vector<RawOutcome>& outcomes, Session& session) {
  for (const auto& raw : outcomes) {
    auto domain = session.recipient_domain;
    if (!raw.domain.empty()) {
      domain = normalise_host(raw.domain);
      if (domain.empty()) return rejected("bad-policy-domain");
    }
    PolicyOutcome outcome;
    outcome.policy = normalise_policy(raw.type, std::move(domain), raw.strings, raw.mx_hosts);
    outcome.success = raw.success;
    for (const auto& detail : raw.details) add_detail(outcome, normalise_detail(detail));
    add_outcome(session, std::move(outcome));
  }
  return {};
}

// The detail that stands at the top level, if a result type says that there is one.
std::optional<RawDetail> top_level_detail(const JsonObject& object) {
  const auto type = text_or_number_at(object, "result-type");
  if (type.empty() || equals_ignoring_case(trim(type), "success")) return std::nullopt;
  RawDetail detail;
  read_detail(object, detail);
  return detail;
}

// The details of one entry of "policies". The addresses at the top level hold for each of them that
// does not bring its own.
Judgement read_details(const JsonObject& entry, const JsonObject& top, std::size_t& details_left,
                       RawOutcome& outcome) {
  if (!has(entry, "failure-details")) {
    const auto detail = top_level_detail(top);
    if (detail && !outcome.success) outcome.details.push_back(*detail);
    return {};
  }
  const auto details = objects_at(entry, "failure-details");
  if (!details) return rejected("bad-failure-details");
  if (details->size() > details_left) return rejected("too-many-details");
  details_left -= details->size();
  RawDetail shared;
  shared.sending_mta_ip = text_at(top, "sending-mta-ip");
  shared.receiving_mx_hostname = text_at(top, "receiving-mx-hostname");
  shared.receiving_mx_helo = text_at(top, "receiving-mx-helo");
  shared.receiving_ip = text_at(top, "receiving-ip");
  for (const auto& detail : *details) {
    outcome.details.push_back(shared);
    read_detail(detail, outcome.details.back());
  }
  return {};
}

}  // namespace

Judgement decode_momentum(const JsonObject& object, Session& session) {
  auto judgement = read_session(object, session);
  std::vector<RawOutcome> outcomes(1);
  if (judgement.is_session()) judgement = read_policy(object, outcomes.front());
  if (judgement.is_session()) judgement = read_success(object, outcomes.front());
  if (judgement.is_session()) judgement = find_recipient(object, outcomes, true, session);
  if (!judgement.is_session()) return judgement;
  if (const auto detail = top_level_detail(object)) outcomes.front().details.push_back(*detail);
  return finish(outcomes, session);
}

Judgement decode_native(const JsonObject& object, Session& session) {
  auto judgement = read_session(object, session);
  if (!judgement.is_session()) return judgement;
  if (!has(object, "policies")) return rejected("no-policies");
  const auto entries = objects_at(object, "policies");
  if (!entries) return rejected("bad-policies");
  if (entries->empty()) return rejected("no-policies");
  if (entries->size() > kMaxPolicies) return rejected("too-many-policies");
  std::vector<RawOutcome> outcomes(entries->size());
  std::size_t details_left = kMaxDetails;
  for (std::size_t i = 0; i < entries->size(); ++i) {
    const auto& entry = (*entries)[i];
    judgement = read_policy(entry, outcomes[i]);
    if (judgement.is_session()) judgement = read_success(entry, outcomes[i]);
    if (judgement.is_session()) {
      judgement = read_details(entry, object, details_left, outcomes[i]);
    }
    if (!judgement.is_session()) return judgement;
  }
  judgement = find_recipient(object, outcomes, false, session);
  return judgement.is_session() ? finish(outcomes, session) : judgement;
}

}  // namespace rapporteur
