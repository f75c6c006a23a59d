#pragma once
// SHA-256, for identity (files, counted keys) and for delays that are spread but always the same.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace rapporteur {

// The digest's 32 bytes.
std::string sha256(std::string_view bytes);

// As 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

// The first eight bytes of the digest as a big-endian number.
std::uint64_t hash64(std::string_view bytes);

std::string hex(std::string_view bytes);

// SHA-256 of what arrives in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::string_view bytes);
  // The digest's 32 bytes; afterwards the object is used up.
  std::string finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace rapporteur
