#include "store/deltas.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

namespace rapporteur {

std::uint64_t saturating_sum(std::uint64_t a, std::uint64_t b) {
  const auto sum = a + b;
  return sum < a ? UINT64_MAX : sum;
}

std::vector<const WindowDelta*> by_domain(std::span<const WindowDelta> deltas) {
  std::vector<const WindowDelta*> order;
  order.reserve(deltas.size());
  for (const auto& delta : deltas) order.push_back(&delta);
  std::ranges::stable_sort(
      order, {}, [](const WindowDelta* delta) -> const auto& { return delta->domain; });
  return order;
}

std::pair<std::uint64_t, std::uint64_t> sums_of(const WindowDelta& delta) {
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;
  for (const auto& policy : delta.counts) {
    successful = saturating_sum(successful, policy.successful);
    failed = saturating_sum(failed, policy.failed);
  }
  return {successful, failed};
}

std::uint64_t place_key(const WindowDelta& delta) {
  const auto start = static_cast<std::uint64_t>(delta.period.start.time_since_epoch().count());
  return std::hash<std::string>()(delta.domain) ^ (start * 0x9e3779b97f4a7c15U);
}

int first_part_of(const Period& period, Time pruned, Time now) {
  constexpr std::int64_t kPartsAnHour = 1000;
  constexpr std::int64_t kMostHours = 2'000'000;
  if (pruned <= period.start) return 1;
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(now - period.start).count();
  return static_cast<int>(kPartsAnHour * std::clamp<std::int64_t>(hours, 1, kMostHours) + 1);
}

}  // namespace rapporteur
