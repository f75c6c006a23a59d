#pragma once
// The schedule thread: runs due windows, keeps the store small.

#include <memory>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "daemon/shared_state.h"
#include "dkim/signer.h"
#include "dns/resolver.h"
#include "store/store.h"

namespace rapporteur {

class Scheduler {
 public:
  Scheduler(Store& store, Random& random, const Clock& clock, Log& log)
      : store_(store), random_(random), clock_(clock), log_(log) {}

  // Works until `shared.stopping`. Rings shared.delivery whenever a window was assembled.
  // `resolver` is made anew by `make_resolver` when a reload changes [dns].
  void serve(SharedState& shared);

  // Ends a lookup that is under way, so that a stop does not wait for a silent name server. Any
  // thread.
  void interrupt();

 private:
  void use(std::shared_ptr<const Config> config, bool reloaded);
  bool run_due(SharedState& shared);
  void prune();

  Store& store_;
  Random& random_;
  const Clock& clock_;
  Log& log_;
  std::shared_ptr<const Config> config_;
  std::shared_ptr<Resolver> resolver_;
  std::mutex resolver_mutex_;  // guards the pointer: interrupt() comes from another thread
  std::unique_ptr<Signer> signer_;
  bool store_failing_ = false;
  std::optional<Time> pruned_;
};

}  // namespace rapporteur
