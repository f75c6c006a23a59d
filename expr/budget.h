#pragma once
// The time that an evaluation may take: docs/expressions.md, "Limits". Every step is paid for
// beforehand with what it takes in the worst case. Only when that adds up to more than there is,
// the processor time that was really used is measured.

#include <cstddef>
#include <cstdint>
#include <span>

#include "expr/expression.h"
#include "expr/functions.h"
#include "expr/value.h"

namespace expr {

// Nanoseconds in the worst case, on a machine of 2020 and without sanitizers.
constexpr std::int64_t kStepCost = 100;
constexpr std::int64_t kByteCost = 12;    // that is looked at, as size_of() counts
constexpr std::int64_t kLetterCost = 36;  // the same, where the case of letters is looked up
constexpr std::int64_t kCopiedByteCost = 2;
constexpr std::int64_t kComparisonCost = 30;
constexpr std::int64_t kInstructionCost = 10;  // of a regular expression, for each byte of the text

constexpr std::int64_t kDomainCost = 20'000;  // of bringing a name into the form of the DNS

// What an answer of the DNS adds: its texts are longer than names, and it took longer to come.
constexpr std::int64_t kAnswerAllowance = 10'000'000;

// As afford(), by measuring.
bool afford_measured(Budget& budget, std::int64_t cost);

// Takes the cost off the budget. False if the step must not be begun: the evaluation could take
// longer than its total.
inline bool afford(Budget& budget, std::int64_t cost) {
  if (cost > budget.left) return afford_measured(budget, cost);
  budget.left -= cost;
  return true;
}

// Of looking at every byte of the values.
inline std::int64_t cost_of_bytes(std::span<const Value* const> values) {
  std::size_t bytes = 0;
  for (const Value* value : values) bytes += size_of(*value);
  return kByteCost * static_cast<std::int64_t>(bytes);
}

// Of to_text() of those that are no texts.
inline std::int64_t cost_of_texts(std::span<const Value* const> values) {
  std::size_t bytes = 0;
  for (const Value* value : values) {
    if (!std::holds_alternative<std::string>(*value)) bytes += most_text_bytes(*value);
  }
  return kByteCost * static_cast<std::int64_t>(bytes);
}

// Of comparing every element of one with every element of the other.
std::int64_t cost_of_pairs(const Value& one, const Value& other);

std::int64_t cost_of_call(const Function& function, std::span<const Value* const> arguments);

// Of searching a text for a regular expression.
constexpr std::int64_t cost_of_search(std::size_t instructions, std::size_t bytes) {
  return kInstructionCost * static_cast<std::int64_t>(instructions * (bytes + 1));
}

}  // namespace expr
