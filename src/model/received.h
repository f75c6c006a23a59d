#pragma once
// TLS reports that others sent to us (RFC 8460), as they were read, and what the store keeps of
// them.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace rapporteur {

// How far the sender of a report is known to be who it says.
enum class Trust : std::uint8_t {
  kDkim,        // its DKIM signature was verified by us
  kMta,         // an authserv-id that is believed says that it was
  kLocal,       // given by the administrator as a file that is no mail
  kHttps,       // posted to us
  kUnverified,  // none of these
};
inline constexpr std::array kTrustClasses = {Trust::kDkim, Trust::kMta, Trust::kLocal,
                                             Trust::kHttps, Trust::kUnverified};

std::string_view to_string(Trust trust);  // "dkim", "mta", "local", "https", "unverified"
std::optional<Trust> parse_trust(std::string_view text);

// Whether `one` says more for a report than `other`: a signature and the administrator's hand most,
// then a post, then nothing.
bool outranks(Trust one, Trust other);

// What a report tells of some failed sessions. Texts are as they were sent, but for control
// characters, broken UTF-8 and length; an empty one is absent.
struct ReceivedDetail {
  std::string result_type;
  std::string sending_mta_ip;
  std::string receiving_mx_hostname;
  std::string receiving_mx_helo;
  std::string receiving_ip;
  std::string additional_information;
  std::string failure_reason_code;
  std::uint64_t sessions = 0;

  friend auto operator<=>(const ReceivedDetail&, const ReceivedDetail&) = default;
};

struct ReceivedPolicy {
  std::string type;                   // "tlsa", "sts", "no-policy-found", or what was sent instead
  std::string domain;                 // in A-labels if it can be one; empty: it was not told
  std::vector<std::string> strings;   // TLSA records or lines of the MTA-STS policy, as sent
  std::vector<std::string> mx_hosts;  // patterns
  std::uint64_t successful = 0;       // at most 2^53 - 1, as `failed` and sessions of details
  std::uint64_t failed = 0;
  std::vector<ReceivedDetail> details;

  friend auto operator<=>(const ReceivedPolicy&, const ReceivedPolicy&) = default;
};

struct ReceivedReport {
  std::string organization;
  std::string contact;  // empty: not told
  std::string report_id;
  std::optional<Time> start;  // absent: not told; so is `end`
  std::optional<Time> end;    // as sent: mostly the last second of the period
  std::vector<ReceivedPolicy> policies;
  std::vector<std::string> oddities;  // what was not as RFC 8460 wants it, a phrase each
};

// What a report said about one policy domain.
struct PolicyTally {
  std::string domain;
  std::string type;
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;

  friend auto operator<=>(const PolicyTally&, const PolicyTally&) = default;
};

// A kind of failure at one MX, as far as alerts and summaries tell kinds apart.
struct FailureTally {
  std::string domain;
  std::string result_type;
  std::string mx;  // empty: not told
  std::uint64_t sessions = 0;

  friend auto operator<=>(const FailureTally&, const FailureTally&) = default;
};

// A kept report, without what it says in detail.
struct KeptReport {
  std::int64_t number = 0;  // larger than those of all that came before
  std::string id;           // 16 hexadecimal digits, the same for the same report in every store
  std::string organization;
  std::string contact;
  std::string report_id;
  Time start;
  Time end;
  Time received;
  Trust trust = Trust::kUnverified;
  std::string signer;            // for kDkim and kMta the domain that signed; else empty
  std::string voucher;           // for kMta the authserv-id that says so; else empty
  std::string source;            // "mail", "https", "file"
  std::uint64_t successful = 0;  // of the policies about our domains
  std::uint64_t failed = 0;
  std::vector<std::string> domains;   // the policy domains of these, sorted, each once
  std::vector<std::string> oddities;  // as ReceivedReport::oddities, and those of its transport
  std::uint64_t new_failures = 0;     // kinds of failures that were new when it came
};

}  // namespace rapporteur
