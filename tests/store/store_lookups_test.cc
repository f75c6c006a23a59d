// Early lookups, the domains that they found to be silent, and what is counted of it.

#include "store_suite.h"

namespace rapporteur::testing_support {
namespace {

using testing::ElementsAre;
using testing::Eq;
using testing::IsEmpty;
using testing::Optional;
using testing::Pair;
using testing::SizeIs;

constexpr Time kLookup = kDay + 4h;
constexpr const char* kRecord = "v=TLSRPTv1; rua=mailto:a@b.example";

// One success and two failures; its record is to be looked up at kLookup.
WindowDelta looked_up(const std::string& domain, Time lookup = kLookup) {
  auto made = delta(domain, 1, 2);
  made.lookup = lookup;
  return made;
}

std::vector<std::string> domains(const std::vector<EarlyLookup>& lookups) {
  std::vector<std::string> names;
  for (const auto& lookup : lookups) names.push_back(lookup.domain);
  return names;
}

std::optional<Time> silence(Store& store, const std::string& domain, Time now) {
  const auto places = ok(store.places(std::span(&domain, 1), kDay, now));
  return places.size() == 1 ? places[0].silent_until : std::nullopt;
}

LookupNote drop(WindowId window, const std::string& domain, Time until) {
  return {window, domain, std::nullopt, kLookup, until};
}

TEST_P(StoreTest, ALookupComesAtItsTime) {
  add({looked_up("b.example", kLookup + 1s), looked_up("a.example"), delta("never.example")});
  EXPECT_THAT(ok(store().lookups_due(kLookup - 1s, 10)), IsEmpty());
  const auto due = ok(store().lookups_due(kLookup, 10));
  ASSERT_THAT(domains(due), ElementsAre("a.example"));
  EXPECT_EQ(due[0].window, window("a.example").id);
  EXPECT_EQ(due[0].absent_since, std::nullopt);
  EXPECT_THAT(domains(ok(store().lookups_due(kLookup + 1s, 10))), ElementsAre("b.example"));
}

TEST_P(StoreTest, LookupsComeInPagesTheEarliestFirst) {
  add({looked_up("c.example", kLookup + 2s), looked_up("a.example", kLookup + 1s),
       looked_up("b.example")});
  EXPECT_THAT(domains(ok(store().lookups_due(kDue, 2))), ElementsAre("b.example", "a.example"));
  EXPECT_THAT(domains(ok(store().lookups_due(kDue, 2))), ElementsAre("c.example"));
}

TEST_P(StoreTest, ALookupThatWasHandedOutComesAgainAfterFiveMinutes) {
  add({looked_up("a.example")});
  EXPECT_THAT(ok(store().lookups_due(kLookup, 10)), SizeIs(1));
  EXPECT_THAT(ok(store().lookups_due(kLookup, 10)), IsEmpty());
  EXPECT_THAT(ok(store().lookups_due(kLookup + 5min - 1s, 10)), IsEmpty());
  EXPECT_THAT(ok(store().lookups_due(kLookup + 5min, 10)), SizeIs(1));
}

TEST_P(StoreTest, ANoteSetsTheNextLookupAndSinceWhenThereIsNoRecord) {
  add({looked_up("a.example"), looked_up("b.example")});
  const auto a = window("a.example").id;
  const auto b = window("b.example").id;
  ok(store().lookups_due(kLookup, 10));
  const std::vector<LookupNote> notes{{a, "a.example", kLookup + 1h, kLookup, std::nullopt},
                                      {b, "b.example", std::nullopt, std::nullopt, std::nullopt}};
  EXPECT_EQ(ok(store().note_lookups(notes, kLookup)), 0U);
  EXPECT_THAT(ok(store().lookups_due(kLookup + 1h - 1s, 10)), IsEmpty());
  const auto due = ok(store().lookups_due(kDue - 1s, 10));
  ASSERT_THAT(domains(due), ElementsAre("a.example")) << "b.example has a record";
  EXPECT_EQ(due[0].absent_since, kLookup);
}

TEST_P(StoreTest, ASilentDomainsWindowIsDroppedWithItsCounts) {
  add({looked_up("a.example"), looked_up("b.example")});
  const std::vector<LookupNote> notes{drop(window("a.example").id, "a.example", kLookup + 2h)};
  EXPECT_EQ(ok(store().note_lookups(notes, kLookup)), 1U);
  EXPECT_THAT(windows("a.example"), IsEmpty());
  EXPECT_THAT(windows("b.example"), SizeIs(1));
  EXPECT_THAT(ok(store().claim_due(kDue, 10, std::nullopt)), SizeIs(1));
  const auto counters = ok(store().counters());
  EXPECT_THAT(counters, testing::Contains(Pair("dropped.windows", 1U)));
  EXPECT_THAT(counters, testing::Contains(Pair("dropped.sessions", 3U)));
  EXPECT_EQ(ok(store().window_states())[WindowState::kCollecting], 0U);
}

TEST_P(StoreTest, PlacesTellOfSilenceUntilItIsOver) {
  add({looked_up("a.example")});
  EXPECT_EQ(silence(store(), "a.example", kLookup), std::nullopt);
  const std::vector<LookupNote> notes{drop(window("a.example").id, "a.example", kLookup + 2h)};
  EXPECT_EQ(ok(store().note_lookups(notes, kLookup)), 1U);
  EXPECT_THAT(silence(store(), "a.example", kLookup + 2h - 1s), Optional(Eq(kLookup + 2h)));
  EXPECT_EQ(silence(store(), "a.example", kLookup + 2h), std::nullopt);
  EXPECT_EQ(silence(store(), "b.example", kLookup), std::nullopt);
}

TEST_P(StoreTest, AWindowOfASilentDomainCanBeMadeAgain) {
  add({looked_up("a.example")});
  const auto first = window("a.example").id;
  const std::vector<LookupNote> notes{drop(first, "a.example", kLookup + 2h)};
  EXPECT_EQ(ok(store().note_lookups(notes, kLookup)), 1U);
  EXPECT_TRUE(add({looked_up("a.example")}).stored());
  const auto again = window("a.example");
  EXPECT_NE(again.id, first) << "what was noted of the dropped one must not fit it";
  EXPECT_EQ(again.successful, 1U) << "the dropped window's counts are gone";
  EXPECT_EQ(ok(store().counts(again.id)).at(0).successful, 1U);
}

TEST_P(StoreTest, CountsForADroppedWindowAreMisplacedWithoutAPlan) {
  add({looked_up("a.example")});
  const std::vector<LookupNote> notes{drop(window("a.example").id, "a.example", kLookup + 2h)};
  EXPECT_EQ(ok(store().note_lookups(notes, kLookup)), 1U);
  auto unplanned = delta("a.example");
  unplanned.due = Time{};
  EXPECT_THAT(add({unplanned}).misplaced, ElementsAre(0U));
}

TEST_P(StoreTest, AWindowWhoseSessionsBroughtARecordIsKept) {
  auto with_record = looked_up("a.example");
  with_record.tlsrpt_record = kRecord;
  add({with_record});
  const std::vector<LookupNote> notes{drop(window("a.example").id, "a.example", kLookup + 2h)};
  EXPECT_EQ(ok(store().note_lookups(notes, kLookup)), 0U);
  EXPECT_EQ(window("a.example").state, WindowState::kCollecting);
  EXPECT_EQ(silence(store(), "a.example", kLookup), std::nullopt);
  EXPECT_EQ(ok(store().counters()).count("dropped.windows"), 0U);
  EXPECT_THAT(ok(store().lookups_due(kDue - 1s, 10)), IsEmpty()) << "the note sets no further one";
}

TEST_P(StoreTest, OnlyACollectingWindowIsDropped) {
  add({looked_up("due.example"), looked_up("held.example")});
  const auto due = window("due.example").id;
  const auto held = window("held.example").id;
  ASSERT_TRUE(ok(store().hold(held, "wait", kDay + 3h)));
  ASSERT_THAT(ok(store().claim_due(kDue, 10, std::nullopt)), SizeIs(1));
  const std::vector<LookupNote> notes{drop(due, "due.example", kDue + 2h),
                                      drop(held, "held.example", kDue + 2h)};
  EXPECT_EQ(ok(store().note_lookups(notes, kDue)), 0U);
  EXPECT_EQ(window(due).state, WindowState::kDue);
  EXPECT_EQ(window(held).state, WindowState::kHeld);
}

TEST_P(StoreTest, OnlyCollectingWindowsAreLookedUp) {
  add({looked_up("due.example"), looked_up("held.example"), looked_up("cancelled.example")});
  ASSERT_TRUE(ok(store().hold(window("held.example").id, "wait", kDay + 3h)));
  ASSERT_TRUE(ok(store().cancel(window("cancelled.example").id, "no", kDay + 3h)));
  ASSERT_TRUE(ok(store().send_now(window("due.example").id, kDay + 3h)));
  ok(store().claim_due(kDay + 3h, 10, std::nullopt));
  EXPECT_THAT(ok(store().lookups_due(kDue, 10)), IsEmpty());
}

TEST_P(StoreTest, AReleasedWindowIsLookedUp) {
  add({looked_up("a.example")});
  const auto id = window("a.example").id;
  ASSERT_TRUE(ok(store().hold(id, "wait", kDay + 3h)));
  ASSERT_TRUE(ok(store().release(id, kDay + 3h + 1s)));
  EXPECT_THAT(ok(store().lookups_due(kLookup, 10)), SizeIs(1));
}

TEST_P(StoreTest, SilencesThatAreOverMakeRoom) {
  add({looked_up("a.example"), looked_up("b.example")});
  const std::vector<LookupNote> first{drop(window("a.example").id, "a.example", kLookup + 1h)};
  ok(store().note_lookups(first, kLookup));
  const std::vector<LookupNote> second{drop(window("b.example").id, "b.example", kLookup + 4h)};
  ok(store().note_lookups(second, kLookup + 2h));
  // Whoever asks with an earlier clock is not told of one that was over.
  EXPECT_EQ(silence(store(), "a.example", kLookup), std::nullopt);
  EXPECT_THAT(silence(store(), "b.example", kLookup), Optional(Eq(kLookup + 4h)));
}

}  // namespace
}  // namespace rapporteur::testing_support
