#pragma once
// Makes private keys for DKIM. Chance comes from OpenSSL alone, never from base/random.h: a key
// that a test could foretell must not exist.

#include "base/private_key.h"
#include "base/result.h"

namespace rapporteur {

inline constexpr int kLeastRsaBits = 1024;    // RFC 8301, section 3.2
inline constexpr int kUsualRsaBits = 2048;    // what RFC 8301 advises
inline constexpr int kLargestRsaBits = 4096;  // more than this some verifiers refuse

// A new key, its pem() in the PKCS #8 form. `bits` is the RSA modulus, kLeastRsaBits to
// kLargestRsaBits; it says nothing about an Ed25519 key. Fails with Fault::kTransient if the
// machine gives no randomness.
Result<PrivateKey> generate_private_key(PrivateKey::Type type, int bits = kUsualRsaBits);

}  // namespace rapporteur
