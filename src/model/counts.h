#pragma once
// Sessions added up: what a window holds and a report tells.

#include <cstdint>
#include <vector>

#include "model/session.h"

namespace rapporteur {

struct DetailCount {
  FailureDetail detail;
  std::uint64_t count = 0;

  friend auto operator<=>(const DetailCount&, const DetailCount&) = default;
};

// One policy's outcomes. The failures need not equal the sum of the details' counts: a session may
// have several details, or none (RFC 8460, section 4).
struct PolicyCounts {
  Policy policy;
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;
  std::vector<DetailCount> details;

  friend auto operator<=>(const PolicyCounts&, const PolicyCounts&) = default;
};

// All policies of a window, each once.
using WindowCounts = std::vector<PolicyCounts>;

}  // namespace rapporteur
