#include "expr/unicode.h"

#include <gtest/gtest.h>

#include "expr/digest.h"
#include "expr/support.h"

namespace expr {
namespace {

struct Pair {
  const char* name;
  const char* lower;
  const char* upper;
};
class CasePairs : public testing::TestWithParam<Pair> {};

TEST_P(CasePairs, MapBothWays) {
  EXPECT_EQ(to_uppercase(GetParam().lower), GetParam().upper);
  EXPECT_EQ(to_lowercase(GetParam().upper), GetParam().lower);
}

INSTANTIATE_TEST_SUITE_P(
    Scripts, CasePairs,
    testing::Values(
        Pair{"Ascii", "the quick brown fox @[`{", "THE QUICK BROWN FOX @[`{"},
        Pair{"Latin1", "àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþ÷", "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞ÷"},
        Pair{"LatinExtendedA", "āčďęğħįĵķľłńŋőœŕšţũŵŷÿźżž", "ĀČĎĘĞĦĮĴĶĽŁŃŊŐŒŔŠŢŨŴŶŸŹŻŽ"},
        Pair{"Vietnamese", "ơưạảấầẩẫậỹỳ", "ƠƯẠẢẤẦẨẪẬỸỲ"},
        Pair{"Greek", "άέήίόύώαβγδωϊϋ", "ΆΈΉΊΌΎΏΑΒΓΔΩΪΫ"},
        Pair{"Cyrillic", "абвяѐёђџѡҁґӏӂө", "АБВЯЀЁЂЏѠҀҐӀӁӨ"}, Pair{"Armenian", "աբֆ", "ԱԲՖ"},
        Pair{"FullWidth", "ａｚ", "ＡＺ"}, Pair{"WithoutCase", "日本 123 ½", "日本 123 ½"}),
    [](const auto& test) { return test.param.name; });

TEST(Case, OfLettersWithoutPartnerFollowsUnicode) {
  EXPECT_EQ(to_uppercase("ßŉΐµſςẖև"), "SSʼNΪ́ΜSΣH̱ԵՒ");
  EXPECT_EQ(to_lowercase("İẞϴ"), "i̇ßθ");
  EXPECT_EQ(to_lowercase("ΟΔΟΣ Σ ΣΑΣ"), "οδος σ σας");
}

TEST(Case, KeepsBytesThatAreNoUtf8) {
  EXPECT_EQ(to_uppercase("a\xFFz\xC3"), "A\xFFZ\xC3");
  EXPECT_EQ(to_lowercase("A\xED\xA0\x80Z"), "a\xED\xA0\x80z");
}

struct Bytes {
  const char* name;
  std::string_view bytes;
  std::size_t length;
  bool valid;
};
class Characters : public testing::TestWithParam<Bytes> {};

TEST_P(Characters, AreReadByRfc3629) {
  const Character character = next_character(GetParam().bytes);
  EXPECT_EQ(character.bytes.size(), GetParam().length);
  EXPECT_EQ(character.valid, GetParam().valid);
}

INSTANTIATE_TEST_SUITE_P(Bytes, Characters,
                         testing::Values(Bytes{"Ascii", "ab", 1, true},
                                         Bytes{"Two", "\xC3\xA9x", 2, true},
                                         Bytes{"Three", "\xE2\x82\xAC", 3, true},
                                         Bytes{"Four", "\xF0\x9F\x98\x80", 4, true},
                                         Bytes{"Last", "\xF4\x8F\xBF\xBF", 4, true},
                                         Bytes{"BeyondLast", "\xF4\x90\x80\x80", 1, false},
                                         Bytes{"Overlong", "\xC0\x80", 1, false},
                                         Bytes{"OverlongThree", "\xE0\x80\x80", 1, false},
                                         Bytes{"Surrogate", "\xED\xA0\x80", 1, false},
                                         Bytes{"Cut", "\xE2\x82", 1, false},
                                         Bytes{"Tail", "\x80", 1, false}),
                         [](const auto& test) { return test.param.name; });

TEST(Digest, GivesTheVectorsOfTheRfcs) {
  EXPECT_EQ(md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(
      md5_hex("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
      "57edf4a22be3c955ac49da2e2107b67a");
  EXPECT_EQ(sha1_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha512_hex("abc"),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(Digest, PadsMessagesOfEveryLength) {
  // Hash of the hashes of 0 to 256 letters, as Python's hashlib computes it.
  std::string md5, sha1, sha256, sha512;
  for (std::size_t length = 0; length <= 256; ++length) {
    const std::string message(length, 'a');
    md5 += md5_hex(message);
    sha1 += sha1_hex(message);
    sha256 += sha256_hex(message);
    sha512 += sha512_hex(message);
  }
  EXPECT_EQ(md5_hex(md5), "5855c4e1d4c5a639977e21b789924419");
  EXPECT_EQ(sha1_hex(sha1), "dd7695f6e90e71bfcdbd088d487327419ea93140");
  EXPECT_EQ(sha256_hex(sha256), "ffcd935ca0ec60f0e3a49016a9bb7773baf6d189670011130bf970f44336f5fe");
  EXPECT_EQ(sha256_hex(sha512), "f23e5f8bffd0e1793edffe08fd542ea48c67085b9cc8aeecbb4d3799be7d107d");
}

}  // namespace
}  // namespace expr
