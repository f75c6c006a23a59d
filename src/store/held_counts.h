#pragma once
// A window's counts as its report tells them, in memory.

#include <cstdint>
#include <functional>
#include <vector>

#include "model/counts_source.h"
#include "store/store.h"

namespace rapporteur {

// Windows with more details than this are sorted on disk: store/sorted_counts.h.
constexpr std::uint64_t kHeldDetails = 20'000;

// So many of all windows that dossiers() is asked about, or of the first of them.
constexpr std::uint64_t kHeldDetailsOfDossiers = 5'000;

// Counts with the details of each policy added up to one for each result type, as Store::outline()
// has them.
WindowCounts outline_of(const WindowCounts& counts);

class HeldCounts final : public CountsSource {
 public:
  // `counts` are sorted by policy.
  HeldCounts(WindowCounts counts, const AddressShown& shown);

  const std::vector<Heading>& policies() const override { return headings_; }
  Result<void> details(std::size_t index, std::uint64_t first,
                       const std::function<bool(const DetailCount&)>& visit) override;

 private:
  WindowCounts counts_;
  std::vector<Heading> headings_;
};

}  // namespace rapporteur
