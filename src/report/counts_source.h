#pragma once
// Counts that are in memory, as report/split.h reads them.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "model/counts.h"
#include "model/counts_source.h"

namespace rapporteur {

// Counts in memory, which must outlive it. Keeps pointers to the details of one policy at a time.
class MemoryCounts final : public CountsSource {
 public:
  explicit MemoryCounts(const WindowCounts& counts);

  const std::vector<Heading>& policies() const override { return headings_; }
  Result<void> details(std::size_t index, std::uint64_t first,
                       const std::function<bool(const DetailCount&)>& visit) override;

 private:
  std::vector<const PolicyCounts*> policies_;
  std::vector<Heading> headings_;
  std::size_t ordered_;  // the policy whose details are in `details_`
  std::vector<const DetailCount*> details_;
};

}  // namespace rapporteur
