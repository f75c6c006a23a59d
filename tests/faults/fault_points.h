#pragma once
// Where a run can go wrong: every call through a seam of the program is a point. A first run counts
// them; then the scenario is run once for each, with that call failing, or the process dying there.

#include <array>
#include <cstddef>
#include <mutex>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace rapporteur::testing_support {

enum class Seam { kStore, kResolver, kTransport, kClock };
inline constexpr std::array kSeams = {Seam::kStore, Seam::kResolver, Seam::kTransport,
                                      Seam::kClock};

inline std::string_view to_string(Seam seam) {
  constexpr std::array<std::string_view, 4> kNames = {"store", "resolver", "transport", "clock"};
  return kNames.at(static_cast<std::size_t>(seam));
}

enum class Trouble {
  kFails,       // nothing happens, and the caller is told so: try again
  kIsBroken,    // likewise, but not worth trying again at once: Fault::kCorrupt, a relay in trouble
  kLosesReply,  // transport, counts to the store: it happens, and the caller does not know
  kDiesBefore,  // the process ends at the call
  kDiesAfter,   // the call happens, and the process ends before it hears of it
  kJumps,       // clock: it is wrong from here on
};

inline std::string_view to_string(Trouble trouble) {
  constexpr std::array<std::string_view, 6> kNames = {
      "fails", "is broken", "loses its reply", "dies before", "dies after", "jumps"};
  return kNames.at(static_cast<std::size_t>(trouble));
}

// The one fault of a run.
struct Plan {
  Seam seam = Seam::kStore;
  std::size_t index = 0;  // of the call, counted from 0
  Trouble trouble = Trouble::kFails;
};

// Any thread.
class FaultPoints {
 public:
  // What becomes of the call; nothing: it goes its way. Once the process is dead, every call is
  // kDiesBefore.
  std::optional<Trouble> visit(Seam seam, std::string_view what) {
    const std::lock_guard lock(mutex_);
    if (dead_) return Trouble::kDiesBefore;
    auto& names = visited_.at(static_cast<std::size_t>(seam));
    const auto index = names.size();
    names.emplace_back(what);
    if (!plan_ || plan_->seam != seam || plan_->index != index) return std::nullopt;
    reached_ = true;
    if (plan_->trouble == Trouble::kDiesBefore) dead_ = true;
    return plan_->trouble;
  }

  void plan(const Plan& plan) {
    const std::lock_guard lock(mutex_);
    plan_ = plan;
  }

  void die() {
    const std::lock_guard lock(mutex_);
    dead_ = true;
  }
  bool dead() const {
    const std::lock_guard lock(mutex_);
    return dead_;
  }
  void revive() {
    const std::lock_guard lock(mutex_);
    dead_ = false;
  }

  bool reached() const {
    const std::lock_guard lock(mutex_);
    return reached_;
  }
  // The calls so far, by name.
  std::vector<std::string> visited(Seam seam) const {
    const std::lock_guard lock(mutex_);
    return visited_.at(static_cast<std::size_t>(seam));
  }

 private:
  mutable std::mutex mutex_;
  std::array<std::vector<std::string>, kSeams.size()> visited_;
  std::optional<Plan> plan_;
  bool dead_ = false;
  bool reached_ = false;
};

}  // namespace rapporteur::testing_support
