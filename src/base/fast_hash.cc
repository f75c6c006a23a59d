#include "base/fast_hash.h"

#include <sys/random.h>

#include <array>
#include <cstdlib>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace rapporteur {

namespace {

using Secret = std::array<char, XXH3_SECRET_DEFAULT_SIZE>;

const Secret& secret() {
  static const Secret drawn = [] {
    Secret bytes{};
    // Up to 256 bytes come whole (getrandom(2)).
    if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      std::abort();
    }
    return bytes;
  }();
  return drawn;
}

}  // namespace

Hash128 fast_hash128(std::string_view bytes) {
  const auto& key = secret();
  const auto hash = XXH3_128bits_withSecret(bytes.data(), bytes.size(), key.data(), key.size());
  return {hash.low64, hash.high64};
}

std::uint64_t fast_hash64(std::string_view bytes) {
  const auto& key = secret();
  return XXH3_64bits_withSecret(bytes.data(), bytes.size(), key.data(), key.size());
}

}  // namespace rapporteur
