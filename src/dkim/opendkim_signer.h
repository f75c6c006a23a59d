#pragma once
// RSA-SHA256 signatures by libopendkim.

#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "dkim/signer.h"
#include "mime/message.h"

namespace rapporteur {

class OpendkimSigner {
 public:
  OpendkimSigner();
  ~OpendkimSigner();
  OpendkimSigner(const OpendkimSigner&) = delete;
  OpendkimSigner& operator=(const OpendkimSigner&) = delete;

  // The DKIM-Signature header field with its final CRLF. The key is an RSA key; libopendkim would
  // make an invalid signature of another one without a word. Fails with Fault::kConfig and
  // libopendkim's reason. Any thread.
  Result<std::string> sign(const SigningKey& key, const Message& message, Time date) const;

 private:
  class Libraries;
  std::unique_ptr<Libraries> libraries_;
};

}  // namespace rapporteur
