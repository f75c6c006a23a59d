#pragma once
// The time of day, as an interface, so that a test can be at any instant it likes.

#include "base/time.h"

namespace rapporteur {

class Clock {
 public:
  virtual ~Clock() = default;
  // The present second, UTC. Any thread. May jump in either direction: callers that measure how
  // long something takes use std::chrono::steady_clock instead.
  virtual Time now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Time now() const override;
};

}  // namespace rapporteur
