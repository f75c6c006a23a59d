#include "config/document.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <exception>

namespace rapporteur {

namespace {

// Dotted keys nest tables without a bound of the parser's own; the tree is walked recursively.
constexpr std::size_t kMaxDotsInLine = 1000;

// Dots that may join keys: those outside of quotes.
std::size_t count_dots(std::string_view line) {
  std::size_t dots = 0;
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quote == '"' && line[i] == '\\') {
      ++i;
    } else if (quote != '\0') {
      if (line[i] == quote) quote = '\0';
    } else if (line[i] == '"' || line[i] == '\'') {
      quote = line[i];
    } else if (line[i] == '.') {
      ++dots;
    }
  }
  return dots;
}

// Turns the parser's lines and columns into offsets. Neighbouring places are asked one after the
// other, so that going on from the last answer keeps long lines linear.
class Offsets {
 public:
  explicit Offsets(const SourceText& source) : source_(source) {}

  std::size_t of(toml::source_position place) {
    const int line = static_cast<int>(place.line);
    const int column = static_cast<int>(place.column);
    if (line != line_ || column < column_) {
      line_ = line;
      column_ = 1;
      offset_ = source_.offset_of({line, 1});
    }
    const auto text = source_.text();
    for (; column_ < column && offset_ < text.size() && text[offset_] != '\n'; ++column_) {
      do {
        ++offset_;
      } while (offset_ < text.size() &&
               (static_cast<unsigned char>(text[offset_]) & 0xC0U) == 0x80);
    }
    return offset_;
  }

  Span of(const toml::source_region& region) {
    const auto begin = of(region.begin);
    return {begin, std::max(begin, of(region.end))};
  }

 private:
  const SourceText& source_;
  int line_ = 0;
  int column_ = 1;
  std::size_t offset_ = 0;
};

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

Node convert(const toml::node& from, Offsets& offsets);

void convert_members(const toml::table& table, Offsets& offsets, Node& node) {
  for (const auto& [key, value] : table) {
    const auto span = offsets.of(key.source());
    node.members.push_back({std::string(key.str()), span, convert(value, offsets)});
  }
  std::ranges::stable_sort(node.members, {},
                           [](const Member& member) { return member.key_span.begin; });
}

Node convert(const toml::node& from, Offsets& offsets) {
  Node node;
  node.span = offsets.of(from.source());
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
    for (const auto& item : *array) node.items.push_back(convert(item, offsets));
  } else if (const auto* table = from.as_table()) {
    node.type = NodeType::kTable;
    convert_members(*table, offsets, node);
  } else {
    node.type = NodeType::kDate;
  }
  return node;
}

ParsedDocument syntax_error(const toml::parse_error& error, const SourceText& source) {
  ParsedDocument document;
  std::string_view text = error.description();
  constexpr std::string_view kPrefix = "Error while parsing ";
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  document.problem = text;
  const auto at = source.offset_of(
      {static_cast<int>(error.source().begin.line), static_cast<int>(error.source().begin.column)});
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
  for (int line = 1; source.offset_of({line, 1}) < source.text().size(); ++line) {
    const auto text = source.line(line);
    if (count_dots(text) > kMaxDotsInLine) {
      const auto begin = source.offset_of({line, 1});
      return {std::nullopt, "the line holds too many dots", {}, {begin, begin + 1}};
    }
  }
  try {
    const auto table = toml::parse(source.text(), std::string_view());
    Offsets offsets(source);
    ParsedDocument document;
    document.root = convert(table, offsets);
    return document;
  } catch (const toml::parse_error& error) {
    return syntax_error(error, source);
  }
}

}  // namespace rapporteur
