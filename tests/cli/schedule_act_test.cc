#include "cli/cli_fixture.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ScheduleActTest : public CliTest {
 protected:
  std::string reason(const std::string& domain) {
    return run({"schedule", "show", domain, "--json"}).json()["windows"][0]["reason"];
  }
  void ingest_many(int count) {
    std::string lines;
    for (int i = 0; i < count; ++i) {
      lines += session("d" + std::to_string(i) + ".example", "2026-11-20T10:00:00Z");
    }
    ingest(lines);
  }
};

TEST_F(ScheduleActTest, HoldAndReleaseMoveAWindowBackAndForth) {
  ingest_window("example.org");
  const auto held = run({"schedule", "hold", "Example.ORG", "--reason", "migration"});
  EXPECT_EQ(held.code, 0);
  EXPECT_EQ(held.out,
            "example.org 2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z (collecting): held\n"
            "1 window held\n");
  EXPECT_THAT(states("example.org"), ElementsAre("held"));
  EXPECT_EQ(reason("example.org"), "migration");

  EXPECT_EQ(run({"schedule", "release", "example.org"}).code, 0);
  EXPECT_THAT(states("example.org"), ElementsAre("collecting"));
}

TEST_F(ScheduleActTest, CancelSuppressesWithItsReason) {
  ingest_window("example.org");
  EXPECT_EQ(run({"schedule", "cancel", "example.org", "--reason", "not ours"}).code, 0);
  EXPECT_THAT(states("example.org"), ElementsAre("suppressed"));
  EXPECT_EQ(reason("example.org"), "cancelled: not ours");
}

TEST_F(ScheduleActTest, SendNowEndsACollectingWindowAtThisSecond) {
  ingest_window("example.org");
  const auto outcome = run({"schedule", "send-now", "example.org", "--json"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.json(),
            OrderedJson::parse(R"({"action": "send-now", "dry-run": false, "changed": 1,
    "windows": [{"domain": "example.org", "start": "2026-11-20T00:00:00Z",
                 "end": "2026-11-21T00:00:00Z", "supplement": 0, "state-before": "collecting",
                 "changed": true}]})"));
  const auto window = run({"schedule", "show", "example.org", "--json"}).json()["windows"][0];
  EXPECT_EQ(window["state"], "due");
  EXPECT_EQ(window["end"], "2026-11-20T12:00:00Z");
}

TEST_F(ScheduleActTest, WithoutAWindowAllOfTheDomainAreMeant) {
  ingest(session("example.org", "2026-11-18T10:00:00Z") +
         session("example.org", "2026-11-19T10:00:00Z") +
         session("example.org", "2026-11-20T10:00:00Z"));
  ASSERT_EQ(run({"schedule", "cancel", "example.org", "--window", "2026-11-18"}).code, 0);
  EXPECT_THAT(states("example.org"), ElementsAre("suppressed", "collecting", "collecting"));
  EXPECT_EQ(run({"schedule", "send-now", "example.org"}).code, 0);
  EXPECT_THAT(states("example.org"), ElementsAre("suppressed", "due", "due"));
}

TEST_F(ScheduleActTest, StateAndGlobChooseWindows) {
  ingest_window("a.example.org");
  ingest_window("b.example.org");
  ingest_window("example.com");
  ASSERT_EQ(run({"schedule", "hold", "b.example.org"}).code, 0);
  EXPECT_EQ(run({"schedule", "cancel", "*.example.org", "--state", "held"}).code, 0);
  EXPECT_THAT(states("a.example.org"), ElementsAre("collecting"));
  EXPECT_THAT(states("b.example.org"), ElementsAre("suppressed"));
  EXPECT_EQ(run({"schedule", "hold", "*"}).code, 0);
  EXPECT_THAT(states("a.example.org"), ElementsAre("held"));
  EXPECT_THAT(states("example.com"), ElementsAre("held"));
}

// More than are changed in one transaction.
TEST_F(ScheduleActTest, ManyWindowsAreChanged) {
  std::string sessions;
  for (int number = 0; number < 230; ++number) {
    sessions += session("d" + std::to_string(number) + ".example", "2026-11-20T10:00:00Z");
  }
  ingest(sessions);
  const auto held = run({"schedule", "hold", "*", "--yes", "--json"}).json();
  EXPECT_EQ(held["changed"], 230);
  EXPECT_EQ(held["windows"].size(), 230U);
  const auto listed = run({"schedule", "list", "--state", "held", "--limit", "1000", "--json"});
  EXPECT_EQ(listed.json()["windows"].size(), 230U);
}

TEST_F(ScheduleActTest, NoSuchWindowIsNotFound) {
  ingest_window("example.org");
  EXPECT_EQ(run({"schedule", "hold", "other.example"}).code, kExitNotFound);
  EXPECT_EQ(run({"schedule", "hold", "*.example"}).code, kExitNotFound);
  const auto outcome = run({"schedule", "hold", "example.org", "--window", "2026-11-19"});
  EXPECT_EQ(outcome.code, kExitNotFound);
  EXPECT_EQ(outcome.err, "rapporteur: no such window of example.org is known\n");
}

TEST_F(ScheduleActTest, AnActionThatDoesNotApplyFails) {
  ingest_window("example.org");
  const auto outcome = run({"schedule", "release", "example.org"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_EQ(outcome.err,
            "rapporteur: no window of example.org can be released: the state is collecting\n");
}

TEST_F(ScheduleActTest, DryRunChangesNothing) {
  ingest_window("example.org");
  const auto outcome = run({"schedule", "cancel", "example.org", "--dry-run"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out,
            "example.org 2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z (collecting): would be "
            "cancelled\n1 window would be cancelled\n");
  const auto json = run({"schedule", "cancel", "example.org", "--dry-run", "--json"}).json();
  EXPECT_EQ(json["dry-run"], true);
  EXPECT_EQ(json["changed"], 0);
  EXPECT_THAT(states("example.org"), ElementsAre("collecting"));
}

TEST_F(ScheduleActTest, AHundredRowsAreTouchedWithoutAsking) {
  ingest_many(100);
  EXPECT_EQ(run({"schedule", "hold", "*"}).code, 0);
  EXPECT_EQ(asked, 0);
  EXPECT_THAT(states("d7.example"), ElementsAre("held"));
}

TEST_F(ScheduleActTest, MoreRowsAreTouchedOnlyWhenThePersonAgrees) {
  ingest_many(101);
  const auto refused = run({"schedule", "hold", "*"});
  EXPECT_EQ(refused.code, kExitFailed);
  EXPECT_EQ(refused.err,
            "This will hold 101 windows of 101 domains. Go on? [y/N] rapporteur: nothing was "
            "changed: it was not confirmed (--yes does not ask)\n");
  EXPECT_EQ(asked, 1);
  EXPECT_THAT(states("d7.example"), ElementsAre("collecting"));

  EXPECT_EQ(run({"schedule", "hold", "*", "--dry-run"}).code, 0);
  EXPECT_EQ(asked, 1);

  answer = true;
  const auto agreed = run({"schedule", "hold", "*"});
  EXPECT_EQ(agreed.code, 0);
  EXPECT_EQ(asked, 2);
  EXPECT_THAT(agreed.out, HasSubstr("… and 81 more\n101 windows held\n"));
  EXPECT_THAT(states("d7.example"), ElementsAre("held"));
}

TEST_F(ScheduleActTest, YesDoesNotAsk) {
  ingest_many(101);
  EXPECT_EQ(run({"schedule", "hold", "*", "--yes"}).code, 0);
  EXPECT_EQ(asked, 0);
  EXPECT_THAT(states("d100.example"), ElementsAre("held"));
}

// ---- pause and resume

TEST_F(CliTest, PauseStopsEverythingUntilResume) {
  EXPECT_EQ(run({"pause"}).out, "PAUSED: nothing is assembled or delivered\n");
  EXPECT_TRUE(store()->pause()->everything);
  const auto outcome = run({"resume"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "nothing is paused\n");
  EXPECT_FALSE(store()->pause()->any());
  EXPECT_EQ(run({"resume", "--json"}).json(), OrderedJson::parse(R"({"paused": null})"));
}

TEST_F(CliTest, PausesOfSingleTransportsAddUp) {
  EXPECT_EQ(run({"pause", "--smtp"}).out, "PAUSED: nothing is delivered by SMTP\n");
  EXPECT_EQ(run({"pause", "--https", "--json"}).json(), OrderedJson::parse(R"({"paused":
      {"everything": false, "smtp": true, "https": true, "until": null}})"));
  EXPECT_FALSE(store()->pause()->everything);
}

TEST_F(CliTest, APauseDoesNotMoveTheEndOfAnother) {
  ASSERT_EQ(run({"pause", "--smtp"}).code, 0);
  const auto refused = run({"pause", "--https", "--until", "1h"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("something else is paused without an end"));
  EXPECT_FALSE(store()->pause()->https);
  EXPECT_EQ(run({"pause", "--smtp", "--until", "1h"}).code, 0) << "its own end may be moved";
}

TEST_F(CliTest, APauseThatIsOverAddsNothing) {
  ASSERT_EQ(run({"pause", "--until", "1h"}).code, 0);
  clock.advance(Seconds{3600});
  ASSERT_EQ(run({"pause", "--smtp", "--until", "2026-11-20T14:00:00Z"}).code, 0);
  const auto pause = store()->pause();
  EXPECT_FALSE(pause->everything);
  EXPECT_TRUE(pause->smtp);
  EXPECT_EQ(pause->until, at("2026-11-20T14:00:00Z"));
}

TEST_F(CliTest, APauseCannotEndInThePast) {
  const auto outcome = run({"pause", "--until", "2026-11-20T12:00:00Z"});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_EQ(outcome.err, "rapporteur: --until: 2026-11-20T12:00:00Z is past\n");
  EXPECT_FALSE(store()->pause()->any());
}

}  // namespace
}  // namespace rapporteur
