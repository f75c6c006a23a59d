#include "report/packing_order.h"

#include <algorithm>

#include "report/json.h"
#include "report/policy_text.h"
#include "report/size_estimate.h"

namespace rapporteur {

namespace {

// Report texts compress to about this share of their length.
constexpr double kUsualRatio = 0.125;
// A policy that seems to take less than this share of a part only fills gaps.
constexpr double kSmallShare = 1.0 / 32;
// One that seems to take this many parts need not be weighed.
constexpr double kSurelyDivided = 8;

// Few details are not worth a sample: what they would cost counts like what they tell.
constexpr std::uint64_t kLeastSampled = 64;

// A sample: this share of the details from the first on, and as many from the middle on.
constexpr std::uint64_t kSampleShare = 48;
constexpr std::uint64_t kLeastSample = 2;
constexpr std::size_t kMostSample = 1 << 17;

}  // namespace

Result<void> PackingOrder::sort(std::size_t room, std::uint64_t& work) {
  const auto& headings = source_.policies();
  SizeEstimate samples(work);
  for (std::size_t i = 0; i < headings.size(); ++i) {
    const double length = roughly_long(headings[i]);
    const double share = length * kUsualRatio / static_cast<double>(std::max<std::size_t>(1, room));
    estimates_.push_back(length * kUsualRatio);
    if (share < kSmallShare && 4 * length < static_cast<double>(kMostSmall)) {
      small_.push_back(i);
      continue;
    }
    if (headings.size() > 1 && share < kSurelyDivided && headings[i].details >= kLeastSampled) {
      const auto estimated = estimate(i, samples);
      if (!estimated) return estimated.error();
      estimates_[i] = *estimated;
    }
    large_.emplace(-estimates_[i], i);
  }
  return {};
}

Result<double> PackingOrder::estimate(std::size_t index, SizeEstimate& samples) {
  const auto& heading = source_.policies()[index];
  const auto count = std::max(kLeastSample, heading.details / kSampleShare);
  std::string sample = open_policy(heading.policy, heading.successful, heading.failed);
  const auto opening = sample.size();
  std::uint64_t taken = 0;
  for (const auto first : {std::uint64_t{0}, heading.details / 2}) {
    if (first > 0 && first < count) break;
    auto details = details_text(source_, index, first, count, kMostSample);
    if (!details) return std::move(details).error();
    sample += details->text;
    taken += details->count;
  }
  if (taken == 0) return samples.cost(sample);  // a source that has fewer than it says
  const double length = static_cast<double>(opening) +
                        static_cast<double>(sample.size() - opening) *
                            static_cast<double>(heading.details) / static_cast<double>(taken);
  return samples.cost(sample) * length / static_cast<double>(sample.size());
}

std::optional<std::size_t> PackingOrder::take_largest() {
  if (large_.empty()) return std::nullopt;
  const auto index = large_.begin()->second;
  large_.erase(large_.begin());
  return index;
}

std::optional<std::size_t> PackingOrder::take_fitting(double bytes) {
  const auto found = large_.lower_bound({-bytes / correction_, 0});
  if (found == large_.end()) return std::nullopt;
  const auto index = found->second;
  large_.erase(found);
  return index;
}

void PackingOrder::put_back(std::size_t index, double bytes) {
  estimates_[index] = std::max(estimates_[index], bytes / correction_);
  large_.emplace(-estimates_[index], index);
}

void PackingOrder::learn(std::size_t index, double bytes) {
  constexpr double kWeight = 0.25;
  const double seen = bytes / std::max(1.0, estimates_[index]);
  correction_ += kWeight * (std::clamp(seen, 0.1, 10.0) - correction_);
}

const std::size_t* PackingOrder::small(std::size_t offset) const {
  return next_small_ + offset < small_.size() ? &small_[next_small_ + offset] : nullptr;
}

void PackingOrder::small_is_large(double bytes) {
  put_back(small_[next_small_++], bytes);
}

}  // namespace rapporteur
