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

TEST(SettingsPlanner, TheFirstLookupIsSpreadOverAQuarterOfTheRemainingTime) {
  SettingsPlanner planner(config_of(kNoSpread));
  const auto now = at("2026-11-20T04:00:00Z");
  std::vector<int> hours(5);
  for (int i = 0; i < 1000; ++i) {
    const auto domain = "d" + std::to_string(i) + ".example";
    const auto plan = planner.plan(domain, now, {}, now);
    ASSERT_TRUE(plan.lookup);
    ASSERT_GE(*plan.lookup, now);
    ASSERT_LT(*plan.lookup, now + 5h);
    ++hours[static_cast<std::size_t>((*plan.lookup - now) / 1h)];
    EXPECT_EQ(planner.plan(domain, now, {}, now).lookup, plan.lookup);
  }
  for (const auto count : hours) EXPECT_NEAR(count, 200, 60);
}

TEST(SettingsPlanner, AWindowThatEndsSoonHasNoEarlyLookup) {
  SettingsPlanner planner(config_of(kNoSpread));
  const auto lookup = [&](const char* now) {
    return planner.plan("a.example", at("2026-11-20T12:00:00Z"), {}, at(now)).lookup;
  };
  EXPECT_TRUE(lookup("2026-11-20T20:59:59Z"));
  EXPECT_FALSE(lookup("2026-11-20T21:00:00Z"));
  EXPECT_FALSE(lookup("2026-11-23T12:00:00Z")) << "it is made from an old file";
}

}  // namespace
}  // namespace rapporteur
