#pragma once
// DKIM signatures (RFC 6376, RFC 8463) for report mails, which RFC 8460, section 3, demands.
// Nothing here looks at DNS; whether the keys are published is not asked.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/private_key.h"
#include "base/result.h"
#include "base/time.h"
#include "mime/message.h"

namespace rapporteur {

struct SigningKey {
  std::string domain;    // d=: A-labels in lower case
  std::string selector;  // s=
  PrivateKey key;
};

class Signer {
 public:
  virtual ~Signer() = default;

  virtual bool has_keys(std::string_view domain) const = 0;

  // One DKIM-Signature header field for every key of the domain, each terminated by CRLF, to be put
  // before the message's header. Each signs the message without the others, so each is valid for
  // itself. `date` becomes t=. Equal arguments make equal bytes. Fails with Fault::kConfig if the
  // domain has no keys or one of them cannot sign. Any thread.
  virtual Result<std::string> sign(std::string_view domain, const Message& message,
                                   Time date) const = 0;

  // At least as many bytes as sign() returns for the domain. Any thread.
  virtual std::size_t signature_bytes(std::string_view domain) const = 0;
};

// Signs relaxed/relaxed with SHA-256 and without l=: RSA through libopendkim, Ed25519 through
// PrivateKey. From, To, Subject and Date are oversigned: none can be added unnoticed.
std::unique_ptr<Signer> make_signer(std::vector<SigningKey> keys);

}  // namespace rapporteur
