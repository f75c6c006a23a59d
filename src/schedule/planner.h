#pragma once
// Opens windows for sessions: asks sendFrequency and the window mathematics.

#include <memory>

#include "aggregate/planner.h"
#include "config/config.h"

namespace rapporteur {

// No window and no supplement falls due later than this after its end, or after it was opened if
// that is later.
Seconds longest_delay(const ScheduleConfig& schedule);

class SettingsPlanner final : public WindowPlanner {
 public:
  explicit SettingsPlanner(std::shared_ptr<const Config> config) : config_(std::move(config)) {}

  // If sendFrequency fails, the plan is a daily window that is blocked with the problem. A window
  // whose due time is past already falls due one `grace` from now, so that the rest of a batch gets
  // in. A window that collects for more than three hours from now has an early lookup.
  WindowPlan plan(const std::string& domain, Time time, std::span<const Period> known,
                  Time now) override;
  // One hour and the window's delay from now, and never before the period and its grace are over.
  Time supplement_due(const std::string& domain, Period period, Time now) override;

  void set_config(std::shared_ptr<const Config> config) { config_ = std::move(config); }

 private:
  std::shared_ptr<const Config> config_;
};

}  // namespace rapporteur
