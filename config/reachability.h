#pragma once
// Which branches of an if-block can never be taken, as far as that is certain without values.

#include <cstddef>
#include <string>
#include <vector>

#include "expr/expression.h"

namespace rapporteur {

struct Unreachable {
  std::size_t branch = 0;  // the number of the branches: `otherwise`
  // Ends the sentence that begins with the branch. Conditions are counted from 1: "condition 1 is
  // always true".
  std::string reason;
};

// In the order of the branches.
std::vector<Unreachable> find_unreachable(const expr::IfBlock& block);

}  // namespace rapporteur
