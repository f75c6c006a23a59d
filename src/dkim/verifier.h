#pragma once
// Verifies the DKIM signatures of a TLS report's mail (RFC 6376, RFC 8301, RFC 8463; RFC 8460,
// section 3). Keys are asked of a KeySource; the DNS itself is not known here.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace rapporteur {

struct KeyAnswer {
  enum class Status { kFound, kNone, kTemporary };
  Status status = Status::kTemporary;
  std::vector<std::string> records;  // kFound: TXT records, their strings joined
  std::string problem;               // kTemporary
};

// The TXT records of a name such as "selector._domainkey.example.org".
using KeySource = std::function<KeyAnswer(const std::string& name)>;

struct Verification {
  enum class State {
    kPassed,
    kFailed,     // no signature counts: `why` says what was wrong with the likeliest one
    kNone,       // no signature of the From domain or a parent of it
    kTemporary,  // a key could not be looked up, and no other signature passed
  };
  State state = State::kNone;
  std::string domain;  // d= of the signature that passed
  std::string why;
  // The key that passed is for e-mail but not for TLS reports: RFC 8460 lets receivers ignore such.
  bool for_email_only = false;
};

// Whether a signature by `signer` speaks for the mail; both are domains in lower case.
using SpeaksFor = std::function<bool(std::string_view signer)>;

class DkimVerifier {
 public:
  // At most so many signatures of a mail are looked at, in the order in which they stand.
  static constexpr std::size_t kMostSignatures = 5;

  DkimVerifier();
  ~DkimVerifier();
  DkimVerifier(const DkimVerifier&) = delete;
  DkimVerifier& operator=(const DkimVerifier&) = delete;

  // `message` has line ends of either kind. A signature counts if it speaks for the mail, covers
  // the whole body (no l=), was made with SHA-256 by a key of at least 1,024 bits that is not
  // under test, and if the key's service types hold "*", "tlsrpt" or, though that is noted,
  // "email", and if it has not expired at `now`. Never fails: trouble of this program counts as
  // kTemporary. One call at a time.
  Verification verify(std::string_view message, const SpeaksFor& speaks_for, const KeySource& keys,
                      Time now) const;

 private:
  class Library;
  std::unique_ptr<Library> library_;
};

// Whether a key with this s= tag may sign TLS reports.
enum class KeyService { kTlsrpt, kEmailOnly, kOther };
KeyService service_of(std::string_view key_record);

}  // namespace rapporteur
