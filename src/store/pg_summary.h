#pragma once
// What the PostgreSQL store remembers of its state in numbers, because counting takes a while.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "base/result.h"
#include "base/time.h"
#include "model/delivery.h"
#include "model/received.h"
#include "model/window.h"

namespace rapporteur {

// As in StoreSummary.
struct PgTallies {
  std::map<WindowState, std::uint64_t> windows;
  std::map<DeliveryState, std::uint64_t> deliveries;
  std::map<Trust, std::uint64_t> received;
};
struct PgBacklog {
  std::uint64_t overdue = 0;
  std::optional<Time> overdue_since;
  std::uint64_t waiting = 0;
  std::optional<Time> open_since;
};

// A value that is found out again when it is old.
template <class Value>
class Remembered {
 public:
  // What `find` has returned less than `age` ago, or what it returns now: a Result<Value>. What
  // takes long to find out is kept longer, so that no more than a hundredth of the time goes into
  // it; with an age of 0 nothing is kept.
  template <class Find>
  Result<Value> get(std::chrono::steady_clock::duration age, const Find& find) {
    using Steady = std::chrono::steady_clock;
    constexpr int kLeastRest = 100;
    const auto begun = Steady::now();
    if (value_ && age > age.zero() && begun - found_ < std::max(age, kLeastRest * took_)) {
      return *value_;
    }
    auto found = find();
    if (!found) return found;
    value_ = *found;
    found_ = Steady::now();
    took_ = found_ - begun;
    return found;
  }

 private:
  std::optional<Value> value_;
  std::chrono::steady_clock::time_point found_;
  std::chrono::steady_clock::duration took_{0};
};

}  // namespace rapporteur
