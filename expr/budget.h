#pragma once
// The time that an evaluation may take: docs/expressions.md, "Limits". Every step is paid for
// beforehand with what it takes in the worst case. Only when that adds up to more than there is,
// the processor time that was really used is measured.

#include <cstddef>
#include <cstdint>

#include "expr/expression.h"

namespace expr {

// Nanoseconds in the worst case, on a machine of 2020 and without sanitizers.
constexpr std::int64_t kStepCost = 100;
constexpr std::int64_t kByteCost = 12;  // that a function looks at, as size_of() counts
constexpr std::int64_t kCopiedByteCost = 2;
constexpr std::int64_t kInstructionCost = 10;  // of a regular expression, for each byte of the text

// What an answer of the DNS adds: its texts are longer than names, and it took longer to come.
constexpr std::int64_t kAnswerAllowance = 10'000'000;

constexpr std::int64_t kComparisonCost = 30;

// As afford(), by measuring.
bool afford_measured(Budget& budget, std::int64_t cost);

// Takes the cost off the budget. False if the step must not be begun: the evaluation could take
// longer than its total.
inline bool afford(Budget& budget, std::int64_t cost) {
  if (cost > budget.left) return afford_measured(budget, cost);
  budget.left -= cost;
  return true;
}

// Of searching a text for a regular expression.
inline std::int64_t cost_of_search(std::size_t instructions, std::size_t bytes) {
  return kInstructionCost * static_cast<std::int64_t>(instructions * bytes);
}

}  // namespace expr
