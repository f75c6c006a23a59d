#pragma once
// Texts made shorter, and marked as such with "…", for reports whose single pieces exceed the size
// that the administrator allows. Counts are not touched.

#include <array>
#include <cstddef>

#include "model/session.h"

namespace rapporteur {

// The free texts of a detail (helo, reason, additional information) cut to at most `max_bytes`
// each, at least 12. A cut URI stays one: its mark is percent-encoded.
FailureDetail shortened(FailureDetail detail, std::size_t max_bytes);

// At most `max_lines` policy strings of at most `max_bytes` (at least 3), and as many MX patterns;
// where lines or patterns were left out, a last policy string "…" says so.
Policy shortened(Policy policy, std::size_t max_lines, std::size_t max_bytes);

// The steps in which texts are shortened until they fit, each shorter than the one before.
inline constexpr std::array<std::size_t, 8> kDetailCaps = {4096, 1024, 512, 256, 128, 64, 32, 12};

struct PolicyCap {
  std::size_t lines;
  std::size_t bytes;
};
inline constexpr std::array<PolicyCap, 4> kPolicyCaps = {{{50, 128}, {10, 64}, {3, 32}, {0, 3}}};

}  // namespace rapporteur
