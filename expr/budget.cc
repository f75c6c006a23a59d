#include "expr/budget.h"

#include <bit>
#include <ctime>

namespace expr {
namespace {

// Processor time of this thread: what other programs do meanwhile does not count.
std::int64_t processor_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return std::int64_t{now.tv_sec} * kNanoseconds + now.tv_nsec;
}

std::int64_t bytes_of(const Value& value) {
  return static_cast<std::int64_t>(size_of(value));
}

std::int64_t elements_of(const Value& value) {
  const auto* array = std::get_if<Array>(&value);
  return array == nullptr ? 1 : static_cast<std::int64_t>(array->size());
}

// Whether the function makes texts of arguments that are none.
bool takes_texts(const Function& function) {
  const bool each =
      function.gives == Gives::kStringOrArray || function.gives == Gives::kTruthOrArray;
  return each || function.growth == Growth::kPairs || function.accepts[0] == Accepts::kText;
}

}  // namespace

bool afford_measured(Budget& budget, std::int64_t cost) {
  const std::int64_t now = processor_time();
  if (!budget.measured) {
    budget.measured = true;
    budget.before = Budget::kUnmeasured - budget.left;
    budget.started = now;
  }
  budget.left = budget.total - budget.before - (now - budget.started);
  if (cost > budget.left) return false;
  budget.left -= cost;
  return true;
}

std::int64_t cost_of_pairs(const Value& one, const Value& other) {
  const std::int64_t elements = elements_of(one);
  const std::int64_t others = elements_of(other);
  // Comparing with a long text takes longer.
  const std::int64_t bytes = bytes_of(one) * others + bytes_of(other) * elements;
  return kComparisonCost * elements * others + bytes / 2;
}

std::int64_t cost_of_call(const Function& function, std::span<const Value* const> arguments) {
  std::int64_t cost = cost_of_bytes(arguments);
  if (takes_texts(function)) cost += cost_of_texts(arguments);
  switch (function.growth) {
    case Growth::kBytes:
      break;
    case Growth::kLetters:
      cost *= kLetterCost / kByteCost;
      break;
    case Growth::kSorting: {
      const std::int64_t elements = elements_of(*arguments.front());
      const auto rounds = std::bit_width(static_cast<std::uint64_t>(elements));
      cost += kComparisonCost * elements * static_cast<std::int64_t>(rounds);
      break;
    }
    case Growth::kPairs:
      cost += cost_of_pairs(*arguments.front(), *arguments.back());
      break;
  }
  return cost;
}

}  // namespace expr
