#include "deliver/courier.h"

// When the store fails, the options change, and the daemon stops.

#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deliver/courier_setup.h"

namespace rapporteur {
namespace {

using namespace testing_support;
using testing::AnyOf;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(CourierTest, KeepsWhatTheStoreCouldNotRecordAndSendsItOnlyOnce) {
  deliver_to({"mailto:a@a.example"});
  store->failures["record_attempts"] = 3;
  ASSERT_TRUE(courier->step(true, true));
  courier->wait(10s);
  for (int i = 0; i < 3; ++i) {
    const auto failed = courier->step(true, true);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().fault, Fault::kTransient);
    EXPECT_EQ(courier->under_way(), 1U);
  }
  clock.advance(1h);
  settle();
  EXPECT_EQ(state("d0"), DeliveryState::kDelivered);
  EXPECT_THAT(wire.sent(), SizeIs(1));
  ASSERT_THAT(store->recorded, SizeIs(1));
  EXPECT_EQ(store->recorded[0].now, clock.now() - 1h) << "the time of the reply";
}

TEST_F(CourierTest, StartsNothingThatTheStoreDoesNotKnowToHaveBegun) {
  options.per_destination = 1;
  options.rate = 1;
  deliver_to({"mailto:a@a.example", "https://r.example/"});
  store->failures["begin_attempts"] = 1;
  ASSERT_FALSE(courier->step(true, true));
  EXPECT_THAT(wire.sent(), IsEmpty());
  settle();
  EXPECT_THAT(wire.sent(), SizeIs(2)) << "the failed start counted toward no limit";
}

TEST_F(CourierTest, SurvivesAFailureAtEveryCallOfTheStore) {
  wire.reply("a@a.example", temporary());
  wire.reply("b@b.example", relay_down());
  deliver_to({"mailto:a@a.example", "mailto:b@b.example", "https://r.example/"});
  for (int round = 0; round < 40; ++round) {
    for (const std::string method : {"due_deliveries", "begin_attempts", "record_attempts"}) {
      store->failures[method] = round % 3 == 0 ? 1 : 0;
    }
    static_cast<void>(courier->step(true, true));
    if (courier->under_way() > 0) courier->wait(5ms);
    clock.advance(1min);
  }
  store->failures.clear();
  settle();
  for (const std::string id : {"d0", "d1", "d2"}) EXPECT_EQ(state(id), DeliveryState::kDelivered);
  EXPECT_THAT(wire.sent(), SizeIs(5)) << "each reply was heard, none asked for twice";
}

TEST_F(CourierTest, ADeliveryAbandonedWhileUnderWayStaysAbandonedUnlessItWasDelivered) {
  wire.hold(true);
  wire.reply("a@a.example", temporary());
  deliver_to({"mailto:a@a.example", "mailto:b@b.example"});
  ASSERT_TRUE(courier->step(true, true));
  wire.await_under_way(2);
  for (const std::string id : {"d0", "d1"}) {
    ASSERT_TRUE(*real->abandon_delivery(id, "by hand", clock.now()));
  }
  wire.release();
  settle();
  EXPECT_EQ(state("d0"), DeliveryState::kAbandoned);
  EXPECT_EQ(state("d1"), DeliveryState::kDelivered);
  pass(1h, 1h);
  EXPECT_THAT(wire.sent(), SizeIs(2));
}

// ---- Change and end

TEST_F(CourierTest, ReloadRebuildsTransportsAndThreads) {
  wire.reply_otherwise(temporary());
  options.concurrency = 1;
  deliver_to({"mailto:a@a.example", "mailto:b@b.example", "mailto:c@c.example"});
  settle();
  EXPECT_EQ(transports_made, 1);
  Wire other;
  other.reply_otherwise(temporary());
  other.hold(true);
  auto changed = options;
  changed.concurrency = 3;
  changed.mail = [&](const Interrupt& interrupt) {
    return std::make_unique<ScriptedTransport>(other, interrupt);
  };
  changed.retry = {1min, 6min};
  courier->set_options(changed);
  clock.advance(5min);
  ASSERT_TRUE(courier->step(true, true));
  other.await_under_way(3);
  other.release();
  settle();
  EXPECT_THAT(wire.sent(), SizeIs(3));
  EXPECT_THAT(other.sent(), SizeIs(3));
  EXPECT_EQ(delivery("d0").next_attempt, clock.now() + 1min) << "the new deadline";
  changed.concurrency = 1;
  courier->set_options(changed);
  pass(1min, 1min);
  EXPECT_THAT(other.sent(), SizeIs(6));
  EXPECT_EQ(state("d0"), DeliveryState::kFailed);
  courier.reset();  // before the wire that its threads use
}

TEST_F(CourierTest, StopBreaksOffWhatIsNotHandedOver) {
  wire.hold(false);
  options.concurrency = 2;
  deliver_to({"mailto:a@a.example", "mailto:b@b.example", "mailto:c@c.example"});
  ASSERT_TRUE(courier->step(true, true));
  wire.await_under_way(2);
  ASSERT_TRUE(courier->stop(1h));
  for (const std::string id : {"d0", "d1", "d2"}) {
    EXPECT_EQ(state(id), DeliveryState::kPending);
    EXPECT_EQ(delivery(id).next_attempt, clock.now());
    EXPECT_EQ(delivery(id).first_attempt, std::nullopt);
  }
  EXPECT_EQ(*real->recover_interrupted(clock.now()), 0U) << "every attempt has ended";
  ASSERT_TRUE(courier->step(true, true));
  EXPECT_THAT(wire.sent(), SizeIs(2)) << "nothing starts after it";
  EXPECT_THAT(log.complaints(), IsEmpty());
}

TEST_F(CourierTest, StopWaitsForFinalRepliesDuringTheGrace) {
  wire.hold(true);
  deliver_to({"mailto:a@a.example"});
  ASSERT_TRUE(courier->step(true, true));
  wire.await_under_way(1);
  std::thread relay([this] { wire.release(); });
  ASSERT_TRUE(courier->stop(1h));
  relay.join();
  EXPECT_EQ(state("d0"), DeliveryState::kDelivered);
}

TEST_F(CourierTest, WhatIsOpenAfterTheGraceIsUncertain) {
  wire.hold(true);
  deliver_to({"mailto:a@a.example", "https://r.example/"});
  ASSERT_TRUE(courier->step(true, true));
  wire.await_under_way(2);
  ASSERT_TRUE(courier->stop(20ms));
  EXPECT_EQ(state("d0"), DeliveryState::kUncertain);
  EXPECT_EQ(state("d1"), DeliveryState::kUncertain);
  EXPECT_EQ(delivery("d0").next_attempt, clock.now() + 5min);
}

TEST_F(CourierTest, NothingIsLostWhenRepliesComeInDuringTheStop) {
  options.concurrency = 8;
  options.per_destination = 100;
  std::vector<std::string> destinations;
  for (int i = 0; i < 60; ++i) {
    destinations.push_back(i % 2 == 0 ? "mailto:a@d" + std::to_string(i) + ".example"
                                      : "https://d" + std::to_string(i) + ".example/");
  }
  deliver_to(destinations);
  ASSERT_TRUE(courier->step(true, true));
  ASSERT_TRUE(courier->step(true, true));
  ASSERT_TRUE(courier->stop(1h));
  std::size_t delivered = 0;
  for (std::size_t i = 0; i < destinations.size(); ++i) {
    const auto found = state("d" + std::to_string(i));
    EXPECT_THAT(found, AnyOf(DeliveryState::kDelivered, DeliveryState::kPending));
    if (found == DeliveryState::kDelivered) ++delivered;
  }
  EXPECT_EQ(delivered, wire.sent().size());
  EXPECT_EQ(*real->recover_interrupted(clock.now()), 0U);
}

TEST_F(CourierTest, StopCanBeRepeatedWhenTheStoreFails) {
  wire.hold(true);
  deliver_to({"mailto:a@a.example"});
  ASSERT_TRUE(courier->step(true, true));
  wire.await_under_way(1);
  store->failures["record_attempts"] = 1'000'000;
  ASSERT_FALSE(courier->stop(0ms));
  store->failures.clear();
  ASSERT_TRUE(courier->stop(0ms));
  EXPECT_EQ(state("d0"), DeliveryState::kUncertain);
}

TEST_F(CourierTest, WakeEndsTheWaitFromAnotherThread) {
  deliver_to({});
  std::thread other([this] { courier->wake(); });
  EXPECT_TRUE(courier->wait(1h));
  other.join();
  EXPECT_FALSE(courier->wait(1ms));
}

}  // namespace
}  // namespace rapporteur
