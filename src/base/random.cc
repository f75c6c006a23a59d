#include "base/random.h"

#include <sys/random.h>

#include <exception>
#include <string_view>

namespace rapporteur {

std::uint64_t SystemRandom::next() {
  std::uint64_t bits = 0;
  // Up to 256 bytes getrandom() is neither interrupted nor short once the generator is seeded.
  if (getrandom(&bits, sizeof bits, 0) != sizeof bits) std::terminate();
  return bits;
}

std::string random_token(Random& random, std::size_t length) {
  static constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::uint64_t kFair = UINT64_MAX - UINT64_MAX % kAlphabet.size();
  std::string token;
  while (token.size() < length) {
    const auto bits = random.next();
    if (bits < kFair) token += kAlphabet[bits % kAlphabet.size()];
  }
  return token;
}

}  // namespace rapporteur
