#pragma once
// Chance that is known beforehand.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "base/random.h"

namespace rapporteur::testing_support {

// Gives the numbers of its sequence, then counts up from the last one, or from 0. Any thread.
class FixedRandom final : public Random {
 public:
  FixedRandom() = default;
  explicit FixedRandom(std::vector<std::uint64_t> sequence) : sequence_(std::move(sequence)) {}

  std::uint64_t next() override {
    const std::scoped_lock lock(mutex_);
    ++drawn_;
    if (position_ < sequence_.size()) {
      const auto number = sequence_[position_++];
      counter_ = number + 1;
      return number;
    }
    return counter_++;
  }

  // How many numbers have been asked for.
  std::size_t drawn() const {
    const std::scoped_lock lock(mutex_);
    return drawn_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::uint64_t> sequence_;
  std::size_t position_ = 0;
  std::size_t drawn_ = 0;
  std::uint64_t counter_ = 0;
};

}  // namespace rapporteur::testing_support
