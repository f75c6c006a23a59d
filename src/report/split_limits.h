#pragma once
// What the limit of SplitRules means for one part, and which limit a report needs at least.

#include <cstddef>
#include <optional>

#include "base/result.h"
#include "report/counts_source.h"
#include "report/split.h"

namespace rapporteur {

// The most bytes of gzip of the part with this number; none if not even 0 fit.
std::optional<std::size_t> room_for(const SplitRules& rules, int number);

// A limit that would do. Fails as the source does.
Result<std::size_t> smallest_limit(CountsSource& source, const SplitRules& rules);

}  // namespace rapporteur
