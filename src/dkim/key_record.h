#pragma once
// The TXT record that publishes a DKIM key: how it is written, and whether what is published fits a
// private key. RFC 6376, section 3.6.1; RFC 8463, section 4; RFC 8460, section 3. Pure.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/private_key.h"
#include "base/result.h"
#include "dkim/verifier.h"

namespace rapporteur {

// Where the key of a selector is published: "tlsrpt._domainkey.example.org". Fails with
// Fault::kInput if that is longer than a name may be.
Result<std::string> key_record_name(std::string_view selector, std::string_view domain);

// The record of the key's public half. `service` is its s= tag; empty: none, which allows all
// services.
std::string key_record(const PrivateKey& key, std::string_view service);

// A character-string of a TXT record holds no more (RFC 1035, section 3.3).
inline constexpr std::size_t kMostStringBytes = 255;

// The text in pieces of at most kMostStringBytes; verifiers join them without a separator. One
// empty piece for an empty text.
std::vector<std::string> character_strings(std::string_view text);

// The record as zone files want it (RFC 1035, section 5.1): the name with its last dot, IN TXT, and
// the strings in quotes within parentheses. Ends with a line break.
std::string zone_entry(std::string_view name, std::string_view text);

// The same on one line, without the parentheses and the line break.
std::string zone_line(std::string_view name, std::string_view text);

// What the published records mean for signatures by a key.
struct KeyVerdict {
  enum class State {
    kMatches,
    kNone,      // no record there
    kSeveral,   // more than one: which of them a verifier takes is open
    kRevoked,   // p= is empty
    kOther,     // another key, or one of another type
    kUnusable,  // malformed, another version, or it forbids SHA-256
  };
  State state = State::kNone;
  KeyService service = KeyService::kTlsrpt;  // kMatches: what it may sign
  bool for_email = false;                    // kMatches: ordinary verifiers take it, too
  bool under_test = false;                   // kMatches: t=y, signatures count for nothing
  std::string why;                           // kOther, kUnusable: what is wrong, for people
};

// `records`: the TXT records of key_record_name(), their strings joined.
KeyVerdict judge_key_records(std::span<const std::string> records, const PrivateKey& key);

}  // namespace rapporteur
