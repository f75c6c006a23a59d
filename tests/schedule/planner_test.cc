#include "schedule/planner.h"

#include <gmock/gmock.h>

#include "schedule/schedule_fixture.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing_support::at;
using testing_support::config_of;

constexpr const char* kNoSpread =
    "[schedule]\nspread = { hourly = \"0s\", daily = \"0s\", weekly = \"0s\" }\n";

TEST(SettingsPlanner, AWindowFallsDueOneGraceAfterItsEnd) {
  SettingsPlanner planner(config_of(kNoSpread));
  const auto plan =
      planner.plan("a.example", at("2026-11-20T12:00:00Z"), {}, at("2026-11-20T12:00:00Z"));
  EXPECT_EQ(plan.due, at("2026-11-21T00:01:00Z"));
}

TEST(SettingsPlanner, AWindowThatIsOpenedLateLetsTheRestOfABatchIn) {
  SettingsPlanner planner(config_of(kNoSpread));
  const auto plan =
      planner.plan("a.example", at("2026-11-20T12:00:00Z"), {}, at("2026-11-22T12:00:00Z"));
  EXPECT_EQ(plan.due, at("2026-11-22T12:01:00Z"));
}

TEST(SettingsPlanner, ASupplementWaitsAnHourAndForTheEndOfItsPeriod) {
  SettingsPlanner planner(config_of(kNoSpread));
  const Period day{at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z")};
  EXPECT_EQ(planner.supplement_due("a.example", day, at("2026-11-21T05:00:00Z")),
            at("2026-11-21T06:00:00Z"));
  EXPECT_EQ(planner.supplement_due("a.example", day, at("2026-11-20T03:00:00Z")),
            at("2026-11-21T00:01:00Z"));
}

}  // namespace
}  // namespace rapporteur
