#include "deliver/courier.h"

// What destinations share: threads, queries, and the room that each of them leaves the others.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deliver/courier_setup.h"

namespace rapporteur {
namespace {

using namespace testing_support;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> many_to(const std::string& destination, int count) {
  return std::vector<std::string>(static_cast<std::size_t>(count), destination);
}

std::vector<std::string> domains(int count) {
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i) all.push_back("mailto:a@d" + std::to_string(i) + ".example");
  return all;
}

TEST_F(CourierTest, ThousandsOfDeliveriesToASlowDestinationDelayNobodyElse) {
  auto destinations = many_to("https://slow.example/", 5000);
  for (int i = 0; i < 5; ++i) {
    destinations.push_back("https://h" + std::to_string(i) + ".example/");
  }
  wire.hold(true);
  deliver_to(destinations);
  ASSERT_TRUE(courier->step(true, true));
  wire.await_under_way(7);
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(wire.targets(), Contains("https://h" + std::to_string(i) + ".example/"));
  }
  EXPECT_EQ(courier->under_way(), 7U);
  EXPECT_LE(store->queries, 4) << "what is full is not read again and again";
  courier.reset();
}

TEST_F(CourierTest, NorDoDestinationsThatHaveUsedUpTheirRate) {
  options.rate = 3;
  auto destinations = many_to("mailto:a@big.example", 2000);
  destinations.push_back("mailto:a@small.example");
  deliver_to(destinations);
  settle();
  EXPECT_THAT(wire.sent(), SizeIs(4));
  EXPECT_EQ(state("d2000"), DeliveryState::kDelivered);
}

TEST_F(CourierTest, DeliversWhatWasStoredWithoutAKey) {
  keyed = false;
  options.per_destination = 1;
  auto destinations = many_to("https://busy.example/", 40);
  for (int i = 0; i < 40; ++i) destinations.push_back("https://h" + std::to_string(i) + ".example");
  wire.hold(true);
  deliver_to(destinations);
  ASSERT_TRUE(courier->step(true, true));
  wire.await_under_way(16);
  EXPECT_THAT(wire.targets(), Contains("https://h14.example"));
  wire.release();
  settle();
  EXPECT_THAT(wire.sent(), SizeIs(80));
}

TEST_F(CourierTest, ReadsNoMoreOfABigDestinationThanItCanSend) {
  deliver_to(many_to("https://big.example/", 200));
  settle();
  EXPECT_THAT(wire.sent(), SizeIs(200));
  EXPECT_LE(store->found, 400U);
}

TEST_F(CourierTest, StartsMoreThanThereAreThreads) {
  options.concurrency = 2;
  wire.hold(true);
  deliver_to(domains(40));
  EXPECT_EQ(*courier->step(true, true), 32U);
  wire.await_under_way(2);
  EXPECT_THAT(wire.targets(), testing::UnorderedElementsAre("a@d0.example", "a@d1.example"));
  EXPECT_EQ(courier->under_way(), 32U);
  EXPECT_EQ(*courier->step(true, true), 0U);
  wire.release();
  settle();
  EXPECT_EQ(wire.most_at_once(), 2);
  EXPECT_THAT(wire.sent(), SizeIs(40));
}

TEST_F(CourierTest, StartsNoMoreThanThereAreThreadsWhereStartsAreCounted) {
  options.concurrency = 2;
  options.rate = 100;
  wire.hold(true);
  deliver_to(domains(20));
  EXPECT_EQ(*courier->step(true, true), 2U);
  wire.release();
}

TEST_F(CourierTest, WhatHasNotBegunWhenTheRelayFailsComesBackUntouched) {
  options.concurrency = 1;
  wire.reply("a@d0.example", relay_down());
  deliver_to(domains(4));
  settle();
  EXPECT_THAT(wire.targets(), ElementsAre("a@d0.example"));
  for (const std::string id : {"d1", "d2", "d3"}) {
    EXPECT_EQ(state(id), DeliveryState::kPending);
    EXPECT_EQ(delivery(id).attempts, 0);
    EXPECT_FALSE(delivery(id).under_way);
  }
  pass(30s, 30s);
  EXPECT_THAT(wire.sent(), SizeIs(5));
}

TEST_F(CourierTest, ARefusalThatIsNotTheRelaysKeepsNobodyWaiting) {
  options.concurrency = 1;
  wire.reply("a@d0.example", permanent());
  wire.reply("a@d1.example", temporary());
  deliver_to(domains(4));
  settle();
  EXPECT_THAT(wire.sent(), SizeIs(4));
}

// ---- Leases

TEST_F(CourierTest, RenewsTheLeasesOfWhatIsUnderWayEveryThirdOfTheirTime) {
  options.lease = 60s;
  wire.hold(true);
  deliver_to({"mailto:a@a.example", "https://r.example/"});
  ASSERT_TRUE(courier->step(true, true));
  wire.await_under_way(2);
  clock.advance(19s);
  ASSERT_TRUE(courier->step(true, true));
  EXPECT_THAT(store->renewed, IsEmpty());
  clock.advance(1s);
  store->failures["renew_leases"] = 1;
  EXPECT_FALSE(courier->step(true, true));
  ASSERT_TRUE(courier->step(true, true)) << "tried again";
  EXPECT_THAT(store->renewed, ElementsAre(ElementsAre("d0", "d1")));
  clock.advance(20s);
  ASSERT_TRUE(courier->step(true, true));
  EXPECT_THAT(store->renewed, SizeIs(2));
  wire.release();
  settle();
  clock.advance(60s);
  settle();
  EXPECT_THAT(store->renewed, SizeIs(2)) << "nothing is under way";
}

TEST_F(CourierTest, RenewsLeasesAlsoWhileItStops) {
  options.lease = 3s;
  wire.hold(true);
  deliver_to({"mailto:a@a.example"});
  ASSERT_TRUE(courier->step(true, true));
  wire.await_under_way(1);
  clock.advance(1s);
  ASSERT_TRUE(courier->stop(1ms));
  EXPECT_THAT(store->renewed, ElementsAre(ElementsAre("d0")));
}

TEST_F(CourierTest, WhatMustNotBeginIsNotStartedAndTakesNoRoom) {
  options.per_destination = 1;
  store->others = {"d0"};
  deliver_to({"https://r.example/0", "https://r.example/1"});
  ASSERT_TRUE(courier->step(true, true));
  EXPECT_EQ(courier->under_way(), 0U) << "it asked for one of the host";
  ASSERT_TRUE(real->abandon_delivery("d0", "by hand", clock.now()));
  settle();
  EXPECT_THAT(wire.targets(), ElementsAre("https://r.example/1"));
}

}  // namespace
}  // namespace rapporteur
