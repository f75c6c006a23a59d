#include "store_suite.h"

namespace rapporteur::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const std::vector<std::string> kTwo = {"mailto:a@b.example", "https://b.example/x"};

TEST_P(StoreTest, DueDeliveriesComeByTheirTimeWithTheirBody) {
  const auto id = assembled_window("example.com", kTwo);
  EXPECT_THAT(due_ids(kDue - 1s), IsEmpty());
  const auto due = ok(store().due_deliveries({.now = kDue, .limit = 10}));
  ASSERT_THAT(due, SizeIs(2));
  EXPECT_EQ(due[0].delivery.id, delivery_id(id, 0));
  EXPECT_EQ(due[0].delivery.header, "From: noreply@example.net\r\n");
  EXPECT_EQ(due[0].body, part(id, 1).mail_body);
  EXPECT_EQ(due[1].delivery.destination, "https://b.example/x");
  EXPECT_EQ(due[1].body, part(id, 1).gz);

  attempt(delivery_id(id, 0), DeliveryState::kPending, kDue, kDue + 5min);
  EXPECT_THAT(due_ids(kDue + 5min), ElementsAre(delivery_id(id, 1), delivery_id(id, 0)));
}

TEST_P(StoreTest, DueDeliveriesLeaveOutWhatTheyAreTold) {
  const auto id = assembled_window("example.com", kTwo);
  EXPECT_THAT(due_ids(kDue, true, false), ElementsAre(delivery_id(id, 0)));
  EXPECT_THAT(due_ids(kDue, false, true), ElementsAre(delivery_id(id, 1)));
  EXPECT_THAT(due_ids(kDue, false, false), IsEmpty());
  EXPECT_THAT(due_ids(kDue, true, true, {delivery_id(id, 0)}), ElementsAre(delivery_id(id, 1)));
  EXPECT_THAT(due_ids(kDue, true, true, {}, 1), ElementsAre(delivery_id(id, 0)));
  EXPECT_THAT(due_ids(kDue, true, true, {delivery_id(id, 0)}, 1), ElementsAre(delivery_id(id, 1)))
      << "what is left out takes no place";
}

TEST_P(StoreTest, AnAttemptIsRecordedAsItEnded) {
  const auto id = delivery_id(assembled_window("example.com", {"mailto:a@b.example"}));
  attempt(id, DeliveryState::kPending, kDue + 1s, kDue + 5min, "451 4.3.0 later (RCPT TO)");
  auto now = delivery_now(id);
  EXPECT_EQ(now.state, DeliveryState::kPending);
  EXPECT_EQ(now.attempts, 1);
  EXPECT_EQ(now.first_attempt, kDue + 1s);
  EXPECT_EQ(now.next_attempt, kDue + 5min);
  EXPECT_EQ(now.last_response, "451 4.3.0 later (RCPT TO)");
  EXPECT_EQ(now.ended, std::nullopt);

  AttemptRecord uncounted;  // our relay's fault: the first attempt stays what it was
  uncounted.delivery = id;
  uncounted.state = DeliveryState::kUncertain;
  uncounted.next_attempt = kDue + 6min;
  uncounted.now = kDue + 5min;
  ok(store().record_attempt(uncounted));
  now = delivery_now(id);
  EXPECT_EQ(now.state, DeliveryState::kUncertain);
  EXPECT_EQ(now.attempts, 2);
  EXPECT_EQ(now.first_attempt, kDue + 1s);
  EXPECT_THAT(due_ids(kDue + 6min), ElementsAre(id));

  attempt(id, DeliveryState::kDelivered, kDue + 6min, kDue + 9h);
  now = delivery_now(id);
  EXPECT_EQ(now.state, DeliveryState::kDelivered);
  EXPECT_EQ(now.attempts, 3);
  EXPECT_EQ(now.next_attempt, std::nullopt);
  EXPECT_EQ(now.ended, kDue + 6min);
  EXPECT_THAT(due_ids(kDue + 24h), IsEmpty());
}

TEST_P(StoreTest, AWindowIsDoneWhenItsLastDeliveryHasEnded) {
  const auto id = assembled_window("example.com", kTwo);
  attempt(delivery_id(id, 0), DeliveryState::kDelivered, kDue);
  EXPECT_EQ(window("example.com").state, WindowState::kAssembled);
  attempt(delivery_id(id, 1), DeliveryState::kFailed, kDue);
  EXPECT_EQ(window("example.com").state, WindowState::kDone);
}

TEST_P(StoreTest, AFinalFailureStartsTheNextFallback) {
  const auto id = assembled_window(
      "example.com", {"mailto:a@b.example", "mailto:b@b.example", "mailto:c@b.example"}, true);
  EXPECT_THAT(due_ids(kDue + 99h), ElementsAre(delivery_id(id, 0)));
  attempt(delivery_id(id, 0), DeliveryState::kPending, kDue, kDue + 5min);
  EXPECT_THAT(due_ids(kDue + 99h), ElementsAre(delivery_id(id, 0)));
  attempt(delivery_id(id, 0), DeliveryState::kFailed, kDue + 5min);
  EXPECT_THAT(due_ids(kDue + 5min), ElementsAre(delivery_id(id, 1)));
  EXPECT_EQ(window("example.com").state, WindowState::kAssembled);
  attempt(delivery_id(id, 1), DeliveryState::kDelivered, kDue + 6min);
  EXPECT_EQ(delivery_now(delivery_id(id, 2)).state, DeliveryState::kAbandoned);
  EXPECT_EQ(delivery_now(delivery_id(id, 2)).ended, kDue + 6min);
  EXPECT_EQ(window("example.com").state, WindowState::kDone);
}

TEST_P(StoreTest, TheWindowIsDoneWhenTheLastFallbackHasFailed) {
  const auto id =
      assembled_window("example.com", {"mailto:a@b.example", "https://b.example/"}, true);
  attempt(delivery_id(id, 0), DeliveryState::kSuppressed, kDue);
  EXPECT_THAT(due_ids(kDue), ElementsAre(delivery_id(id, 1)));
  attempt(delivery_id(id, 1), DeliveryState::kFailed, kDue);
  EXPECT_EQ(window("example.com").state, WindowState::kDone);
}

TEST_P(StoreTest, AFallbackBeginsAtAssemblyIfTheFirstDestinationIsSuppressed) {
  const auto id = due_window("example.com");
  auto first = delivery(id, 1, "mailto:a@b.example", 0);
  first.state = DeliveryState::kSuppressed;
  first.next_attempt.reset();
  first.ended = kDue;
  auto second = delivery(id, 1, "mailto:b@b.example", 1);
  second.fallback = true;
  second.next_attempt.reset();
  ok(store().conclude(Assembly{.window = id,
                               .parts = {part(id, 1)},
                               .deliveries = {first, second},
                               .fingerprint = "",
                               .record = "",
                               .now = kDue + 1s}));
  EXPECT_THAT(due_ids(kDue + 1s), ElementsAre(second.id));
}

TEST_P(StoreTest, FallbacksOfOnePartAreNotStartedByAnother) {
  const auto id = due_window("example.com");
  Assembly assembly{.window = id,
                    .parts = {part(id, 1, 2), part(id, 2, 2)},
                    .deliveries = {},
                    .fingerprint = "",
                    .record = "",
                    .now = kDue};
  for (const int number : {1, 2}) {
    assembly.deliveries.push_back(delivery(id, number, "mailto:a@b.example", 0));
    assembly.deliveries.push_back(delivery(id, number, "mailto:b@b.example", 1));
    assembly.deliveries.back().fallback = true;
    assembly.deliveries.back().next_attempt.reset();
  }
  ok(store().conclude(assembly));
  attempt(assembly.deliveries[0].id, DeliveryState::kFailed, kDue);
  attempt(assembly.deliveries[2].id, DeliveryState::kDelivered, kDue);
  EXPECT_EQ(delivery_now(assembly.deliveries[1].id).next_attempt, kDue);
  EXPECT_EQ(delivery_now(assembly.deliveries[3].id).state, DeliveryState::kAbandoned);
}

TEST_P(StoreTest, WhatWasAbandonedMeanwhileStaysSoUnlessItWasDelivered) {
  const auto window_id = assembled_window("example.com", {"mailto:a@b.example"});
  const auto id = delivery_id(window_id);
  const std::vector<std::string> ids = {id};
  ok(store().begin_attempts(ids, kDue));
  EXPECT_TRUE(ok(store().abandon_delivery(id, "by hand", kDue)));
  EXPECT_EQ(window("example.com").state, WindowState::kDone);
  attempt(id, DeliveryState::kPending, kDue + 1s, kDue + 5min);
  EXPECT_EQ(delivery_now(id).state, DeliveryState::kAbandoned);
  EXPECT_EQ(delivery_now(id).attempts, 1);
  EXPECT_EQ(delivery_now(id).last_response, "by hand");
  EXPECT_EQ(delivery_now(id).next_attempt, std::nullopt);
  attempt(id, DeliveryState::kFailed, kDue + 2s);
  EXPECT_EQ(delivery_now(id).state, DeliveryState::kAbandoned);
  attempt(id, DeliveryState::kDelivered, kDue + 3s);
  EXPECT_EQ(delivery_now(id).state, DeliveryState::kDelivered);
  EXPECT_EQ(delivery_now(id).ended, kDue + 3s);
  EXPECT_EQ(window("example.com").state, WindowState::kDone);
}

TEST_P(StoreTest, ABounceEndsADeliveredOneAndIsNoAttempt) {
  const auto id = delivery_id(assembled_window("example.com", {"mailto:a@b.example"}));
  attempt(id, DeliveryState::kDelivered, kDue);
  attempt(id, DeliveryState::kBounced, kDue + 1h, std::nullopt, "5.1.1 no such user");
  const auto now = delivery_now(id);
  EXPECT_EQ(now.state, DeliveryState::kBounced);
  EXPECT_EQ(now.attempts, 1);
  EXPECT_EQ(now.last_response, "5.1.1 no such user");
  EXPECT_EQ(now.ended, kDue + 1h);
  EXPECT_EQ(window("example.com").state, WindowState::kDone);
}

TEST_P(StoreTest, RecordingAnAttemptAtAnUnknownDeliveryChangesNothing) {
  attempt("nobody", DeliveryState::kDelivered, kDue);
  EXPECT_THAT(ok(store().deliveries({})), IsEmpty());
}

TEST_P(StoreTest, InterruptedAttemptsBecomeUncertain) {
  const auto id = assembled_window(
      "example.com", {"mailto:a@b.example", "mailto:b@b.example", "mailto:c@b.example"});
  const std::vector<std::string> begun = {delivery_id(id, 0), delivery_id(id, 1)};
  ok(store().begin_attempts(begun, kDue));
  attempt(delivery_id(id, 1), DeliveryState::kDelivered, kDue + 1s);
  EXPECT_EQ(ok(store().recover_interrupted(kDue + 1h)), 1U);
  EXPECT_EQ(delivery_now(delivery_id(id, 0)).state, DeliveryState::kUncertain);
  EXPECT_EQ(delivery_now(delivery_id(id, 0)).next_attempt, kDue + 1h);
  EXPECT_EQ(delivery_now(delivery_id(id, 1)).state, DeliveryState::kDelivered);
  EXPECT_EQ(delivery_now(delivery_id(id, 2)).state, DeliveryState::kPending);
  EXPECT_EQ(ok(store().recover_interrupted(kDue + 2h)), 0U);
}

TEST_P(StoreTest, AnAbandonedAttemptIsNotRecovered) {
  const auto id = delivery_id(assembled_window("example.com", {"mailto:a@b.example"}));
  const std::vector<std::string> begun = {id};
  ok(store().begin_attempts(begun, kDue));
  ok(store().abandon_delivery(id, "by hand", kDue));
  EXPECT_EQ(ok(store().recover_interrupted(kDue + 1h)), 0U);
  EXPECT_EQ(delivery_now(id).state, DeliveryState::kAbandoned);
}

TEST_P(StoreTest, RetryingByHandStartsTheDeliveryAnew) {
  for (const auto state :
       {DeliveryState::kPending, DeliveryState::kUncertain, DeliveryState::kFailed,
        DeliveryState::kBounced, DeliveryState::kSuppressed, DeliveryState::kAbandoned}) {
    const auto domain = std::string(to_string(state)) + ".example";
    const auto window_id = assembled_window(domain, {"mailto:a@b.example"});
    const auto id = delivery_id(window_id);
    attempt(id, state, kDue, kDue + 9h);
    EXPECT_TRUE(ok(store().retry_delivery(id, kDue + 2h))) << domain;
    const auto now = delivery_now(id);
    EXPECT_EQ(now.state, DeliveryState::kPending) << domain;
    EXPECT_EQ(now.next_attempt, kDue + 2h) << domain;
    EXPECT_EQ(now.first_attempt, std::nullopt) << domain;
    EXPECT_EQ(now.ended, std::nullopt) << domain;
    EXPECT_EQ(window(domain).state, WindowState::kAssembled) << domain;
    attempt(id, DeliveryState::kDelivered, kDue + 3h);
    EXPECT_EQ(window(domain).state, WindowState::kDone) << domain;
    EXPECT_FALSE(ok(store().retry_delivery(id, kDue + 4h))) << domain;
  }
  EXPECT_FALSE(ok(store().retry_delivery("nobody", kDue)));
}

TEST_P(StoreTest, OnlyOpenDeliveriesAreAbandoned) {
  const auto id = delivery_id(assembled_window("example.com", {"mailto:a@b.example"}));
  attempt(id, DeliveryState::kUncertain, kDue, kDue + 1h);
  EXPECT_TRUE(ok(store().abandon_delivery(id, "by hand", kDue + 1s)));
  EXPECT_EQ(delivery_now(id).state, DeliveryState::kAbandoned);
  EXPECT_EQ(delivery_now(id).ended, kDue + 1s);
  EXPECT_EQ(delivery_now(id).last_response, "by hand");
  EXPECT_FALSE(ok(store().abandon_delivery(id, "again", kDue + 2s)));
  EXPECT_EQ(delivery_now(id).last_response, "by hand");
  EXPECT_FALSE(ok(store().abandon_delivery("nobody", "x", kDue)));
}

TEST_P(StoreTest, SeveralDeliveriesAreTouchedAtOnceAndEachIsToldOf) {
  const auto first = assembled_window("a.example", kTwo);
  const auto second = assembled_window("b.example", {"mailto:a@b.example"});
  const std::vector<std::string> ids = {delivery_id(first, 1), "nobody", delivery_id(second),
                                        delivery_id(first)};
  attempt(delivery_id(second), DeliveryState::kDelivered, kDue);
  EXPECT_THAT(ok(store().abandon_deliveries(ids, "by hand", kDue)),
              testing::ElementsAre(true, false, false, true));
  EXPECT_EQ(window("a.example").state, WindowState::kDone);
  EXPECT_THAT(ok(store().retry_deliveries(ids, kDue + 1h)),
              testing::ElementsAre(true, false, false, true));
  EXPECT_EQ(window("a.example").state, WindowState::kAssembled);
  EXPECT_EQ(delivery_now(ids[0]).next_attempt, kDue + 1h);
  EXPECT_EQ(window("b.example").state, WindowState::kDone);
}

TEST_P(StoreTest, DeliveriesAreListedByWindowPartAndRankInPages) {
  const auto first = assembled_window("a.example", kTwo);
  const auto second = assembled_window("b.example", kTwo);
  DeliveryFilter filter;
  filter.limit = 3;
  const auto page = ok(store().deliveries(filter));
  ASSERT_THAT(page, SizeIs(3));
  EXPECT_EQ(page[0].id, delivery_id(first, 0));
  EXPECT_EQ(page[1].id, delivery_id(first, 1));
  EXPECT_EQ(page[2].id, delivery_id(second, 0));
  filter.after = page[2].id;
  const auto rest = ok(store().deliveries(filter));
  ASSERT_THAT(rest, SizeIs(1));
  EXPECT_EQ(rest[0].id, delivery_id(second, 1));
}

TEST_P(StoreTest, DeliveriesAreFoundByWhatIsAsked) {
  const auto first = assembled_window("a.example", kTwo);
  const auto second = assembled_window("b.example", kTwo);
  attempt(delivery_id(second, 1), DeliveryState::kFailed, kDue);
  const auto found = [&](const DeliveryFilter& filter) {
    std::vector<std::string> ids;
    for (const auto& each : ok(store().deliveries(filter))) ids.push_back(each.id);
    return ids;
  };
  EXPECT_THAT(found({.id = delivery_id(first, 1)}), ElementsAre(delivery_id(first, 1)));
  EXPECT_THAT(found({.id = "*r0"}), ElementsAre(delivery_id(first, 0), delivery_id(second, 0)));
  EXPECT_THAT(found({.domain = "b.example"}),
              ElementsAre(delivery_id(second, 0), delivery_id(second, 1)));
  EXPECT_THAT(found({.domain = "?.example"}), SizeIs(4));
  EXPECT_THAT(found({.window = first}), ElementsAre(delivery_id(first, 0), delivery_id(first, 1)));
  EXPECT_THAT(found({.state = DeliveryState::kFailed}), ElementsAre(delivery_id(second, 1)));
  EXPECT_THAT(found({.domain = "a.example", .state = DeliveryState::kFailed}), IsEmpty());
  EXPECT_EQ(ok(store().submission("nobody")).has_value(), false);
}

}  // namespace
}  // namespace rapporteur::testing_support
