#include "base/hash.h"

#include <string>

#include <gtest/gtest.h>

namespace rapporteur {
namespace {

TEST(Sha256, HasTheDigestsOfFips180) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abc").size(), 32U);
  EXPECT_EQ(hex(sha256("abc")), sha256_hex("abc"));
}

TEST(Sha256, IsTheSameInPieces) {
  Sha256 hash;
  hash.update("a");
  hash.update("");
  hash.update("bc");
  EXPECT_EQ(hash.finish(), sha256("abc"));
}

TEST(Hash64, IsTheFirstEightBytes) {
  EXPECT_EQ(hash64("abc"), 0xba7816bf8f01cfeaU);
}

TEST(Hex, IsLowerCase) {
  EXPECT_EQ(hex(std::string("\x00\xAF\xFF", 3)), "00afff");
}

}  // namespace
}  // namespace rapporteur
