#include "daemon/http_splitter.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "ingest/decoder.h"

namespace rapporteur {
namespace {

using Texts = std::vector<std::string>;

struct Cut {
  Texts texts;
  std::string problem;

  friend bool operator==(const Cut&, const Cut&) = default;
};
void PrintTo(const Cut& cut, std::ostream* out) {
  *out << testing::PrintToString(cut.texts) << ' ' << cut.problem;
}

// The body in pieces of `size` bytes.
Cut cut(std::string_view body, bool json, std::size_t size) {
  SessionSplitter splitter(json);
  Cut result;
  const auto sink = [&](std::string_view text) { result.texts.emplace_back(text); };
  bool good = true;
  for (std::size_t at = 0; at < body.size() && good; at += size) {
    good = splitter.add(body.substr(at, size), sink);
  }
  if (good) good = splitter.finish(sink);
  result.problem = splitter.problem();
  EXPECT_EQ(good, result.problem.empty());
  return result;
}

struct Body {
  const char* name;
  std::string body;
  bool json;
  Texts want;
  std::string want_problem = "";
};
class SplitBody : public testing::TestWithParam<Body> {};

TEST_P(SplitBody, IsTheSameInPiecesOfAnySize) {
  const auto& [name, body, json, want, want_problem] = GetParam();
  for (std::size_t size = 1; size <= body.size() + 1; ++size) {
    EXPECT_EQ(cut(body, json, size), (Cut{want, want_problem})) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(
    SessionSplitter, SplitBody,
    testing::Values(
        Body{"Nothing", "", false, {}},
        Body{"Lines", "{\"a\":1}\n{\"b\":2}\n", false, {"{\"a\":1}", "{\"b\":2}"}},
        Body{"LastLineWithoutEnd", "{\"a\":1}\r\n\nx", false, {"{\"a\":1}\r", "", "x"}},
        Body{"LeadingSpace", "\n \n{}\n", false, {"", " ", "{}"}},
        Body{"OnlySpace", " \n\n", false, {" ", ""}},
        Body{"LogLines",
             "[info] x: {\"a\":1}\n[info] y\n",
             false,
             {"[info] x: {\"a\":1}", "[info] y"}},
        Body{"ByteOrderMark", "\xEF\xBB\xBF{}\n", false, {"\xEF\xBB\xBF{}"}},
        Body{"JsonLines", "{\"a\":1}\n{\"b\":[2]}\n", true, {"{\"a\":1}", "{\"b\":[2]}"}},
        Body{"PrettyJson", "{\n  \"a\": {\n }\n}\n", true, {"{\n  \"a\": {\n }\n}"}},
        Body{"ObjectsInARow", "{}{\"}\":\"{\"} {}", true, {"{}", "{\"}\":\"{\"}", "{}"}},
        Body{"Array",
             "[{\"a\":1},{\"b\":\"],\\\"}\"} , {}]",
             false,
             {"{\"a\":1}", "{\"b\":\"],\\\"}\"}", "{}"}},
        Body{"ArrayOverLines", " [\n{\n\"a\":1}\n,\n{}\n]\n", false, {"{\n\"a\":1}", "{}"}},
        Body{"EmptyArray", "[ ]", false, {}},
        Body{"ArrayWithByteOrderMark", "\xEF\xBB\xBF[{}]", false, {"{}"}},
        Body{"ArrayOfAnything",
             "[1, \"x,]\" ,null,[2,[3]],{\"a\":[]},-1.5]",
             true,
             {"1", "\"x,]\"", "null", "[2,[3]]", "{\"a\":[]}", "-1.5"}},
        Body{"CutOffElement",
             "[{\"a\":1},{\"b\"",
             false,
             {"{\"a\":1}"},
             "the body ends within a session"},
        Body{"CutOffArray", "[{\"a\":1},", false, {"{\"a\":1}"}, "the body ends within its array"},
        Body{"CutOffBeforeTheComma",
             "[{\"a\":1}",
             false,
             {"{\"a\":1}"},
             "the body ends within its array"},
        Body{"OnlyABracket", "[ ", false, {}, "the body ends within its array"},
        Body{"CutOffObject", "{\"a\":\"", true, {}, "the body ends within a session"},
        Body{"CommaTooMany", "[{},,{}]", false, {"{}"}, "a comma without a session before it"},
        Body{"CommaFirst", "[,{}]", true, {}, "a comma without a session before it"},
        Body{"CommaLast", "[{},]", false, {"{}"}, "a comma without a session behind it"},
        Body{"NoComma", "[{}{}]", false, {"{}"}, "no comma between two sessions"},
        Body{"BraceTooMany", "[{}}]", false, {"{}"}, "no comma between two sessions"},
        Body{"SomethingBehind", "[{}] x", false, {"{}"}, "something follows the array"},
        Body{"SomethingBehindObjects",
             "{} [",
             true,
             {"{}"},
             "something other than an object follows an object"}),
    [](const auto& test) { return test.param.name; });

TEST(SessionSplitter, KeepsTheBeginningOfATextThatIsTooLong) {
  for (const auto* around : {"", "[]"}) {
    const bool array = *around != '\0';
    std::string body = array ? "[" : "";
    body += "{\"a\":\"" + std::string(kMaxLineBytes + 5'000, 'x') + "\"}";
    body += array ? ",{}]" : "\n{}\n";
    const auto [texts, problem] = cut(body, false, 64 << 10);
    ASSERT_EQ(texts.size(), 2U);
    EXPECT_EQ(texts[0].size(), kMaxLineBytes + 1);
    EXPECT_EQ(texts[1], "{}");
    EXPECT_EQ(problem, "");
  }
}

TEST(SessionSplitter, TakesEndlessSpaceForLines) {
  SessionSplitter splitter(true);
  const std::string space(10'000, ' ');
  std::size_t taken = 0;
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(splitter.add(space, [&](std::string_view) { ++taken; }));
  }
  EXPECT_EQ(splitter.form(), SessionSplitter::Form::kLines);
  EXPECT_EQ(taken, 0U);
}

TEST(SessionSplitter, ReadsNothingMoreAfterABreach) {
  SessionSplitter splitter(false);
  const auto sink = [](std::string_view) {};
  EXPECT_FALSE(splitter.add("[{}x", sink));
  EXPECT_FALSE(splitter.add("\n{}\n", sink));
  EXPECT_FALSE(splitter.finish(sink));
  EXPECT_EQ(splitter.problem(), "no comma between two sessions");
}

}  // namespace
}  // namespace rapporteur
