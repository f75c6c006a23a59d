#pragma once
// Tallies as the bytes of one file, for a store that is away: docs/formats.md, "Spilled counts".

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aggregate/tally.h"
#include "base/result.h"
#include "store/store.h"

namespace rapporteur {

struct SpilledCounts {
  FlushId flush;  // under which they are to be stored
  std::vector<std::unique_ptr<Tally>> tallies;
};

std::string write_spilled_counts(const FlushId& flush, std::span<const Tally* const> tallies);

// Fails with Fault::kCorrupt if the bytes are not exactly what was written.
Result<SpilledCounts> read_spilled_counts(std::string_view bytes);

}  // namespace rapporteur
