#include "daemon/rate_limiter.h"

#include <gtest/gtest.h>

#include <string>

namespace rapporteur {
namespace {

using namespace std::chrono_literals;

const RateLimiter::Instant kStart = RateLimiter::Instant() + 1h;

TEST(RateLimiter, GivesABurstAndThenAStream) {
  RateLimiter limiter(3, 200ms);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.allow("a", kStart)) << i;
  EXPECT_FALSE(limiter.allow("a", kStart));
  EXPECT_FALSE(limiter.allow("a", kStart + 199ms));
  EXPECT_TRUE(limiter.allow("a", kStart + 200ms));
  EXPECT_FALSE(limiter.allow("a", kStart + 200ms));
  EXPECT_TRUE(limiter.allow("b", kStart + 200ms)) << "another client has its own";
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.allow("a", kStart + 10s)) << i;
  EXPECT_FALSE(limiter.allow("a", kStart + 10s));
}

TEST(RateLimiter, ForgetsWhoHasNotAskedForAWhile) {
  RateLimiter limiter(3, 200ms);
  for (int i = 0; i < 1000; ++i) limiter.allow(std::to_string(i), kStart);
  EXPECT_EQ(limiter.groups(), 1000U);
  limiter.allow("a", kStart + 2min);
  EXPECT_EQ(limiter.groups(), 1U);
}

TEST(RateLimiter, ManyClientsCostBoundedMemory) {
  RateLimiter limiter(3, 1h);
  std::size_t allowed = 0;
  for (int i = 0; i < 100'100; ++i) {
    if (limiter.allow(std::to_string(i), kStart)) ++allowed;
  }
  EXPECT_EQ(allowed, 100'000U);
  EXPECT_TRUE(limiter.allow("7", kStart)) << "who is known is judged by what it did";
}

TEST(ClientPlaces, AreTakenAndGivenBack) {
  ClientPlaces places;
  EXPECT_TRUE(places.has_place("a", 2));
  places.take("a");
  places.take("a");
  EXPECT_FALSE(places.has_place("a", 2));
  EXPECT_TRUE(places.has_place("a", 0));
  EXPECT_TRUE(places.has_place("b", 2));
  places.give_back("a");
  EXPECT_TRUE(places.has_place("a", 2));
}

TEST(ClientGroup, IsAnAddressOrThePrefixThatAHostHas) {
  EXPECT_EQ(client_group("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(client_group("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(client_group("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(client_group("2001:db8:1:2::9"), "2001:db8:1:2::/64");
  EXPECT_EQ(client_group("fe80::1%eth0"), "fe80::/64");
  EXPECT_EQ(client_group("rubbish"), "rubbish");
}

}  // namespace
}  // namespace rapporteur
