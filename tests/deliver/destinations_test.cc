#include "deliver/destinations.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deliver/fakes.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using Answer = Destinations::Answer;
using testing_support::accepted;
using testing_support::host_down;
using testing_support::http;
using testing_support::temporary;

constexpr Time kNow{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}};

TEST(DestinationKey, IsTheDomainOrTheServer) {
  EXPECT_EQ(destination_key("mailto:tls@Example.COM"), "mailto:example.com");
  EXPECT_EQ(destination_key("https://R.example/v1?x=https://y"), "https://r.example");
  EXPECT_EQ(destination_key("https://r.example:443/v1"), "https://r.example");
  EXPECT_EQ(destination_key("https://r.example:8443#x"), "https://r.example:8443");
  EXPECT_EQ(destination_key("https://[2001:db8::1]:8443/"), "https://[2001:db8::1]:8443");
  EXPECT_EQ(destination_key(""), "");
}

class DestinationsTest : public testing::Test {
 protected:
  const std::string mail = "mailto:a.example";
  const std::string host = "https://r.example";
  Destinations destinations;
  Time now = kNow;

  Answer ask(const std::string& key, bool last_chance = false) {
    return destinations.ask(key, now, last_chance);
  }
  void attempt(const std::string& key, const Reply& reply) {
    destinations.started(key, now);
    destinations.ended(key, reply, now);
  }
};

TEST_F(DestinationsTest, LimitsWhatIsUnderWayToEach) {
  destinations.set_limits({2, 0, 5min});
  destinations.started(mail, now);
  EXPECT_EQ(destinations.room(mail, now), 1U);
  destinations.started(mail, now);
  EXPECT_EQ(ask(mail), Answer::kWait);
  EXPECT_EQ(destinations.room(mail, now), 0U);
  EXPECT_EQ(ask("mailto:b.example"), Answer::kGo);
  destinations.ended(mail, accepted(), now);
  EXPECT_EQ(ask(mail), Answer::kGo);
}

TEST_F(DestinationsTest, LimitsStartsAMinute) {
  destinations.set_limits({9, 2, 5min});
  attempt(mail, accepted());
  now += 30s;
  attempt(mail, accepted());
  EXPECT_EQ(ask(mail), Answer::kWait);
  now += 29s;
  EXPECT_EQ(ask(mail), Answer::kWait);
  now += 1s;
  EXPECT_EQ(ask(mail), Answer::kGo);
  attempt(mail, accepted());
  EXPECT_EQ(ask(mail), Answer::kWait);
  now -= 1h;  // the clock is set back
  EXPECT_EQ(ask(mail), Answer::kGo);
}

TEST_F(DestinationsTest, AStartThatIsTakenBackDoesNotCount) {
  destinations.set_limits({1, 1, 5min});
  destinations.started(mail, now);
  destinations.taken_back(mail);
  EXPECT_EQ(ask(mail), Answer::kGo);
}

TEST_F(DestinationsTest, AHostThatDoesNotAnswerIsProbedByOneAtATime) {
  attempt(host, host_down());
  EXPECT_EQ(destinations.trouble(host), "refused (connect)");
  EXPECT_EQ(destinations.hosts_down(), 1U);
  for (const Seconds wait : {150s, 300s, 600s, 1200s, 2400s, 3600s, 3600s}) {
    now += wait - 1s;
    EXPECT_EQ(ask(host), Answer::kDown);
    EXPECT_EQ(ask(host, true), Answer::kGo) << "rather than failing untried";
    now += 1s;
    ASSERT_EQ(ask(host), Answer::kGo);
    destinations.started(host, now);
    EXPECT_EQ(ask(host), Answer::kWait);
    EXPECT_EQ(ask(host, true), Answer::kWait);
    EXPECT_EQ(destinations.room(host, now), 0U);
    destinations.ended(host, host_down(), now);
  }
  now += 1h;
  attempt(host, accepted());
  EXPECT_EQ(ask(host), Answer::kGo);
  EXPECT_EQ(destinations.hosts_down(), 0U);
}

TEST_F(DestinationsTest, AttemptsThatWereUnderWayDoNotLengthenTheWait) {
  destinations.set_limits({3, 0, 5min});
  for (int i = 0; i < 3; ++i) destinations.started(host, now);
  for (int i = 0; i < 3; ++i) destinations.ended(host, host_down(), now);
  EXPECT_EQ(ask(host), Answer::kDown);
  now += 150s;
  EXPECT_EQ(ask(host), Answer::kGo);
}

TEST_F(DestinationsTest, AHostIsLeftAloneForAsLongAsItAsks) {
  auto reply = http(503);
  reply.retry_after = 2h;
  attempt(host, reply);
  now += 2h - 1s;
  EXPECT_EQ(ask(host), Answer::kDown);
  now += 1s;
  EXPECT_EQ(ask(host), Answer::kGo);
}

TEST_F(DestinationsTest, OnlyWhatConcernsTheWholeHostHoldsItsOthersUp) {
  for (const auto& reply : {http(500), http(404), http(200)}) {
    attempt(host, reply);
    EXPECT_EQ(ask(host), Answer::kGo) << reply.text;
  }
  attempt(mail, temporary());
  EXPECT_EQ(ask(mail), Answer::kGo) << "mail goes to the relay";
  attempt(host, http(429));
  EXPECT_EQ(ask(host), Answer::kDown);
}

}  // namespace
}  // namespace rapporteur
