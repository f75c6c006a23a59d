#include "expr/budget.h"

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

}  // namespace expr
