#include <algorithm>
#include <atomic>
#include <thread>

#include "store_suite.h"

namespace rapporteur::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr std::uint64_t kMost = 9007199254740991U;

TEST_P(StoreTest, KeepsItsTokenOfEightCharacters) {
  const auto token = store().token();
  EXPECT_THAT(token, testing::MatchesRegex("[a-z0-9]{8}"));
  EXPECT_EQ(store().token(), token);
  EXPECT_EQ(another()->token(), token);
}

TEST_P(StoreTest, MakesTheWindowThatTheDeltaDescribes) {
  auto made = delta("example.com", 3, 2, {{detail("a"), 2}});
  made.frequency = Frequency::kHourly;
  made.tlsrpt_record = "v=TLSRPTv1; rua=mailto:x@example.com";
  EXPECT_TRUE(add({made}).stored());

  const auto stored = window("example.com");
  EXPECT_EQ(stored.domain, "example.com");
  EXPECT_EQ(stored.frequency, Frequency::kHourly);
  EXPECT_EQ(stored.period, kFirstDay);
  EXPECT_EQ(stored.supplement, 0);
  EXPECT_EQ(stored.state, WindowState::kCollecting);
  EXPECT_EQ(stored.reason, "");
  EXPECT_EQ(stored.due, kDue);
  EXPECT_EQ(stored.retry, std::nullopt);
  EXPECT_EQ(stored.first_attempt, std::nullopt);
  EXPECT_EQ(stored.tlsrpt_record, "v=TLSRPTv1; rua=mailto:x@example.com");
  EXPECT_EQ(stored.successful, 3U);
  EXPECT_EQ(stored.failed, 2U);
  EXPECT_EQ(stored.first_part, 1);
  EXPECT_FALSE(stored.send_old);
  EXPECT_EQ(ok(store().counts(stored.id)), made.counts);
}

TEST_P(StoreTest, MakesHeldAndBlockedWindowsWithTheirReason) {
  auto held = delta("held.example");
  held.state = WindowState::kHeld;
  held.reason = "older than 7 days";
  auto blocked = delta("blocked.example");
  blocked.state = WindowState::kBlocked;
  blocked.reason = "sendFrequency failed";
  blocked.send_old = true;
  add({held, blocked});
  EXPECT_EQ(window("held.example").state, WindowState::kHeld);
  EXPECT_EQ(window("held.example").reason, "older than 7 days");
  EXPECT_EQ(window("blocked.example").state, WindowState::kBlocked);
  EXPECT_EQ(window("blocked.example").reason, "sendFrequency failed");
  EXPECT_TRUE(window("blocked.example").send_old);
  EXPECT_THAT(ok(store().claim_due(kDue - 1s, 10, std::nullopt)), IsEmpty());
  const auto due = ok(store().claim_due(kDue, 10, std::nullopt));
  ASSERT_THAT(due, SizeIs(1));
  EXPECT_EQ(due.front().domain, "blocked.example");
}

TEST_P(StoreTest, AddsCountsOfEqualPoliciesAndDetails) {
  for (int round = 0; round < 3; ++round) {
    auto more = delta("example.com", 10, 1, {{detail("a"), 1}, {detail("b"), 2}});
    more.counts.push_back({{PolicyType::kNoPolicyFound, "example.com", {}, {}}, 5, 0, {}});
    add({more, delta("example.org")});
  }
  EXPECT_THAT(
      ok(store().counts(window("example.com").id)),
      ElementsAre(PolicyCounts{sts("example.com"), 30, 3, {{detail("a"), 3}, {detail("b"), 6}}},
                  PolicyCounts{{PolicyType::kNoPolicyFound, "example.com", {}, {}}, 15, 0, {}}));
  EXPECT_EQ(window("example.com").successful, 45U);
  EXPECT_EQ(window("example.com").failed, 3U);
  EXPECT_EQ(window("example.org").successful, 3U);
}

TEST_P(StoreTest, KeepsApartWhatDiffersInAnyField) {
  auto base = delta("example.com", 1, 0);
  auto& counts = base.counts;
  auto policy = sts("example.com");
  policy.strings = {"a", "bc"};
  counts.push_back({policy, 1, 0, {}});
  policy.strings = {"ab", "c"};
  counts.push_back({policy, 1, 0, {}});
  policy.strings = {"ab", "c", ""};
  counts.push_back({policy, 1, 0, {}});
  policy.type = PolicyType::kTlsa;
  counts.push_back({policy, 1, 0, {}});
  const FailureDetail full = {ResultType::kTlsaInvalid, "1", "2", "3", "4", "5", "6"};
  for (const auto field :
       {&FailureDetail::sending_mta_ip, &FailureDetail::receiving_mx_hostname,
        &FailureDetail::receiving_mx_helo, &FailureDetail::receiving_ip,
        &FailureDetail::additional_information, &FailureDetail::failure_reason_code}) {
    auto other = full;
    (other.*field).clear();
    counts.back().details.push_back({other, 1});
  }
  counts.back().details.push_back({full, 1});
  add({base});
  add({base});
  auto want = counts;
  for (auto& each : want) {
    each.successful *= 2;
    for (auto& each_detail : each.details) each_detail.count *= 2;
    std::ranges::sort(each.details);
  }
  std::ranges::sort(want);
  EXPECT_EQ(ok(store().counts(window("example.com").id)), want);
}

TEST_P(StoreTest, KeepsTextsWhateverTheyHold) {
  auto odd = delta("example.com", 0, 1, {{detail(std::string("nul\0\n'\";--,3:x", 15)), 1}});
  odd.counts[0].policy.strings = {std::string("\0", 1), ",", "2:ab,", "\xff\xfe"};
  add({odd});
  EXPECT_EQ(ok(store().counts(window("example.com").id)), odd.counts);
}

TEST_P(StoreTest, CountsStayAtTheGreatestNumberInsteadOfOverflowing) {
  add({delta("example.com", kMost - 5, kMost, {{detail("a"), kMost}})});
  add({delta("example.com", 5, 1, {{detail("a"), 1}})});
  EXPECT_EQ(ok(store().counts(window("example.com").id)).at(0).successful, kMost);
  add({delta("example.com", UINT64_MAX, UINT64_MAX, {{detail("a"), UINT64_MAX}})});
  const auto counts = ok(store().counts(window("example.com").id)).at(0);
  EXPECT_EQ(counts.successful, kMost);
  EXPECT_EQ(counts.failed, kMost);
  EXPECT_EQ(counts.details.at(0).count, kMost);
  EXPECT_EQ(window("example.com").successful, kMost);
  EXPECT_EQ(window("example.com").failed, kMost);
}

TEST_P(StoreTest, KeepsTheNewestRecordThatAnMtaSaw) {
  auto first = at(delta("example.com"), kDay + 2h, kDay + 2h);
  first.tlsrpt_record = "at two";
  auto older = at(delta("example.com"), kDay + 1h, kDay + 1h);
  older.tlsrpt_record = "at one";
  auto none = at(delta("example.com"), kDay + 3h, kDay + 3h);
  add({first});
  add({older});
  add({none});
  EXPECT_EQ(window("example.com").tlsrpt_record, "at two");
  auto newer = at(delta("example.com"), kDay + 4h, kDay + 4h);
  newer.tlsrpt_record = "at four";
  add({newer});
  EXPECT_EQ(window("example.com").tlsrpt_record, "at four");
}

TEST_P(StoreTest, FoldsDetailsBeyondTheLimitSoThatSumsStayTrue) {
  CountBatch batch;
  batch.max_details = 3;
  batch.now = kDay;
  std::vector<DetailCount> details;
  for (char c = 'a'; c <= 'f'; ++c) details.push_back({detail(std::string(1, c)), 2});
  details.push_back({detail("g", ResultType::kTlsaInvalid), 7});
  batch.windows = {delta("example.com", 0, 19, details)};
  ok(store().add(batch));
  ok(store().add(batch));

  const auto counts = ok(store().counts(window("example.com").id)).at(0);
  FailureDetail expired;
  expired.result_type = ResultType::kCertificateExpired;
  FailureDetail invalid;
  invalid.result_type = ResultType::kTlsaInvalid;
  EXPECT_THAT(counts.details,
              UnorderedElementsAre(DetailCount{detail("a"), 4}, DetailCount{detail("b"), 4},
                                   DetailCount{detail("c"), 4}, DetailCount{expired, 12},
                                   DetailCount{invalid, 14}));
  std::uint64_t sum = 0;
  for (const auto& each : counts.details) sum += each.count;
  EXPECT_EQ(sum, 38U);
}

TEST_P(StoreTest, TheLimitOfDetailsIsReachedByExactlyThatMany) {
  CountBatch batch;
  batch.max_details = 2;
  batch.windows = {delta("example.com", 0, 2, {{detail("a"), 1}, {detail("b"), 1}})};
  ok(store().add(batch));
  EXPECT_THAT(ok(store().counts(window("example.com").id)).at(0).details,
              ElementsAre(DetailCount{detail("a"), 1}, DetailCount{detail("b"), 1}));
}

TEST_P(StoreTest, SessionsOfAHeldOrBlockedWindowGoThere) {
  auto held = delta("held.example");
  held.state = WindowState::kHeld;
  auto blocked = delta("blocked.example");
  blocked.state = WindowState::kBlocked;
  add({held, blocked});
  EXPECT_TRUE(add({delta("held.example"), delta("blocked.example")}).stored());
  EXPECT_EQ(window("held.example").successful, 2U);
  EXPECT_EQ(window("blocked.example").successful, 2U);
}

TEST_P(StoreTest, SessionsGoToTheCoveringWindowWhateverFrequencyMadeIt) {
  add({delta("example.com")});
  auto hourly = at(delta("example.com"), kDay + 5h, kDay + 5h);
  hourly.period = {kDay + 5h, kDay + 6h};
  hourly.frequency = Frequency::kHourly;
  EXPECT_TRUE(add({hourly}).stored());
  EXPECT_EQ(window("example.com").frequency, Frequency::kDaily);
  EXPECT_EQ(window("example.com").successful, 2U);
}

TEST_P(StoreTest, LateSessionsMakeASupplementOfTheSamePeriod) {
  const auto id = due_window("example.com");
  auto late = delta("example.com", 5);
  EXPECT_TRUE(add({late}).stored());
  auto all = windows("example.com");
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].id, id);
  EXPECT_EQ(all[0].successful, 1U);
  EXPECT_EQ(all[1].supplement, 1);
  EXPECT_EQ(all[1].period, kFirstDay);
  EXPECT_EQ(all[1].state, WindowState::kCollecting);
  EXPECT_EQ(all[1].due, late.supplement_due);
  EXPECT_EQ(all[1].successful, 5U);

  add({late});
  EXPECT_EQ(windows("example.com").at(1).successful, 10U);
  ok(store().claim_due(*late.supplement_due, 100, std::nullopt));
  add({late});
  all = windows("example.com");
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[2].supplement, 2);
  EXPECT_EQ(all[2].successful, 5U);
}

TEST_P(StoreTest, SessionsGoToTheNewestWindowThatTakesCounts) {
  const auto id = due_window("example.com");
  add({delta("example.com")});
  ASSERT_TRUE(
      ok(store().conclude(Postponement{id, 0, WindowState::kBlocked, "no key", kDue + 1h, kDue})));
  add({delta("example.com", 7)});
  auto all = windows("example.com");
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].successful, 1U);
  EXPECT_EQ(all[1].successful, 8U);
  ASSERT_TRUE(ok(store().cancel(all[1].id, "test", kDue)));
  add({delta("example.com", 20)});
  all = windows("example.com");
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].successful, 21U);
}

TEST_P(StoreTest, ACancelledWindowKeepsItsLateSessionsToItself) {
  add({delta("example.com")});
  ASSERT_TRUE(ok(store().cancel(window("example.com").id, "test", kDay)));
  add({delta("example.com", 7)});
  const auto all = windows("example.com");
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].state, WindowState::kSuppressed);
  EXPECT_EQ(all[0].successful, 8U);
}

TEST_P(StoreTest, ABlockedWindowBeforeItsEndCanCollectAgain) {
  auto broken = delta("example.com");
  broken.state = WindowState::kBlocked;
  broken.reason = "sendFrequency failed";
  add({broken});
  const auto id = window("example.com").id;
  EXPECT_FALSE(ok(store().unblock(id, broken.period.end)));
  EXPECT_TRUE(ok(store().unblock(id, broken.period.end - 1s)));
  EXPECT_EQ(window("example.com").state, WindowState::kCollecting);
  EXPECT_EQ(window("example.com").reason, "");
  EXPECT_FALSE(ok(store().unblock(id, kDay)));
}

TEST_P(StoreTest, ASupplementIsHeldIfItsSessionsAreToBe) {
  due_window("example.com");
  auto old = delta("example.com");
  old.state = WindowState::kHeld;
  old.reason = "older than 7 days";
  add({old});
  EXPECT_EQ(windows("example.com").at(1).state, WindowState::kHeld);
  EXPECT_EQ(windows("example.com").at(1).reason, "older than 7 days");
}

TEST_P(StoreTest, SupplementsNumberTheirPartsOn) {
  add({delta("example.com")});
  const auto first = window("example.com").id;
  ok(store().claim_due(kDue, 10, std::nullopt));
  EXPECT_EQ(first_part(store(), "example.com", kFirstDay), 1);
  add({delta("example.com")});  // made before the window was assembled
  ASSERT_TRUE(ok(store().conclude(Assembly{.window = first,
                                           .parts = {part(first, 1, 2), part(first, 2, 2)},
                                           .deliveries = {},
                                           .fingerprint = "",
                                           .record = "",
                                           .now = kDue})));
  EXPECT_EQ(first_part(store(), "example.com", kFirstDay), 3);
  EXPECT_EQ(windows("example.com").at(1).first_part, 3);
  ASSERT_TRUE(ok(store().cancel(windows("example.com").at(1).id, "test", kDue)));
  add({delta("example.com")});  // made after it was assembled
  EXPECT_EQ(windows("example.com").at(2).first_part, 3);
  ok(store().prune(kDue + 1h, kDay, 100));  // the window with the parts is gone
  EXPECT_EQ(window("example.com").first_part, 3);
  EXPECT_EQ(first_part(store(), "example.com", kFirstDay), 3);
  EXPECT_EQ(first_part(store(), "example.com", {kDay + 24h, kDay + 48h}), 1);
  EXPECT_EQ(first_part(store(), "example.org", kFirstDay), 1);
}

TEST_P(StoreTest, AnOverlappingPeriodIsMisplacedAndNothingIsStored) {
  add({delta("example.com"), delta("second.example")});
  auto week = at(delta("example.com"), kDay + 25h, kDay + 25h);
  week.period = {kDay - 48h, kDay + 120h};
  auto across = at(delta("second.example"), kDay + 23h, kDay + 24h);
  across.period = {kDay, kDay + 48h};
  CountBatch batch;
  batch.windows = {delta("third.example"), week, delta("example.com"), across};
  batch.session_ids = {"id"};
  batch.file = FileProgress{"ab", "f", 10, false, 1};
  batch.counters = {{"accepted", 1}};
  batch.now = kDay;
  const auto flushed = ok(store().add(batch));
  EXPECT_FALSE(flushed.stored());
  EXPECT_THAT(flushed.misplaced, ElementsAre(1, 3));
  EXPECT_THAT(flushed.seen, IsEmpty());
  EXPECT_THAT(windows("third.example"), IsEmpty());
  EXPECT_EQ(window("example.com").successful, 1U);
  const std::vector<std::string> ids = {"id"};
  EXPECT_THAT(ok(store().seen(ids)), ElementsAre(false));
  EXPECT_EQ(ok(store().file("ab")).has_value(), false);
  EXPECT_THAT(ok(store().counters()), IsEmpty());

  batch.windows = {delta("third.example"), delta("example.com")};
  EXPECT_TRUE(ok(store().add(batch)).stored());
  EXPECT_EQ(window("third.example").successful, 1U);
  EXPECT_EQ(window("example.com").successful, 2U);
}

TEST_P(StoreTest, ADeltaOutsideItsOwnPeriodIsMisplaced) {
  EXPECT_THAT(add({at(delta("example.com"), kDay + 1h, kDay + 24h)}).misplaced, ElementsAre(0));
  EXPECT_THAT(add({at(delta("example.com"), kDay - 1s, kDay + 1h)}).misplaced, ElementsAre(0));
  EXPECT_THAT(windows(), IsEmpty());
}

TEST_P(StoreTest, PeriodsThatTouchDoNotOverlap) {
  add({delta("example.com")});
  auto next = at(delta("example.com"), kDay + 24h, kDay + 24h);
  next.period = {kDay + 24h, kDay + 25h};
  auto before = at(delta("example.com"), kDay - 1s, kDay - 1s);
  before.period = {kDay - 1h, kDay};
  EXPECT_TRUE(add({next, before}).stored());
  EXPECT_THAT(windows("example.com"), SizeIs(3));
}

TEST_P(StoreTest, PeriodsAreThoseThatEndLaterOldestFirstWithoutSupplements) {
  due_window("example.com");
  add({delta("example.com")});
  auto next = at(delta("example.com"), kDay + 24h, kDay + 24h);
  next.period = {kDay + 24h, kDay + 48h};
  auto before = at(delta("example.com"), kDay - 1s, kDay - 1s);
  before.period = {kDay - 24h, kDay};
  add({next, before, delta("example.org")});
  const Period first{kDay - 24h, kDay};
  const Period last{kDay + 24h, kDay + 48h};
  EXPECT_THAT(periods("example.com", kDay - 100h), ElementsAre(first, kFirstDay, last));
  EXPECT_THAT(periods("example.com", kDay), ElementsAre(kFirstDay, last));
  EXPECT_THAT(periods("example.com", kDay - 1s), ElementsAre(first, kFirstDay, last));
  EXPECT_THAT(periods("example.com", kDay + 48h), IsEmpty());
  EXPECT_THAT(periods("example.net", kDay - 100h), IsEmpty());
}

TEST_P(StoreTest, ASessionIdIsStoredOnceAndTheSecondBatchLeavesNothing) {
  CountBatch batch;
  batch.windows = {delta("example.com")};
  batch.session_ids = {"one", "two"};
  batch.now = kDay;
  EXPECT_TRUE(ok(store().add(batch)).stored());
  batch.session_ids = {"three", "two", "one"};
  batch.counters = {{"accepted", 3}};
  const auto again = ok(store().add(batch));
  EXPECT_THAT(again.seen, ElementsAre("two", "one"));
  EXPECT_FALSE(again.stored());
  EXPECT_EQ(window("example.com").successful, 1U);
  const std::vector<std::string> asked = {"two", "three", "", "one"};
  EXPECT_THAT(ok(store().seen(asked)), ElementsAre(true, false, false, true));
  EXPECT_THAT(ok(store().counters()), IsEmpty());
}

TEST_P(StoreTest, CountersGrowFromZeroAndDoNotOverflow) {
  EXPECT_THAT(ok(store().counters()), IsEmpty());
  CountBatch batch;
  batch.counters = {{"accepted", 3}, {"rejected.not-json", 1}};
  ok(store().add(batch));
  batch.counters = {{"accepted", 4}};
  ok(store().add(batch));
  EXPECT_THAT(ok(store().counters()),
              ElementsAre(Pair("accepted", 7), Pair("rejected.not-json", 1)));
  batch.counters = {{"accepted", UINT64_MAX}};
  ok(store().add(batch));
  EXPECT_EQ(ok(store().counters()).at("accepted"), kMost);
}

TEST_P(StoreTest, AnEmptyBatchChangesNothing) {
  EXPECT_TRUE(ok(store().add({})).stored());
  EXPECT_THAT(windows(), IsEmpty());
}

TEST_P(StoreTest, RowsThatIntakeRemembersMayBePrunedMeanwhile) {
  const auto first = another();
  CountBatch batch;
  batch.windows = {delta("example.com", 1, 1, {{detail("a"), 1}})};
  batch.now = kDay;
  ok(first->add(batch));
  ASSERT_TRUE(ok(store().cancel(window("example.com").id, "test", kDue)));
  ASSERT_EQ(ok(store().prune(kDue + 1s, kDay, 10)), 1U);
  add({delta("other.example", 100)});  // may take the row ids that are free again
  EXPECT_TRUE(ok(first->add(batch)).stored());
  EXPECT_EQ(ok(store().counts(window("example.com").id)), batch.windows[0].counts);
  EXPECT_EQ(ok(store().counts(window("other.example").id)), delta("other.example", 100).counts);
}

TEST_P(StoreTest, TwoThreadsThatAddToOneWindowLoseNothing) {
  const auto work = [&](std::unique_ptr<Store> mine) {
    for (int round = 0; round < 50; ++round) {
      CountBatch batch;
      batch.windows = {delta("example.com", 2, 1, {{detail(std::to_string(round % 5)), 1}})};
      batch.counters = {{"accepted", 3}};
      EXPECT_TRUE(ok(mine->add(batch)).stored());
    }
  };
  std::thread other(work, another());
  work(another());
  other.join();
  const auto counts = ok(store().counts(window("example.com").id));
  ASSERT_THAT(counts, SizeIs(1));
  EXPECT_EQ(counts[0].successful, 200U);
  EXPECT_EQ(counts[0].failed, 100U);
  ASSERT_THAT(counts[0].details, SizeIs(5));
  for (const auto& each : counts[0].details) EXPECT_EQ(each.count, 20U);
  EXPECT_EQ(ok(store().counters()).at("accepted"), 300U);
}

TEST_P(StoreTest, SessionsThatRaceWithClaimingGoToTheWindowOrItsSupplementOnce) {
  add({delta("example.com")});
  std::atomic<int> added = 0;
  std::thread other([&, mine = another()] {
    for (int round = 0; round < 40; ++round) {
      CountBatch batch;
      batch.windows = {delta("example.com")};
      batch.windows[0].supplement_due = kDue;
      if (ok(mine->add(batch)).stored()) ++added;
    }
  });
  const auto mine = another();
  std::uint64_t claimed = 0;
  const auto claim = [&] {
    for (const auto& due : ok(mine->claim_due(kDue, 100, std::nullopt))) {
      // What a window in kDue holds is final.
      const auto counts = ok(mine->counts(due.id));
      ASSERT_THAT(counts, SizeIs(1));
      EXPECT_EQ(counts[0].successful, due.successful);
      claimed += due.successful;
      EXPECT_TRUE(
          ok(mine->conclude(Postponement{due.id, 0, WindowState::kSuppressed, "test", {}, kDue})));
    }
  };
  for (int round = 0; round < 40; ++round) claim();
  other.join();
  claim();
  EXPECT_EQ(added, 40);
  EXPECT_EQ(claimed, 41U);
}

}  // namespace
}  // namespace rapporteur::testing_support
