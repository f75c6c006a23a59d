#pragma once
// Ed25519-SHA256 (RFC 8463) over our own canonical form: libopendkim 2.11 leaks memory with every
// such signature.

#include <string>

#include "base/time.h"
#include "dkim/signer.h"
#include "mime/message.h"

namespace rapporteur {

// The DKIM-Signature header field with its final CRLF. The key is an Ed25519 key. Any thread.
std::string ed25519_signature(const SigningKey& key, const Message& message, Time date);

}  // namespace rapporteur
