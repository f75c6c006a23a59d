#pragma once
// When windows begin, end and fall due. Pure: nothing here asks for the time or the store.
// RFC 8460, sections 4.1 and 4.4; docs/design.md, "Scheduling".

#include <span>
#include <string_view>

#include "base/time.h"
#include "model/window.h"

namespace rapporteur {

// The clock hour, the UTC day, or the ISO week (from Monday 00:00) that covers `time`. kNever has
// no periods: callers ask about it before.
Period period_of(Frequency frequency, Time time);

// The window that opens for a session at `time`: it runs from the later of the period's start and
// the latest end among `known` that is not after `time`, to the period's end or the earliest start
// among `known` that is after `time`. `time` is in none of `known`.
Period window_for(Frequency frequency, Time time, std::span<const Period> known);

struct Spread {
  Seconds hourly{600};
  Seconds daily{14'400};
  Seconds weekly{14'400};
};

// From 0 to the frequency's spread, exclusive: the same for a domain and period on every node and
// after every restart, evenly distributed over domains.
Seconds delay_of(std::string_view domain, Period period, Frequency frequency, const Spread& spread);

}  // namespace rapporteur
