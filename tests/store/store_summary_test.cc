#include "store/store_summary.h"

#include "store_suite.h"

namespace rapporteur::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

using State = DeliveryState;

// The numbers that are not 0.
template <class Key>
std::map<Key, std::uint64_t> some(std::map<Key, std::uint64_t> numbers) {
  std::erase_if(numbers, [](const auto& number) { return number.second == 0; });
  return numbers;
}

StoreSummary summary_of(Store& store, Time now = kDue) {
  return ok(store.summary(now));
}

TEST_P(StatesOfStoreTest, EveryStateOfWindowsAndDeliveriesIsNumbered) {
  const auto found = summary_of(store());
  EXPECT_EQ(found.windows.size(), 7U);
  for (const auto& [state, count] : found.windows) EXPECT_EQ(count, 1U) << to_string(state);
  EXPECT_EQ(found.windows, ok(store().window_states()));
  EXPECT_EQ(found.deliveries.size(), 7U);
  EXPECT_THAT(some(found.deliveries),
              ElementsAre(Pair(State::kPending, 2), Pair(State::kDelivered, 1)));
  EXPECT_THAT(some(found.deliveries_ended), ElementsAre(Pair(State::kDelivered, 1)));
}

TEST_P(StatesOfStoreTest, WindowsThatCouldHaveBeenRunAreOverdue) {
  // Collecting and due ones fall due at kDue; the held and the blocked one wait for somebody.
  EXPECT_EQ(summary_of(store(), kDue - 1s).windows_overdue, 0U);
  EXPECT_EQ(summary_of(store(), kDue - 1s).overdue_since, std::nullopt);
  EXPECT_EQ(summary_of(store(), kDue + 2h).windows_overdue, 2U);
  EXPECT_EQ(summary_of(store(), kDue + 2h).overdue_since, kDue);
  ok(store().claim_due(kDue, 100, std::nullopt));
  EXPECT_EQ(summary_of(store(), kDue + 30min).windows_overdue, 2U)
      << "claimed ones are not run yet";
}

TEST_P(StatesOfStoreTest, AWindowThatWaitsForAnotherTryIsOverdueWhenThatHasCome) {
  ok(store().cancel(in(WindowState::kCollecting).id, "no", kDue));
  ok(store().conclude(
      Postponement{in(WindowState::kDue).id, 0, WindowState::kDue, "SERVFAIL", kDue + 1h, kDue}));
  const auto waiting = summary_of(store(), kDue + 30min);
  EXPECT_EQ(waiting.windows_waiting, 1U);
  EXPECT_EQ(waiting.windows_overdue, 0U);
  EXPECT_EQ(waiting.overdue_since, std::nullopt);
  const auto late = summary_of(store(), kDue + 2h);
  EXPECT_EQ(late.windows_waiting, 0U);
  EXPECT_EQ(late.windows_overdue, 1U);
  EXPECT_EQ(late.overdue_since, kDue + 1h);
}

TEST_P(StatesOfStoreTest, DeliveriesThatWaitTellSinceWhen) {
  const auto id = in(WindowState::kAssembled).id;
  const auto before = summary_of(store(), kDue - 1s);
  EXPECT_EQ(before.mail_due_since, std::nullopt) << "its time is to come";
  EXPECT_EQ(before.https_due_since, std::nullopt);
  EXPECT_EQ(before.open_since, kDue) << "assembled then";
  const std::vector<std::string> mail = {delivery_id(id, 0)};
  ok(store().begin_attempts(mail, kDue));
  const auto begun = summary_of(store(), kDue + 1h);
  EXPECT_EQ(begun.mail_due_since, std::nullopt) << "its attempt is under way";
  EXPECT_EQ(begun.https_due_since, kDue);
  attempt(mail[0], State::kPending, kDue, kDue + 2h);
  EXPECT_EQ(summary_of(store(), kDue + 1h).mail_due_since, std::nullopt);
  EXPECT_EQ(summary_of(store(), kDue + 3h).mail_due_since, kDue + 2h);
  attempt(mail[0], State::kDelivered, kDue + 3h);
  EXPECT_EQ(summary_of(store(), kDue + 3h).open_since, kDue) << "the post is still open";
  attempt(delivery_id(id, 1), State::kFailed, kDue + 3h);
  EXPECT_EQ(summary_of(store(), kDue + 3h).open_since, std::nullopt);
}

TEST_P(StoreTest, EveryWayOfADeliveryIsFollowedInTheNumbers) {
  const auto numbers = [&] {
    auto found = ok(store().summary(kDue));
    std::map<State, std::uint64_t> counted;
    for (const auto& each : ok(store().deliveries({.limit = 1000}))) ++counted[each.state];
    EXPECT_EQ(some(found.deliveries), counted);
    return found;
  };
  const auto id = assembled_window("a.example", {"mailto:a@b.example", "https://b.example"}, true);
  const auto mail = delivery_id(id, 0);
  attempt(mail, State::kDelivered, kDue);
  EXPECT_THAT(some(numbers().deliveries_ended),
              ElementsAre(Pair(State::kDelivered, 1), Pair(State::kAbandoned, 1)));
  bounced(mail, kDue + 1h);
  EXPECT_THAT(
      some(numbers().deliveries_ended),
      ElementsAre(Pair(State::kDelivered, 1), Pair(State::kBounced, 1), Pair(State::kAbandoned, 1)))
      << "the fallback was brought back, and has ended once";
  ok(store().retry_delivery(mail, kDue + 1h));
  attempt(mail, State::kUncertain, kDue + 1h, kDue + 2h);
  numbers();
  attempt(mail, State::kFailed, kDue + 2h);
  ok(store().abandon_delivery(delivery_id(id, 1), "no", kDue + 2h));
  EXPECT_THAT(some(numbers().deliveries_ended),
              ElementsAre(Pair(State::kDelivered, 1), Pair(State::kBounced, 1),
                          Pair(State::kFailed, 1), Pair(State::kAbandoned, 2)));

  const auto cancelled = assembled_window("b.example", {"mailto:a@b.example"});
  ok(store().cancel(cancelled, "no", kDue));
  numbers();
  EXPECT_EQ(ok(store().prune(kDue + 99h, {}, 100)), 2U);
  const auto pruned = numbers();
  EXPECT_THAT(some(pruned.deliveries), IsEmpty());
  EXPECT_THAT(some(pruned.windows), IsEmpty());
  EXPECT_EQ(pruned.deliveries_ended.at(State::kAbandoned), 3U) << "what has happened has happened";
}

TEST_P(StoreTest, OnlyWhatHoldsNowIsSuppressedOrPaused) {
  ok(store().put_suppression(
      {.pattern = "@auto.example", .automatic = true, .since = kDay, .until = kDay + 1h}));
  ok(store().put_suppression({.pattern = "@over.example", .since = kDay, .until = kDay + 1h}));
  ok(store().put_suppression({.pattern = "@ever.example", .since = kDay}));
  ok(store().put_suppression(
      {.pattern = "@lifted.example", .automatic = true, .since = kDay, .lifted = kDay}));
  const auto later = ok(store().summary(kDay + 1h));
  EXPECT_EQ(later.suppressed_automatically, 1U) << "it waits for its probe";
  EXPECT_EQ(later.suppressed_by_hand, 1U);
  EXPECT_EQ(ok(store().summary(kDay)).suppressed_by_hand, 2U);

  EXPECT_FALSE(later.paused_everything || later.paused_smtp || later.paused_https);
  ok(store().set_pause({.smtp = true, .until = kDay + 2h}));
  const auto paused = ok(store().summary(kDay + 1h));
  EXPECT_TRUE(paused.paused_smtp);
  EXPECT_FALSE(paused.paused_everything || paused.paused_https);
  EXPECT_FALSE(ok(store().summary(kDay + 2h)).paused_smtp) << "it has ended by itself";
  ok(store().set_pause({.everything = true}));
  const auto all = ok(store().summary(kDay));
  EXPECT_TRUE(all.paused_everything && all.paused_smtp && all.paused_https);
}

TEST_P(StoreTest, CountersAndSizesAreInTheSummary) {
  CountBatch batch;
  batch.windows = {delta("example.com")};
  batch.session_ids = {"a", "b"};
  batch.counters = {{"datagram.accepted", 2}};
  batch.now = kDay;
  ok(store().add(batch));
  const auto found = ok(another()->summary(kDay));
  EXPECT_THAT(found.counters, ElementsAre(Pair("datagram.accepted", 2)));
  EXPECT_EQ(found.session_ids, 2U);
  EXPECT_EQ(found.now, kDay);
  EXPECT_EQ(found.schema_version, GetParam().schema_version);
  EXPECT_GT(found.database_bytes, 10'000U);
  EXPECT_LT(found.free_bytes, found.database_bytes);
}

TEST(IntakeCounters, AreReadWithAndWithoutTheirSource) {
  const auto found = read_intake_counters({{"accepted", 1},
                                           {"datagram.accepted", 2},
                                           {"datagram.late", 3},
                                           {"datagram.rejected.not-json", 4},
                                           {"datagram.recipient_domain_guessed", 5},
                                           {"dropped.store-away", 6},
                                           {"file.ignored.own-report", 7},
                                           {"http.dropped.a.b", 8},
                                           {"recipient_domain_guessed", 9},
                                           {"rejected.not-json", 10}});
  EXPECT_EQ(found.recipient_domain_guessed, 14U);
  ASSERT_EQ(found.sources.size(), 4U);
  EXPECT_EQ(found.sources.at("unknown").accepted, 1U);
  EXPECT_THAT(found.sources.at("unknown").dropped, ElementsAre(Pair("store-away", 6)));
  EXPECT_THAT(found.sources.at("unknown").rejected, ElementsAre(Pair("not-json", 10)));
  EXPECT_EQ(found.sources.at("datagram").accepted, 2U);
  EXPECT_EQ(found.sources.at("datagram").late, 3U);
  EXPECT_THAT(found.sources.at("datagram").rejected, ElementsAre(Pair("not-json", 4)));
  EXPECT_THAT(found.sources.at("file").ignored, ElementsAre(Pair("own-report", 7)));
  EXPECT_THAT(found.sources.at("http").dropped, ElementsAre(Pair("a.b", 8)));
}

TEST(IntakeCounters, OtherNamesAreLeftOut) {
  const auto found = read_intake_counters({{"", 1},
                                           {".", 1},
                                           {"datagram", 1},
                                           {"datagram.other.x", 1},
                                           {"datagram.rejected", 1},
                                           {"accepted.x", 1},
                                           {"rejected", 1}});
  EXPECT_THAT(found.sources, IsEmpty());
  EXPECT_EQ(found.recipient_domain_guessed, 0U);
}

}  // namespace
}  // namespace rapporteur::testing_support
