// Time that jumps, and time during which nothing could be tried.

#include "deliver/courier_setup.h"

namespace rapporteur::testing_support {
namespace {

using testing::SizeIs;

constexpr const char* kMail = "mailto:a@b.example";
constexpr const char* kPost = "https://b.example/x";

class CourierClockTest : public CourierTest {};

TEST_F(CourierClockTest, AnAttemptThatFailedUnderAClockThatWasAheadIsRepeatedWhenItIsRight) {
  for (const auto ahead : {Seconds(2h), Seconds(240h), Seconds(24h * 365 * 20)}) {
    SCOPED_TRACE(ahead.count());
    SetUp();
    wire.reply_otherwise(temporary());
    clock.advance(ahead);
    deliver_to({kMail});
    settle();
    ASSERT_EQ(state("d0"), DeliveryState::kPending);
    clock.advance(-ahead);
    wire.reply_otherwise(accepted());
    pass(26h, 5min);
    EXPECT_EQ(state("d0"), DeliveryState::kDelivered);
    courier.reset();
    clock.advance(-26h);
  }
}

TEST_F(CourierClockTest, TheRetryPeriodOfAnAttemptInTheFutureBeginsNow) {
  wire.reply_otherwise(temporary());
  clock.advance(240h);
  deliver_to({kMail});
  settle();
  clock.advance(-240h);
  pass(25h, 5min);
  EXPECT_EQ(state("d0"), DeliveryState::kFailed) << "after 24 hours, not after 11 days";
}

TEST_F(CourierClockTest, TheRelaysProbeDoesNotWaitForATimeThatWasWrong) {
  wire.reply_otherwise(relay_down());
  clock.advance(240h);
  deliver_to({kMail});
  settle();
  clock.advance(-240h);
  wire.reply_otherwise(accepted());
  pass(10min, 1min);
  EXPECT_EQ(state("d0"), DeliveryState::kDelivered);
}

TEST_F(CourierClockTest, NorDoesTheProbeOfAHost) {
  wire.reply_otherwise(host_down());
  clock.advance(240h);
  deliver_to({kPost, kPost});
  settle();
  clock.advance(-240h);
  wire.reply_otherwise(accepted());
  pass(26h, 5min);
  EXPECT_EQ(state("d0"), DeliveryState::kDelivered);
  EXPECT_EQ(state("d1"), DeliveryState::kDelivered);
}

// A laptop's lid, a paused virtual machine, a daemon that was not started for a week.
TEST_F(CourierClockTest, ASuspendedMachineDoesNotUseUpTheRetryPeriod) {
  wire.reply_otherwise(temporary());
  deliver_to({kMail});
  settle();
  clock.advance(7 * 24h);
  settle();  // the network is not up yet
  EXPECT_EQ(state("d0"), DeliveryState::kPending);
  wire.reply_otherwise(accepted());
  pass(1h, 5min);
  EXPECT_EQ(state("d0"), DeliveryState::kDelivered);
}

TEST_F(CourierClockTest, NorDoesAPause) {
  wire.reply_otherwise(temporary());
  deliver_to({kMail});
  settle();
  for (int hour = 0; hour < 48; ++hour) {
    clock.advance(1h);
    settle(false, false);
  }
  settle();
  EXPECT_EQ(state("d0"), DeliveryState::kPending);
  pass(23h, 10min);
  EXPECT_EQ(state("d0"), DeliveryState::kPending) << "almost all of the 24 hours is left";
  pass(3h, 10min);
  EXPECT_EQ(state("d0"), DeliveryState::kFailed);
}

TEST_F(CourierClockTest, NorDoesARelayInTrouble) {
  wire.reply_otherwise(temporary());
  deliver_to({kMail, "mailto:c@d.example"});
  settle();
  wire.reply_otherwise(relay_down());
  pass(30h, 10min);
  EXPECT_EQ(state("d0"), DeliveryState::kPending);
  EXPECT_EQ(state("d1"), DeliveryState::kPending);
  wire.reply_otherwise(temporary());
  pass(1h, 10min);
  wire.reply_otherwise(accepted());
  pass(8h, 10min);
  EXPECT_EQ(state("d0"), DeliveryState::kDelivered);
  EXPECT_EQ(state("d1"), DeliveryState::kDelivered);
}

TEST_F(CourierClockTest, AClockThatStepsBackSendsNothingTwice) {
  deliver_to({kMail, kPost});
  settle();
  ASSERT_THAT(wire.sent(), SizeIs(2));
  clock.advance(-48h);
  pass(72h, 1h);
  EXPECT_THAT(wire.sent(), SizeIs(2));
}

}  // namespace
}  // namespace rapporteur::testing_support
