#pragma once
// How texts from outside become the one form in which they are counted and reported:
// docs/design.md, section "Counting". Input is valid UTF-8; an empty result means that the value is
// absent.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/session.h"

namespace rapporteur {

// Limits in bytes and in elements. What is longer is cut, bytes with a mark.
inline constexpr std::size_t kMaxHelo = 255;
inline constexpr std::size_t kMaxReason = 512;
inline constexpr std::size_t kMaxAdditionalInformation = 1024;
inline constexpr std::size_t kMaxPolicyLine = 512;
inline constexpr std::size_t kMaxPolicyLines = 200;
inline constexpr std::size_t kMaxMxPatterns = 100;
inline constexpr std::size_t kMaxTlsaRecords = 50;

// Limits of one session. What exceeds them is no session of an MTA and is rejected.
inline constexpr std::size_t kMaxPolicies = 100;
inline constexpr std::size_t kMaxDetails = 200;  // over all its policies

// Without control characters and blanks at either end, cut to `max_bytes`.
std::string normalise_text(std::string_view text, std::size_t max_bytes);

// Canonical (RFC 5952), or empty if it is no address.
std::string normalise_ip(std::string_view text);

// A-labels, or empty if it is no host name.
std::string normalise_host(std::string_view text);

// The name in a banner or EHLO reply: the first word of its first line after the reply code.
std::string normalise_helo(std::string_view text);

// The TXT record that an MTA saw; empty also if it is too long to be one (4,096 bytes), because a
// record that is cut names other destinations.
std::string normalise_record(std::string_view text);

// Whether the text is an absolute URI as RFC 3986 writes it.
bool is_uri(std::string_view text);

// A failure detail as it was read.
struct RawDetail {
  ResultType result_type = ResultType::kValidationFailure;
  std::string original_type;  // what stood in place of a result type that RFC 8460 does not know
  std::string_view sending_mta_ip;
  std::string_view receiving_mx_hostname;
  std::string_view receiving_mx_helo;
  std::string_view receiving_ip;
  std::string_view additional_information;
  std::string failure_reason_code;
};

// Sets the type by its RFC 8460 name. Another word makes it a validation-failure and is kept.
void set_result_type(RawDetail& detail, std::string_view name);

// The reason is, joined by "; ", the original type, the reason code, and what was given as
// additional information without being a URI.
FailureDetail normalise_detail(const RawDetail& raw);

// `domain` is normalised. TLSA records become "u s m hex" and are sorted, lines of an MTA-STS
// policy keep their order, patterns are derived from them if `mx_hosts` holds none.
Policy normalise_policy(PolicyType type, std::string domain,
                        const std::vector<std::string_view>& strings,
                        const std::vector<std::string_view>& mx_hosts);

// A session has each policy once: where one is equal to another they become one outcome, which is a
// success only if both were, with the details of both. A detail that occurs twice stays once.
void add_outcome(Session& session, PolicyOutcome outcome);
void add_detail(PolicyOutcome& outcome, FailureDetail detail);

// "prefix:text", with a digest of the text in its place if it is long; empty for an empty text.
std::string session_id(std::string_view prefix, std::string_view text);

}  // namespace rapporteur
