#include "report/counts_source.h"

#include "report/json.h"

namespace rapporteur {

MemoryCounts::MemoryCounts(const WindowCounts& counts)
    : policies_(policies_in_order(counts)), ordered_(policies_.size()) {
  headings_.reserve(policies_.size());
  for (const auto* policy : policies_) {
    std::uint64_t covered = 0;
    for (const auto& detail : policy->details) covered += detail.count;
    headings_.push_back(
        {policy->policy, policy->successful, policy->failed, policy->details.size(), covered});
  }
}

Result<void> MemoryCounts::details(std::size_t index, std::uint64_t first,
                                   const std::function<bool(const DetailCount&)>& visit) {
  if (ordered_ != index) {
    details_ = details_in_order(*policies_[index]);
    ordered_ = index;
  }
  for (auto i = first; i < details_.size(); ++i) {
    if (!visit(*details_[i])) break;
  }
  return {};
}

}  // namespace rapporteur
