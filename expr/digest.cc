#include "expr/digest.h"

#include <openssl/evp.h>

#include <array>
#include <exception>

namespace expr {

namespace {

std::string hex_digest(const EVP_MD* algorithm, std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, algorithm, nullptr) != 1) {
    std::terminate();
  }
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest.at(i) >> 4];
    text += kDigits[digest.at(i) & 15];
  }
  return text;
}

}  // namespace

std::string md5_hex(std::string_view bytes) {
  return hex_digest(EVP_md5(), bytes);
}
std::string sha1_hex(std::string_view bytes) {
  return hex_digest(EVP_sha1(), bytes);
}
std::string sha256_hex(std::string_view bytes) {
  return hex_digest(EVP_sha256(), bytes);
}
std::string sha512_hex(std::string_view bytes) {
  return hex_digest(EVP_sha512(), bytes);
}

}  // namespace expr
