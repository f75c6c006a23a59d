#pragma once
// When a delivery that failed for the time being is tried again: RFC 8460, section 5.5 (up to 24
// hours, exponential back-off). Pure but for the chance that is handed in.

#include <optional>

#include "base/random.h"
#include "base/time.h"

namespace rapporteur {

struct RetryPolicy {
  Seconds first_retry = std::chrono::minutes(5);
  Seconds retry_for = std::chrono::hours(24);
};

// No wait between two attempts is planned to be longer.
constexpr Seconds kLongestWait = std::chrono::hours(4);

// A delivery that is tried so much later than it was planned could not be tried meanwhile: the time
// does not count toward its retry period.
constexpr Seconds kNoticedDelay = std::chrono::minutes(10);

// When the retry period of a delivery began, for an attempt at `now` that was planned for
// `planned`: `first_attempt`, moved on by the time during which this program was stopped, paused,
// suspended or without its relay. Never after `now`, whatever the clock has been.
Time retry_period_began(Time first_attempt, std::optional<Time> planned, Time now);

// Whether the time planned for something lies further ahead than it can have been put off: it was
// planned while the clock was wrong.
constexpr bool is_misplanned(Time planned, Time now, Seconds longest_wait) {
  return planned - now > longest_wait;
}

// `wait`, changed by chance to something between 85 and 115 percent of it.
Seconds with_jitter(Seconds wait, Random& random);

// The attempt that follows one at `now`; nullopt: that was the last. `first_attempt` is the first
// one that counted. Attempts follow at about first_retry * (1, 3, 7, 15, …) after the first: the
// wait is reckoned from the time that has passed, so that neither restarts nor attempts that do not
// count change it. The last is planned exactly at first_attempt + retry_for. `retry_after` puts the
// next one off, if need be beyond that point; it is then the last.
std::optional<Time> next_attempt(const RetryPolicy& policy, Time first_attempt, Time now,
                                 std::optional<Seconds> retry_after, Random& random);

// 1, 2, 4, … times `first` after the first, second, third … failure, at most `longest`.
Seconds doubled_wait(Seconds first, int failures, Seconds longest);

}  // namespace rapporteur
