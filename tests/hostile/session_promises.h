#pragma once
// What is promised of every session that a decoder hands out, whatever it was made from:
// docs/design.md, "Counting", and ingest/normalise.h. For tests and fuzz targets.

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "base/domain.h"
#include "base/ip.h"
#include "base/text.h"
#include "ingest/normalise.h"
#include "model/session.h"

namespace rapporteur::hostile {

// Of any text that is kept.
inline std::string flaw_of_text(const std::string& text, std::size_t most) {
  if (!is_valid_utf8(text)) return "is UTF-8: " + text;
  if (without_controls(text) != text) return "holds no control characters: " + text;
  if (text.size() > most) return "has " + std::to_string(most) + " bytes at most: " + text;
  if (trim(text) != text) return "has no blanks at its ends: " + text;
  return "";
}

inline bool is_normal_host(const std::string& text) {
  const auto normal = normalise_domain(text);
  return normal && *normal == text;
}

inline bool is_normal_ip(const std::string& text) {
  const auto address = parse_ip(text);
  return address && format_ip(*address) == text;
}

inline std::string broken_promise(const Policy& policy) {
  if (!is_normal_host(policy.domain)) return "a policy domain is normalised: " + policy.domain;
  const bool tlsa = policy.type == PolicyType::kTlsa;
  if (policy.strings.size() > (tlsa ? kMaxTlsaRecords : kMaxPolicyLines)) {
    return "policy strings are capped";
  }
  for (const auto& line : policy.strings) {
    if (line.empty()) return "no policy string is empty";
    if (const auto flaw = flaw_of_text(line, kMaxPolicyLine); !flaw.empty()) {
      return "a policy string " + flaw;
    }
  }
  if (tlsa && std::ranges::adjacent_find(policy.strings, std::ranges::greater_equal()) !=
                  policy.strings.end()) {
    return "TLSA records are sorted, each once";
  }
  if (policy.mx_hosts.size() > kMaxMxPatterns) return "patterns are capped";
  if (policy.type != PolicyType::kSts && !policy.mx_hosts.empty()) return "patterns are for sts";
  const std::set<std::string> distinct(policy.mx_hosts.begin(), policy.mx_hosts.end());
  if (distinct.size() != policy.mx_hosts.size()) return "each pattern stands once";
  for (const auto& pattern : policy.mx_hosts) {
    const auto normal = normalise_mx_pattern(pattern);
    if (!normal || *normal != pattern) return "a pattern is normalised: " + pattern;
  }
  return "";
}

// What is left of a URI that was cut and marked, without half an escape.
inline std::string_view without_cut(std::string_view uri) {
  constexpr std::string_view kMark = "…";
  if (!uri.ends_with(kMark)) return uri;
  uri.remove_suffix(kMark.size());
  const auto escape = uri.rfind('%');
  return escape == uri.npos || escape + 2 < uri.size() ? uri : uri.substr(0, escape);
}

inline std::string broken_promise(const FailureDetail& detail) {
  for (const auto* address : {&detail.sending_mta_ip, &detail.receiving_ip}) {
    if (!address->empty() && !is_normal_ip(*address)) return "an IP is canonical: " + *address;
  }
  const auto& host = detail.receiving_mx_hostname;
  if (!host.empty() && !is_normal_host(host)) return "an MX host is normalised: " + host;
  const auto& helo = detail.receiving_mx_helo;
  if (const auto flaw = flaw_of_text(helo, kMaxHelo); !flaw.empty()) return "a HELO " + flaw;
  if (helo.find_first_of(" \t") != helo.npos) return "a HELO is one word: " + helo;
  const auto& reason = detail.failure_reason_code;
  if (const auto flaw = flaw_of_text(reason, kMaxReason); !flaw.empty()) return "a reason " + flaw;
  const auto& more = detail.additional_information;
  if (const auto flaw = flaw_of_text(more, kMaxAdditionalInformation); !flaw.empty()) {
    return "additional information " + flaw;
  }
  return more.empty() || is_uri(without_cut(more)) ? "" : "more information is a URI: " + more;
}

// The promise that a session breaks; empty: none.
inline std::string broken_promise(const Session& session) {
  constexpr std::uint64_t kMostSessions = (std::uint64_t{1} << 53) - 1;
  constexpr Time kYear10000{Seconds{253402300800}};
  if (!is_normal_host(session.recipient_domain)) return "the recipient domain is normalised";
  if (session.time && (*session.time < Time() || *session.time >= kYear10000)) {
    return "the time is in the years 1970 to 9999";
  }
  if (session.count < 1 || session.count > kMostSessions) return "the count is from 1 to 2^53-1";
  if (const auto flaw = flaw_of_text(session.id, 210); !flaw.empty()) return "the id " + flaw;
  if (const auto flaw = flaw_of_text(session.tlsrpt_record, 4096); !flaw.empty()) {
    return "the record " + flaw;
  }
  if (session.outcomes.empty() || session.outcomes.size() > kMaxPolicies) {
    return "there are 1 to 100 policies";
  }
  std::size_t details = 0;
  std::set<Policy> policies;
  for (const auto& outcome : session.outcomes) {
    if (!policies.insert(outcome.policy).second) return "each policy stands once";
    if (auto broken = broken_promise(outcome.policy); !broken.empty()) return broken;
    std::set<FailureDetail> distinct;
    for (const auto& detail : outcome.failure_details) {
      if (!distinct.insert(detail).second) return "each detail of a policy stands once";
      if (auto broken = broken_promise(detail); !broken.empty()) return broken;
    }
    details += distinct.size();
  }
  // A detail at the top level of a line may stand in each policy.
  return details > kMaxDetails + kMaxPolicies ? "details are capped" : "";
}

}  // namespace rapporteur::hostile
