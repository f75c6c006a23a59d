// The list of destinations that get no reports, and what is known of their failures.

#include "store_suite.h"

namespace rapporteur::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_P(StoreTest, TheListIsKeptByPattern) {
  const Suppression manual{.pattern = "@b.example", .since = kDay, .reason = "asked for it"};
  Suppression automatic{.pattern = "a@b.example",
                        .automatic = true,
                        .since = kDay,
                        .until = kDay + 24h,
                        .reason = "550",
                        .spells = 2};
  ok(store().put_suppression(manual));
  ok(store().put_suppression(automatic));
  const std::vector<std::string> asked = {"a@b.example", "@b.example", "report:c.example"};
  const auto found = ok(store().suppressions(asked));
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].pattern, "a@b.example");
  EXPECT_TRUE(found[0].automatic);
  EXPECT_EQ(found[0].until, kDay + 24h);
  EXPECT_EQ(found[0].spells, 2);
  EXPECT_EQ(found[0].reason, "550");
  EXPECT_EQ(found[1].until, std::nullopt);

  automatic.lifted = kDay + 1h;
  ok(store().put_suppression(automatic));
  EXPECT_EQ(ok(store().suppressions(asked)).at(0).lifted, kDay + 1h);

  EXPECT_EQ(ok(store().suppression_list("", 1)).at(0).pattern, "@b.example");
  EXPECT_EQ(ok(store().suppression_list("@b.example", 9)).at(0).pattern, "a@b.example");
  EXPECT_TRUE(ok(store().remove_suppression("@b.example")));
  EXPECT_FALSE(ok(store().remove_suppression("@b.example")));
  EXPECT_THAT(ok(store().suppression_list("", 9)), SizeIs(1));
}

TEST_P(StoreTest, OneDeliveryAtATimeProbes) {
  const auto first = delivery_id(assembled_window("one.example", {kDead}));
  const auto second = delivery_id(assembled_window("two.example", {kDead}));
  ok(store().put_suppression({.pattern = "dead@b.example", .automatic = true, .since = kDay}));
  EXPECT_FALSE(ok(store().claim_probe("other@b.example", first)));
  EXPECT_TRUE(ok(store().claim_probe("dead@b.example", first)));
  EXPECT_TRUE(ok(store().claim_probe("dead@b.example", first))) << "a retry of the probe";
  EXPECT_FALSE(ok(store().claim_probe("dead@b.example", second)));
  const std::vector<std::string> asked = {"dead@b.example"};
  EXPECT_TRUE(ok(store().suppressions(asked)).at(0).probe_open);
  ok(store().abandon_delivery(first, "", kDue));
  EXPECT_FALSE(ok(store().suppressions(asked)).at(0).probe_open);
  EXPECT_TRUE(ok(store().claim_probe("dead@b.example", second)));
}

TEST_P(StoreTest, AStreakCountsWindowsSinceTheLastSuccess) {
  EXPECT_EQ(ok(store().failure_streak(kDead, {}, kDue + 1000h)).windows, 0U);
  ended("a.example", DeliveryState::kFailed, kDue);
  ended("b.example", DeliveryState::kDelivered, kDue + 1h);
  ended("c.example", DeliveryState::kFailed, kDue + 2h);
  ended("d.example", DeliveryState::kFailed, kDue + 50h);
  ended("e.example", DeliveryState::kFailed, kDue + 60h, true, "mailto:other@b.example");
  ended("f.example", DeliveryState::kFailed, kDue + 61h, false);
  const auto streak = ok(store().failure_streak(kDead, {}, kDue + 1000h));
  EXPECT_EQ(streak.windows, 2U);
  EXPECT_EQ(streak.first, kDue + 2h);
  EXPECT_EQ(streak.last, kDue + 50h);
  EXPECT_EQ(ok(store().failure_streak(kDead, kDue + 2h, kDue + 1000h)).windows, 1U)
      << "after `since` only";
  EXPECT_EQ(ok(store().failure_streak(kDead, kDue + 50h, kDue + 1000h)).windows, 0U);
}

TEST_P(StoreTest, ABounceTakesItsSuccessBack) {
  const auto a = ended("a.example", DeliveryState::kDelivered, kDue);
  const auto b = ended("b.example", DeliveryState::kDelivered, kDue + 40h);
  bounced(a, kDue + 1h);
  bounced(b, kDue + 41h);
  ended("c.example", DeliveryState::kDelivered, kDue + 80h);  // may still bounce
  const auto streak = ok(store().failure_streak(kDead, {}, kDue + 1000h));
  EXPECT_EQ(streak.windows, 2U);
  EXPECT_EQ(streak.first, kDue) << "when it was accepted";
  EXPECT_EQ(streak.last, kDue + 40h);
}

TEST_P(StoreTest, ASuccessAfterTheLastRefusalEndsTheStreak) {
  ended("a.example", DeliveryState::kFailed, kDue);
  EXPECT_EQ(ok(store().failure_streak(kDead, {}, kDue - 1h)).windows, 0U) << "not from the future";
  ended("b.example", DeliveryState::kDelivered, kDue + 1h);
  EXPECT_EQ(ok(store().failure_streak(kDead, {}, kDue + 2h)).windows, 0U);
}

TEST_P(StoreTest, WhatIsForgivenCountsNoLonger) {
  const std::vector<std::string> ids = {ended("a.example", DeliveryState::kFailed, kDue)};
  EXPECT_EQ(ok(store().failure_streak(kDead, {}, kDue)).windows, 1U);
  ok(store().forgive(ids));
  EXPECT_EQ(ok(store().failure_streak(kDead, {}, kDue)).windows, 0U);
}

TEST_P(StoreTest, ACancelledWindowSendsNothingMoreWhateverBounces) {
  const auto id = assembled_window("a.example", {kDead, "mailto:b@c.example"}, true);
  attempt(delivery_id(id, 0), DeliveryState::kDelivered, kDue);
  EXPECT_EQ(window("a.example").state, WindowState::kDone);
  ok(store().retry_delivery(delivery_id(id, 1), kDue));
  ok(store().cancel(id, "enough", kDue));
  bounced(delivery_id(id, 0), kDue + 1h);
  EXPECT_THAT(due_ids(kDue + 100h), IsEmpty());
}

TEST_P(StoreTest, CountsThatCameDuringTheRunAreNotLeftOut) {
  const auto id = due_window("example.com");
  Assembly assembly;
  assembly.window = id;
  assembly.counted = {1, 0};
  assembly.now = kDue;
  assembly.parts = {part(id, 1)};
  ok(store().hold(id, "", kDue));
  ok(store().release(id, kDue));
  add({delta("example.com", 7)});
  ok(store().claim_due(kDue, 10, std::nullopt));
  EXPECT_FALSE(ok(store().conclude(assembly)));
  EXPECT_EQ(window("example.com").state, WindowState::kDue) << "its run begins anew";
  assembly.counted = {8, 0};
  EXPECT_TRUE(ok(store().conclude(assembly)));
}

TEST_P(StoreTest, ARetryIsNoFailureAnyMore) {
  const auto id = ended("a.example", DeliveryState::kFailed, kDue);
  EXPECT_TRUE(ok(store().retry_delivery(id, kDue + 1h)));
  EXPECT_EQ(ok(store().failure_streak(kDead, {}, kDue + 1000h)).windows, 0U);
}

TEST_P(StoreTest, TheReasonReplacesAnEarlierResponse) {
  const auto id = delivery_id(assembled_window("a.example", {kDead}));
  attempt(id, DeliveryState::kPending, kDue, kDue + 5min, "451 later");
  AttemptRecord record;
  record.delivery = id;
  record.state = DeliveryState::kSuppressed;
  record.last_response = "suppressed until …";
  record.now = kDue + 5min;
  record.tried = false;
  ok(store().record_attempt(record));
  EXPECT_EQ(delivery_now(id).last_response, "suppressed until …");
  EXPECT_EQ(delivery_now(id).attempts, 1);
  EXPECT_EQ(window("a.example").state, WindowState::kDone);
}

TEST_P(StoreTest, ABounceBringsTheFallbacksBack) {
  const auto window_id =
      assembled_window("a.example", {kDead, "mailto:b@c.example", "mailto:c@c.example"}, true);
  const auto given_up = delivery_id(window_id, 2);
  ok(store().abandon_delivery(given_up, "by hand", kDue));
  attempt(delivery_id(window_id, 0), DeliveryState::kDelivered, kDue);
  EXPECT_EQ(window("a.example").state, WindowState::kDone);
  EXPECT_EQ(delivery_now(delivery_id(window_id, 1)).state, DeliveryState::kAbandoned);
  bounced(delivery_id(window_id, 0), kDue + 1h);
  EXPECT_EQ(window("a.example").state, WindowState::kAssembled);
  EXPECT_THAT(due_ids(kDue + 1h), ElementsAre(delivery_id(window_id, 1)));
  EXPECT_EQ(delivery_now(given_up).last_response, "by hand");
}

TEST_P(StoreTest, WhatHasEndedIsForgottenInTheEnd) {
  ok(store().put_suppression({.pattern = "@over.example", .since = kDay, .until = kDay + 1h}));
  ok(store().put_suppression(
      {.pattern = "@lifted.example", .automatic = true, .since = kDay, .lifted = kDay + 1h}));
  ok(store().put_suppression(
      {.pattern = "@again.example", .automatic = true, .since = kDay, .until = kDay + 1h}));
  ok(store().put_suppression({.pattern = "@for-good.example", .since = kDay}));
  ok(store().prune(kDay + 1h, kDay, 10));
  EXPECT_THAT(ok(store().suppression_list("", 9)), SizeIs(4));
  ok(store().prune(kDay + 2h, kDay, 10));
  std::vector<std::string> left;
  for (const auto& entry : ok(store().suppression_list("", 9))) left.push_back(entry.pattern);
  EXPECT_THAT(left, ElementsAre("@again.example", "@for-good.example"));
}

TEST_P(StoreTest, AnAttemptPlannedUnderAClockThatWasAheadIsDueWhenTheClockIsRight) {
  const auto id = delivery_id(assembled_window("a.example", {kDead}));
  attempt(id, DeliveryState::kPending, kDue + 240h, kDue + 241h);
  EXPECT_THAT(due_ids(kDue + 241h - 25h), IsEmpty()) << "as far ahead as a Retry-After may be";
  EXPECT_THAT(due_ids(kDue + 1h), ElementsAre(id));
}

}  // namespace
}  // namespace rapporteur::testing_support
