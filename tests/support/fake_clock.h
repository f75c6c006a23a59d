#pragma once
// A clock that stands still until a test moves it.

#include <mutex>

#include "base/clock.h"

namespace rapporteur::testing_support {

// Any thread.
class FakeClock final : public Clock {
 public:
  // 2026-11-20T12:00:00Z, a Friday, unless told otherwise.
  explicit FakeClock(Time now = Time(Seconds(1'795'176'000))) : now_(now) {}

  Time now() const override {
    const std::scoped_lock lock(mutex_);
    return now_;
  }

  void set(Time now) {
    const std::scoped_lock lock(mutex_);
    now_ = now;
  }

  // Backwards too.
  void advance(Seconds duration) {
    const std::scoped_lock lock(mutex_);
    now_ += duration;
  }

 private:
  mutable std::mutex mutex_;
  Time now_;
};

}  // namespace rapporteur::testing_support
