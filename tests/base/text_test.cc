#include "base/text.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rapporteur {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;

TEST(Split, GivesOnePieceMoreThanDelimiters) {
  EXPECT_THAT(split("a,b,,c", ','), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(split("", ','), ElementsAre(""));
  EXPECT_THAT(split(",", ','), ElementsAre("", ""));
}

TEST(Join, PutsTheDelimiterBetween) {
  EXPECT_EQ(join({"a", "b", ""}, ", "), "a, b, ");
  EXPECT_EQ(join({}, ", "), "");
}

TEST(Trim, RemovesBlanksAtBothEnds) {
  EXPECT_EQ(trim(" \t\r\na b\n "), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(trim(""), "");
}

TEST(Case, IsThatOfAscii) {
  EXPECT_EQ(to_lower("AZaz[@É"), "azaz[@É");
  EXPECT_TRUE(equals_ignoring_case("MailTo:", "mailto:"));
  EXPECT_FALSE(equals_ignoring_case("mailto", "mailto:"));
  EXPECT_TRUE(starts_with_ignoring_case("HTTPS://x", "https:"));
  EXPECT_FALSE(starts_with_ignoring_case("http", "https"));
}

struct Utf8 {
  const char* name;
  std::string input;
  std::string want;
};
class BrokenUtf8 : public testing::TestWithParam<Utf8> {};

TEST_P(BrokenUtf8, BecomesReplacementCharacters) {
  EXPECT_EQ(to_valid_utf8(GetParam().input), GetParam().want);
  EXPECT_EQ(is_valid_utf8(GetParam().input), GetParam().input == GetParam().want);
  EXPECT_TRUE(is_valid_utf8(to_valid_utf8(GetParam().input)));
}

INSTANTIATE_TEST_SUITE_P(
    Rfc3629, BrokenUtf8,
    testing::Values(Utf8{"Ascii", "abc", "abc"}, Utf8{"Valid", "é€😀", "é€😀"},
                    Utf8{"LoneContinuation", "a\x80z", "a\uFFFDz"},
                    Utf8{"Truncated2", "a\xC3", "a\uFFFD"},
                    Utf8{"Truncated4", "\xF0\x9F\x98", "\uFFFD"},
                    Utf8{"TruncatedThenText", "\xE2\x82z", "\uFFFDz"},
                    Utf8{"Overlong", "\xC0\xAF", "\uFFFD\uFFFD"},
                    Utf8{"OverlongThree", "\xE0\x80\xAF", "\uFFFD\uFFFD\uFFFD"},
                    Utf8{"Surrogate", "\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
                    Utf8{"BeyondUnicode", "\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
                    Utf8{"ImpossibleBytes", "\xFE\xFF", "\uFFFD\uFFFD"},
                    Utf8{"ZeroByte", "a\0b"s, "a\0b"s},
                    Utf8{"Last", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"}),
    [](const auto& test) { return test.param.name; });

TEST(WithoutControls, RemovesC0AndC1AndDelete) {
  EXPECT_EQ(without_controls("a\0\t\n\x1F\x7F"
                             "b\xC2\x80\xC2\x9F\xC2\xA0"
                             "c"s),
            "ab\xC2\xA0"
            "c");
}

TEST(Truncate, CutsAtACharacterAndMarks) {
  EXPECT_EQ(truncate_utf8("abcdef", 6), "abcdef");
  EXPECT_EQ(truncate_utf8("abcdefg", 6), "abc…");
  EXPECT_EQ(truncate_utf8("ééé", 5), "é…");
  EXPECT_EQ(truncate_utf8("ééé", 4), "…");
  EXPECT_EQ(truncate_utf8("abcd", 3), "…");
}

struct Glob {
  const char* pattern;
  const char* text;
  bool want;
};
class GlobPattern : public testing::TestWithParam<Glob> {};

TEST_P(GlobPattern, MatchesOrNot) {
  EXPECT_EQ(glob_matches(GetParam().pattern, GetParam().text), GetParam().want)
      << GetParam().pattern << " " << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Table, GlobPattern,
    testing::Values(Glob{"*", "", true}, Glob{"*", "anything", true}, Glob{"", "", true},
                    Glob{"", "a", false}, Glob{"a", "A", true}, Glob{"?", "", false},
                    Glob{"?", "ab", false}, Glob{"*.example.org", "a.example.org", true},
                    Glob{"*.example.org", "example.org", false}, Glob{"a*b*c", "axxbyyc", true},
                    Glob{"a*b*c", "axxbyy", false}, Glob{"*aab", "aaaab", true},
                    Glob{"a.b", "axb", false}, Glob{"[a]", "a", false},
                    Glob{"*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}));

TEST(EditDistance, CountsChangesAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("daily", "dialy"), 1U);
  EXPECT_EQ(edit_distance("hourly", "hourl"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Base64, IsThatOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("\xFF\xFE\xFD"), "//79");
}

}  // namespace
}  // namespace rapporteur
