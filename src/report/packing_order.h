#pragma once
// In which order a window's policies are put into parts: those that matter for how well parts fill
// up by their estimated size, the many small ones as they come.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/result.h"
#include "report/counts_source.h"

namespace rapporteur {

class PackingOrder {
 public:
  // The most bytes that a small policy's text may take; it is held in memory.
  static constexpr std::size_t kMostSmall = 1 << 19;

  explicit PackingOrder(CountsSource& source) : source_(source) {}

  // Sorts the policies for parts of `room` bytes of gzip, which takes samples of some of them. The
  // bytes that it compresses are added to `work`. Fails as the source does.
  Result<void> sort(std::size_t room, std::uint64_t& work);

  bool empty() const { return large_.empty() && small() == nullptr; }
  bool large_left() const { return !large_.empty(); }

  // Takes the largest policy out; none if only small ones are left.
  std::optional<std::size_t> take_largest();
  // Takes the largest one out that is expected to add at most that many bytes of gzip.
  std::optional<std::size_t> take_fitting(double bytes);
  // Puts one back that turned out to add more than that many bytes.
  void put_back(std::size_t index, double bytes);
  // What one added that was taken out: improves the estimates for the others.
  void learn(std::size_t index, double bytes);

  // The small ones, in the order of a report, from the first that was not passed; null at the end.
  // They are stepped over, or turn out not to be small.
  const std::size_t* small(std::size_t offset = 0) const;
  void pass_small(std::size_t count) { next_small_ += count; }
  void small_is_large(double bytes);

 private:
  Result<double> estimate(std::size_t index, class SizeEstimate& samples);

  CountsSource& source_;
  std::vector<double> estimates_;                   // of each policy, before correction
  std::set<std::pair<double, std::size_t>> large_;  // by negative estimate
  std::vector<std::size_t> small_;
  std::size_t next_small_ = 0;
  double correction_ = 1;
};

}  // namespace rapporteur
