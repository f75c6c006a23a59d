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

// A key of that many dots.
std::string dotted_key(int dots) {
  std::string key = "a";
  for (int i = 0; i < dots; ++i) key += ".a";
  return key;
}

TEST(Document, RefusesWhatNestsTooDeep) {
  const auto brackets = "a = " + std::string(5000, '[') + std::string(5000, ']');
  EXPECT_FALSE(parse_document(SourceText(brackets)).root);
  for (const auto& text : {dotted_key(1001) + " = 1", "[" + dotted_key(100'000) + "]"}) {
    const auto document = parse_document(SourceText(text));
    EXPECT_FALSE(document.root);
    EXPECT_EQ(document.problem, "the line holds too many dots");
  }
}

TEST(Document, TakesTheDeepestDottedKeyThatItAllows) {
  EXPECT_TRUE(parse_document(SourceText(dotted_key(1000) + " = 1")).root);
}

TEST(Document, TakesAnyNumberOfDotsInStrings) {
  const auto dots = std::string(5000, '.');
  EXPECT_TRUE(parse_document(SourceText("a = [\"\\\"" + dots + "\", '" + dots + "']")).root);
}

}  // namespace
}  // namespace rapporteur
