#include "aggregate/aggregator.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>

#include "store/open.h"
#include "support/fake_clock.h"
#include "support/fixed_random.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing_support::FakeClock;
using testing_support::FixedRandom;

Time at(const char* text) {
  return parse_time(text).value();
}

// Days, or what a test has put into `frequencies`; due one minute after their end.
class DayPlanner final : public WindowPlanner {
 public:
  std::map<std::string, Frequency> frequencies;
  std::vector<std::string> asked;

  WindowPlan plan(const std::string& domain, Time time, std::span<const Period> known,
                  Time) override {
    asked.push_back(domain);
    WindowPlan plan;
    if (const auto found = frequencies.find(domain); found != frequencies.end()) {
      plan.frequency = found->second;
    }
    const Time day = std::chrono::floor<std::chrono::days>(time);
    plan.period = {day, day + 24h};
    for (const auto& other : known) {
      if (other.end <= time) plan.period.start = std::max(plan.period.start, other.end);
    }
    plan.due = plan.period.end + 60s;
    return plan;
  }

  Time supplement_due(const std::string&, Period, Time now) override { return now + 1h; }
};

class AggregatorTest : public testing::Test {
 protected:
  FakeClock clock{at("2026-11-20T12:00:00Z")};
  FixedRandom random;
  std::unique_ptr<Store> store = std::move(*open_store("sqlite::memory:", random));
  DayPlanner planner;
  Aggregator aggregator{*store, planner, clock, {}};

  static Session success(const std::string& domain, const char* time, std::string id = {}) {
    Session session;
    session.recipient_domain = domain;
    session.time = at(time);
    session.id = std::move(id);
    session.outcomes = {{{PolicyType::kNoPolicyFound, domain, {}, {}}, true, {}}};
    return session;
  }

  Counted count(Session session) {
    const auto counted = aggregator.count(std::move(session));
    EXPECT_TRUE(counted) << counted.error().text;
    return *counted;
  }

  std::uint64_t flush() {
    const auto flushed = aggregator.flush();
    EXPECT_TRUE(flushed) << flushed.error().text;
    EXPECT_FALSE(flushed->outdated);
    return flushed->duplicates;
  }

  std::vector<Window> windows(const std::string& domain) {
    auto found = store->windows({.domain = domain});
    EXPECT_TRUE(found);
    std::ranges::sort(*found, {}, [](const Window& window) {
      return std::tuple(window.period.start, window.supplement);
    });
    return *std::move(found);
  }
};

TEST_F(AggregatorTest, PutsSessionsOfOneDayIntoOneWindow) {
  count(success("a.example", "2026-11-20T00:00:00Z"));
  count(success("a.example", "2026-11-20T11:59:59Z"));
  flush();
  count(success("a.example", "2026-11-20T11:00:00Z"));
  flush();
  const auto found = windows("a.example");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].successful, 3U);
  EXPECT_EQ(found[0].period, (Period{at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z")}));
  EXPECT_EQ(found[0].due, at("2026-11-21T00:01:00Z"));
}

TEST_F(AggregatorTest, AsksForTheFrequencyOnlyWhereNoWindowCoversTheTime) {
  count(success("a.example", "2026-11-20T01:00:00Z"));
  flush();
  planner.asked.clear();
  planner.frequencies["a.example"] = Frequency::kNever;
  count(success("a.example", "2026-11-20T02:00:00Z"));
  EXPECT_THAT(planner.asked, IsEmpty());
  flush();
  EXPECT_EQ(windows("a.example").at(0).successful, 2U);
}

TEST_F(AggregatorTest, CountsNothingForADomainThatIsNeverReported) {
  planner.frequencies["quiet.example"] = Frequency::kNever;
  EXPECT_EQ(count(success("quiet.example", "2026-11-20T01:00:00Z")), Counted::kNever);
  EXPECT_FALSE(aggregator.pending());
}

TEST_F(AggregatorTest, AsksAboutNeverAgainWhenTheClockWasSetBack) {
  planner.frequencies["a.example"] = Frequency::kNever;
  clock.advance(10 * 24h);
  EXPECT_EQ(count(success("a.example", "2026-11-30T11:00:00Z")), Counted::kNever);
  clock.advance(-10 * 24h);
  planner.frequencies.clear();
  EXPECT_EQ(count(success("a.example", "2026-11-20T11:00:00Z")), Counted::kAccepted);
}

TEST_F(AggregatorTest, AnIdentifiedSessionKeepsItsTimeWhenTheClockIsSetBack) {
  count(success("a.example", "2026-11-20T12:00:00Z", "id"));
  clock.advance(-24h);
  flush();
  EXPECT_EQ(windows("a.example").at(0).period.start, at("2026-11-20T00:00:00Z"));
}

TEST_F(AggregatorTest, CountsNothingWhileTheClockIsNotSet) {
  clock.set(at("1970-01-01T00:00:30Z"));
  auto session = success("a.example", "2026-11-20T12:00:00Z");
  session.time.reset();
  const auto counted = aggregator.count(std::move(session));
  ASSERT_FALSE(counted);
  EXPECT_EQ(counted.error().fault, Fault::kTransient);
  EXPECT_EQ(counted.error().text, "the clock is not set: it shows 1970-01-01T00:00:30Z");
  EXPECT_FALSE(aggregator.pending());
  EXPECT_EQ(session.recipient_domain, "a.example") << "it stays whole";
  clock.set(at("2026-11-20T12:00:00Z"));
  EXPECT_EQ(count(std::move(session)), Counted::kAccepted);
}

TEST_F(AggregatorTest, TakesATimeFarInTheFutureAsNow) {
  count(success("a.example", "2026-11-25T00:00:00Z"));
  flush();
  EXPECT_EQ(windows("a.example").at(0).period.start, at("2026-11-20T00:00:00Z"));
}

TEST_F(AggregatorTest, BelievesAClockThatIsFiveMinutesAhead) {
  clock.set(at("2026-11-20T23:58:00Z"));
  count(success("a.example", "2026-11-21T00:03:00Z"));
  flush();
  EXPECT_EQ(windows("a.example").at(0).period.start, at("2026-11-21T00:00:00Z"));
}

TEST_F(AggregatorTest, RefusesWhatAListenerGetsTooLate) {
  EXPECT_EQ(count(success("a.example", "2026-11-13T11:59:59Z")), Counted::kTooOld);
  EXPECT_EQ(count(success("a.example", "2026-11-13T12:00:00Z")), Counted::kAccepted);
}

TEST_F(AggregatorTest, HoldsOldWindowsOfFilesUnlessTheyAreToBeSent) {
  aggregator.set_options({.from_file = true});
  count(success("old.example", "2026-01-14T12:00:00Z"));
  count(success("young.example", "2026-11-19T12:00:00Z"));
  flush();
  EXPECT_EQ(windows("old.example").at(0).state, WindowState::kHeld);
  EXPECT_NE(windows("old.example").at(0).reason, "");
  EXPECT_EQ(windows("young.example").at(0).state, WindowState::kCollecting);

  aggregator.set_options({.from_file = true, .send_old = true});
  count(success("sent.example", "2026-01-14T12:00:00Z"));
  flush();
  EXPECT_EQ(windows("sent.example").at(0).state, WindowState::kCollecting);
}

TEST_F(AggregatorTest, HoldsTheSupplementThatAFileMakesOfAnOldWindow) {
  aggregator.set_options({.from_file = true, .send_old = true});
  count(success("a.example", "2026-01-14T12:00:00Z"));
  flush();
  ASSERT_THAT(*store->claim_due(clock.now(), 10, {}), SizeIs(1));
  aggregator.set_options({.from_file = true});
  count(success("a.example", "2026-01-14T13:00:00Z"));
  flush();
  const auto found = windows("a.example");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[1].supplement, 1);
  EXPECT_EQ(found[1].state, WindowState::kHeld);
}

TEST_F(AggregatorTest, DropsSessionsThatDeliveredOwnReports) {
  auto session = success("a.example", "2026-11-20T01:00:00Z");
  session.own_report = true;
  EXPECT_EQ(count(std::move(session)), Counted::kOwnReport);
  EXPECT_FALSE(aggregator.pending());
}

TEST_F(AggregatorTest, CountsAnIdOnceWithinABatchAndAcrossBatches) {
  EXPECT_EQ(count(success("a.example", "2026-11-20T01:00:00Z", "native:1")), Counted::kAccepted);
  EXPECT_EQ(count(success("a.example", "2026-11-20T01:00:00Z", "native:1")), Counted::kDuplicate);
  EXPECT_EQ(flush(), 0U);
  EXPECT_EQ(count(success("a.example", "2026-11-20T01:00:00Z", "native:1")), Counted::kAccepted);
  EXPECT_EQ(flush(), 1U);
  EXPECT_EQ(windows("a.example").at(0).successful, 1U);
}

TEST_F(AggregatorTest, OpensTheRestOfADayThatWasSentEarly) {
  count(success("a.example", "2026-11-20T11:00:00Z"));
  flush();
  ASSERT_TRUE(*store->send_now(windows("a.example").at(0).id, clock.now()));
  clock.advance(10s);
  count(success("a.example", "2026-11-20T12:00:10Z"));
  flush();
  const auto found = windows("a.example");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].period, (Period{at("2026-11-20T00:00:00Z"), at("2026-11-20T12:00:00Z")}));
  EXPECT_EQ(found[1].period, (Period{at("2026-11-20T12:00:00Z"), at("2026-11-21T00:00:00Z")}));
  EXPECT_EQ(found[0].successful, 1U);
  EXPECT_EQ(found[1].successful, 1U);
}

TEST_F(AggregatorTest, OpensASupplementForWhatComesAfterItsWindowWasTaken) {
  count(success("a.example", "2026-11-20T11:00:00Z"));
  flush();
  clock.set(at("2026-11-21T00:02:00Z"));
  ASSERT_THAT(*store->claim_due(clock.now(), 10, {}), SizeIs(1));
  count(success("a.example", "2026-11-20T23:00:00Z"));
  flush();
  const auto found = windows("a.example");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[1].supplement, 1);
  EXPECT_EQ(found[1].period, found[0].period);
  EXPECT_EQ(found[1].due, clock.now() + 1h);
}

TEST_F(AggregatorTest, WhatADomainThatIsNeverReportedHasLeftStopsNoOther) {
  count(success("a.example", "2026-11-20T11:00:00Z"));
  flush();
  clock.advance(10s);
  count(success("a.example", "2026-11-20T12:00:10Z"));
  count(success("b.example", "2026-11-20T12:00:10Z"));
  ASSERT_TRUE(*store->send_now(windows("a.example").at(0).id, at("2026-11-20T12:00:05Z")));
  planner.frequencies["a.example"] = Frequency::kNever;
  flush();
  EXPECT_THAT(windows("a.example"), SizeIs(1));
  EXPECT_EQ(windows("b.example").at(0).successful, 1U);
  EXPECT_FALSE(aggregator.pending());
}

TEST_F(AggregatorTest, ToldByAFileThatWindowsChangedCountsNothing) {
  aggregator.set_options({.from_file = true});
  count(success("a.example", "2026-11-20T10:00:00Z"));
  flush();
  count(success("a.example", "2026-11-20T10:00:00Z"));
  count(success("a.example", "2026-11-20T12:00:03Z"));
  ASSERT_TRUE(*store->send_now(windows("a.example").at(0).id, clock.now()));
  const auto flushed = aggregator.flush();
  ASSERT_TRUE(flushed);
  EXPECT_TRUE(flushed->outdated);
  EXPECT_FALSE(aggregator.pending());
  EXPECT_EQ(windows("a.example").at(0).successful, 1U);
}

TEST_F(AggregatorTest, WritesTheFilesProgressWithItsCounts) {
  count(success("a.example", "2026-11-20T10:00:00Z"));
  const FileProgress progress{std::string(64, 'a'), "x.jsonl", 100, false, 1};
  ASSERT_TRUE(aggregator.flush(progress));
  const auto stored = store->file(progress.sha256);
  ASSERT_TRUE(stored);
  ASSERT_TRUE(*stored);
  EXPECT_EQ((*stored)->offset, 100U);
  EXPECT_FALSE((*stored)->finished);
}

}  // namespace
}  // namespace rapporteur
