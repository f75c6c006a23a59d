#pragma once
// Adds sessions up by policy and failure detail: docs/design.md, "Counting".

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "model/counts.h"
#include "model/session.h"

namespace rapporteur {

class Accumulator {
 public:
  // Adds every policy outcome of the session, `session.count` times. A policy that has
  // `max_details` distinct details takes further ones as one detail per result type that carries
  // nothing else. Counts stop at the largest 64-bit number.
  void add(const Session& session, std::size_t max_details);

  WindowCounts counts() const;

 private:
  struct Sums {
    Policy policy;
    std::uint64_t successful = 0;
    std::uint64_t failed = 0;
    std::map<FailureDetail, std::uint64_t> details;
  };
  Sums& sums_of(const Policy& policy);

  std::vector<Sums> policies_;
};

}  // namespace rapporteur
