// The threads that do the blocking part: deliver/pool.h. What a courier makes of them is in
// courier_test.cc.

#include "deliver/pool.h"

#include <chrono>
#include <memory>
#include <string>

#include <gmock/gmock.h>

#include "deliver/fakes.h"

namespace rapporteur::testing_support {
namespace {

using namespace std::chrono_literals;
using testing::SizeIs;

class PoolTest : public testing::Test {
 protected:
  std::unique_ptr<Pool> pool_of(int threads) {
    return std::make_unique<Pool>(
        threads,
        [this](const Interrupt& interrupt) {
          return std::make_unique<ScriptedTransport>(wire, interrupt);
        },
        [this](const Interrupt& interrupt) {
          return std::make_unique<ScriptedTransport>(wire, interrupt);
        });
  }
  static Job mail_to(const std::string& target) { return {target, true, "from", target, "text"}; }

  Wire wire;
};

TEST_F(PoolTest, AWaitGathersAsManyEndsAsItIsTold) {
  constexpr std::size_t kJobs = 6;
  wire.hold(true);
  const auto pool = pool_of(2);
  for (std::size_t i = 0; i < kJobs; ++i) pool->submit(mail_to("t" + std::to_string(i)));
  wire.await_under_way(2);
  EXPECT_FALSE(pool->wait(0ms, {60s, kJobs})) << "nothing has ended: there is nothing to gather";
  wire.release();
  EXPECT_TRUE(pool->wait(60s, {60s, kJobs}));
  EXPECT_THAT(pool->take(), SizeIs(kJobs));
}

TEST_F(PoolTest, GatheringEndsWithItsTime) {
  wire.reply_otherwise(accepted());
  const auto pool = pool_of(1);
  pool->submit(mail_to("a"));
  EXPECT_TRUE(pool->wait(60s, {1ms, 2}));
  EXPECT_THAT(pool->take(), SizeIs(1));
}

TEST_F(PoolTest, AMailThatIsNotAcceptedIsNotWaitedFor) {
  wire.reply("second", relay_down());
  const auto pool = pool_of(1);
  for (const auto* const target : {"first", "second", "third"}) pool->submit(mail_to(target));
  EXPECT_TRUE(pool->wait(60s, {60s, 3}));
  EXPECT_THAT(pool->take(), SizeIs(2)) << "the third is held until the second is judged";
  pool->go_on_with_mails();
  EXPECT_TRUE(pool->wait(60s));
  EXPECT_THAT(pool->take(), SizeIs(1));
}

TEST_F(PoolTest, AStopEndsTheGathering) {
  wire.hold(false);
  const auto pool = pool_of(1);
  pool->submit(mail_to("a"));
  pool->submit(mail_to("b"));
  wire.await_under_way(1);
  pool->interrupt();
  EXPECT_TRUE(pool->wait(60s, {60s, 3}));
}

}  // namespace
}  // namespace rapporteur::testing_support
