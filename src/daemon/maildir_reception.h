#pragma once
// The thread that watches [received] maildir, and that removes what was kept long enough.

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/maildir_queue.h"
#include "daemon/shared_state.h"
#include "dns/resolver.h"
#include "received/reception.h"
#include "store/store.h"

namespace rapporteur {

class MaildirReception {
 public:
  // What becomes of reports with new failures.
  using OnNews = std::function<void(std::vector<ReportNews> news)>;

  // All of them outlive it; `store` is its own.
  MaildirReception(Store& store, const Clock& clock, Log& log, OnNews on_news);

  // Works until `shared.stopping` and an interrupt().
  void serve(SharedState& shared);
  // Ends a wait and, for good, every lookup under way. Any thread.
  void interrupt();

 private:
  struct Watched {
    MaildirQueue queue;
    std::string problem;  // what was logged last
  };

  void follow(std::shared_ptr<const Config> config, SharedState& shared);
  bool look(const std::string& path, SharedState& shared);
  Result<std::vector<MaildirQueue::Verdict>> take(std::span<const MaildirQueue::Item> items);
  void tell_problems(Health& health);
  void prune();

  Store& store_;
  const Clock& clock_;
  Log& log_;
  const OnNews on_news_;
  std::shared_ptr<const Config> config_;
  std::mutex resolver_mutex_;
  std::shared_ptr<Resolver> resolver_;  // changed under the lock
  bool interrupted_ = false;            // under the lock
  std::optional<Reception> reception_;
  std::map<std::string, Watched> maildirs_;  // by path
  std::optional<Time> pruned_;
  Bell bell_;
};

}  // namespace rapporteur
