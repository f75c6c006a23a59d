// What [store] says about keeping.

#include "schedule/keeping.h"

#include <gtest/gtest.h>

namespace rapporteur {
namespace {

using namespace std::chrono_literals;

TEST(Keeping, ANodeSpeaksThreeTimesALeaseAndAtMostEveryTwentySeconds) {
  EXPECT_EQ(beat_every(30s), 10s);
  EXPECT_EQ(beat_every(60s), 20s);
  EXPECT_EQ(beat_every(24h), 20s);
  EXPECT_EQ(beat_every(1s), 1s);
  EXPECT_EQ(silence_of_the_dead(30s), 90s);
  EXPECT_EQ(silence_of_the_dead(24h), 180s);
}

TEST(Keeping, WindowsStayAsLongAsLateSessionsAskForThem) {
  Config config;
  config.store.keep_reports = 30 * 24h;
  config.ingest.max_age = 7 * 24h;
  config.received.keep = 400 * 24h;
  const Time now{Seconds{1'795'176'000}};
  EXPECT_EQ(expiry(config, now).finished_before, now - 30 * 24h);
  EXPECT_EQ(expiry(config, now).ids_before, now - 7 * 24h);
  EXPECT_EQ(expiry(config, now).received_before, now - 400 * 24h);
  config.ingest.max_age = 60 * 24h;
  EXPECT_EQ(expiry(config, now).finished_before, now - 60 * 24h);
  config.ingest.max_age = config.store.keep_reports = 24h;
  EXPECT_EQ(expiry(config, now).finished_before, now - 8 * 24h) << "rules about our own reports";
}

}  // namespace
}  // namespace rapporteur
