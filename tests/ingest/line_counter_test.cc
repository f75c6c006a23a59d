#include "ingest/line_counter.h"

#include <gmock/gmock.h>

#include "aggregate/packed_session.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr const char* kDatagram =
    R"({"dpv":"1","d":"a.example","pr":"","policies":[{"policy-type":9,"f":0}]})";

const Time kNoon = parse_time("2026-11-20T12:00:00Z").value();

std::string native(const std::string& more) {
  return R"({"recipient-domain":"a.example","policies":[{"policy":)"
         R"({"policy-type":"no-policy-found"},"type":1}])" +
         more + "}";
}

std::uint64_t sessions_in(const Tally& tally) {
  std::uint64_t sum = 0;
  tally.for_each([&](const Tally::Entry& entry) { sum += entry.count; });
  return sum;
}

TEST(LineCounter, CountsALineThatComesAgainLikeTheFirst) {
  LineCounter counter({.source = "test"});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(counter.take(kDatagram, kNoon).verdict, Verdict::kSession);
  }
  const auto tally = counter.hand_over();
  EXPECT_EQ(sessions_in(*tally), 3U);
  EXPECT_THAT(tally->counters(), ElementsAre(Pair("accepted", 3)));
  EXPECT_EQ(tally->entries(), 1U);
}

TEST(LineCounter, RemembersLinesAcrossHandOvers) {
  LineCounter counter({.source = "test"});
  counter.take(kDatagram, kNoon);
  EXPECT_EQ(sessions_in(*counter.hand_over()), 1U);
  counter.take(kDatagram, kNoon + Seconds{1});
  const auto tally = counter.hand_over();
  EXPECT_EQ(sessions_in(*tally), 1U);
  tally->for_each([](const Tally::Entry& entry) { EXPECT_EQ(entry.first, kNoon + Seconds{1}); });
  EXPECT_TRUE(counter.hand_over()->empty());
}

TEST(LineCounter, KeepsApartWhatCarriesATimeAnIdOrACount) {
  LineCounter counter({.source = "test"});
  const auto timed = native(R"(,"epoch":1795176000)");
  const auto identified = native(R"(,"id":"x")");
  const auto many = native(R"(,"count":5)");
  for (int i = 0; i < 2; ++i) {
    for (const auto& line : {timed, identified, many}) counter.take(line, kNoon);
  }
  const auto tally = counter.hand_over();
  EXPECT_EQ(sessions_in(*tally), 2 + 2 + 10U) << "ids are compared when the tally is recorded";
  EXPECT_THAT(tally->counters(), ElementsAre(Pair("accepted", 6)));
}

TEST(LineCounter, CountsWhatIsNotASessionByItsReasonEachTime) {
  LineCounter counter({.source = "test"});
  for (int i = 0; i < 2; ++i) {
    const auto garbage = counter.take("garbage", kNoon);
    EXPECT_EQ(garbage.verdict, Verdict::kRejected);
    EXPECT_EQ(garbage.reason, "not-json");
    EXPECT_EQ(counter.take(native(R"(,"own-report":true)"), kNoon).reason, "own-report");
    EXPECT_EQ(counter.take(native(R"(,"epoch":1000000000)"), kNoon).reason, "too-old");
  }
  EXPECT_THAT(counter.hand_over()->counters(),
              UnorderedElementsAre(Pair("rejected.not-json", 2), Pair("ignored.own-report", 2),
                                   Pair("rejected.too-old", 2)));
}

TEST(LineCounter, AGuessedRecipientIsToldEachTime) {
  LineCounter counter({.source = "test"});
  const std::string line =
      R"({"type":1,"policy":{"policy-type":"tlsa","policy-domain":"mx.a.example"}})";
  counter.take(line, kNoon);
  counter.take(line, kNoon);
  EXPECT_THAT(counter.hand_over()->counters(),
              UnorderedElementsAre(Pair("accepted", 2), Pair("recipient_domain_guessed", 2)));
}

TEST(LineCounter, LinesWithoutATimeGetTheOneThatIsGiven) {
  const auto day = parse_time("2026-01-14T00:00:00Z").value();
  LineCounter counter(
      {.source = "test", .rules = {.max_age = Seconds{1}, .from_file = true}, .at = day});
  counter.take(kDatagram, kNoon);
  counter.take(kDatagram, kNoon);
  counter.take(native(R"(,"id":"x")"), kNoon);
  counter.take(native(R"(,"epoch":1768392000)"), kNoon);
  std::vector<Time> times;
  counter.hand_over()->for_each([&](const Tally::Entry& entry) { times.push_back(entry.first); });
  EXPECT_THAT(times, UnorderedElementsAre(day, day, Time(Seconds{1768392000})));
}

TEST(LineCounter, WhenMemoryIsFullItCountsOnWhatItKnowsAndDropsTheRest) {
  LineCounter counter({.source = "test", .max_bytes = 1});
  EXPECT_EQ(counter.take(kDatagram, kNoon).verdict, Verdict::kSession) << "it was empty";
  const auto more = counter.take(native(R"(,"id":"x")"), kNoon);
  EXPECT_EQ(more.verdict, Verdict::kRejected);
  EXPECT_EQ(more.reason, "memory-full");
  EXPECT_EQ(counter.take(kDatagram, kNoon).verdict, Verdict::kSession);
  const auto tally = counter.hand_over();
  EXPECT_EQ(sessions_in(*tally), 2U);
  EXPECT_THAT(tally->counters(),
              UnorderedElementsAre(Pair("accepted", 2), Pair("dropped.memory-full", 1)));
}

TEST(LineCounter, ForgetsWhatTakesTooMuchMemoryWhenItHandsOver) {
  LineCounter counter({.source = "test", .max_remembered = 1});
  counter.take(kDatagram, kNoon);
  EXPECT_GT(counter.tally().bytes(), 1U);
  EXPECT_EQ(sessions_in(*counter.hand_over()), 1U);
  EXPECT_LE(counter.tally().bytes(), 1U);
  counter.take(kDatagram, kNoon);
  EXPECT_EQ(sessions_in(*counter.hand_over()), 1U);
}

TEST(LineCounter, ForgetsWhatItIsToldToForget) {
  LineCounter counter({.source = "test"});
  counter.take(kDatagram, kNoon);
  counter.forget();
  EXPECT_TRUE(counter.hand_over()->empty());
}

}  // namespace
}  // namespace rapporteur
