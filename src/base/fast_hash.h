#pragma once
// A fast keyed hash for tables in memory. Its key is drawn when the process starts, so that nobody
// outside can choose texts that collide; a hash means nothing to another process and is never
// stored. For identity that lasts see base/hash.h.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rapporteur {

struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  friend bool operator==(const Hash128&, const Hash128&) = default;
};

// 128 bits: two different texts are taken for equal with a chance of 2^-128. Any thread.
Hash128 fast_hash128(std::string_view bytes);

std::uint64_t fast_hash64(std::string_view bytes);

}  // namespace rapporteur
