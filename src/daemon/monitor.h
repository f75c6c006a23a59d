#pragma once
// What the HTTP server answers to /metrics, /healthz and /readyz, from what the threads tell and a
// look at the store that is never older than a few seconds.

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "daemon/health.h"
#include "daemon/metrics.h"
#include "store/open.h"
#include "store/store.h"

namespace rapporteur {

// Any thread. A call may wait for the store, kPatience at the most; alive() never does.
class Monitor {
 public:
  // How old the look at the store may be.
  static constexpr std::chrono::seconds kFresh{5};
  static constexpr std::chrono::milliseconds kPatience{2000};
  // Less room than this on the store's disk is a remark of ready().
  static constexpr std::uint64_t kLittleRoom = kLeastDiskRoom;

  // `store` is a connection of its own. `metrics` and `health` outlive this.
  Monitor(std::unique_ptr<Store> store, const Clock& clock, const DaemonMetrics& metrics,
          Health& health);

  std::string metrics_text();                             // GET /metrics, as kPrometheusContentType
  HealthAnswer alive() const { return health_.alive(); }  // GET /healthz
  HealthAnswer ready();                                   // GET /readyz

 private:
  void look();

  const std::unique_ptr<Store> store_;
  const Clock& clock_;
  const DaemonMetrics& metrics_;
  Health& health_;
  std::mutex mutex_;
  // Under the lock:
  std::optional<StoreSummary> summary_;
  std::optional<std::chrono::steady_clock::time_point> looked_;
};

}  // namespace rapporteur
