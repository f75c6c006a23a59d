#include "config/document.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <exception>

#include "base/text.h"
#include "config/nesting.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20U;

std::size_t offset_of(toml::source_position place, const SourceText& source) {
  return source.offset_of({static_cast<int>(place.line), static_cast<int>(place.column)});
}

Span span_of(const toml::source_region& region, const SourceText& source) {
  const auto begin = offset_of(region.begin, source);
  return {begin, std::max(begin, offset_of(region.end, source))};
}

std::string plain_float(double value) {
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : (value < 0 ? "-inf" : "inf");
  std::array<char, 400> digits{};
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed)
          .ptr;
  std::string text(digits.data(), end);
  if (text.find('.') == text.npos) text += ".0";
  return text;
}

Node convert(const toml::node& from, const SourceText& source);

void convert_members(const toml::table& table, const SourceText& source, Node& node) {
  node.members.reserve(table.size());
  for (const auto& [key, value] : table) {
    const auto span = span_of(key.source(), source);
    node.members.push_back({std::string(key.str()), span, convert(value, source)});
  }
  std::ranges::stable_sort(node.members, {},
                           [](const Member& member) { return member.key_span.begin; });
}

Node convert(const toml::node& from, const SourceText& source) {
  Node node;
  node.span = span_of(from.source(), source);
  if (const auto* text = from.as_string()) {
    node.type = NodeType::kString;
    node.text = text->get();
  } else if (const auto* integer = from.as_integer()) {
    node.type = NodeType::kInteger;
    node.integer = integer->get();
    node.text = std::to_string(node.integer);
  } else if (const auto* number = from.as_floating_point()) {
    node.type = NodeType::kFloat;
    node.text = plain_float(number->get());
  } else if (const auto* truth = from.as_boolean()) {
    node.type = NodeType::kBoolean;
    node.integer = truth->get() ? 1 : 0;
    node.text = truth->get() ? "true" : "false";
  } else if (const auto* array = from.as_array()) {
    node.type = NodeType::kArray;
    node.items.reserve(array->size());
    for (const auto& item : *array) node.items.push_back(convert(item, source));
  } else if (const auto* table = from.as_table()) {
    node.type = NodeType::kTable;
    convert_members(*table, source, node);
  } else {
    node.type = NodeType::kDate;
  }
  return node;
}

// Of a text that is not UTF-8.
std::size_t first_broken_byte(std::string_view text) {
  const auto mended = to_valid_utf8(text);
  return static_cast<std::size_t>(std::ranges::mismatch(text, mended).in1 - text.begin());
}

ParsedDocument syntax_error(const toml::parse_error& error, const SourceText& source) {
  ParsedDocument document;
  std::string_view text = error.description();
  constexpr std::size_t kLongestProblem = 300;
  constexpr std::string_view kPrefix = "Error while parsing ";
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  document.problem = truncate_utf8(without_controls(to_valid_utf8(text)), kLongestProblem);
  const auto at = offset_of(error.source().begin, source);
  document.where = {at, at + 1};
  if (text.starts_with("boolean: ") || text.starts_with("value: ")) {
    document.suggestion = "text and expressions stand in quotes: key = \"...\"";
  }
  return document;
}

}  // namespace

std::string_view with_article(NodeType type) {
  switch (type) {
    case NodeType::kString:
      return "a string";
    case NodeType::kInteger:
      return "an integer";
    case NodeType::kFloat:
      return "a fraction";
    case NodeType::kBoolean:
      return "a truth value";
    case NodeType::kDate:
      return "a date or time";
    case NodeType::kArray:
      return "an array";
    case NodeType::kTable:
      return "a table";
  }
  std::terminate();
}

const Member* Node::find(std::string_view key) const {
  const auto found = std::ranges::find(members, key, &Member::key);
  return found == members.end() ? nullptr : &*found;
}

ParsedDocument parse_document(const SourceText& source) {
  if (source.text().size() > kMostBytes) {
    return {std::nullopt, "the file is larger than 16 MiB", {}, {0, 1}};
  }
  if (!is_valid_utf8(source.text())) {
    const auto at = first_broken_byte(source.text());
    return {std::nullopt, "the file is not UTF-8", {}, {at, at + 1}};
  }
  if (const auto deep = find_deep_nesting(source.text())) {
    return {std::nullopt, deep->problem, {}, {deep->offset, deep->offset + 1}};
  }
  try {
    const auto table = toml::parse(source.text(), std::string_view());
    ParsedDocument document;
    document.root = convert(table, source);
    return document;
  } catch (const toml::parse_error& error) {
    return syntax_error(error, source);
  }
}

}  // namespace rapporteur
