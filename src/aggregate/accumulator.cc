#include "aggregate/accumulator.h"

#include <algorithm>
#include <limits>

namespace rapporteur {

namespace {

void add_to(std::uint64_t& sum, std::uint64_t count) {
  sum = count > std::numeric_limits<std::uint64_t>::max() - sum
            ? std::numeric_limits<std::uint64_t>::max()
            : sum + count;
}

}  // namespace

Accumulator::Sums& Accumulator::sums_of(const Policy& policy) {
  const auto found = std::ranges::find(policies_, policy, &Sums::policy);
  if (found != policies_.end()) return *found;
  policies_.push_back({.policy = policy, .successful = 0, .failed = 0, .details = {}});
  return policies_.back();
}

void Accumulator::add(const Session& session, std::size_t max_details) {
  for (const auto& outcome : session.outcomes) {
    auto& sums = sums_of(outcome.policy);
    add_to(outcome.success ? sums.successful : sums.failed, session.count);
    for (const auto& detail : outcome.failure_details) {
      const bool full = sums.details.size() >= max_details && !sums.details.contains(detail);
      auto& count = full ? sums.details[FailureDetail{.result_type = detail.result_type}]
                         : sums.details[detail];
      add_to(count, session.count);
    }
  }
}

WindowCounts Accumulator::counts() const {
  WindowCounts counts;
  counts.reserve(policies_.size());
  for (const auto& sums : policies_) {
    PolicyCounts policy{sums.policy, sums.successful, sums.failed, {}};
    policy.details.reserve(sums.details.size());
    for (const auto& [detail, count] : sums.details) policy.details.push_back({detail, count});
    counts.push_back(std::move(policy));
  }
  return counts;
}

}  // namespace rapporteur
