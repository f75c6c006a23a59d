#include "config/source_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/document.h"

namespace rapporteur {
namespace {

TEST(SourceText, CountsLinesAndCharactersFromOne) {
  const SourceText source("ab\r\n\xC3\xBC=1\n");
  EXPECT_EQ(source.place_of(0).line, 1);
  EXPECT_EQ(source.place_of(0).column, 1);
  EXPECT_EQ(source.place_of(6).line, 2);
  EXPECT_EQ(source.place_of(6).column, 2);
  EXPECT_EQ(source.offset_of({2, 2}), 6U);
  EXPECT_EQ(source.offset_of({2, 99}), 8U);
  EXPECT_EQ(source.offset_of({99, 1}), 9U);
  EXPECT_EQ(source.line(1), "ab");
  EXPECT_EQ(source.line(2), "\xC3\xBC=1");
  EXPECT_EQ(source.line(99), "");
}

TEST(SourceText, LeavesOutTheByteOrderMark) {
  const SourceText source("\xEF\xBB\xBFx = 1\n");
  EXPECT_EQ(source.line(1), "x = 1");
  EXPECT_EQ(source.place_of(4).column, 5);
}

TEST(SourceText, UnderlinesToTheEndOfTheFirstLine) {
  const SourceText source("abc\ndef\n");
  EXPECT_EQ(source.underlined({1, 6}), 2U);
  EXPECT_EQ(source.underlined({1, 1}), 1U);
  EXPECT_EQ(source.underlined({99, 100}), 1U);
}

// One string of TOML: each byte of the content, and where it was written.
struct Mapping {
  const char* name;
  std::string source;  // of the value alone, which stands behind "k = "
  std::string content;
  std::vector<std::size_t> want;  // from the opening quote
};
class ContentOffsets : public testing::TestWithParam<Mapping> {};

TEST_P(ContentOffsets, PointAtWhatWasWritten) {
  const auto& [name, value, content, want] = GetParam();
  const auto text = "k = " + value + "\n";
  const SourceText source(text);
  const auto document = parse_document(source);
  ASSERT_TRUE(document.root) << document.problem;
  const auto& node = document.root->members.at(0).value;
  ASSERT_EQ(node.text, content) << "the parser reads it like this";
  EXPECT_EQ(node.span.begin, 4U);
  auto offsets = content_offsets(source.text(), node.span.begin, node.text.size());
  for (auto& offset : offsets) offset -= 4;
  EXPECT_EQ(offsets, want);
}

INSTANTIATE_TEST_SUITE_P(
    OfEachKind, ContentOffsets,
    testing::Values(
        Mapping{"Basic", R"("ab")", "ab", {1, 2, 3}}, Mapping{"Empty", R"("")", "", {1}},
        Mapping{"BasicEscapes", R"("a\\b\"c\td")", "a\\b\"c\td", {1, 2, 4, 5, 7, 8, 10, 11}},
        Mapping{"UnicodeEscapes",
                R"("\u00fc\U0001F600x")",
                "\xC3\xBC\xF0\x9F\x98\x80x",
                {1, 1, 7, 7, 7, 7, 17, 18}},
        Mapping{"NotAscii", "\"\xC3\xBCx\"", "\xC3\xBCx", {1, 2, 3, 4}},
        Mapping{"Literal", R"('a\n"')", "a\\n\"", {1, 2, 3, 4, 5}},
        Mapping{"MultiLineBasic", "\"\"\"\na\\nb\nc\"\"\"", "a\nb\nc", {4, 5, 7, 8, 9, 10}},
        Mapping{"MultiLineBasicContinued", "\"\"\"a\\  \n  \n  b\"\"\"", "ab", {3, 13, 14}},
        Mapping{"MultiLineBasicContinuedAtTheEnd", "\"\"\"a\\\n  \"\"\"", "a", {3, 8}},
        Mapping{"MultiLineBasicContinuedAtTheBegin", "\"\"\"\\\n  a\"\"\"", "a", {7, 8}},
        Mapping{"MultiLineBasicWithQuotes", "\"\"\"\"a\"\"\"\"\"", "\"a\"\"", {3, 4, 5, 6, 7}},
        Mapping{"MultiLineLiteral", "'''\na\\\nb'''", "a\\\nb", {4, 5, 6, 7, 8}},
        Mapping{"MultiLineLiteralWithQuotes", "''''a'''", "'a", {3, 4, 5}},
        Mapping{"CarriageReturns", "'''\r\na\r\nb'''", "a\nb", {5, 6, 8, 9}},
        Mapping{"CarriageReturnsContinued", "\"\"\"a\\\r\n b\"\"\"", "ab", {3, 8, 9}}),
    [](const auto& test) { return test.param.name; });

TEST(ContentOffsets, StayInsideOfATextThatIsNoString) {
  EXPECT_THAT(content_offsets("\"ab", 0, 5), testing::ElementsAre(1, 2, 3, 3, 3, 3));
  EXPECT_EQ(content_offsets("\"\\u", 0, 3).size(), 4U);
  EXPECT_EQ(content_offsets("", 0, 2).size(), 3U);
}

}  // namespace
}  // namespace rapporteur
