#pragma once
// The thread that takes reports which were posted to us: what waits goes to the store together, and
// whoever waits for an answer gets it after the commit.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "daemon/shared_state.h"
#include "received/reception.h"
#include "store/store.h"

namespace rapporteur {

class PostReception {
 public:
  // What becomes of reports with new failures.
  using OnNews = std::function<void(std::vector<ReportNews> news)>;

  // All of them outlive it; `store` is its own.
  PostReception(Store& store, const Clock& clock, Log& log, SharedState& shared, OnNews on_news);
  ~PostReception() { stop(); }
  PostReception(const PostReception&) = delete;
  PostReception& operator=(const PostReception&) = delete;

  using Done = std::function<void(const Result<ReceptionOutcome>&)>;

  // Takes the report later. `done` is called once, from the thread. False: too much waits. Any
  // thread.
  bool post(std::string body, std::string peer, Done done);

  void start();
  // What waits is still taken; what comes afterwards is not. Again: nothing. One thread.
  void stop();

  static constexpr std::size_t kMostWaiting = 100;
  static constexpr std::size_t kMostWaitingBytes = std::size_t{64} << 20;
  static constexpr std::size_t kMostTogether = 20;  // in one transaction

 private:
  struct Post {
    std::string body;
    std::string peer;
    Done done;
  };

  void serve();
  void take(const std::vector<Post>& posts);

  Store& store_;
  const Clock& clock_;
  Log& log_;
  SharedState& shared_;
  const OnNews on_news_;
  bool failing_ = false;
  std::shared_ptr<const Config> config_;  // that reception_ follows
  std::optional<Reception> reception_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Post> waiting_;  // under the lock, as what follows
  std::size_t bytes_ = 0;     // of what waits, and of what is being taken
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace rapporteur
