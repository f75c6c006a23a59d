#include "schedule/planner.h"

#include <algorithm>

#include "base/hash.h"
#include "schedule/evaluation.h"
#include "schedule/window_math.h"

namespace rapporteur {

namespace {

constexpr Seconds kSupplementDelay{3600};

Spread spread_of(const ScheduleConfig& schedule) {
  return {schedule.spread_hourly, schedule.spread_daily, schedule.spread_weekly};
}

// The frequency whose windows are as long as this one, for the width of its delay.
Frequency frequency_of(Period period) {
  const auto length = period.end - period.start;
  if (length <= std::chrono::hours{1}) return Frequency::kHourly;
  return length <= std::chrono::days{1} ? Frequency::kDaily : Frequency::kWeekly;
}

// A window with less time than this to its end is over before two lookups would tell.
constexpr Seconds kLeastForLookups{3 * 3600};

// When the record is looked up for the first time: spread over a quarter of the window's remaining
// time, so that windows that open together at midnight are not looked up together.
std::optional<Time> first_lookup(const std::string& domain, Period period, Time now) {
  const auto left = period.end - now;
  if (left <= kLeastForLookups) return std::nullopt;
  const auto key = "lookup " + domain + ' ' + format_compact(period.start);
  const auto width = static_cast<std::uint64_t>(left.count()) / 4;
  return now + Seconds(static_cast<std::int64_t>(hash64(key) % width));
}

}  // namespace

Seconds longest_delay(const ScheduleConfig& schedule) {
  const auto spread =
      std::max({schedule.spread_hourly, schedule.spread_daily, schedule.spread_weekly});
  return kSupplementDelay + schedule.grace + spread;
}

WindowPlan SettingsPlanner::plan(const std::string& domain, Time time,
                                 std::span<const Period> known, Time now) {
  WindowPlan plan;
  const auto frequency = frequency_setting(*config_, domain);
  if (frequency) {
    plan.frequency = *frequency;
    if (plan.frequency == Frequency::kNever) return plan;
  } else {
    plan.state = WindowState::kBlocked;
    plan.reason = frequency.error().text;
  }
  plan.period = window_for(plan.frequency, time, known);
  const auto& schedule = config_->schedule;
  const auto delay = delay_of(domain, plan.period, plan.frequency, spread_of(schedule));
  plan.due = std::max(plan.period.end + schedule.grace + delay, now + schedule.grace);
  if (plan.state == WindowState::kCollecting) plan.lookup = first_lookup(domain, plan.period, now);
  return plan;
}

Time SettingsPlanner::supplement_due(const std::string& domain, Period period, Time now) {
  const auto& schedule = config_->schedule;
  return std::max(now + kSupplementDelay, period.end + schedule.grace) +
         delay_of(domain, period, frequency_of(period), spread_of(schedule));
}

}  // namespace rapporteur
