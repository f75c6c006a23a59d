#pragma once
// The words of RFC 8460: one TLS session of an MTA toward an MX, and what came of it.

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace rapporteur {

// RFC 8460, section 4.3, in the order of section 6.6.
enum class ResultType : std::uint8_t {
  kStarttlsNotSupported,
  kCertificateHostMismatch,
  kCertificateExpired,
  kTlsaInvalid,
  kDnssecInvalid,
  kDaneRequired,
  kCertificateNotTrusted,
  kStsPolicyInvalid,
  kStsWebpkiInvalid,
  kValidationFailure,
  kStsPolicyFetchError,
};

std::string_view to_string(ResultType type);
std::optional<ResultType> parse_result_type(std::string_view text);

enum class PolicyType : std::uint8_t { kTlsa, kSts, kNoPolicyFound };

// "tlsa", "sts", "no-policy-found" (RFC 8460, section 4.4).
std::string_view to_string(PolicyType type);
std::optional<PolicyType> parse_policy_type(std::string_view text);

// A policy that was applied. Every text is normalised (docs/design.md, "Counting"), so that equal
// policies compare equal.
struct Policy {
  PolicyType type = PolicyType::kNoPolicyFound;
  std::string domain;                 // A-labels; never empty
  std::vector<std::string> strings;   // TLSA records sorted, or MTA-STS lines as published
  std::vector<std::string> mx_hosts;  // patterns of the MTA-STS policy; only for kSts

  friend auto operator<=>(const Policy&, const Policy&) = default;
};

// What went wrong in a session, without its count. An empty text is an absent one.
struct FailureDetail {
  ResultType result_type = ResultType::kValidationFailure;
  std::string sending_mta_ip;
  std::string receiving_mx_hostname;
  std::string receiving_mx_helo;
  std::string receiving_ip;
  std::string additional_information;
  std::string failure_reason_code;

  friend auto operator<=>(const FailureDetail&, const FailureDetail&) = default;
};

struct PolicyOutcome {
  Policy policy;
  bool success = false;
  std::vector<FailureDetail> failure_details;  // no two equal

  friend auto operator<=>(const PolicyOutcome&, const PolicyOutcome&) = default;
};

// One TLS attempt of an MTA toward one MX for one recipient domain, as a decoder understood it.
struct Session {
  std::optional<Time> time;  // absent: the line carried none, the receiver of it decides
  std::string recipient_domain;
  std::string tlsrpt_record;  // the TXT record that the MTA saw; empty: not told
  std::vector<PolicyOutcome> outcomes;
  std::uint64_t count = 1;  // how many equal sessions this stands for, at least 1
  std::string id;  // what makes a repetition recognisable, with its source's prefix; or empty
  bool own_report = false;  // it delivered one of our own reports
  bool recipient_domain_guessed = false;

  friend auto operator<=>(const Session&, const Session&) = default;
};

}  // namespace rapporteur
