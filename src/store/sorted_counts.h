#pragma once
// A window's counts as its report tells them, sorted by SQLite in temporary tables, so that memory
// does not grow with the number of details.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/counts_source.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace rapporteur {

// A policy of a window, by the number that its details carry.
struct StoredPolicy {
  std::int64_t id = 0;
  std::uint64_t details = 0;  // how many
  PolicyCounts counts;        // without details
};

void sort_by_policy(std::vector<StoredPolicy>& rows);

// Sorts the details that the table `details` of `database` holds of these policies, which are
// sorted, into temporary tables, within a transaction of the caller. The source reads them as long
// as `database` lives and `generation` stays as it is: whoever sorts another window's into the same
// database changes it first.
std::unique_ptr<CountsSource> sort_counts(Database& database, const std::uint64_t& generation,
                                          std::span<const StoredPolicy> policies,
                                          const AddressShown& shown);

}  // namespace rapporteur
