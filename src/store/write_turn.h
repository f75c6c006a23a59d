#pragma once
// Whose turn it is to write to a file, among the threads of this process.

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace rapporteur {

// Like std::timed_mutex, for std::unique_lock, and made of a condition variable: a race detector
// that does not know pthread_mutex_clocklock() takes the timed wait of std::timed_mutex for a
// fault. Threads: all.
class WriteTurn {
 public:
  // False if it did not become free within `patience`.
  bool try_lock_for(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    if (!free_.wait_for(lock, patience, [this] { return !taken_; })) return false;
    taken_ = true;
    return true;
  }

  // The holder's part, from any thread.
  void unlock() {
    {
      const std::lock_guard lock(mutex_);
      taken_ = false;
    }
    free_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable free_;
  bool taken_ = false;
};

}  // namespace rapporteur
