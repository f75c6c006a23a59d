#pragma once
// What every store makes of the deltas of a batch before it writes rows.

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/time.h"
#include "store/store.h"

namespace rapporteur {

// a + b, or the greatest number.
std::uint64_t saturating_sum(std::uint64_t a, std::uint64_t b);

// The deltas by their domains, those of one domain as they come: indexes grow at one end after the
// other instead of everywhere, and all nodes lock windows in one order.
std::vector<const WindowDelta*> by_domain(std::span<const WindowDelta> deltas);

// Successful and failed sessions over all policies.
std::pair<std::uint64_t, std::uint64_t> sums_of(const WindowDelta& delta);

// Of the window that a delta means, to remember where it is. Others may have the same.
std::uint64_t place_key(const WindowDelta& delta);

// Windows of this period may have been reported and removed since: those that ended by `pruned`
// were. The parts of a new one are numbered from where no earlier one has come: its hour of birth.
int first_part_of(const Period& period, Time pruned, Time now);

}  // namespace rapporteur
