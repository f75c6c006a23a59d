#include "base/private_key.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <exception>
#include <utility>

#include "base/file.h"
#include "base/text.h"

namespace rapporteur {

struct PrivateKey::Impl {
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{nullptr, EVP_PKEY_free};
  std::string pem;
};

namespace {

// An encrypted key asks for its pass phrase; nobody is there to type it.
int no_pass_phrase(char*, int, int, void*) {
  return -1;
}

std::string der_of(const EVP_PKEY* key, int (*encode)(const EVP_PKEY*, unsigned char**)) {
  unsigned char* bytes = nullptr;
  const int size = encode(key, &bytes);
  if (size <= 0) std::terminate();
  std::string der(bytes, bytes + size);
  OPENSSL_free(bytes);
  return der;
}

}  // namespace

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio{
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free};
  auto impl = std::make_shared<Impl>();
  impl->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, nullptr));
  if (!impl->key) return Error{Fault::kConfig, "not an unencrypted private key in PEM form"};
  const int type = EVP_PKEY_get_base_id(impl->key.get());
  if (type != EVP_PKEY_RSA && type != EVP_PKEY_ED25519) {
    return Error{Fault::kConfig, "neither an RSA nor an Ed25519 key"};
  }
  if (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(impl->key.get()) < 1024) {
    return Error{Fault::kConfig, "an RSA key of " +
                                     std::to_string(EVP_PKEY_get_bits(impl->key.get())) +
                                     " bits; 1024 are the least that verifiers accept (RFC 8301)"};
  }
  impl->pem = pem;
  return PrivateKey(std::move(impl));
}

Result<PrivateKey> PrivateKey::from_file(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0) {
    return Error{Fault::kConfig,
                 "every user of this machine may read it; run: chmod o-rwx " + path};
  }
  const auto pem = read_file(path);
  if (!pem) return Error{Fault::kConfig, pem.error().text};
  return from_pem(*pem);
}

PrivateKey::Type PrivateKey::type() const {
  return EVP_PKEY_get_base_id(impl_->key.get()) == EVP_PKEY_RSA ? Type::kRsa : Type::kEd25519;
}

int PrivateKey::bits() const {
  return EVP_PKEY_get_bits(impl_->key.get());
}

const std::string& PrivateKey::pem() const {
  return impl_->pem;
}

std::string PrivateKey::sign_ed25519(std::string_view message) const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free};
  std::string signature(64, '\0');
  auto size = signature.size();
  const auto* text = reinterpret_cast<const unsigned char*>(message.data());
  if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, impl_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, text,
                     message.size()) != 1 ||
      size != signature.size()) {
    std::terminate();
  }
  return signature;
}

std::string PrivateKey::dns_public_key() const {
  if (type() == Type::kRsa) {
    return base64(der_of(impl_->key.get(), [](const EVP_PKEY* key, unsigned char** out) {
      return i2d_PUBKEY(key, out);
    }));
  }
  std::string raw(32, '\0');
  auto size = raw.size();
  if (EVP_PKEY_get_raw_public_key(impl_->key.get(), reinterpret_cast<unsigned char*>(raw.data()),
                                  &size) != 1) {
    std::terminate();
  }
  return base64(raw);
}

}  // namespace rapporteur
