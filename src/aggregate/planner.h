#pragma once
// The questions that counting has for scheduling. Implemented in schedule/planner.h.

#include <optional>
#include <span>
#include <string>

#include "base/time.h"
#include "model/window.h"

namespace rapporteur {

// A window that is to be made for a session.
struct WindowPlan {
  Frequency frequency = Frequency::kDaily;  // kNever: no window is made
  Period period;
  Time due;
  WindowState state = WindowState::kCollecting;  // or kBlocked with a reason
  std::string reason;
  std::optional<Time> lookup;  // when its TXT record is to be looked up for the first time
};

class WindowPlanner {
 public:
  virtual ~WindowPlanner() = default;
  // The window for a session of `domain` at `time`, which is in none of `known` (stored windows of
  // the domain). One thread.
  virtual WindowPlan plan(const std::string& domain, Time time, std::span<const Period> known,
                          Time now) = 0;
  // When a supplement of `period` that opens at `now` falls due.
  virtual Time supplement_due(const std::string& domain, Period period, Time now) = 0;
};

}  // namespace rapporteur
