#include "store_suite.h"

namespace rapporteur::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

std::vector<std::string> domains(const std::vector<Window>& windows) {
  std::vector<std::string> names;
  for (const auto& window : windows) names.push_back(window.domain);
  return names;
}

TEST_P(StoreTest, AWindowIsClaimedFromItsDueTimeOn) {
  add({delta("example.com")});
  EXPECT_THAT(ok(store().claim_due(kDue - 1s, 10, std::nullopt)), IsEmpty());
  EXPECT_EQ(window("example.com").state, WindowState::kCollecting);
  const auto due = ok(store().claim_due(kDue, 10, std::nullopt));
  ASSERT_THAT(due, SizeIs(1));
  EXPECT_EQ(due[0].state, WindowState::kDue);
  EXPECT_EQ(due[0].domain, "example.com");
  EXPECT_EQ(due[0].successful, 1U);
  EXPECT_THAT(ok(store().claim_due(kDue, 10, std::nullopt)), SizeIs(1));
}

TEST_P(StoreTest, DueWindowsComeInPagesByDueTimeAndId) {
  std::vector<WindowDelta> deltas;
  for (const char* const name : {"c.example", "a.example", "b.example", "d.example"}) {
    deltas.push_back(delta(name));
  }
  deltas[3].due = kDue - 1h;
  add({deltas[0]});
  add({deltas[1]});
  add({deltas[2], deltas[3]});
  const auto first = ok(store().claim_due(kDue, 2, std::nullopt));
  EXPECT_THAT(domains(first), ElementsAre("d.example", "c.example"));
  const auto second = ok(store().claim_due(kDue, 2, std::pair(first.back().due, first.back().id)));
  EXPECT_THAT(domains(second), ElementsAre("a.example", "b.example"));
  EXPECT_THAT(ok(store().claim_due(kDue, 2, std::pair(second.back().due, second.back().id))),
              IsEmpty());
}

TEST_P(StoreTest, ClaimingMovesEvenWindowsBeyondTheLimit) {
  add({delta("a.example"), delta("b.example")});
  ok(store().claim_due(kDue, 1, std::nullopt));
  EXPECT_EQ(window("a.example").state, WindowState::kDue);
  EXPECT_EQ(window("b.example").state, WindowState::kDue);
}

TEST_P(StoreTest, APostponedWindowWaitsForItsRetry) {
  const auto id = due_window("example.com");
  EXPECT_TRUE(ok(
      store().conclude(Postponement{id, 0, WindowState::kDue, "SERVFAIL", kDue + 1h, kDue + 1s})));
  auto waiting = window("example.com");
  EXPECT_EQ(waiting.state, WindowState::kDue);
  EXPECT_EQ(waiting.reason, "SERVFAIL");
  EXPECT_EQ(waiting.retry, kDue + 1h);
  EXPECT_EQ(waiting.first_attempt, kDue + 1s);
  EXPECT_THAT(ok(store().claim_due(kDue + 1h - 1s, 10, std::nullopt)), IsEmpty());
  EXPECT_THAT(ok(store().claim_due(kDue + 1h, 10, std::nullopt)), SizeIs(1));
  EXPECT_TRUE(
      ok(store().conclude(Postponement{id, 0, WindowState::kDue, "again", kDue + 3h, kDue + 1h})));
  EXPECT_EQ(window("example.com").first_attempt, kDue + 1s);
}

TEST_P(StoreTest, ABlockedWindowComesBackAtItsRetryAndTakesCountsUntilThen) {
  const auto id = due_window("example.com");
  EXPECT_TRUE(ok(
      store().conclude(Postponement{id, 0, WindowState::kBlocked, "no key", kDue + 15min, kDue})));
  EXPECT_EQ(window("example.com").state, WindowState::kBlocked);
  add({delta("example.com")});
  EXPECT_EQ(window("example.com").successful, 2U);
  EXPECT_THAT(ok(store().claim_due(kDue + 14min, 10, std::nullopt)), IsEmpty());
  EXPECT_THAT(ok(store().claim_due(kDue + 15min, 10, std::nullopt)), SizeIs(1));
  EXPECT_EQ(window("example.com").state, WindowState::kDue);
}

TEST_P(StoreTest, ARetryPlannedUnderAClockThatWasAheadIsDueWhenTheClockIsRight) {
  const auto ahead = kDue + 240h;
  const auto postponed = due_window("postponed.example");
  const auto blocked = due_window("blocked.example");
  ok(store().conclude(
      Postponement{postponed, 0, WindowState::kDue, "SERVFAIL", ahead + 1min, ahead}));
  ok(store().conclude(
      Postponement{blocked, 0, WindowState::kBlocked, "no key", ahead + 15min, ahead}));
  EXPECT_THAT(domains(ok(store().claim_due(kDue + 1h, 10, std::nullopt))),
              UnorderedElementsAre("postponed.example", "blocked.example"));
  ok(store().conclude(
      Postponement{postponed, 0, WindowState::kDue, "SERVFAIL", kDue + 2h, kDue + 1h}));
  EXPECT_EQ(window(postponed).first_attempt, kDue + 1h) << "not when the clock was ahead";
  EXPECT_EQ(window(postponed).lookup_since, kDue + 1h);
}

TEST_P(StoreTest, ASuppressedWindowHasEnded) {
  const auto id = due_window("example.com");
  EXPECT_TRUE(
      ok(store().conclude(Postponement{id, 0, WindowState::kSuppressed, "no record", {}, kDue})));
  EXPECT_EQ(window("example.com").state, WindowState::kSuppressed);
  EXPECT_EQ(window("example.com").reason, "no record");
  EXPECT_EQ(window("example.com").retry, std::nullopt);
}

TEST_P(StoreTest, OnlyAWindowInDueIsPostponedOrAssembled) {
  add({delta("example.com")});
  const auto id = window("example.com").id;
  const Assembly assembly{.window = id,
                          .parts = {part(id, 1)},
                          .deliveries = {delivery(id, 1, "mailto:a@b.example")},
                          .fingerprint = "",
                          .record = "",
                          .now = kDue};
  EXPECT_FALSE(ok(store().conclude(Postponement{id, 0, WindowState::kBlocked, "x", kDue, kDue})));
  EXPECT_FALSE(ok(store().conclude(assembly)));
  EXPECT_EQ(window("example.com").state, WindowState::kCollecting);
  EXPECT_EQ(window("example.com").first_attempt, std::nullopt);
  EXPECT_THAT(ok(store().deliveries({})), IsEmpty());
  EXPECT_THAT(ok(store().reports("", 10)), IsEmpty());
  EXPECT_FALSE(
      ok(store().conclude(Postponement{12345, 0, WindowState::kBlocked, "x", kDue, kDue})));
}

TEST_P(StoreTest, RetryNowMakesBlockedWindowsDueAndTheTemporaryOnesIfTold) {
  const auto blocked = due_window("blocked.example");
  const auto temporary = due_window("temporary.example");
  ok(store().conclude(Postponement{blocked, 0, WindowState::kBlocked, "x", kDue + 150min, kDue}));
  ok(store().conclude(Postponement{temporary, 0, WindowState::kDue, "x", kDue + 150min, kDue}));
  ok(store().retry_now(false, kDue + 1h));
  EXPECT_THAT(domains(ok(store().claim_due(kDue + 1h, 10, std::nullopt))),
              ElementsAre("blocked.example"));
  ok(store().retry_now(true, kDue + 2h));
  EXPECT_THAT(domains(ok(store().claim_due(kDue + 2h, 10, std::nullopt))),
              ElementsAre("blocked.example", "temporary.example"));
}

TEST_P(StoreTest, RetryNowBringsNoWindowBeforeItsDueTime) {
  auto blocked = delta("example.com");
  blocked.state = WindowState::kBlocked;
  add({blocked});
  ok(store().retry_now(true, kDay + 3h));
  EXPECT_THAT(ok(store().claim_due(kDue - 1s, 10, std::nullopt)), IsEmpty());
  EXPECT_THAT(ok(store().claim_due(kDue, 10, std::nullopt)), SizeIs(1));
}

TEST_P(StoreTest, AssemblingWritesPartsAndDeliveriesAtOnce) {
  add({delta("example.com")});
  const auto id = window("example.com").id;
  ok(store().claim_due(kDue, 10, std::nullopt));
  Assembly assembly{
      .window = id,
      .parts = {part(id, 1, 2), part(id, 2, 2)},
      .deliveries = {delivery(id, 1, "mailto:a@b.example"), delivery(id, 2, "mailto:a@b.example"),
                     delivery(id, 1, "https://b.example/x", 1)},
      .fingerprint = "print",
      .record = "v=TLSRPTv1; rua=mailto:a@b.example",
      .now = kDue + 1s};
  EXPECT_EQ(ok(store().deciding_record(id)), "");
  EXPECT_TRUE(ok(store().conclude(assembly)));
  EXPECT_EQ(window("example.com").state, WindowState::kAssembled);
  EXPECT_EQ(window("example.com").first_part, 1);
  EXPECT_EQ(ok(store().deciding_record(id)), "v=TLSRPTv1; rua=mailto:a@b.example");
  const auto all = ok(store().deliveries({}));
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].id, assembly.deliveries[0].id);
  EXPECT_EQ(all[1].id, assembly.deliveries[2].id);
  EXPECT_EQ(all[2].id, assembly.deliveries[1].id);
  EXPECT_EQ(all[0].domain, "example.com");
  EXPECT_EQ(all[0].report_id, part(id, 1).report_id);
  EXPECT_EQ(all[0].window, id);
  EXPECT_EQ(all[0].destination, "mailto:a@b.example");
  EXPECT_EQ(all[0].envelope_from, "noreply@example.net");
  EXPECT_EQ(all[0].header, "From: noreply@example.net\r\n");
  EXPECT_EQ(all[0].state, DeliveryState::kPending);
  EXPECT_EQ(all[0].attempts, 0);
  EXPECT_EQ(all[0].next_attempt, kDue);
  EXPECT_EQ(all[1].rank, 1);
  EXPECT_EQ(all[2].part, 2);
  EXPECT_FALSE(ok(store().conclude(assembly))) << "it is no longer due";
  EXPECT_THAT(ok(store().deliveries({})), SizeIs(3));
}

TEST_P(StoreTest, AnAssemblyThatCannotBeWrittenLeavesTheWindowDue) {
  const auto id = due_window("example.com");
  Assembly assembly{.window = id,
                    .parts = {part(id, 1, 2), part(id, 2, 2)},
                    .deliveries = {delivery(id, 1, "mailto:a@b.example")},
                    .fingerprint = "",
                    .record = "",
                    .now = kDue};
  assembly.parts[1].report_id = assembly.parts[0].report_id;
  EXPECT_FALSE(store().conclude(assembly));
  EXPECT_EQ(window("example.com").state, WindowState::kDue);
  EXPECT_THAT(ok(store().reports("", 10)), IsEmpty());
  EXPECT_THAT(ok(store().deliveries({})), IsEmpty());

  assembly.parts[1] = part(id, 2, 2);
  assembly.deliveries[0].part = 3;
  EXPECT_FALSE(store().conclude(assembly));
  EXPECT_EQ(window("example.com").state, WindowState::kDue);
  assembly.deliveries[0].part = 2;
  EXPECT_TRUE(ok(store().conclude(assembly)));
}

TEST_P(StoreTest, AWindowWithoutOpenDeliveriesIsDoneAtOnce) {
  const auto id = due_window("example.com");
  auto suppressed = delivery(id, 1, "mailto:a@b.example");
  suppressed.state = DeliveryState::kSuppressed;
  suppressed.ended = kDue;
  EXPECT_TRUE(ok(store().conclude(Assembly{.window = id,
                                           .parts = {part(id, 1)},
                                           .deliveries = {suppressed},
                                           .fingerprint = "",
                                           .record = "",
                                           .now = kDue})));
  EXPECT_EQ(window("example.com").state, WindowState::kDone);
  EXPECT_THAT(due_ids(kDue + 1h), IsEmpty());
}

TEST_P(StoreTest, MailsHandedOverAreCountedByTheirOwnDomainAndTime) {
  const auto id = assembled_window(
      "example.com", {"mailto:a@peer.example", "mailto:b@sub.peer.example",
                      "https://peer.example/x", "mailto:c@peer.example", "mailto:d@peer.example"});
  for (int rank = 0; rank < 4; ++rank) {
    attempt(delivery_id(id, rank), DeliveryState::kDelivered, kDue + rank * 1min);
  }
  attempt(delivery_id(id, 4), DeliveryState::kFailed, kDue);
  const auto count = [&](Time from, Time to) { return mails(store(), "peer.example", {from, to}); };
  EXPECT_EQ(count(kDue, kDue + 1h), 2U);
  EXPECT_EQ(count(kDue, kDue + 3min), 1U) << "the end is not part of it";
  EXPECT_EQ(count(kDue + 1s, kDue + 3min + 1s), 1U) << "the start is";
  EXPECT_EQ(mails(store(), "sub.peer.example", {kDue, kDue + 1h}), 1U);
  EXPECT_EQ(mails(store(), "example.com", {kDue, kDue + 1h}), 0U);
  attempt(delivery_id(id, 0), DeliveryState::kBounced, kDue + 2h);
  EXPECT_EQ(count(kDue, kDue + 1h), 2U) << "it was handed over all the same";
}

TEST_P(StoreTest, ReportsAlikeAreFoundByDomainFingerprintAndTime) {
  assembled_window("example.com", {"mailto:a@b.example"});
  EXPECT_TRUE(ok(store().reported_like("example.com", "print", kDue)));
  EXPECT_FALSE(ok(store().reported_like("example.com", "print", kDue + 1s)));
  EXPECT_FALSE(ok(store().reported_like("example.com", "other", kDue)));
  EXPECT_FALSE(ok(store().reported_like("example.org", "print", kDue)));
}

TEST_P(StoreTest, CountsOfAnUnknownWindowAreEmpty) {
  EXPECT_THAT(ok(store().counts(77)), IsEmpty());
  EXPECT_EQ(ok(store().deciding_record(77)), "");
}

}  // namespace
}  // namespace rapporteur::testing_support
