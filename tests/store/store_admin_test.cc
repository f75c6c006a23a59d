#include "store_suite.h"

namespace rapporteur::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

std::vector<std::string> domains(const std::vector<Window>& windows) {
  std::vector<std::string> names;
  for (const auto& window : windows) names.push_back(window.domain);
  return names;
}

TEST_P(StatesOfStoreTest, AllStatesAreCounted) {
  EXPECT_THAT(ok(store().window_states()),
              ElementsAre(Pair(WindowState::kCollecting, 1), Pair(WindowState::kDue, 1),
                          Pair(WindowState::kAssembled, 1), Pair(WindowState::kDone, 1),
                          Pair(WindowState::kBlocked, 1), Pair(WindowState::kHeld, 1),
                          Pair(WindowState::kSuppressed, 1)));
}

TEST_P(StatesOfStoreTest, CollectingDueAndBlockedWindowsAreHeld) {
  EXPECT_THAT(allowed([&](WindowId id) { return ok(store().hold(id, "wait", kDue)); }),
              ElementsAre("blocked", "collecting", "due"));
  for (const auto state : {WindowState::kCollecting, WindowState::kDue, WindowState::kBlocked}) {
    EXPECT_EQ(in(state).state, WindowState::kHeld);
    EXPECT_EQ(in(state).reason, "wait");
    EXPECT_EQ(in(state).retry, std::nullopt);
  }
  EXPECT_THAT(ok(store().claim_due(kDue + 99h, 10, std::nullopt)), IsEmpty());
  EXPECT_FALSE(ok(store().hold(4711, "wait", kDue)));
}

TEST_P(StatesOfStoreTest, SeveralWindowsAreTouchedAtOnceAndEachIsToldOf) {
  const std::vector<WindowId> windows = {in(WindowState::kDone).id, in(WindowState::kDue).id, 4711,
                                         in(WindowState::kBlocked).id,
                                         in(WindowState::kCollecting).id};
  EXPECT_THAT(ok(store().hold(windows, "wait", kDue)), ElementsAre(false, true, false, true, true));
  EXPECT_THAT(ok(store().send_now(windows, kDue)), ElementsAre(false, true, false, true, true));
  EXPECT_THAT(ok(store().release(windows, kDue)), testing::Each(false)) << "none is held";
  EXPECT_THAT(ok(store().cancel(windows, "no", kDue)), ElementsAre(false, true, false, true, true));
  EXPECT_EQ(in(WindowState::kBlocked).state, WindowState::kSuppressed);
  EXPECT_EQ(in(WindowState::kDone).state, WindowState::kDone);
  EXPECT_THAT(ok(store().hold(std::span<const WindowId>(), "", kDue)), IsEmpty());
}

TEST_P(StatesOfStoreTest, OnlyHeldWindowsAreReleased) {
  EXPECT_THAT(allowed([&](WindowId id) { return ok(store().release(id, kDue - 2h)); }),
              ElementsAre("held"));
  const auto released = in(WindowState::kHeld);
  EXPECT_EQ(released.state, WindowState::kCollecting);
  EXPECT_EQ(released.reason, "");
  EXPECT_EQ(released.due, kDue) << "its due time is still to come";
  EXPECT_TRUE(released.send_old);
  ok(store().hold(released.id, "again", kDue));
  EXPECT_TRUE(ok(store().release(released.id, kDue + 3h)));
  EXPECT_EQ(in(WindowState::kHeld).due, kDue + 3h) << "its due time has passed";
}

TEST_P(StatesOfStoreTest, OpenWindowsAreCancelled) {
  EXPECT_THAT(allowed([&](WindowId id) { return ok(store().cancel(id, "no", kDue + 1h)); }),
              ElementsAre("assembled", "blocked", "collecting", "due", "held"));
  for (const auto state :
       {WindowState::kCollecting, WindowState::kDue, WindowState::kBlocked, WindowState::kHeld}) {
    EXPECT_EQ(in(state).state, WindowState::kSuppressed);
    EXPECT_EQ(in(state).reason, "no");
  }
  EXPECT_EQ(in(WindowState::kAssembled).state, WindowState::kDone);
  EXPECT_EQ(in(WindowState::kAssembled).reason, "no");
  const auto abandoned = ok(store().deliveries({.domain = name(WindowState::kAssembled)}));
  ASSERT_THAT(abandoned, SizeIs(2));
  for (const auto& each : abandoned) {
    EXPECT_EQ(each.state, DeliveryState::kAbandoned);
    EXPECT_EQ(each.last_response, "no");
    EXPECT_EQ(each.ended, kDue + 1h);
  }
  EXPECT_THAT(due_ids(kDue + 99h), IsEmpty());
}

TEST_P(StatesOfStoreTest, OpenWindowsAreSentNow) {
  const auto now = kDue + 2h;
  EXPECT_THAT(allowed([&](WindowId id) { return ok(store().send_now(id, now)); }),
              ElementsAre("blocked", "collecting", "due", "held"));
  for (const auto state :
       {WindowState::kCollecting, WindowState::kDue, WindowState::kBlocked, WindowState::kHeld}) {
    EXPECT_EQ(in(state).state, WindowState::kDue);
    EXPECT_EQ(in(state).reason, "");
    EXPECT_EQ(in(state).retry, std::nullopt);
    EXPECT_EQ(in(state).first_attempt, std::nullopt);
    EXPECT_EQ(in(state).due, now);
    EXPECT_EQ(in(state).period, kFirstDay);
    EXPECT_TRUE(in(state).send_old);
  }
  EXPECT_THAT(ok(store().claim_due(now, 10, std::nullopt)), SizeIs(4));
}

TEST_P(StoreTest, SendNowClosesACollectingWindowAtThisSecond) {
  add({delta("example.com")});
  const auto now = kDay + 10h;
  EXPECT_TRUE(ok(store().send_now(window("example.com").id, now)));
  EXPECT_EQ(window("example.com").period, (Period{kDay, now}));
  EXPECT_THAT(ok(store().claim_due(now, 10, std::nullopt)), SizeIs(1));

  EXPECT_THAT(add({at(delta("example.com"), now, now)}).misplaced, ElementsAre(0))
      << "whoever planned for the whole day has to plan anew";
  auto next = at(delta("example.com"), now, now);
  next.period = {now, kDay + 24h};
  EXPECT_TRUE(add({next}).stored());
  EXPECT_THAT(periods("example.com", kDay),
              ElementsAre(Period{kDay, now}, Period{now, kDay + 24h}));
  add({at(delta("example.com"), now - 1s, now - 1s)});
  EXPECT_EQ(windows("example.com").at(2).supplement, 1);
  EXPECT_EQ(windows("example.com").at(2).period, (Period{kDay, now}));
}

TEST_P(StoreTest, AWindowThatIsSentNowLastsAtLeastASecond) {
  add({at(delta("example.com"), kDay, kDay)});
  EXPECT_TRUE(ok(store().send_now(window("example.com").id, kDay)));
  EXPECT_EQ(window("example.com").period, (Period{kDay, kDay + 1s}));
  EXPECT_THAT(ok(store().claim_due(kDay, 10, std::nullopt)), IsEmpty()) << "it has not ended";
  EXPECT_THAT(ok(store().claim_due(kDay + 1s, 10, std::nullopt)), SizeIs(1));
}

TEST_P(StoreTest, ASupplementThatIsSentNowKeepsThePeriodOfItsWindow) {
  const auto now = kDay + 10h;
  add({at(delta("example.com"), now, now)});
  EXPECT_TRUE(ok(store().send_now(window("example.com").id, now)));
  add({at(delta("example.com"), now - 2s, now - 2s)});
  ASSERT_THAT(windows("example.com"), SizeIs(2));
  EXPECT_TRUE(ok(store().send_now(windows("example.com").at(1).id, now)));
  EXPECT_EQ(windows("example.com").at(1).period, windows("example.com").at(0).period);
}

TEST_P(StoreTest, AWindowThatIsSentNowStillCoversItsSessions) {
  add({at(delta("example.com"), kDay + 1h, kDay + 10h + 3min)});  // a clock that runs ahead
  const auto end = kDay + 10h + 3min + 1s;
  EXPECT_TRUE(ok(store().send_now(window("example.com").id, kDay + 10h)));
  EXPECT_EQ(window("example.com").period, (Period{kDay, end}));
  EXPECT_THAT(ok(store().claim_due(end - 1s, 10, std::nullopt)), IsEmpty());
  EXPECT_THAT(ok(store().claim_due(end, 10, std::nullopt)), SizeIs(1));
}

TEST_P(StoreTest, WindowsAreListedByDueTimeAndIdInPages) {
  auto early = delta("d.example");
  early.due = kDue - 1h;
  add({delta("c.example")});
  add({delta("a.example")});
  add({delta("b.example")});
  add({early});
  WindowFilter filter;
  filter.limit = 2;
  const auto first = ok(store().windows(filter));
  EXPECT_THAT(domains(first), ElementsAre("d.example", "c.example"));
  filter.after = {first.back().due, first.back().id};
  const auto second = ok(store().windows(filter));
  EXPECT_THAT(domains(second), ElementsAre("a.example", "b.example"));
  filter.after = {second.back().due, second.back().id};
  EXPECT_THAT(ok(store().windows(filter)), IsEmpty());
}

TEST_P(StoreTest, WindowsAreFoundByWhatIsAsked) {
  auto next = at(delta("b.example.com"), kDay + 24h, kDay + 24h);
  next.period = {kDay + 24h, kDay + 48h};
  next.due = kDue + 24h;
  add({delta("a.example.com")});
  add({delta("b.example.com")});
  add({delta("example.com")});
  add({next});
  const auto found = [&](WindowFilter filter) {
    filter.limit = 100;
    return domains(ok(store().windows(filter)));
  };
  EXPECT_THAT(found({.domain = "example.com"}), ElementsAre("example.com"));
  EXPECT_THAT(found({.domain = "Example.COM"}), ElementsAre("example.com"));
  EXPECT_THAT(found({.domain = "*.example.com"}),
              ElementsAre("a.example.com", "b.example.com", "b.example.com"));
  EXPECT_THAT(found({.domain = "?.EXAMPLE.com"}), SizeIs(3));
  EXPECT_THAT(found({.domain = "[ab]*"}), IsEmpty()) << "brackets have no meaning";
  EXPECT_THAT(found({.domain = "' OR 1=1 --*"}), IsEmpty());
  EXPECT_THAT(found({.state = WindowState::kDue}), IsEmpty());
  EXPECT_THAT(found({.state = WindowState::kCollecting}), SizeIs(4));
  EXPECT_THAT(found({.due_before = kDue + 1s}), SizeIs(3));
  EXPECT_THAT(found({.due_before = kDue}), IsEmpty());
  EXPECT_THAT(found({.start = kDay + 24h}), ElementsAre("b.example.com"));
  EXPECT_THAT(found({.domain = "b.*", .start = kDay}), ElementsAre("b.example.com"));
}

TEST_P(StoreTest, ReportsAreListedNewestFirstAndShownWithTheirBodies) {
  const auto first = assembled_window("a.example", {"mailto:a@b.example"});
  const auto second = assembled_window("b.example", {"mailto:a@b.example"});
  const auto all = ok(store().reports("", 10));
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].window.domain, "b.example");
  EXPECT_EQ(all[0].window.id, second);
  EXPECT_EQ(all[0].assembled, kDue);
  EXPECT_EQ(all[0].part.report_id, part(second, 1).report_id);
  EXPECT_EQ(all[0].part.file_name, "file1");
  EXPECT_EQ(all[0].part.successful, 3U);
  EXPECT_EQ(all[0].part.failed, 4U);
  EXPECT_EQ(all[0].part.gz, "");
  EXPECT_THAT(ok(store().reports("", 1)), SizeIs(1));
  EXPECT_THAT(ok(store().reports("a.example", 10)), SizeIs(1));
  EXPECT_THAT(ok(store().reports("*.example", 10)), SizeIs(2));
  EXPECT_THAT(ok(store().reports("c.example", 10)), IsEmpty());

  const auto one = ok(store().report(part(first, 1).report_id));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->window.id, first);
  EXPECT_EQ(one->part.gz, part(first, 1).gz);
  EXPECT_EQ(one->part.mail_body, part(first, 1).mail_body);
  EXPECT_FALSE(ok(store().report("nothing")));
}

TEST_P(StoreTest, APauseIsStoredAsItIs) {
  EXPECT_FALSE(ok(store().pause()).any());
  Pause pause;
  pause.smtp = true;
  pause.until = kDay;
  ok(store().set_pause(pause));
  auto stored = ok(store().pause());
  EXPECT_FALSE(stored.everything);
  EXPECT_TRUE(stored.smtp);
  EXPECT_FALSE(stored.https);
  EXPECT_EQ(stored.until, kDay);
  pause = {.everything = true, .smtp = false, .https = true, .until = {}};
  ok(store().set_pause(pause));
  stored = ok(store().pause());
  EXPECT_TRUE(stored.everything);
  EXPECT_FALSE(stored.smtp);
  EXPECT_TRUE(stored.https);
  EXPECT_EQ(stored.until, std::nullopt);
  ok(store().set_pause({}));
  EXPECT_FALSE(ok(store().pause()).any());
}

TEST_P(StatesOfStoreTest, PruningRemovesWhatEndedWithEverythingThatBelongsToIt) {
  const auto done = in(WindowState::kDone).id;
  const auto suppressed = in(WindowState::kSuppressed).id;
  EXPECT_EQ(ok(store().prune(kDue, kDay, 100)), 0U);
  EXPECT_EQ(ok(store().prune(kDue + 1s, kDay, 100)), 2U);
  EXPECT_THAT(windows(), SizeIs(5));
  for (const auto id : {done, suppressed}) {
    EXPECT_THAT(ok(store().counts(id)), IsEmpty());
    EXPECT_THAT(ok(store().deliveries({.window = id})), IsEmpty());
  }
  EXPECT_FALSE(ok(store().report(part(done, 1).report_id)));
  EXPECT_THAT(ok(store().deliveries({})), SizeIs(2));
}

TEST_P(StoreTest, PruningRemovesAtMostTheGivenNumberOldestFirst) {
  for (int index = 0; index < 3; ++index) {
    const auto id = due_window("d" + std::to_string(index) + ".example");
    ok(store().conclude(Postponement{id, 0, WindowState::kSuppressed, "x", {}, kDue - index * 1s}));
  }
  EXPECT_EQ(ok(store().prune(kDue + 1h, kDay, 2)), 2U);
  EXPECT_EQ(window("d0.example").state, WindowState::kSuppressed);
  EXPECT_EQ(ok(store().prune(kDue + 1h, kDay, 2)), 1U);
  EXPECT_EQ(ok(store().prune(kDue + 1h, kDay, 2)), 0U);
}

TEST_P(StoreTest, PruningForgetsOldSessionIds) {
  CountBatch batch;
  batch.session_ids = {"old"};
  batch.now = kDay;
  ok(store().add(batch));
  batch.session_ids = {"new"};
  batch.now = kDay + 1s;
  ok(store().add(batch));
  ok(store().prune(kDay, kDay + 1s, 0));
  const std::vector<std::string> asked = {"old", "new"};
  EXPECT_THAT(ok(store().seen(asked)), ElementsAre(false, true));
}

TEST_P(StoreTest, APeriodIsKnownAsLongAsASupplementOfItIsLeft) {
  const auto id = due_window("example.com");
  add({delta("example.com")});
  ok(store().conclude(Postponement{id, 0, WindowState::kSuppressed, "x", {}, kDue}));
  ASSERT_EQ(ok(store().prune(kDue + 1s, kDay, 10)), 1U);
  EXPECT_THAT(periods("example.com", kDay), ElementsAre(kFirstDay));
}

}  // namespace
}  // namespace rapporteur::testing_support
