#include "base/key_generation.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstddef>
#include <memory>
#include <string_view>

namespace rapporteur {

Result<PrivateKey> generate_private_key(PrivateKey::Type type, int bits) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{
      type == PrivateKey::Type::kRsa
          ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(bits))
          : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"),
      EVP_PKEY_free};
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio{BIO_new(BIO_s_secmem()), BIO_free};
  if (!key || !bio ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
          1) {
    return Error{Fault::kTransient, "no key could be made: OpenSSL has no randomness or memory"};
  }
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &text);
  return PrivateKey::from_pem({text, static_cast<std::size_t>(size)});
}

}  // namespace rapporteur
