#include "deliver/relay_state.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deliver/fakes.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;
using testing_support::accepted;
using testing_support::permanent;
using testing_support::relay_down;
using testing_support::temporary;

constexpr Time kNow{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}};

class RelayStateTest : public testing::Test {
 protected:
  RelayState::Verdict send(const Reply& reply, const std::string& domain = "a.example") {
    const auto ticket = relay.started();
    return relay.ended(ticket, "id-" + domain, domain, reply, now);
  }
  std::string domain(int number) const { return "d" + std::to_string(number) + ".example"; }

  RelayState relay;
  Time now = kNow;
};

TEST_F(RelayStateTest, LetsOneProbeThroughAtGrowingDistances) {
  EXPECT_TRUE(relay.may_start(now));
  EXPECT_TRUE(send(relay_down()).worsened);
  EXPECT_TRUE(relay.in_trouble());
  for (const Seconds wait : {30s, 60s, 120s, 240s, 300s, 300s}) {
    EXPECT_FALSE(relay.may_start(now + wait - 1s));
    now += wait;
    ASSERT_TRUE(relay.may_start(now));
    const auto ticket = relay.started();
    EXPECT_FALSE(relay.may_start(now)) << "only one probe at a time";
    EXPECT_TRUE(relay.ended(ticket, "x", "x.example", relay_down(), now).worsened);
  }
  EXPECT_EQ(relay.since(), kNow);
}

TEST_F(RelayStateTest, RecoversWithAnyAnswerAboutARecipient) {
  for (const auto& reply : {accepted(), temporary(), permanent()}) {
    send(relay_down());
    now += 1h;
    const auto verdict = send(reply);
    EXPECT_TRUE(verdict.recovered);
    EXPECT_FALSE(verdict.trouble);
    EXPECT_FALSE(relay.in_trouble());
  }
}

TEST_F(RelayStateTest, RepliesOfSendsThatBeganBeforeAreNoNews) {
  const auto first = relay.started();
  const auto second = relay.started();
  const auto third = relay.started();
  relay.ended(first, "1", "a.example", relay_down(), now);
  const auto probe_at = relay.next_probe();
  const auto again = relay.ended(second, "2", "b.example", relay_down(), now);
  EXPECT_TRUE(again.trouble);
  EXPECT_FALSE(again.worsened);
  EXPECT_EQ(relay.next_probe(), probe_at);
  EXPECT_FALSE(relay.ended(third, "3", "c.example", accepted(), now).recovered);
  EXPECT_TRUE(relay.in_trouble());
}

TEST_F(RelayStateTest, AnInterruptedProbeIsNoVerdict) {
  send(relay_down());
  now += 30s;
  auto reply = accepted();
  reply.outcome = Reply::Outcome::kInterrupted;
  EXPECT_FALSE(send(reply).recovered);
  EXPECT_TRUE(relay.may_start(now));
}

TEST_F(RelayStateTest, AProbeThatIsLostOnTheWayToAnAnswerDoesNotEndTheTrouble) {
  send(relay_down());
  now += 30s;
  auto lost = temporary();
  lost.code = 0;
  const auto verdict = send(lost);
  EXPECT_FALSE(verdict.recovered);
  EXPECT_FALSE(verdict.trouble) << "the delivery's own 24 hours begin";
  EXPECT_EQ(relay.next_probe(), now + 60s);
  EXPECT_FALSE(relay.may_start(now));
}

TEST_F(RelayStateTest, ADeliveryThatWasNeverSubmittedIsNoVerdict) {
  send(relay_down());
  now += 30s;
  auto unusable = permanent();
  unusable.code = 0;
  EXPECT_FALSE(send(unusable).recovered);
  EXPECT_TRUE(relay.in_trouble());
  EXPECT_TRUE(relay.may_start(now));
}

TEST_F(RelayStateTest, TwentyDomainsRefusedAlikeInARowAreTrouble) {
  for (int i = 0; i < 19; ++i) EXPECT_FALSE(send(permanent(), domain(i)).trouble) << i;
  EXPECT_FALSE(send(permanent(), domain(3)).trouble) << "a domain counts once";
  const auto verdict = send(permanent(), domain(19));
  EXPECT_TRUE(verdict.trouble);
  EXPECT_TRUE(verdict.worsened);
  EXPECT_THAT(verdict.misjudged, SizeIs(20));
  EXPECT_TRUE(relay.in_trouble());
  now += 30s;
  EXPECT_TRUE(send(permanent(), domain(20)).trouble) << "the same refusal is the same trouble";
  now += 60s;
  EXPECT_TRUE(send(accepted(), domain(21)).recovered);
  EXPECT_FALSE(send(permanent(), domain(22)).trouble) << "counted from the beginning";
}

TEST_F(RelayStateTest, AnotherAnswerBreaksTheRow) {
  auto other = permanent();
  other.code = 551;
  for (const auto& breaker : {accepted(), temporary(), other}) {
    for (int i = 0; i < 19; ++i) send(permanent(), domain(i));
    EXPECT_FALSE(send(breaker, domain(19)).trouble);
    EXPECT_FALSE(send(permanent(), domain(20)).trouble);
  }
}

TEST_F(RelayStateTest, RefusalsOfTheContentAreNoTrouble) {
  auto refused = permanent();
  refused.stage = Stage::kFinal;
  for (int i = 0; i < 40; ++i) EXPECT_FALSE(send(refused, domain(i)).trouble);
}

}  // namespace
}  // namespace rapporteur
