#pragma once
// What the daemon's threads share: the configuration of the moment, the word to stop, a bell to
// ring, and what they tell about themselves.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "config/config.h"
#include "daemon/health.h"
#include "daemon/metrics.h"

namespace rapporteur {

// Wakes one sleeping thread. A ring that nobody waits for is remembered until the next wait.
class Bell {
 public:
  void ring() {
    {
      const std::lock_guard lock(mutex_);
      rung_ = true;
    }
    condition_.notify_one();
  }

  void wait(std::chrono::milliseconds most) {
    std::unique_lock lock(mutex_);
    condition_.wait_for(lock, most, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool rung_ = false;
};

// The configuration that holds now. Readers keep the one they took until they ask again.
class CurrentConfig {
 public:
  explicit CurrentConfig(std::shared_ptr<const Config> config) : config_(std::move(config)) {}

  std::shared_ptr<const Config> get() const {
    const std::lock_guard lock(mutex_);
    return config_;
  }

  void set(std::shared_ptr<const Config> config) {
    const std::lock_guard lock(mutex_);
    config_ = std::move(config);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Config> config_;
};

struct SharedState {
  explicit SharedState(std::shared_ptr<const Config> first) : config(std::move(first)) {}

  CurrentConfig config;
  std::atomic<bool> stopping = false;
  Bell schedule;
  DaemonMetrics metrics;
  Health health;
};

}  // namespace rapporteur
