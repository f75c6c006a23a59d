#pragma once
// A TOML 1.0 text as a tree in which everything knows where it was written. The parser stays behind
// this header; what keys mean is not known here.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/source_text.h"

namespace rapporteur {

enum class NodeType { kString, kInteger, kFloat, kBoolean, kDate, kArray, kTable };

// "a string", "an integer", …
std::string_view with_article(NodeType type);

struct Member;

struct Node {
  NodeType type = NodeType::kTable;
  Span span;                    // of a table: of its header, or from brace to brace
  std::string text;             // a string's content; a number or truth value in plain notation
  std::int64_t integer = 0;     // of kInteger; of kBoolean 0 or 1
  std::vector<Node> items;      // of an array
  std::vector<Member> members;  // of a table, in the order of the file

  // Null if this is no table or has no such key.
  const Member* find(std::string_view key) const;
};

struct Member {
  std::string key;
  Span key_span;
  Node value;
};

struct ParsedDocument {
  std::optional<Node> root;
  // Without a root: the first error. The parser stops at it.
  std::string problem;
  std::string suggestion;
  Span where;
};

ParsedDocument parse_document(const SourceText& source);

}  // namespace rapporteur
