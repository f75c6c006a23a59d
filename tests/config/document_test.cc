#include "config/document.h"

#include <gtest/gtest.h>

#include <string>

namespace rapporteur {
namespace {

std::string text_at(const std::string& text, Span span) {
  return text.substr(span.begin, span.end - span.begin);
}

TEST(Document, KnowsWhereEverythingStands) {
  const std::string text =
      "a = \"x\"\n[t.u.\"v w\"]\nb = [1, { c = 2.5 }]\n[[d]]\n\"e\" = true\nf = 1979-05-27\n";
  const SourceText source(text);
  const auto document = parse_document(source);
  ASSERT_TRUE(document.root) << document.problem;
  const auto& root = *document.root;
  ASSERT_EQ(root.members.size(), 3U);
  EXPECT_EQ(text_at(text, root.members[0].value.span), "\"x\"");
  const auto* inner = root.find("t")->value.find("u")->value.find("v w");
  ASSERT_NE(inner, nullptr);
  EXPECT_EQ(text_at(text, inner->key_span), "\"v w\"");
  EXPECT_EQ(text_at(text, inner->value.span), "[t.u.\"v w\"]");
  const auto& array = inner->value.find("b")->value;
  EXPECT_EQ(text_at(text, array.span), "[1, { c = 2.5 }]");
  EXPECT_EQ(array.items.at(0).integer, 1);
  EXPECT_EQ(text_at(text, array.items.at(1).span), "{ c = 2.5 }");
  EXPECT_EQ(array.items.at(1).find("c")->value.text, "2.5");
  const auto& entry = root.find("d")->value.items.at(0);
  EXPECT_EQ(text_at(text, entry.span), "[[d]]");
  EXPECT_EQ(text_at(text, entry.find("e")->key_span), "\"e\"");
  EXPECT_EQ(entry.find("e")->value.text, "true");
  EXPECT_EQ(entry.find("f")->value.type, NodeType::kDate);
}

TEST(Document, KeepsTheOrderOfTheFile) {
  const SourceText source("z = 1\na = 2\nm = 3\n");
  const auto document = parse_document(source);
  std::string keys;
  for (const auto& member : document.root->members) keys += member.key;
  EXPECT_EQ(keys, "zam");
}

TEST(Document, WritesFractionsWithoutExponent) {
  const SourceText source("a = 1e3\nb = 2.5\nc = -1.5e-3\nd = inf\n");
  const auto document = parse_document(source);
  EXPECT_EQ(document.root->find("a")->value.text, "1000.0");
  EXPECT_EQ(document.root->find("b")->value.text, "2.5");
  EXPECT_EQ(document.root->find("c")->value.text, "-0.0015");
  EXPECT_EQ(document.root->find("d")->value.text, "inf");
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

struct Nesting {
  const char* name;
  std::string deepest;  // that is taken
  std::string deeper;
  const char* want;
};
class DocumentNesting : public testing::TestWithParam<Nesting> {};

TEST_P(DocumentNesting, IsBounded) {
  const auto& [name, deepest, deeper, want] = GetParam();
  const auto taken = parse_document(SourceText(deepest));
  EXPECT_TRUE(taken.root) << taken.problem;
  const auto refused = parse_document(SourceText(deeper));
  EXPECT_FALSE(refused.root);
  EXPECT_EQ(refused.problem, want);
}

constexpr const char* kTooManyParts = "too many dots: a key may have 32 parts at most";
constexpr const char* kTooDeep = "the values nest deeper than 32 levels";

INSTANTIATE_TEST_SUITE_P(
    OfEachKind, DocumentNesting,
    testing::Values(
        Nesting{"DottedKey", "a" + repeated(".a", 31) + " = 1", "a" + repeated(".a", 32) + " = 1",
                kTooManyParts},
        Nesting{"QuotedKey", "'a'" + repeated(" . \"a\"", 31) + " = 1",
                "'a'" + repeated(" . \"a\"", 32) + " = 1", kTooManyParts},
        Nesting{"Header", "[a" + repeated(".a", 31) + "]", "[a" + repeated(".a", 100'000) + "]",
                kTooManyParts},
        Nesting{"Arrays", "a = " + repeated("[", 32) + repeated("]", 32),
                "a = " + repeated("[", 33) + repeated("]", 33), kTooDeep},
        Nesting{"ManyArrays", "a = [" + repeated("[],", 1000) + "]",
                "a = " + repeated("[", 200'000) + repeated("]", 200'000), kTooDeep},
        Nesting{"Tables", "a = " + repeated("{ b = ", 32) + "1" + repeated("}", 32),
                "a = " + repeated("{ b = ", 200'000) + "1" + repeated("}", 200'000), kTooDeep},
        Nesting{"TablesOfDottedKeys",
                "a = " + repeated("{ b" + repeated(".b", 31) + " = ", 32) + "1" + repeated("}", 32),
                "a = " + repeated("[ { b.b.b = ", 17) + "1" + repeated("} ]", 17), kTooDeep}),
    [](const auto& test) { return test.param.name; });

TEST(Document, NestsByNothingInsideOfStringsAndComments) {
  const auto deep = repeated("[", 99) + repeated(".a", 99);
  for (const auto& value : {"\"\\\"" + deep + "\\\\\"", "'" + deep + "\\'",
                            "\"\"\"\n\"\"" + deep + "\\\"\"\"" + deep + "\"\"\"\"\"",
                            "'''\n''" + deep + "\n" + deep + "'''''", "1 # '" + deep}) {
    EXPECT_TRUE(parse_document(SourceText("a = " + value + "\nb = [1]\n")).root) << value;
    EXPECT_EQ(parse_document(SourceText("a = " + value + "\nb = " + deep)).problem, kTooDeep)
        << value;
  }
}

TEST(Document, StopsAtTheSizeThatItTakes) {
  const std::string comment = "# " + std::string((std::size_t{16} << 20U) - 3, 'x') + "\n";
  EXPECT_TRUE(parse_document(SourceText(comment)).root);
  EXPECT_EQ(parse_document(SourceText(comment + "\n")).problem, "the file is larger than 16 MiB");
}

}  // namespace
}  // namespace rapporteur
