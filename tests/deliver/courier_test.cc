#include "deliver/courier.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deliver/courier_setup.h"

namespace rapporteur {
namespace {

using namespace testing_support;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

TEST_F(CourierTest, SubmitsWhatIsDueAndRecordsThatItWasAccepted) {
  deliver_to({"mailto:tls@a.example", "https://r.example/v1"});
  settle();
  auto sent = wire.sent();
  std::ranges::sort(sent, {}, &Wire::Sent::target);
  ASSERT_THAT(sent, SizeIs(2));
  EXPECT_EQ(sent[0].target, "https://r.example/v1");
  EXPECT_EQ(sent[0].payload, "gzip");
  EXPECT_EQ(sent[1].target, "tls@a.example");
  EXPECT_EQ(sent[1].from, "noreply-tls@example.org");
  EXPECT_EQ(sent[1].payload, "Subject: x\r\n\r\nbody\r\n");
  const auto done = delivery("d0");
  EXPECT_EQ(done.state, DeliveryState::kDelivered);
  EXPECT_EQ(done.attempts, 1);
  EXPECT_EQ(done.first_attempt, clock.now());
  EXPECT_EQ(done.last_response, "250 ok (end of data)");
  const auto lines = log.lines("delivery-accepted");
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0].fields.at("domain"), "about.example");
  EXPECT_THAT(log.complaints(), IsEmpty());
  EXPECT_EQ(courier->counts().accepted, 2U);
}

TEST_F(CourierTest, LeavesMailsOrPostsAloneAsTold) {
  deliver_to({"mailto:tls@a.example", "https://r.example/v1"});
  settle(false, false);
  EXPECT_THAT(wire.sent(), IsEmpty());
  settle(false, true);
  EXPECT_THAT(wire.targets(), ElementsAre("https://r.example/v1"));
  settle(true, false);
  EXPECT_THAT(wire.sent(), SizeIs(2));
}

TEST_F(CourierTest, RetriesUntilTheDeadlineAndThenFailsForGood) {
  wire.reply_otherwise(temporary());
  deliver_to({"mailto:tls@a.example"});
  const auto begin = clock.now();
  settle();
  EXPECT_EQ(state("d0"), DeliveryState::kPending);
  EXPECT_EQ(delivery("d0").first_attempt, begin);
  EXPECT_EQ(delivery("d0").next_attempt, begin + 5min);
  pass(5min - 1s, 5min - 1s);
  EXPECT_THAT(wire.sent(), SizeIs(1)) << "not before its time";
  pass(1s, 1s);
  EXPECT_THAT(wire.sent(), SizeIs(2));
  EXPECT_EQ(delivery("d0").next_attempt, begin + 15min);
  pass(24h - 5min - 1min, 1min);
  EXPECT_EQ(state("d0"), DeliveryState::kPending);
  EXPECT_THAT(log.complaints(), IsEmpty());
  pass(1min, 1min);
  EXPECT_EQ(state("d0"), DeliveryState::kFailed);
  EXPECT_EQ(delivery("d0").last_response, "451 later (RCPT TO)");
  EXPECT_THAT(wire.sent(), SizeIs(12));
  EXPECT_EQ(log.count("delivery-retry"), 11U);
  EXPECT_EQ(log.count("delivery-failed"), 1U);
}

TEST_F(CourierTest, APermanentRefusalIsNotRetried) {
  wire.reply_otherwise(permanent());
  deliver_to({"mailto:tls@a.example"});
  settle();
  EXPECT_EQ(state("d0"), DeliveryState::kFailed);
  pass(24h, 1h);
  EXPECT_THAT(wire.sent(), SizeIs(1));
  const auto lines = log.lines("delivery-failed");
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0].fields.at("id"), "d0");
  EXPECT_EQ(lines[0].fields.at("destination"), "mailto:tls@a.example");
  EXPECT_EQ(lines[0].fields.at("response"), "550 no user (RCPT TO)");
}

TEST_F(CourierTest, WhatTheGuardRefusesFailsForGood) {
  wire.reply_otherwise(make_reply(Reply::Outcome::kRefusedByGuard, Stage::kConnect, 0,
                                  "refused: 10.0.0.1 is not globally reachable (connect)"));
  deliver_to({"https://r.example/"});
  settle();
  EXPECT_EQ(state("d0"), DeliveryState::kFailed);
  EXPECT_EQ(courier->counts().refused, 1U);
  EXPECT_EQ(courier->counts().failed, 1U);
}

TEST_F(CourierTest, HonoursRetryAfter) {
  auto busy = http(503);
  busy.retry_after = 2h;
  wire.reply("https://r.example/", busy);
  deliver_to({"https://r.example/"});
  settle();
  EXPECT_EQ(delivery("d0").next_attempt, clock.now() + 2h);
  pass(2h, 1h);
  EXPECT_EQ(state("d0"), DeliveryState::kDelivered);
}

TEST_F(CourierTest, AnUncertainDeliveryIsShownAsSuchAndTriedAgain) {
  wire.reply("tls@a.example",
             make_reply(Reply::Outcome::kUncertain, Stage::kFinal, 0, "lost (end of data)"));
  deliver_to({"mailto:tls@a.example"});
  settle();
  EXPECT_EQ(state("d0"), DeliveryState::kUncertain);
  EXPECT_EQ(log.count("delivery-uncertain"), 1U);
  pass(5min, 5min);
  EXPECT_EQ(state("d0"), DeliveryState::kDelivered);
  EXPECT_EQ(wire.sent()[0].payload, wire.sent()[1].payload);
}

// ---- The relay

TEST_F(CourierTest, TroubleOfTheRelayStartsNoClockAndLetsOneProbeThrough) {
  wire.reply_otherwise(relay_down());
  deliver_to({"mailto:a@a.example", "mailto:b@b.example", "mailto:c@c.example"});
  settle();
  const auto first_round = wire.sent().size();
  EXPECT_LE(first_round, 3U);
  EXPECT_THAT(courier->relay_problem(),
              StartsWith("refused (connect), since 2026-11-21T02:00:00Z"));
  for (const std::string id : {"d0", "d1", "d2"}) {
    EXPECT_EQ(state(id), DeliveryState::kPending);
    EXPECT_EQ(delivery(id).first_attempt, std::nullopt);
  }
  pass(29s, 29s);
  EXPECT_THAT(wire.sent(), SizeIs(first_round));
  pass(1s, 1s);
  EXPECT_THAT(wire.sent(), SizeIs(first_round + 1)) << "one probe";
  pass(30h, 5min);
  EXPECT_EQ(state("d0"), DeliveryState::kPending) << "no 24 hours have begun";
  EXPECT_EQ(delivery("d0").first_attempt, std::nullopt);
  EXPECT_THAT(log.lines("delivery-failed"), IsEmpty());
  wire.reply_otherwise(accepted());
  pass(5min, 5min);
  for (const std::string id : {"d0", "d1", "d2"}) EXPECT_EQ(state(id), DeliveryState::kDelivered);
  EXPECT_EQ(courier->relay_problem(), "");
  EXPECT_EQ(log.count("delivery-relay-recovered"), 1U);
}

TEST_F(CourierTest, AnotherDeliveryIsTheNextProbe) {
  wire.reply_otherwise(relay_down());
  options.concurrency = 1;
  deliver_to({"mailto:a@a.example", "mailto:b@b.example"});
  settle();
  pass(30s, 30s);
  EXPECT_THAT(wire.targets(), ElementsAre("a@a.example", "b@b.example"));
}

TEST_F(CourierTest, PostsGoOnWhileTheRelayIsInTrouble) {
  wire.reply("a@a.example", relay_down());
  deliver_to({"mailto:a@a.example", "https://r.example/"});
  settle();
  EXPECT_EQ(state("d1"), DeliveryState::kDelivered);
}

TEST_F(CourierTest, EqualRefusalsOfTwentyDomainsAreTakenBack) {
  wire.reply_otherwise(permanent());
  options.concurrency = 1;
  std::vector<std::string> destinations;
  for (int i = 0; i < 25; ++i)
    destinations.push_back("mailto:x@d" + std::to_string(i) + ".example");
  deliver_to(destinations);
  settle();
  EXPECT_THAT(wire.sent(), SizeIs(20));
  for (int i = 0; i < 25; ++i) {
    EXPECT_EQ(state("d" + std::to_string(i)), DeliveryState::kPending) << i;
  }
  EXPECT_EQ(log.count("delivery-relay-trouble"), 1U);
  wire.reply_otherwise(accepted());
  pass(30s, 30s);
  for (int i = 0; i < 25; ++i) {
    EXPECT_EQ(state("d" + std::to_string(i)), DeliveryState::kDelivered) << i;
  }
}

// ---- Hosts

TEST_F(CourierTest, DeliveriesToAHostThatRefusesWaitBehindOneProbe) {
  wire.reply_otherwise(host_down());
  options.per_destination = 1;
  std::vector<std::string> destinations;
  for (int i = 0; i < 30; ++i) destinations.push_back("https://r.example/" + std::to_string(i));
  destinations.push_back("https://other.example/");
  deliver_to(destinations);
  wire.reply("https://other.example/", http(200));
  settle();
  EXPECT_THAT(wire.sent(), SizeIs(2));
  EXPECT_EQ(state("d30"), DeliveryState::kDelivered);
  for (int i = 0; i < 30; ++i) {
    const auto waiting = delivery("d" + std::to_string(i));
    EXPECT_EQ(waiting.state, DeliveryState::kPending);
    EXPECT_EQ(waiting.first_attempt, clock.now()) << "its 24 hours have begun";
    EXPECT_EQ(waiting.next_attempt, clock.now() + 5min);
  }
  EXPECT_EQ(delivery("d29").last_response, "not tried, the host failed others: refused (connect)");
  EXPECT_EQ(courier->counts().hosts_down, 1U);
  clock.advance(5min);
  settle();
  EXPECT_THAT(wire.sent(), SizeIs(3)) << "one probe for all";
  wire.reply_otherwise(http(200));
  pass(15min, 5min);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(state("d" + std::to_string(i)), DeliveryState::kDelivered);
}

TEST_F(CourierTest, NoDeliveryFailsForGoodWithoutALastTry) {
  wire.reply_otherwise(host_down());
  options.per_destination = 1;
  deliver_to({"https://r.example/1", "https://r.example/2", "https://r.example/3"});
  settle();
  pass(24h - 1min, 1min);
  const auto before = wire.sent().size();
  pass(1min, 1min);
  for (const std::string id : {"d0", "d1", "d2"}) {
    EXPECT_EQ(state(id), DeliveryState::kFailed);
    EXPECT_EQ(delivery(id).last_response, "refused (connect)");
  }
  EXPECT_THAT(wire.sent(), SizeIs(before + 3));
}

// ---- Limits

TEST_F(CourierTest, KeepsToTheLimitsOfThreadsAndDestinations) {
  options.concurrency = 5;
  options.per_destination = 2;
  std::vector<std::string> destinations;
  for (int i = 0; i < 40; ++i) destinations.push_back("https://busy.example/" + std::to_string(i));
  for (int i = 0; i < 4; ++i) {
    destinations.push_back("https://h" + std::to_string(i) + ".example/");
  }
  wire.hold(true);
  deliver_to(destinations);
  ASSERT_TRUE(courier->step(true, true));
  wire.await_under_way(5);
  EXPECT_THAT(wire.targets(), SizeIs(5));
  EXPECT_EQ(std::ranges::count_if(wire.targets(),
                                  [](const auto& url) { return url.starts_with("https://busy"); }),
            2)
      << "a busy destination keeps nobody else from going";
  ASSERT_TRUE(courier->step(true, true));
  EXPECT_THAT(wire.targets(), SizeIs(5));
  wire.release();
  settle();
  EXPECT_THAT(wire.sent(), SizeIs(44));
  EXPECT_EQ(wire.most_at_once(), 5);
}

TEST_F(CourierTest, KeepsToTheRateOfADestination) {
  options.rate = 2;
  deliver_to(
      {"mailto:a@a.example", "mailto:b@a.example", "mailto:c@a.example", "mailto:d@b.example"});
  settle();
  EXPECT_THAT(wire.sent(), SizeIs(3));
  pass(60s, 30s);
  EXPECT_THAT(wire.sent(), SizeIs(4));
}

}  // namespace
}  // namespace rapporteur
