#include "aggregate/recorder.h"

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

class RecorderTest : public testing::Test {
 protected:
  FakeClock clock{at("2026-11-20T12:00:00Z")};
  FixedRandom random;
  std::unique_ptr<Store> store = std::move(*open_store("sqlite::memory:", random));
  DayPlanner planner;
  Recorder recorder{*store, planner, clock, {}};
  IntakeRules rules;
  std::unique_ptr<Tally> tally = new_tally();

  static Session success(const std::string& domain, const char* time, std::string id = {}) {
    Session session;
    session.recipient_domain = domain;
    session.time = at(time);
    session.id = std::move(id);
    session.outcomes = {{{PolicyType::kNoPolicyFound, domain, {}, {}}, true, {}}};
    return session;
  }

  static std::unique_ptr<Tally> new_tally() {
    return std::make_unique<Tally>("test", std::make_shared<SessionTable>());
  }

  Counted count(const Session& session) {
    const auto counted = tally->count(session, clock.now(), rules);
    if (counted == Counted::kAccepted) tally->note_accepted();
    return counted;
  }

  // Records what was counted since the last call.
  Recorded record(const RecordWith& with = {}) {
    const auto taken = std::exchange(tally, new_tally());
    const auto* const one = taken.get();
    const auto recorded = recorder.record({&one, 1}, with);
    EXPECT_TRUE(recorded) << recorded.error().text;
    return recorded ? recorded->at(0) : Recorded{};
  }

  void from_file(bool send_old = false) {
    rules.from_file = true;
    recorder.set_options({.from_file = true, .send_old = send_old});
  }

  std::uint64_t counter(const std::string& name) {
    const auto counters = store->counters();
    EXPECT_TRUE(counters);
    const auto found = counters->find("test." + name);
    return found == counters->end() ? 0 : found->second;
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

TEST_F(RecorderTest, PutsSessionsOfOneDayIntoOneWindow) {
  count(success("a.example", "2026-11-20T00:00:00Z"));
  count(success("a.example", "2026-11-20T11:59:59Z"));
  record();
  count(success("a.example", "2026-11-20T11:00:00Z"));
  record();
  const auto found = windows("a.example");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].successful, 3U);
  EXPECT_EQ(found[0].period, (Period{at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z")}));
  EXPECT_EQ(found[0].due, at("2026-11-21T00:01:00Z"));
}

TEST_F(RecorderTest, AsksForTheFrequencyOnlyWhereNoWindowCoversTheTime) {
  count(success("a.example", "2026-11-20T01:00:00Z"));
  record();
  planner.asked.clear();
  planner.frequencies["a.example"] = Frequency::kNever;
  count(success("a.example", "2026-11-20T02:00:00Z"));
  EXPECT_THAT(planner.asked, IsEmpty());
  record();
  EXPECT_EQ(windows("a.example").at(0).successful, 2U);
}

TEST_F(RecorderTest, CountsNothingForADomainThatIsNeverReported) {
  planner.frequencies["quiet.example"] = Frequency::kNever;
  count(success("quiet.example", "2026-11-20T01:00:00Z"));
  count(success("quiet.example", "2026-11-20T01:00:00Z"));
  count(success("a.example", "2026-11-20T01:00:00Z"));
  EXPECT_EQ(record().never, 2U);
  EXPECT_THAT(windows("quiet.example"), IsEmpty());
  EXPECT_EQ(counter("ignored.never"), 2U);
  EXPECT_EQ(counter("accepted"), 1U);
}

TEST_F(RecorderTest, BelievesNeverForAWhile) {
  planner.frequencies["a.example"] = Frequency::kNever;
  count(success("a.example", "2026-11-20T11:00:00Z"));
  record();
  planner.asked.clear();
  clock.advance(299s);
  count(success("a.example", "2026-11-20T11:00:00Z"));
  EXPECT_EQ(record().never, 1U);
  EXPECT_THAT(planner.asked, IsEmpty());
  clock.advance(1s);
  planner.frequencies.clear();
  count(success("a.example", "2026-11-20T11:00:00Z"));
  EXPECT_EQ(record().never, 0U);
}

TEST_F(RecorderTest, AsksAboutNeverAgainWhenTheClockWasSetBack) {
  planner.frequencies["a.example"] = Frequency::kNever;
  clock.advance(10 * 24h);
  count(success("a.example", "2026-11-30T11:00:00Z"));
  EXPECT_EQ(record().never, 1U);
  clock.advance(-10 * 24h);
  planner.frequencies.clear();
  count(success("a.example", "2026-11-20T11:00:00Z"));
  EXPECT_EQ(record().never, 0U);
}

TEST_F(RecorderTest, AnIdentifiedSessionKeepsItsTimeWhenTheClockIsSetBack) {
  count(success("a.example", "2026-11-20T12:00:00Z", "id"));
  clock.advance(-24h);
  record();
  EXPECT_EQ(windows("a.example").at(0).period.start, at("2026-11-20T00:00:00Z"));
}

TEST_F(RecorderTest, RecordsNothingWhileTheClockIsNotSet) {
  clock.set(at("1970-01-01T00:00:30Z"));
  auto session = success("a.example", "2026-11-20T12:00:00Z");
  EXPECT_EQ(count(session), Counted::kAccepted);
  session.time.reset();
  session.recipient_domain = "b.example";
  EXPECT_EQ(count(session), Counted::kAccepted);
  session.id = "id";
  EXPECT_EQ(count(session), Counted::kAccepted);
  session.id.clear();
  session.count = 5;
  EXPECT_EQ(count(session), Counted::kAccepted);
  const auto* const one = tally.get();
  const auto recorded = recorder.record({&one, 1});
  ASSERT_FALSE(recorded);
  EXPECT_EQ(recorded.error().fault, Fault::kTransient);
  EXPECT_EQ(recorded.error().text, "the clock is not set: it shows 1970-01-01T00:00:30Z");
  clock.set(at("2026-11-22T12:00:00Z"));
  record();
  EXPECT_EQ(windows("a.example").at(0).period.start, at("2026-11-20T00:00:00Z"))
      << "it keeps the time that it carried";
  ASSERT_THAT(windows("b.example"), SizeIs(1));
  EXPECT_EQ(windows("b.example").at(0).period.start, at("2026-11-22T00:00:00Z"));
  EXPECT_EQ(windows("b.example").at(0).successful, 7U);
}

TEST_F(RecorderTest, TakesATimeFarInTheFutureAsNow) {
  count(success("a.example", "2026-11-25T00:00:00Z"));
  record();
  EXPECT_EQ(windows("a.example").at(0).period.start, at("2026-11-20T00:00:00Z"));
}

TEST_F(RecorderTest, BelievesAClockThatIsFiveMinutesAhead) {
  clock.set(at("2026-11-20T23:58:00Z"));
  count(success("a.example", "2026-11-21T00:03:00Z"));
  record();
  EXPECT_EQ(windows("a.example").at(0).period.start, at("2026-11-21T00:00:00Z"));
}

TEST_F(RecorderTest, RefusesWhatAListenerGetsTooLate) {
  EXPECT_EQ(count(success("a.example", "2026-11-13T11:59:59Z")), Counted::kTooOld);
  EXPECT_EQ(count(success("a.example", "2026-11-13T12:00:00Z")), Counted::kAccepted);
}

TEST_F(RecorderTest, HoldsOldWindowsOfFilesUnlessTheyAreToBeSent) {
  from_file();
  count(success("old.example", "2026-01-14T12:00:00Z"));
  count(success("young.example", "2026-11-19T12:00:00Z"));
  record();
  EXPECT_EQ(windows("old.example").at(0).state, WindowState::kHeld);
  EXPECT_NE(windows("old.example").at(0).reason, "");
  EXPECT_EQ(windows("young.example").at(0).state, WindowState::kCollecting);

  from_file(true);
  count(success("sent.example", "2026-01-14T12:00:00Z"));
  record();
  EXPECT_EQ(windows("sent.example").at(0).state, WindowState::kCollecting);
}

TEST_F(RecorderTest, HoldsTheSupplementThatAFileMakesOfAnOldWindow) {
  from_file(true);
  count(success("a.example", "2026-01-14T12:00:00Z"));
  record();
  ASSERT_THAT(*store->claim_due(clock.now(), 10, {}), SizeIs(1));
  from_file();
  count(success("a.example", "2026-01-14T13:00:00Z"));
  record();
  const auto found = windows("a.example");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[1].supplement, 1);
  EXPECT_EQ(found[1].state, WindowState::kHeld);
}

TEST_F(RecorderTest, DropsSessionsThatDeliveredOwnReports) {
  auto session = success("a.example", "2026-11-20T01:00:00Z");
  session.own_report = true;
  EXPECT_EQ(count(session), Counted::kOwnReport);
  EXPECT_FALSE(tally->has_sessions());
}

TEST_F(RecorderTest, CountsAnIdOnceWithinATallyAndAcross) {
  const auto session = success("a.example", "2026-11-20T01:00:00Z", "native:1");
  count(session);
  count(session);
  EXPECT_EQ(record().duplicates, 1U);
  count(session);
  EXPECT_EQ(record().duplicates, 1U);
  EXPECT_EQ(windows("a.example").at(0).successful, 1U);
  EXPECT_EQ(counter("accepted"), 1U);
  EXPECT_EQ(counter("ignored.duplicate"), 2U);
}

TEST_F(RecorderTest, TellsOfEachTallyWhatBecameOfIt) {
  const auto first = new_tally();
  const auto second = new_tally();
  const auto session = success("a.example", "2026-11-20T01:00:00Z", "native:1");
  first->count(session, clock.now(), rules);
  second->count(session, clock.now(), rules);
  const std::vector<const Tally*> both = {first.get(), second.get()};
  const auto recorded = recorder.record(both);
  ASSERT_TRUE(recorded);
  EXPECT_EQ(recorded->at(0).duplicates, 0U);
  EXPECT_EQ(recorded->at(1).duplicates, 1U);
  EXPECT_EQ(windows("a.example").at(0).successful, 1U);
}

TEST_F(RecorderTest, ATallyWithAKeyIsRecordedOnce) {
  for (int round = 0; round < 2; ++round) {
    tally->set_key("key");
    count(success("a.example", "2026-11-20T01:00:00Z"));
    EXPECT_EQ(record().repeated, round == 1);
  }
  EXPECT_EQ(windows("a.example").at(0).successful, 1U);
  EXPECT_EQ(counter("accepted"), 1U);
  EXPECT_EQ(counter("ignored.repeated-request"), 1U);

  const auto first = new_tally();
  const auto second = new_tally();
  first->set_key("other");
  second->set_key("other");
  const std::vector<const Tally*> both = {first.get(), second.get()};
  const auto recorded = recorder.record(both);
  ASSERT_TRUE(recorded);
  EXPECT_FALSE(recorded->at(0).repeated);
  EXPECT_TRUE(recorded->at(1).repeated);
}

TEST_F(RecorderTest, ASessionThatStandsForSeveralCountsAsOftenAndIsOneLine) {
  auto session = success("a.example", "2026-11-20T01:00:00Z");
  session.count = 40;
  count(session);
  record();
  EXPECT_EQ(windows("a.example").at(0).successful, 40U);
  EXPECT_EQ(counter("accepted"), 1U);
}

TEST_F(RecorderTest, RecordsManyDomainsInOneTransaction) {
  constexpr int kDomains = 3000;
  for (int i = 0; i < kDomains; ++i) {
    count(success("d" + std::to_string(i) + ".example", "2026-11-20T01:00:00Z"));
    count(success("d" + std::to_string(i) + ".example", "2026-11-19T01:00:00Z"));
  }
  record();
  EXPECT_EQ(store->window_states()->at(WindowState::kCollecting), 2 * kDomains);
  EXPECT_EQ(windows("d2999.example").at(0).successful, 1U);
}

TEST_F(RecorderTest, JournalledPiecesGoWithTheBatchThatHoldsThem) {
  const auto first = store->append_journal("a");
  const auto second = store->append_journal("b");
  ASSERT_TRUE(first && second);
  EXPECT_GT(*second, *first);
  EXPECT_THAT(store->journal()->pieces, ElementsAre("a", "b"));
  EXPECT_EQ(store->journal()->last, *second);
  count(success("a.example", "2026-11-20T01:00:00Z"));
  record({.file = {}, .journalled = *first});
  EXPECT_THAT(store->journal()->pieces, ElementsAre("b"));
}

TEST_F(RecorderTest, OpensTheRestOfADayThatWasSentEarly) {
  count(success("a.example", "2026-11-20T11:00:00Z"));
  record();
  ASSERT_TRUE(*store->send_now(windows("a.example").at(0).id, clock.now()));
  clock.advance(10s);
  count(success("a.example", "2026-11-20T12:00:10Z"));
  record();
  const auto found = windows("a.example");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].period, (Period{at("2026-11-20T00:00:00Z"), at("2026-11-20T12:00:00Z")}));
  EXPECT_EQ(found[1].period, (Period{at("2026-11-20T12:00:00Z"), at("2026-11-21T00:00:00Z")}));
  EXPECT_EQ(found[0].successful, 1U);
  EXPECT_EQ(found[1].successful, 1U);
}

TEST_F(RecorderTest, OpensASupplementForWhatComesAfterItsWindowWasTaken) {
  count(success("a.example", "2026-11-20T11:00:00Z"));
  record();
  clock.set(at("2026-11-21T00:02:00Z"));
  ASSERT_THAT(*store->claim_due(clock.now(), 10, {}), SizeIs(1));
  count(success("a.example", "2026-11-20T23:00:00Z"));
  record();
  const auto found = windows("a.example");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[1].supplement, 1);
  EXPECT_EQ(found[1].period, found[0].period);
  EXPECT_EQ(found[1].due, clock.now() + 1h);
}

TEST_F(RecorderTest, CountsWhatIsLateInAMetric) {
  count(success("a.example", "2026-11-20T11:00:00Z"));
  record();
  clock.set(at("2026-11-21T00:02:00Z"));
  ASSERT_THAT(*store->claim_due(clock.now(), 10, {}), SizeIs(1));
  for (int i = 0; i < 3; ++i) count(success("a.example", "2026-11-20T23:00:00Z"));
  count(success("a.example", "2026-11-21T00:01:00Z"));
  record();
  EXPECT_EQ(counter("late"), 3U);
  count(success("a.example", "2026-11-20T23:00:00Z"));
  record();
  EXPECT_EQ(counter("late"), 4U);
}

TEST_F(RecorderTest, FollowsABorderThatWasDrawnSinceItLookedLast) {
  count(success("a.example", "2026-11-20T10:00:00Z"));
  record();
  ASSERT_TRUE(*store->send_now(windows("a.example").at(0).id, clock.now()));
  count(success("a.example", "2026-11-20T10:00:00Z"));
  count(success("a.example", "2026-11-20T11:59:59Z"));
  count(success("a.example", "2026-11-20T12:00:03Z"));
  record();
  const auto found = windows("a.example");
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_EQ(found[0].successful, 1U);
  EXPECT_EQ(found[1].supplement, 1);
  EXPECT_EQ(found[1].successful, 2U) << "each session counts under its own time";
  EXPECT_EQ(found[2].period.start, at("2026-11-20T12:00:00Z"));
  EXPECT_EQ(found[2].successful, 1U);
}

TEST_F(RecorderTest, WhatArrivesInTheSecondOfABorderFollowsItsNewestSession) {
  count(success("a.example", "2026-11-20T11:00:00Z"));
  record();
  auto session = success("a.example", "2026-11-20T00:00:00Z");
  session.time.reset();
  count(session);
  clock.advance(1s);
  ASSERT_TRUE(*store->send_now(windows("a.example").at(0).id, clock.now()));
  count(session);
  record();
  const auto found = windows("a.example");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[1].period.start, at("2026-11-20T12:00:01Z"));
  EXPECT_EQ(found[1].successful, 2U);
}

TEST_F(RecorderTest, SessionsThatArriveAroundMidnightCountInTheirDays) {
  auto session = success("a.example", "2026-11-20T00:00:00Z");
  session.time.reset();
  clock.set(at("2026-11-20T23:59:59Z"));
  count(session);
  count(session);
  clock.advance(1s);
  count(session);
  record();
  const auto found = windows("a.example");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].successful, 2U);
  EXPECT_EQ(found[1].successful, 1U);
}

TEST_F(RecorderTest, AWindowThatIsGoneIsMadeAnew) {
  count(success("a.example", "2026-11-20T11:00:00Z"));
  record();
  const auto id = windows("a.example").at(0).id;
  ASSERT_TRUE(*store->cancel(id, "for a test", clock.now()));
  ASSERT_EQ(*store->prune(clock.now() + 48h, clock.now(), 10), 1U);
  count(success("a.example", "2026-11-20T11:00:00Z"));
  record();
  ASSERT_THAT(windows("a.example"), SizeIs(1));
  EXPECT_EQ(windows("a.example").at(0).due, at("2026-11-21T00:01:00Z"));
}

TEST_F(RecorderTest, WhatWasStoredUnderTheSameFlushIsToldAndNotCountedAgain) {
  const RecordWith with{.file = {}, .journalled = {}, .flush = FlushId{"node/1", 1}};
  for (int attempt = 0; attempt < 2; ++attempt) {
    count(success("a.example", "2026-11-20T10:00:00Z", "id"));
    count(success("b.example", "2026-11-20T10:00:00Z"));
    tally->set_key("a request");
    const auto recorded = record(with);
    EXPECT_EQ(recorded.duplicates, 0U) << attempt;
    EXPECT_FALSE(recorded.repeated) << attempt;
  }
  EXPECT_EQ(windows("a.example").at(0).successful, 1U);
  EXPECT_EQ(windows("b.example").at(0).successful, 1U);
  EXPECT_EQ(counter("accepted"), 2U);
}

TEST_F(RecorderTest, WhatIsOlderThanIntakeTakesCountsInTheWindowThatIsThere) {
  count(success("a.example", "2026-11-20T10:00:00Z"));
  record();
  count(success("a.example", "2026-11-20T11:00:00Z"));
  clock.advance(Seconds{90 * 86'400});
  recorder.forget_windows();
  record();
  ASSERT_THAT(windows("a.example"), SizeIs(1));
  EXPECT_EQ(windows("a.example").at(0).successful, 2U);
}

TEST_F(RecorderTest, WritesTheFilesProgressWithItsCounts) {
  count(success("a.example", "2026-11-20T10:00:00Z"));
  const FileProgress progress{std::string(64, 'a'), "x.jsonl", 100, false, 1};
  record({.file = progress, .journalled = {}});
  const auto stored = store->file(progress.sha256);
  ASSERT_TRUE(stored);
  ASSERT_TRUE(*stored);
  EXPECT_EQ((*stored)->offset, 100U);
  EXPECT_FALSE((*stored)->finished);
}

}  // namespace
}  // namespace rapporteur
