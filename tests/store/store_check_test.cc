// What every store says of its own condition, and of what is old enough to be removed.

#include "store/store_suite.h"

namespace rapporteur::testing_support {
namespace {

using testing::IsEmpty;

std::vector<std::string> findings(Store& store) {
  std::vector<std::string> found;
  ok(store.check([&](const Finding& finding) {
    found.push_back(std::string(to_string(finding.kind)) + ": " + finding.where + ": " +
                    finding.what);
  }));
  return found;
}

TEST_P(StoreTest, AnEmptyStoreHasNoFindings) {
  EXPECT_THAT(findings(store()), IsEmpty());
}

TEST_P(StatesOfStoreTest, WindowsInEveryStateAreSound) {
  EXPECT_THAT(findings(store()), IsEmpty());
  const auto rows = ok(store().check([](const Finding&) {}));
  EXPECT_EQ(rows.at("windows"), 7U);
  EXPECT_EQ(rows.at("policies"), 7U);
  EXPECT_EQ(rows.at("details"), 0U);
  EXPECT_EQ(rows.at("parts"), 2U);
  EXPECT_EQ(rows.at("deliveries"), 3U);
  EXPECT_EQ(rows.at("received"), 0U);
}

// RFC 8460, section 4: a session may have several details, or none.
TEST_P(StoreTest, DetailsNeedNotAddUpToTheFailures) {
  add({delta("more.example", 1, 2, {{detail("a"), 2}, {detail("b"), 2}}),
       delta("less.example", 0, 5, {{detail("a"), 1}}), delta("none.example", 0, 3)});
  EXPECT_THAT(findings(store()), IsEmpty());
}

TEST_P(StoreTest, FoldedDetailsAndSaturatedCountsAreSound) {
  CountBatch batch;
  batch.windows = {delta("a.example", UINT64_MAX, 3,
                         {{detail("a"), 1}, {detail("b"), 1}, {detail("c"), UINT64_MAX}})};
  batch.max_details = 1;
  batch.now = kDay + 3h;
  ok(store().add(batch));
  ok(store().add(batch));
  EXPECT_THAT(findings(store()), IsEmpty());
}

TEST_P(StoreTest, WhateverBecomesOfDeliveriesIsSound) {
  const auto bounced_one =
      delivery_id(assembled_window("a.example", {"mailto:a@b.example", "https://b.example"}, true));
  attempt(bounced_one, DeliveryState::kDelivered, kDue);
  EXPECT_THAT(findings(store()), IsEmpty());
  bounced(bounced_one, kDue + 1h);
  EXPECT_THAT(findings(store()), IsEmpty());

  const auto retried = delivery_id(assembled_window("c.example", {"mailto:a@c.example"}));
  attempt(retried, DeliveryState::kFailed, kDue);
  ok(store().retry_delivery(retried, kDue + 1h));
  EXPECT_THAT(findings(store()), IsEmpty());
  ok(store().abandon_delivery(retried, "enough", kDue + 2h));
  EXPECT_THAT(findings(store()), IsEmpty());

  const auto interrupted = delivery_id(assembled_window("d.example", {"mailto:a@d.example"}));
  ok(store().begin_attempts(std::vector<std::string>{interrupted}, kDue));
  ok(store().recover_interrupted(kDue + 1h));
  const auto cancelled = assembled_window("e.example", {"mailto:a@e.example"});
  ok(store().cancel(cancelled, "no", kDue + 1h));
  EXPECT_THAT(findings(store()), IsEmpty());
}

TEST_P(StoreTest, SupplementsAndShortenedWindowsAreSound) {
  assembled_window("a.example", {"mailto:a@b.example"});
  add({delta("a.example", 2)});  // a supplement of the same period
  add({delta("b.example")});
  ok(store().send_now(window("b.example").id, kDay + 5h));
  auto rest = at(delta("b.example"), kDay + 6h, kDay + 7h);
  rest.period.start = kDay + 5h;
  add({rest});
  ASSERT_EQ(windows("b.example").size(), 2U);
  EXPECT_THAT(findings(store()), IsEmpty());
}

TEST_P(StatesOfStoreTest, PrunableCountsWhatPruneWouldRemove) {
  CountBatch batch;
  batch.session_ids = {"one", "two", "three"};
  batch.flush = FlushId{"source", 1};
  batch.now = kDay + 3h;
  ok(store().add(batch));
  Suppression over;
  over.pattern = kDead;
  over.since = kDay;
  over.until = kDay + 1h;
  ok(store().put_suppression(over));

  const Expiry nothing{kDay, kDay, kDay};
  const auto none = ok(store().prunable(nothing));
  EXPECT_EQ(none.windows + none.reports + none.deliveries + none.suppressions + none.session_ids +
                none.flush_ids + none.received,
            0U);

  const Expiry all{kDue + 1h, kDay + 4h, kDay + 4h};
  const auto old = ok(store().prunable(all));
  EXPECT_EQ(old.windows, 2U);  // done and suppressed
  EXPECT_EQ(old.reports, 1U);
  EXPECT_EQ(old.deliveries, 1U);
  EXPECT_EQ(old.suppressions, 1U);
  EXPECT_EQ(old.session_ids, 3U);
  EXPECT_EQ(old.flush_ids, 1U);
  EXPECT_EQ(windows().size(), 7U) << "nothing is removed";

  EXPECT_EQ(ok(store().prune(all.finished_before, all.ids_before, 100)), 2U);
  const auto after = ok(store().prunable(all));
  EXPECT_EQ(after.windows + after.reports + after.deliveries + after.suppressions +
                after.session_ids + after.flush_ids,
            0U);
  EXPECT_THAT(findings(store()), IsEmpty());
}

}  // namespace
}  // namespace rapporteur::testing_support
