#include "aggregate/accumulator.h"

#include <algorithm>
#include <limits>

#include "aggregate/packed_session.h"

namespace rapporteur {

namespace {

// Looking through so many is as fast as a search.
constexpr std::size_t kFew = 8;

void add_to(std::uint64_t& sum, std::uint64_t count) {
  sum = count > std::numeric_limits<std::uint64_t>::max() - sum
            ? std::numeric_limits<std::uint64_t>::max()
            : sum + count;
}

}  // namespace

Accumulator::Sums& Accumulator::sums_of(std::string_view policy) {
  if (policies_.size() <= kFew) {
    const auto found = std::ranges::find(policies_, policy, &Sums::policy);
    if (found != policies_.end()) return *found;
  } else if (const auto found = places_.find(policy); found != places_.end()) {
    return policies_[found->second];
  }
  policies_.push_back({policy, 0, 0, {}});
  if (policies_.size() > kFew) {
    for (auto place = places_.size(); place < policies_.size(); ++place) {
      places_.emplace(policies_[place].policy, place);
    }
  }
  return policies_.back();
}

void Accumulator::add(std::string_view packed, std::uint64_t sessions, std::size_t max_details) {
  PackedSession session(packed);
  domain_ = session.domain();
  for (PackedSession::Outcome outcome; session.next_outcome(outcome);) {
    auto& sums = sums_of(outcome.policy);
    add_to(outcome.success ? sums.successful : sums.failed, sessions);
    for (std::size_t i = 0; i < outcome.details; ++i) {
      const auto detail = session.next_detail();
      const bool full = sums.details.size() >= max_details && !sums.details.contains(detail);
      add_to(sums.details[full ? bare_detail(detail) : detail], sessions);
    }
  }
}

WindowCounts Accumulator::counts() const {
  WindowCounts counts;
  counts.reserve(policies_.size());
  for (const auto& sums : policies_) {
    PolicyCounts policy{unpack_policy(sums.policy, domain_), sums.successful, sums.failed, {}};
    policy.details.reserve(sums.details.size());
    for (const auto& [detail, count] : sums.details) {
      policy.details.push_back({unpack_detail(detail), count});
    }
    counts.push_back(std::move(policy));
  }
  return counts;
}

}  // namespace rapporteur
