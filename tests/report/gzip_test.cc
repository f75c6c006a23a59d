#include "report/gzip.h"

#include <gtest/gtest.h>

#include <thread>

namespace rapporteur {
namespace {

constexpr std::size_t kPlenty = 1 << 20;

std::string text_of(std::size_t size) {
  std::string text;
  while (text.size() < size) text += std::to_string(text.size() * 7919) + ",";
  text.resize(size);
  return text;
}

TEST(Gzip, IsUndoneByGunzip) {
  for (const std::size_t size : {0UL, 1UL, 65535UL, 65536UL, 65537UL, 500000UL}) {
    const auto text = text_of(size);
    const auto back = gunzip(gzip(text), size);
    ASSERT_TRUE(back) << size << ": " << back.error().text;
    EXPECT_EQ(*back, text);
  }
}

TEST(Gzip, MakesEqualBytesOnEveryThread) {
  const auto here = gzip(text_of(1000));
  std::string there;
  std::thread([&there] { there = gzip(text_of(1000)); }).join();
  EXPECT_EQ(here, there);
}

TEST(Gzip, TellsNeitherTimeNorName) {
  const auto gz = gzip("x");
  EXPECT_EQ(gz.substr(0, 2), "\x1f\x8b");
  EXPECT_EQ(gz.substr(3, 5), std::string(5, '\0'));
}

TEST(Gunzip, JoinsMembersAndIgnoresPadding) {
  const auto back = gunzip(gzip("a") + gzip("b") + std::string(512, '\0'), kPlenty);
  ASSERT_TRUE(back) << back.error().text;
  EXPECT_EQ(*back, "ab");
}

TEST(Gunzip, StopsAtTheLimit) {
  const auto bomb = gzip(std::string(50'000'000, 'x'));
  EXPECT_FALSE(gunzip(bomb, 49'999'999));
  EXPECT_TRUE(gunzip(bomb, 50'000'000));
  const auto refused = gunzip(bomb, 1000);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::kInput);
  EXPECT_EQ(refused.error().text, "holds more than 1000 bytes");
}

struct BrokenCase {
  const char* name;
  std::string input;
  const char* want;
};
class BrokenGzip : public testing::TestWithParam<BrokenCase> {};

TEST_P(BrokenGzip, IsRefused) {
  const auto back = gunzip(GetParam().input, kPlenty);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().fault, Fault::kInput);
  EXPECT_EQ(back.error().text, GetParam().want);
}

std::string damaged() {
  auto gz = gzip(text_of(1000));
  gz[gz.size() - 5] = static_cast<char>(gz[gz.size() - 5] ^ 1);  // in the CRC
  return gz;
}

INSTANTIATE_TEST_SUITE_P(
    Input, BrokenGzip,
    testing::Values(BrokenCase{"Empty", "", "gzip data that is cut off"},
                    BrokenCase{"Json", "{\"a\": 1, \"b\": 2}", "not gzip data"},
                    BrokenCase{"CutOff", gzip(text_of(1000)).substr(0, 200),
                               "gzip data that is cut off"},
                    BrokenCase{"WrongChecksum", damaged(), "damaged gzip data"},
                    BrokenCase{"Trailing", gzip("a") + "trailing text", "damaged gzip data"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace rapporteur
