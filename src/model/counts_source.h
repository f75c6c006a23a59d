#pragma once
// A window's counts as a report tells them, read in order and in bounded memory. Whoever keeps
// counts elsewhere than in memory implements it; report/split.h reads it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "model/counts.h"

namespace rapporteur {

class CountsSource {
 public:
  // A policy without its details.
  struct Heading {
    Policy policy;
    std::uint64_t successful = 0;
    std::uint64_t failed = 0;
    std::uint64_t details = 0;  // how many distinct ones
    std::uint64_t covered = 0;  // the sum of their counts
  };

  virtual ~CountsSource() = default;

  // In the order of a report: sorted by policy. Stays valid and the same as long as the source.
  virtual const std::vector<Heading>& policies() const = 0;

  // Visits the details of policies()[index], largest count first, equal counts by content, from the
  // `first`th on (counted from 0), until `visit` returns false or they end. Every call must see the
  // same details in the same order. Reading on is cheap, beginning may not be.
  // Fails as the store does.
  virtual Result<void> details(std::size_t index, std::uint64_t first,
                               const std::function<bool(const DetailCount&)>& visit) = 0;
};

}  // namespace rapporteur
