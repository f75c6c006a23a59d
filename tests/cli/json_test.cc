#include "cli/json.h"

#include <gmock/gmock.h>

#include <string>

namespace rapporteur {
namespace {

std::string repeated(std::size_t times, const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string nested(std::size_t depth, const std::string& open, const std::string& close) {
  return repeated(depth, open) + "1" + repeated(depth, close);
}

struct Depth {
  const char* name;
  std::string text;
  bool want;
};
class ParsedJson : public testing::TestWithParam<Depth> {};

TEST_P(ParsedJson, HasAtMost64Levels) {
  EXPECT_EQ(Json::parse(GetParam().text).has_value(), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Levels, ParsedJson,
    testing::Values(Depth{"ArraysAtTheBound", nested(64, "[", "]"), true},
                    Depth{"ArraysBeyond", nested(65, "[", "]"), false},
                    Depth{"EmptyArraysAtTheBound", repeated(64, "[") + repeated(64, "]"), true},
                    Depth{"EmptyArraysBeyond", repeated(65, "[") + repeated(65, "]"), false},
                    Depth{"ObjectsAtTheBound", nested(64, "{\"a\": ", "}"), true},
                    Depth{"ObjectsBeyond", nested(65, "{\"a\": ", "}"), false},
                    Depth{"BothBeyond", nested(33, "[{\"a\": ", "}]"), false},
                    Depth{"DeepOnlyInTheMiddle", "[1, " + nested(64, "[", "]") + ", 2]", false},
                    Depth{"OneBesideTheOther", "[" + repeated(1000, "[[1], {}], ") + "3]", true},
                    Depth{"BracketsInAText", "[\"" + repeated(1000, "[{") + "\"]", true},
                    Depth{"BracketsInAKey", "{\"" + repeated(1000, "[{") + "\": 1}", true},
                    Depth{"BracketsBehindAnEscapedQuote",
                          R"(["\"[[[[[\\\"{{{{{)" + repeated(64, "[") + "\"]", true},
                    Depth{"BracketsBehindAnEscapedBackslash",
                          R"(["\\",)" + nested(64, "[", "]") + "]", false},
                    Depth{"ClosingBracketsInAText",
                          repeated(32, "[") + "\"" + repeated(32, "]") + "\"," +
                              nested(33, "[", "]") + repeated(32, "]"),
                          false},
                    Depth{"NeverClosed", repeated(1'000'000, "["), false},
                    Depth{"ObjectsNeverClosed", repeated(1'000'000, "{\"a\":"), false},
                    Depth{"VeryDeep", nested(1'000'000, "[", "]"), false}),
    [](const auto& test) { return test.param.name; });

TEST(Json, IsPrintedInProportionToWhatWasParsed) {
  const auto deep = nested(62, "[", "]");
  for (const std::string& text :
       {"[" + repeated(1000, deep + ",") + deep + "]", nested(64, "{\"\":", "}"),
        repeated(64, "[") + repeated(10'000, "0,") + "0" + repeated(64, "]"),
        repeated(64, "[") + repeated(10'000, "9e9,") + "9e9" + repeated(64, "]")}) {
    const auto json = Json::parse(text);
    ASSERT_TRUE(json) << text.substr(0, 100);
    EXPECT_LE(json->text().size(), 150 * text.size()) << text.substr(0, 100);
  }
}

TEST(Json, KeepsTheOrderOfKeysAndReplacesBrokenUtf8) {
  EXPECT_EQ(Json::object().set("b", 1).set("a", "\xFF").set("b", 2).text(),
            "{\n  \"b\": 1,\n  \"a\": \"\xEF\xBF\xBD\"\n}");
}

TEST(Json, IsNotParsedFromWhatIsNone) {
  for (const auto* text :
       {"", "{", "[1,]", "{} {}", "nul", "\"\xFF\"", "1e999", "]", "\"[", "[\"\\"}) {
    EXPECT_FALSE(Json::parse(text)) << text;
  }
}

struct Value {
  const char* name;
  std::string text;
  std::string want;
};
class ValueOfTheCommandLine : public testing::TestWithParam<Value> {};

TEST_P(ValueOfTheCommandLine, IsReadOrSaysWhyNot) {
  const auto read = read_value(GetParam().text);
  EXPECT_EQ(read.value ? Json::of(*read.value).text() : read.problem, GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Values, ValueOfTheCommandLine,
    testing::Values(Value{"Truth", "true", "1"}, Value{"Integer", "-5", "-5"},
                    Value{"Number", "1.5", "1.5"}, Value{"Text", "\"a\"", "\"a\""},
                    Value{"NoJson", "a.example", "\"a.example\""}, Value{"EmptyText", "", "\"\""},
                    Value{"Null", "null", "null is no value"},
                    Value{"Object", "{}", "an object is no value"},
                    Value{"ObjectInAnArray", "[{}]", "an object is no value"},
                    Value{"LargeNumber", "9223372036854775808", "it does not fit 64 bits"},
                    Value{"Array", "[1,\"a\"]", "[\n  1,\n  \"a\"\n]"},
                    Value{"Deep", nested(65, "[", "]"), "it is nested more than 64 deep"},
                    Value{"DeepAndEmpty", repeated(65, "[") + repeated(65, "]"),
                          "it is nested more than 64 deep"},
                    Value{"BracketsThatAreNoJson", repeated(5, "["), "\"[[[[[\""}),
    [](const auto& test) { return test.param.name; });

TEST(ReadValue, TakesSixtyFourArraysWithinEachOther) {
  const auto read = read_value(nested(64, "[", "]"));
  ASSERT_TRUE(read.value) << read.problem;
  EXPECT_THAT(Json::of(*read.value).text(), testing::HasSubstr(std::string(128, ' ') + "1\n"));
}

}  // namespace
}  // namespace rapporteur
