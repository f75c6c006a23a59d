#include "base/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string_view>

#include "base/file.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

Bio bio_of(std::string_view text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
}

// An encrypted key asks for its pass phrase; nobody is there to type it.
int no_pass_phrase(char*, int, int, void*) {
  return -1;
}

}  // namespace

Result<void> check_certificate(const std::string& certificate, const std::string& key) {
  const auto certificate_text = read_file(certificate, kMostBytes);
  if (!certificate_text) return Error{Fault::kConfig, certificate_text.error().text};
  const auto key_text = read_file(key, kMostBytes);
  if (!key_text) return Error{Fault::kConfig, key_text.error().text};

  const auto certificate_bio = bio_of(*certificate_text);
  const std::unique_ptr<X509, decltype(&X509_free)> x509{
      PEM_read_bio_X509_AUX(certificate_bio.get(), nullptr, no_pass_phrase, nullptr), X509_free};
  const auto key_bio = bio_of(*key_text);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> private_key{
      PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_pass_phrase, nullptr), EVP_PKEY_free};
  const bool fits =
      x509 && private_key && X509_check_private_key(x509.get(), private_key.get()) == 1;
  ERR_clear_error();
  if (!x509) return Error{Fault::kConfig, certificate + " holds no certificate in PEM form"};
  if (!private_key) {
    return Error{Fault::kConfig, key + " holds no unencrypted private key in PEM form"};
  }
  if (!fits) return Error{Fault::kConfig, "the key in " + key + " is not that of " + certificate};
  return {};
}

}  // namespace rapporteur
