#include "daemon/monitor.h"

#include <utility>

#include "base/time.h"

namespace rapporteur {

namespace {

std::string pause_text(const StoreSummary& summary) {
  if (!summary.paused_smtp && !summary.paused_https) return {};
  if (summary.paused_everything) return "nothing is assembled or delivered";
  if (summary.paused_smtp && summary.paused_https) return "nothing is delivered";
  return summary.paused_smtp ? "nothing is delivered by SMTP" : "nothing is delivered by HTTPS";
}

std::string disk_text(const StoreSummary& summary) {
  const auto room = summary.disk_free_bytes.value_or(Monitor::kLittleRoom);
  if (room >= Monitor::kLittleRoom) return {};
  return std::to_string(room >> 20) + " MiB are left on the disk of the store";
}

}  // namespace

Monitor::Monitor(std::unique_ptr<Store> store, const Clock& clock, const DaemonMetrics& metrics,
                 Health& health)
    : store_(std::move(store)), clock_(clock), metrics_(metrics), health_(health) {
  store_->set_patience(kPatience);
}

// Looks at the store again if the last look is old, and says what it shows.
void Monitor::look() {
  const auto steady = std::chrono::steady_clock::now();
  if (looked_ && steady - *looked_ < kFresh) return;
  auto found = store_->summary(clock_.now());
  looked_ = std::chrono::steady_clock::now();
  if (!found) {
    summary_.reset();
    health_.set_problem(Problem::kStoreRead, found.error().text);
    return;
  }
  health_.clear_problem(Problem::kStoreRead);
  summary_ = *std::move(found);
  health_.tell(Problem::kDisk, disk_text(*summary_));
  health_.tell(Problem::kPaused, pause_text(*summary_));
}

std::string Monitor::metrics_text() {
  const std::lock_guard lock(mutex_);
  look();
  return prometheus_text(metrics_, health_, summary_ ? &*summary_ : nullptr);
}

HealthAnswer Monitor::ready() {
  const std::lock_guard lock(mutex_);
  look();
  return health_.ready();
}

}  // namespace rapporteur
