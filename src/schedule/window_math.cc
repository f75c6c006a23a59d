#include "schedule/window_math.h"

#include <algorithm>
#include <string>

#include "base/hash.h"

namespace rapporteur {

using namespace std::chrono;

Period period_of(Frequency frequency, Time time) {
  if (frequency == Frequency::kHourly) {
    const Time start = floor<hours>(time);
    return {start, start + hours{1}};
  }
  const auto day = floor<days>(time);
  if (frequency == Frequency::kWeekly) {
    const auto monday = day - (weekday{day} - Monday);
    return {monday, monday + weeks{1}};
  }
  return {day, day + days{1}};
}

Period window_for(Frequency frequency, Time time, std::span<const Period> known) {
  auto period = period_of(frequency, time);
  for (const auto& other : known) {
    if (other.end <= time) period.start = std::max(period.start, other.end);
    if (other.start > time) period.end = std::min(period.end, other.start);
  }
  return period;
}

Seconds delay_of(std::string_view domain, Period period, Frequency frequency,
                 const Spread& spread) {
  const auto width = frequency == Frequency::kHourly   ? spread.hourly
                     : frequency == Frequency::kWeekly ? spread.weekly
                                                       : spread.daily;
  if (width.count() <= 0) return Seconds{0};
  const auto key = std::string(domain) + ' ' + format_compact(period.start);
  return Seconds{
      static_cast<std::int64_t>(hash64(key) % static_cast<std::uint64_t>(width.count()))};
}

}  // namespace rapporteur
