#pragma once
// The schedule thread: runs due windows, looks up records ahead of them, keeps the store small.

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/shared_state.h"
#include "dkim/signer.h"
#include "dns/resolver.h"
#include "schedule/early_lookups.h"
#include "schedule/runner.h"
#include "store/store.h"

namespace rapporteur {

class Scheduler {
 public:
  // `on_assembled` is called whenever deliveries were made.
  Scheduler(Store& store, const Clock& clock, Log& log, std::function<void()> on_assembled)
      : store_(store), clock_(clock), log_(log), on_assembled_(std::move(on_assembled)) {}

  // Works until `shared.stopping`. A resolver that cannot be made is tried again every few seconds.
  void serve(SharedState& shared);

  // Ends a lookup that is under way, so that a stop does not wait for a silent name server. Any
  // thread.
  void interrupt();

 private:
  void use(SharedState& shared, std::shared_ptr<const Config> config, bool reloaded);
  void renew_resolver(SharedState& shared);
  void unblock_collecting();
  bool run_due(SharedState& shared);
  bool look_ahead(SharedState& shared);
  bool reach_store(SharedState& shared);
  bool store_failed(SharedState& shared, const Error& error);
  void store_answered(SharedState& shared);
  static void note(DaemonMetrics& metrics, const RunSummary& summary);
  void prune();
  void correct_plans();

  Store& store_;
  const Clock& clock_;
  Log& log_;
  const std::function<void()> on_assembled_;
  std::shared_ptr<const Config> config_;
  std::shared_ptr<Resolver> resolver_;
  std::optional<Runner> runner_;         // these two are over *resolver_
  std::optional<EarlyLookups> lookups_;  // absent as long as it is
  bool interrupted_ = false;             // by interrupt(): holds for every later resolver, too
  std::mutex resolver_mutex_;            // guards these two: interrupt() comes from another thread
  std::unique_ptr<Signer> signer_;
  bool store_reached_ = false;  // since the start; it may be away again
  bool store_failing_ = false;
  std::optional<Time> pruned_;
  std::optional<std::chrono::steady_clock::time_point> corrected_;
  std::string resolver_problem_;                            // empty: the resolver is as [dns] says
  std::chrono::steady_clock::time_point resolver_tried_{};  // when one could not be made
};

}  // namespace rapporteur
