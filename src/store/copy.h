#pragma once
// Moves a store of one node to the database of several.

#include <cstdint>
#include <functional>
#include <string>

#include "base/random.h"
#include "base/result.h"

namespace rapporteur {

// Of a copy under way: how many rows of how many of this table are there.
struct CopyProgress {
  std::string table;
  std::uint64_t rows = 0;
  std::uint64_t of = 0;
};

struct CopySummary {
  std::uint64_t rows = 0;     // copied now
  std::uint64_t resumed = 0;  // that an earlier copy, which was broken off, had left
};

// Copies every row of the SQLite store at `from` to the PostgreSQL store at `to`, which must be
// new, or hold what an earlier copy of the same store has left: then it goes on behind that. The
// token and the secret go along, so that the reports that are open keep their ids. No daemon may
// work on `from`, which stays as it is, but for an older schema, which is brought up to date. In
// the end the rows and their sums are compared. Fails with Fault::kConfig if the stores cannot be
// used for this (of another kind, in use, not new, with counts that wait in the journal), with
// Fault::kCorrupt if the comparison fails, else as the stores do. `tell` is called after each step.
Result<CopySummary> copy_store(const std::string& from, const std::string& to, Random& random,
                               const std::function<void(const CopyProgress&)>& tell);

}  // namespace rapporteur
