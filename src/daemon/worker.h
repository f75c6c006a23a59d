#pragma once
// A thread for short work that must not be done where it would hold up others, with a queue that
// does not grow without bound.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace rapporteur {

class Worker {
 public:
  // The thread begins with the first piece of work.
  explicit Worker(std::size_t most_waiting) : most_waiting_(most_waiting) {}
  ~Worker() { end(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Runs it later, in the order of the calls. False: too much waits already. Any thread.
  bool run(std::function<void()> work);

  // Waits for the piece under way; those that wait are destroyed without having been run. Nothing
  // is taken afterwards. One thread.
  void end();

 private:
  void serve();

  const std::size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;  // under the lock, as what follows
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace rapporteur
