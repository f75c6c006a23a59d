#include "deliver/retry.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deliver/fakes.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing_support::SteadyRandom;

constexpr Time kFirst{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}};

// When the attempts after the first one are, if all fail and each is made on time.
std::vector<Seconds> attempts(const RetryPolicy& policy, Random& random) {
  std::vector<Seconds> times;
  auto now = kFirst;
  while (const auto next = next_attempt(policy, kFirst, now, std::nullopt, random)) {
    now = *next;
    times.push_back(now - kFirst);
  }
  return times;
}

TEST(Retry, DoublesFromTheFirstWaitUpToFourHoursAndEndsAtTheDeadline) {
  SteadyRandom random;
  EXPECT_THAT(attempts({5min, 24h}, random), ElementsAre(5min, 15min, 35min, 75min, 155min, 315min,
                                                         555min, 795min, 1035min, 1275min, 24h));
}

struct Jitter {
  const char* name;
  std::uint64_t chance;
  Seconds want;  // of 1000 s
};
class JitterOf : public testing::TestWithParam<Jitter> {};

TEST_P(JitterOf, StaysWithin15Percent) {
  SteadyRandom random(GetParam().chance);
  EXPECT_EQ(with_jitter(1000s, random), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(Retry, JitterOf,
                         testing::Values(Jitter{"Least", 0, 850s}, Jitter{"Middle", 150, 1000s},
                                         Jitter{"Most", 300, 1150s},
                                         Jitter{"WrapsAround", 301, 850s}),
                         [](const auto& test) { return test.param.name; });

TEST(Retry, AlwaysEndsExactlyAtTheDeadline) {
  for (const std::uint64_t chance : {0U, 77U, 150U, 300U}) {
    SteadyRandom random(chance);
    EXPECT_EQ(attempts({5min, 24h}, random).back(), Seconds(24h)) << chance;
    EXPECT_EQ(attempts({1s, 3s}, random).back(), 3s) << chance;
  }
}

struct NextCase {
  const char* name;
  Seconds passed;  // since the first attempt
  std::optional<Seconds> retry_after;
  std::optional<Seconds> want;  // from the first attempt
};
class NextAttempt : public testing::TestWithParam<NextCase> {};

TEST_P(NextAttempt, Is) {
  SteadyRandom random;
  const auto& test = GetParam();
  const auto next =
      next_attempt({5min, 24h}, kFirst, kFirst + test.passed, test.retry_after, random);
  EXPECT_EQ(next, test.want ? std::optional(kFirst + *test.want) : std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Retry, NextAttempt,
                         testing::Values(NextCase{"AtFirst", 0s, {}, 5min},
                                         NextCase{"JustBeforeTheDeadline", 24h - 1s, {}, 24h},
                                         NextCase{"AtTheDeadline", 24h, {}, std::nullopt},
                                         NextCase{"AfterTheDeadline", 25h, {}, std::nullopt},
                                         NextCase{"AfterALongAbsence", 10h, {}, 14h},
                                         NextCase{"ClockSetBack", -1h, {}, -55min},
                                         NextCase{"ServerAsksForLess", 0s, 60s, 5min},
                                         NextCase{"ServerAsksForMore", 0s, 1h, 1h},
                                         NextCase{"ServerAsksBeyondTheDeadline", 23h, 2h, 25h},
                                         NextCase{"ServerAsksAtTheDeadline", 24h, 1h,
                                                  std::nullopt}),
                         [](const auto& test) { return test.param.name; });

TEST(Retry, DoubledWaitGrowsToItsLimit) {
  EXPECT_EQ(doubled_wait(30s, 1, 5min), 30s);
  EXPECT_EQ(doubled_wait(30s, 2, 5min), 60s);
  EXPECT_EQ(doubled_wait(30s, 4, 5min), 240s);
  EXPECT_EQ(doubled_wait(30s, 5, 5min), 5min);
  EXPECT_EQ(doubled_wait(30s, 1'000'000, 5min), 5min);
  EXPECT_EQ(doubled_wait(30s, 1, 1s), 1s);
}

}  // namespace
}  // namespace rapporteur
