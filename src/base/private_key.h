#pragma once
// A private key for DKIM, read from PEM. Checked when the configuration is loaded, used by the dkim
// room. OpenSSL stays behind this header.

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rapporteur {

class PrivateKey {
 public:
  enum class Type { kRsa, kEd25519 };

  // Reads a PEM text. Fails with Fault::kConfig if it holds no private key, one that is encrypted,
  // one of another type, or an RSA key below 1024 bits (RFC 8301, section 3.2).
  static Result<PrivateKey> from_pem(std::string_view pem);

  // Reads a file. Fails with Fault::kConfig also if the file cannot be read or may be read by
  // every user of the machine.
  static Result<PrivateKey> from_file(const std::string& path);

  Type type() const;
  int bits() const;                // the RSA modulus; 256 for Ed25519
  const std::string& pem() const;  // the text it was read from

  // PureEdDSA over `message` (RFC 8032), 64 bytes. The key is an Ed25519 key. Any thread.
  std::string sign_ed25519(std::string_view message) const;

  // What belongs into "p=" of the key's DNS record (RFC 6376, section 3.6.1; RFC 8463, section 4).
  std::string dns_public_key() const;

 private:
  struct Impl;
  explicit PrivateKey(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace rapporteur
