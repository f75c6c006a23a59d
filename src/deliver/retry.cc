#include "deliver/retry.h"

#include <algorithm>
#include <cstdint>

namespace rapporteur {

Seconds with_jitter(Seconds wait, Random& random) {
  constexpr std::int64_t kPerMille = 1000;
  constexpr std::int64_t kLeast = 850;
  constexpr std::uint64_t kSpread = 301;  // 850 to 1150
  const auto factor = kLeast + static_cast<std::int64_t>(random.next() % kSpread);
  return wait * factor / kPerMille;
}

Time retry_period_began(Time first_attempt, std::optional<Time> planned, Time now) {
  auto began = first_attempt;
  if (planned && now - *planned > kNoticedDelay) began += now - *planned;
  return std::min(began, now);
}

std::optional<Time> next_attempt(const RetryPolicy& policy, Time first_attempt, Time now,
                                 std::optional<Seconds> retry_after, Random& random) {
  const auto deadline = first_attempt + policy.retry_for;
  if (now >= deadline) return std::nullopt;
  const auto passed =
      std::max(now - first_attempt, Seconds(0));  // the clock may have been set back
  const auto wait = std::min(passed + policy.first_retry, kLongestWait);
  auto next = std::min(now + std::max(with_jitter(wait, random), Seconds(1)), deadline);
  if (retry_after) next = std::max(next, now + *retry_after);
  return next;
}

Seconds doubled_wait(Seconds first, int failures, Seconds longest) {
  auto wait = std::min(first, longest);
  for (int i = 1; i < failures && wait < longest; ++i) wait = std::min(wait * 2, longest);
  return wait;
}

}  // namespace rapporteur
