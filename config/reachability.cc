#include "config/reachability.h"

#include <optional>
#include <unordered_map>

namespace rapporteur {

std::vector<Unreachable> find_unreachable(const expr::IfBlock& block) {
  std::vector<Unreachable> found;
  std::unordered_map<std::string, std::size_t> asked;  // conditions without captures, and their
                                                       // numbers
  std::optional<std::size_t> always;                   // the first that is always true
  const auto number = [](std::size_t branch) { return "condition " + std::to_string(branch + 1); };
  for (std::size_t i = 0; i < block.branches.size(); ++i) {
    const auto& condition = block.branches[i].condition;
    const auto* value = condition.constant();
    if (always) {
      found.push_back({i, number(*always) + " is always true"});
    } else if (value != nullptr) {
      if (expr::is_true(*value)) {
        always = i;
      } else {
        found.push_back({i, "its condition is always false"});
      }
    } else if (!condition.reads_captures()) {
      const auto [first, fresh] = asked.emplace(condition.dump(), i);
      if (!fresh) found.push_back({i, number(first->second) + " asks the same"});
    }
  }
  if (always) found.push_back({block.branches.size(), number(*always) + " is always true"});
  return found;
}

}  // namespace rapporteur
