#pragma once
// What the databases' layers have in common: values that statements carry.

#include <cstdint>
#include <string_view>

namespace rapporteur {

// Marks bytes that are stored as they are.
struct Blob {
  std::string_view bytes;
};

// What a report may tell at most (I-JSON, RFC 7493, section 2.2); what is more stays there.
constexpr std::uint64_t kMaxCount = (std::uint64_t{1} << 53) - 1;

constexpr std::int64_t saturated(std::uint64_t count) {
  return static_cast<std::int64_t>(count < kMaxCount ? count : kMaxCount);
}

}  // namespace rapporteur
