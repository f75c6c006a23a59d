#include "schedule/misplanned.h"

#include <gmock/gmock.h>

#include "schedule/planner.h"
#include "schedule/schedule_fixture.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing_support::at;
using testing_support::config_of;

class MisplannedTest : public testing_support::ScheduleTest {
 protected:
  std::shared_ptr<const Config> config = config_of("");

  void add(const std::string& domain, Period period, Time due,
           WindowState state = WindowState::kCollecting) {
    CountBatch batch;
    batch.now = clock.now();
    WindowDelta delta;
    delta.domain = domain;
    delta.period = period;
    delta.first = delta.last = period.start;
    delta.counts = counts(3, 0);
    delta.due = due;
    delta.state = state;
    batch.windows.push_back(delta);
    ASSERT_TRUE(store->add(batch));
  }
  std::size_t moved() {
    const auto count = bring_forward(*store, config->schedule, clock.now(), log);
    EXPECT_TRUE(count) << count.error().text;
    return *count;
  }
  Window window(const std::string& domain) {
    const auto windows = store->windows({.domain = domain});
    return windows->at(0);
  }

  const Period day{at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z")};
};

TEST_F(MisplannedTest, AWindowThatEndedAndWaitsForATimeThatWasNeverRightIsDue) {
  add("a.example", day, at("2026-12-01T00:01:00Z"));
  add("blocked.example", day, at("2026-12-01T00:01:00Z"), WindowState::kBlocked);
  clock.set(at("2026-11-21T06:00:00Z"));
  EXPECT_EQ(moved(), 2U);
  EXPECT_EQ(window("a.example").state, WindowState::kDue);
  EXPECT_EQ(window("a.example").due, clock.now());
  EXPECT_EQ(window("blocked.example").state, WindowState::kDue);
  EXPECT_EQ(log.count("window-misplanned"), 2U);
  EXPECT_EQ(moved(), 0U);
}

TEST_F(MisplannedTest, WhatIsPlannedAsItShouldBeStaysSo) {
  clock.set(at("2026-11-21T06:00:00Z"));
  add("supplement.example", day, clock.now() + longest_delay(config->schedule));
  add("week.example", {at("2026-11-16T00:00:00Z"), at("2026-11-23T00:00:00Z")},
      at("2026-11-23T02:00:00Z"));
  add("future.example", {at("2026-12-01T00:00:00Z"), at("2026-12-02T00:00:00Z")},
      at("2026-12-02T02:00:00Z"));
  add("held.example", day, at("2026-12-01T00:01:00Z"), WindowState::kHeld);
  EXPECT_EQ(moved(), 0U);
  EXPECT_EQ(window("supplement.example").state, WindowState::kCollecting);
  EXPECT_EQ(window("held.example").state, WindowState::kHeld);
}

}  // namespace
}  // namespace rapporteur
