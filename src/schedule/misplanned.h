#pragma once
// Windows whose due time was planned while the clock was ahead: supplements and windows that open
// late fall due some time after their first session came, by the clock of that moment.

#include <cstddef>

#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "config/config.h"
#include "store/store.h"

namespace rapporteur {

// Makes windows due that ended long ago and fall due later than any plan made at `now` would have
// it. Returns how many. Reads every window that falls due so late, weekly ones among them: for a
// start, and once in a while. Fails as the store does.
Result<std::size_t> bring_forward(Store& store, const ScheduleConfig& schedule, Time now, Log& log);

}  // namespace rapporteur
