#pragma once
// The delivery thread: drives the courier with what the configuration and the administrator's pause
// say.

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "config/config.h"
#include "daemon/shared_state.h"
#include "deliver/bounce.h"
#include "deliver/courier.h"
#include "store/store.h"

namespace rapporteur {

// What [delivery] says, as the courier wants it. Fails with Fault::kConfig if the password file
// cannot be read.
Result<CourierOptions> courier_options(const Config& config);

class DeliveryLoop {
 public:
  // `metrics` and all others outlive this.
  DeliveryLoop(Store& store, Random& random, const Clock& clock, Log& log,
               const CourierOptions& options, DaemonMetrics& metrics);

  // Works until `shared.stopping`, then gives what waits for a final reply [delivery] stopGrace.
  // False if the last outcomes could not be recorded.
  bool serve(SharedState& shared);

  void wake() { courier_.wake(); }  // any thread

 private:
  struct Watched {
    BounceMaildir maildir;
    std::string problem;  // what was logged last
  };

  void follow(const std::shared_ptr<const Config>& config, Health& health);
  bool recover(Health& health);
  std::size_t step(Health& health);
  void store_failed(Health& health, const std::string& why);
  void store_answered(Health& health);
  bool take_bounces(Health& health);
  void tell(Health& health);

  Store& store_;
  const Clock& clock_;
  Log& log_;
  DaemonMetrics& metrics_;
  Courier courier_;
  std::shared_ptr<const Config> config_;
  bool recovered_ = false;
  bool store_failing_ = false;
  std::map<std::string, Watched> maildirs_;  // by path
  std::optional<std::chrono::steady_clock::time_point> bounces_polled_;
};

}  // namespace rapporteur
