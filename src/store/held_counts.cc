#include "store/held_counts.h"

#include <algorithm>
#include <map>
#include <utility>

#include "store/values.h"

namespace rapporteur {

namespace {

// Sums of counts stay here; no policy has so many failures.
constexpr std::uint64_t kMostCovered = std::uint64_t{1} << 62;

// Equal details become one; then the largest count first, equal counts by content.
void merge(std::vector<DetailCount>& details, const AddressShown& shown) {
  for (auto& detail : details) {
    detail.detail.sending_mta_ip = shown(detail.detail.sending_mta_ip);
  }
  std::ranges::sort(details, {}, &DetailCount::detail);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < details.size(); ++i) {
    if (kept > 0 && details[kept - 1].detail == details[i].detail) {
      details[kept - 1].count = std::min(kMaxCount, details[kept - 1].count + details[i].count);
    } else {
      if (kept != i) details[kept] = std::move(details[i]);
      ++kept;
    }
  }
  details.resize(kept);
  std::ranges::stable_sort(details, std::ranges::greater(), &DetailCount::count);
}

std::uint64_t sum_of(const std::vector<DetailCount>& details) {
  std::uint64_t sum = 0;
  // At most 20,000 times kMaxCount would not fit.
  for (const auto& detail : details) sum = std::min(kMostCovered, sum + detail.count);
  return sum;
}

}  // namespace

WindowCounts outline_of(const WindowCounts& counts) {
  WindowCounts outline;
  outline.reserve(counts.size());
  for (const auto& policy : counts) {
    std::map<ResultType, std::uint64_t> sums;
    for (const auto& [detail, count] : policy.details) {
      auto& sum = sums[detail.result_type];
      sum = std::min(kMaxCount, sum + count);
    }
    auto& outlined = outline.emplace_back();
    outlined.policy = policy.policy;
    outlined.successful = policy.successful;
    outlined.failed = policy.failed;
    for (const auto& [type, sum] : sums) {
      outlined.details.push_back({FailureDetail{.result_type = type}, sum});
    }
    std::ranges::sort(outlined.details);
  }
  return outline;
}

HeldCounts::HeldCounts(WindowCounts counts, const AddressShown& shown)
    : counts_(std::move(counts)) {
  for (auto& policy : counts_) {
    merge(policy.details, shown);
    headings_.push_back({policy.policy, policy.successful, policy.failed, policy.details.size(),
                         sum_of(policy.details)});
  }
}

Result<void> HeldCounts::details(std::size_t index, std::uint64_t first,
                                 const std::function<bool(const DetailCount&)>& visit) {
  const auto& details = counts_[index].details;
  for (auto i = first; i < details.size() && visit(details[i]); ++i) {
  }
  return {};
}

}  // namespace rapporteur
