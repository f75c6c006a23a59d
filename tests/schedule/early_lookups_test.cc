#include "schedule/early_lookups.h"

#include <gmock/gmock.h>

#include "aggregate/recorder.h"
#include "schedule/planner.h"
#include "schedule/schedule_fixture.h"
#include "support/timed_resolver.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing_support::at;
using testing_support::config_of;

class EarlyLookupsTest : public testing_support::ScheduleTest {
 protected:
  EarlyLookupsTest() { clock.set(at("2026-11-21T01:00:00Z")); }

  EarlyLookups lookups{*store, resolver, clock};
  SettingsPlanner planner{config_of("")};
  Recorder recorder{*store, planner, clock, {}};

  // A session that is told of now.
  Recorded session(const std::string& domain, const std::string& record = {}) {
    Session told;
    told.time = clock.now();
    told.recipient_domain = domain;
    told.tlsrpt_record = record;
    told.outcomes.push_back({{PolicyType::kSts, domain, {}, {}}, true, {}});
    Tally tally("http", std::make_shared<SessionTable>());
    EXPECT_EQ(tally.count(told, clock.now(), {}), Counted::kAccepted);
    tally.note_accepted();
    const Tally* const one = &tally;
    const auto recorded = recorder.record({&one, 1});
    EXPECT_TRUE(recorded) << recorded.error().text;
    return recorded->at(0);
  }

  EarlySummary step() {
    const auto summary = lookups.step();
    EXPECT_TRUE(summary) << summary.error().text;
    return *summary;
  }

  // Goes on to the second at which a lookup is made, for some hours at the most.
  EarlySummary next_lookup() {
    const auto before = resolver.asked.size();
    for (const auto end = clock.now() + 12h; clock.now() < end; clock.advance(10s)) {
      const auto summary = step();
      if (resolver.asked.size() > before) return summary;
    }
    return {};
  }

  std::vector<Window> windows(const std::string& domain = "a.example") {
    return *store->windows({.domain = domain});
  }
  void say_none(Seconds ttl = 0s) {
    resolver.set(DnsType::kTxt, kName, {.status = DnsAnswer::Status::kNone, .ttl = ttl});
  }
  std::optional<Time> silent_until() {
    const std::string domain = "a.example";
    return store->places(std::span(&domain, 1), clock.now(), clock.now())->at(0).silent_until;
  }
};

TEST_F(EarlyLookupsTest, TwoLookupsAnHourApartThatFindNothingDropTheWindow) {
  session("a.example");
  session("a.example");
  EXPECT_EQ(next_lookup().absent, 1U);
  const auto first = clock.now();
  EXPECT_THAT(windows(), SizeIs(1));
  EXPECT_EQ(silent_until(), std::nullopt);
  const auto second = next_lookup();
  EXPECT_GE(clock.now() - first, 1h);
  EXPECT_LE(clock.now() - first, 1h + 15min);
  EXPECT_EQ(second.absent, 1U);
  EXPECT_EQ(second.dropped, 1U);
  EXPECT_THAT(windows(), IsEmpty());
  EXPECT_EQ(silent_until(), clock.now() + 1h);
  EXPECT_THAT(*store->counters(), Contains(Pair("dropped.sessions", 2U)));
}

TEST_F(EarlyLookupsTest, SilenceLastsAsLongAsTheAnswerButFromOneHourToSix) {
  for (const auto& [ttl, lasts] :
       {std::pair<Seconds, Seconds>{60s, 1h}, {2h, 2h}, {24h, 6h}, {0s, 1h}}) {
    say_none(ttl);
    session("a.example");
    next_lookup();
    next_lookup();
    EXPECT_EQ(silent_until(), clock.now() + lasts) << ttl.count();
    clock.set(std::chrono::floor<std::chrono::days>(clock.now()) + 25h);  // the next day
  }
}

TEST_F(EarlyLookupsTest, ARecordEndsTheLookups) {
  resolver.say(kName, {"v=TLSRPTv1; rua=mailto:r@a.example"});
  session("a.example");
  EXPECT_EQ(next_lookup().present, 1U);
  next_lookup();
  EXPECT_THAT(resolver.asked, SizeIs(1));
  EXPECT_THAT(windows(), SizeIs(1));
}

TEST_F(EarlyLookupsTest, AnInvalidRecordIsOneAndOtherTextsAreNone) {
  resolver.say("_smtp._tls.invalid.example", {"v=TLSRPTv1; rua=nowhere"});
  resolver.say("_smtp._tls.two.example",
               {"v=TLSRPTv1; rua=mailto:a@b.example", "v=TLSRPTv1; rua=mailto:c@b.example"});
  resolver.say("_smtp._tls.other.example", {"v=spf1 -all"});
  for (const char* const name : {"invalid.example", "two.example", "other.example"}) session(name);
  EarlySummary all;
  for (int i = 0; i < 3; ++i) {
    const auto summary = next_lookup();
    all.present += summary.present;
    all.absent += summary.absent;
  }
  EXPECT_EQ(all.present, 2U);
  EXPECT_EQ(all.absent, 1U);
  EXPECT_EQ(next_lookup().dropped, 1U);
  EXPECT_THAT(windows("other.example"), IsEmpty());
  EXPECT_THAT(windows("invalid.example"), SizeIs(1));
}

TEST_F(EarlyLookupsTest, ARecordThatAppearsBetweenKeepsTheWindow) {
  session("a.example");
  EXPECT_EQ(next_lookup().absent, 1U);
  resolver.say(kName, {"v=TLSRPTv1; rua=mailto:r@a.example"});
  EXPECT_EQ(next_lookup().present, 1U);
  next_lookup();
  EXPECT_THAT(windows(), SizeIs(1));
}

TEST_F(EarlyLookupsTest, AFailureIsNoAnswerAndIsAskedAgainAnHourLater) {
  resolver.fail(kName, "SERVFAIL");
  session("a.example");
  EXPECT_EQ(next_lookup().failed, 1U);
  const auto first = clock.now();
  EXPECT_EQ(next_lookup().failed, 1U);
  EXPECT_GE(clock.now() - first, 1h);
  EXPECT_LE(clock.now() - first, 1h + 10s);
  EXPECT_THAT(windows(), SizeIs(1));
}

TEST_F(EarlyLookupsTest, AFailureBetweenTwoAnswersDoesNotBeginAnew) {
  session("a.example");
  EXPECT_EQ(next_lookup().absent, 1U);
  resolver.fail(kName, "SERVFAIL");
  EXPECT_EQ(next_lookup().failed, 1U);
  say_none();
  EXPECT_EQ(next_lookup().dropped, 1U);
}

TEST_F(EarlyLookupsTest, AWindowWhoseSessionBringsARecordMeanwhileIsKept) {
  session("a.example");
  EXPECT_EQ(next_lookup().absent, 1U);
  session("a.example", "v=TLSRPTv1; rua=mailto:r@a.example");
  const auto second = next_lookup();
  EXPECT_EQ(second.absent, 1U);
  EXPECT_EQ(second.dropped, 0U);
  EXPECT_THAT(windows(), SizeIs(1));
  next_lookup();
  EXPECT_THAT(resolver.asked, SizeIs(2)) << "there is nothing more to find out";
}

TEST_F(EarlyLookupsTest, SessionsOfASilentDomainAreOnlyCountedUntilOneBringsARecord) {
  session("a.example");
  next_lookup();
  next_lookup();
  EXPECT_EQ(session("a.example").silent, 1U);
  EXPECT_EQ(session("a.example").silent, 1U);
  EXPECT_THAT(windows(), IsEmpty());
  EXPECT_THAT(*store->counters(), Contains(Pair("http.ignored.no-tlsrpt-record", 2U)));
  EXPECT_EQ(session("a.example", "v=TLSRPTv1; rua=mailto:r@a.example").silent, 0U);
  ASSERT_THAT(windows(), SizeIs(1));
  EXPECT_EQ(session("a.example").silent, 0U);
  EXPECT_EQ(windows()[0].successful, 2U);
}

TEST_F(EarlyLookupsTest, WhenSilenceIsOverAWindowOpensAndIsLookedUpAgain) {
  session("a.example");
  next_lookup();
  next_lookup();
  clock.advance(1h);
  session("a.example");
  EXPECT_THAT(windows(), SizeIs(1));
  EXPECT_EQ(next_lookup().absent, 1U);
  EXPECT_EQ(next_lookup().dropped, 1U);
}

TEST_F(EarlyLookupsTest, NothingIsAskedWhileEverythingIsPaused) {
  session("a.example");
  ASSERT_TRUE(store->set_pause({.everything = true}));
  next_lookup();
  EXPECT_THAT(resolver.asked, IsEmpty());
  ASSERT_TRUE(store->set_pause({}));
  step();
  EXPECT_THAT(resolver.asked, ElementsAre(kName));
}

TEST_F(EarlyLookupsTest, AStepBeginsABoundedNumberAndWaitsForNone) {
  testing_support::TimedResolver slow(clock);
  slow.answers = [](const std::string&) {
    return std::pair{10'000ms, DnsAnswer{.status = DnsAnswer::Status::kNone}};
  };
  EarlyLookups patient(*store, slow, clock);
  for (int i = 0; i < 300; ++i) session("d" + std::to_string(i) + ".example");
  clock.advance(8h);  // by now all are due
  for (std::size_t steps = 1; steps <= 6; ++steps) {
    ASSERT_TRUE(patient.step());
    EXPECT_EQ(slow.asked.size(), std::min(steps * EarlyLookups::kAtOnce, EarlyLookups::kMost));
  }
  EXPECT_EQ(slow.waited, 0ms);
}

}  // namespace
}  // namespace rapporteur
