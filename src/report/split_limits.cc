#include "report/split_limits.h"

#include <algorithm>
#include <limits>
#include <string>

#include "report/gzip.h"
#include "report/json.h"
#include "report/policy_text.h"
#include "report/shorten.h"

namespace rapporteur {

std::optional<std::size_t> room_for(const SplitRules& rules, int number) {
  if (rules.limit_bytes == 0) return std::numeric_limits<std::size_t>::max() / 4;
  if (rules.submitted_size(0, number) > rules.limit_bytes) return std::nullopt;
  std::uint64_t least = 0;
  std::uint64_t most = rules.limit_bytes;
  while (least < most) {
    const auto middle = most - (most - least) / 2;
    if (rules.submitted_size(middle, number) <= rules.limit_bytes) {
      least = middle;
    } else {
      most = middle - 1;
    }
  }
  return least;
}

// The size of the largest of the smallest possible reports, and a margin for
// texts that compress worse than it.
Result<std::size_t> smallest_limit(CountsSource& source, const SplitRules& rules) {
  constexpr std::size_t kMargin = 64;
  const auto& headings = source.policies();
  std::uint64_t pieces = 1;
  for (const auto& heading : headings) pieces += 1 + heading.details;
  const auto widest_number = rules.first_part + static_cast<int>(std::min<std::uint64_t>(
                                                    pieces, std::numeric_limits<int>::max() / 2));
  const auto head = open_report(rules.head(widest_number));
  auto needed = gzip(head + std::string(kCloseReport)).size();
  for (std::size_t i = 0; i < headings.size(); ++i) {
    const auto& heading = headings[i];
    const auto largest = widest_detail(source, i, kDetailCaps.back());
    if (!largest) return largest.error();
    const auto& cap = kPolicyCaps.back();
    const auto opening = open_policy(shortened(heading.policy, cap.lines, cap.bytes),
                                     heading.successful, heading.failed);
    const auto text =
        head + opening + *largest + std::string(kClosePolicy) + std::string(kCloseReport);
    needed = std::max(needed, gzip(text).size());
  }
  return rules.submitted_size(needed + kMargin, widest_number);
}

}  // namespace rapporteur
