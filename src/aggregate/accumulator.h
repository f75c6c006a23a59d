#pragma once
// Adds packed sessions of one recipient domain up by policy and failure detail: docs/design.md,
// "Counting".

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "model/counts.h"

namespace rapporteur {

// Views into the packed sessions are kept until counts().
class Accumulator {
 public:
  // Adds every policy outcome of the session (aggregate/packed_session.h), `sessions` times. A
  // policy that has `max_details` distinct details takes further ones as one detail per result type
  // that carries nothing else. Counts stop at the largest 64-bit number.
  void add(std::string_view packed, std::uint64_t sessions, std::size_t max_details);

  // What was added up, in the order in which the policies came first.
  WindowCounts counts() const;

 private:
  struct Sums {
    std::string_view policy;
    std::uint64_t successful = 0;
    std::uint64_t failed = 0;
    std::map<std::string_view, std::uint64_t> details;
  };
  Sums& sums_of(std::string_view policy);

  std::string_view domain_;
  std::vector<Sums> policies_;
  std::map<std::string_view, std::size_t> places_;  // in policies_, once there are many of them
};

}  // namespace rapporteur
