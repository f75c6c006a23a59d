#include "base/random.h"

#include <cstdint>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace rapporteur {
namespace {

class Scripted final : public Random {
 public:
  explicit Scripted(std::vector<std::uint64_t> numbers) : numbers_(std::move(numbers)) {}
  std::uint64_t next() override { return numbers_.at(used_++); }
  std::size_t used() const { return used_; }

 private:
  std::vector<std::uint64_t> numbers_;
  std::size_t used_ = 0;
};

TEST(RandomToken, UsesLettersAndDigits) {
  Scripted random({0, 25, 26, 35, 36});
  EXPECT_EQ(random_token(random, 5), "az09a");
}

TEST(RandomToken, DropsNumbersThatWouldMakeSomeCharactersLikelier) {
  Scripted random({UINT64_MAX, UINT64_MAX - 15, 1});
  EXPECT_EQ(random_token(random, 1), "b");
  EXPECT_EQ(random.used(), 3U);
}

TEST(SystemRandom, DoesNotRepeatItself) {
  SystemRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.next());
  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_EQ(random_token(random, 0), "");
  EXPECT_EQ(random_token(random, 8).size(), 8U);
}

}  // namespace
}  // namespace rapporteur
