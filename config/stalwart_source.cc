#include "config/stalwart_source.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/text.h"
#include "config/document.h"
#include "config/schema.h"
#include "config/source_text.h"

namespace rapporteur::stalwart {

namespace {

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxProblem = 200;

using Json = nlohmann::json;

// What is wrong with a text, and where.
struct Misreading {
  std::size_t offset = 0;
  std::string problem;
};

// Builds the tree from the parser's events, so that nesting is bounded and no key is lost.
class TreeBuilder final : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return add({}); }
  bool boolean(bool truth) override {
    return add_scalar(Item::Kind::kTruth, truth ? "true" : "false");
  }
  bool number_integer(number_integer_t number) override {
    return add_scalar(Item::Kind::kNumber, std::to_string(number));
  }
  bool number_unsigned(number_unsigned_t number) override {
    return add_scalar(Item::Kind::kNumber, std::to_string(number));
  }
  bool number_float(number_float_t, const string_t& written) override {
    return add_scalar(Item::Kind::kNumber, written);
  }
  bool string(string_t& text) override { return add_scalar(Item::Kind::kText, std::move(text)); }
  bool binary(binary_t&) override { return false; }  // JSON has none
  bool start_object(std::size_t) override { return open(Item::Kind::kObject); }
  bool key(string_t& name) override {
    open_.back().fields.push_back({std::move(name), {}});
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Item::Kind::kList); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    fault_ = {position == 0 ? 0 : position - 1, error.what()};
    return false;
  }

  Item take_root() { return std::move(root_); }
  const Misreading& fault() const { return fault_; }
  bool too_deep() const { return too_deep_; }

 private:
  bool add_scalar(Item::Kind kind, std::string text) {
    Item item;
    item.kind = kind;
    item.text = std::move(text);
    return add(std::move(item));
  }

  bool add(Item item) {
    if (open_.empty()) {
      root_ = std::move(item);
    } else if (open_.back().kind == Item::Kind::kList) {
      open_.back().items.push_back(std::move(item));
    } else {
      open_.back().fields.back().value = std::move(item);
    }
    return true;
  }

  bool open(Item::Kind kind) {
    too_deep_ = open_.size() >= kMaxDepth;
    if (too_deep_) return false;
    open_.emplace_back().kind = kind;
    return true;
  }

  bool close() {
    auto item = std::move(open_.back());
    open_.pop_back();
    return add(std::move(item));
  }

  Item root_;
  std::vector<Item> open_;
  Misreading fault_;
  bool too_deep_ = false;
};

// Where the bracket stands that goes too deep.
std::size_t too_deep_at(std::string_view text) {
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return at;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return 0;
}

// The library's message without its own place and numbers.
std::string plain_problem(std::string_view message) {
  if (const auto end = message.find("] "); message.starts_with('[') && end != message.npos) {
    message.remove_prefix(end + 2);
  }
  if (const auto end = message.find(": ");
      message.starts_with("parse error") && end != message.npos) {
    message.remove_prefix(end + 2);
  }
  return truncate_utf8(without_controls(to_valid_utf8(message)), kMaxProblem);
}

struct ParsedJson {
  std::optional<Item> root;
  Misreading fault;
};

ParsedJson parse_json(std::string_view text) {
  TreeBuilder builder;
  if (Json::sax_parse(text.begin(), text.end(), &builder)) return {builder.take_root(), {}};
  if (builder.too_deep()) {
    return {std::nullopt,
            {too_deep_at(text), "nested more than " + std::to_string(kMaxDepth) + " deep"}};
  }
  return {std::nullopt, {builder.fault().offset, plain_problem(builder.fault().problem)}};
}

// One JSON value a line, as exports of several objects are. Nullopt: that is not what the text is.
std::optional<ParsedJson> parse_json_lines(std::string_view text) {
  Item list;
  list.kind = Item::Kind::kList;
  for (const auto line : split(text, '\n')) {
    if (trim(line).empty()) continue;
    auto parsed = parse_json(line);
    const bool first = list.items.empty();
    if (first && (!parsed.root || parsed.root->kind != Item::Kind::kObject)) return std::nullopt;
    if (!parsed.root) {
      parsed.fault.offset += static_cast<std::size_t>(line.data() - text.data());
      return parsed;
    }
    list.items.push_back(*std::move(parsed.root));
  }
  return ParsedJson{std::move(list), {}};
}

Item converted(const Node& node) {
  Item item;
  item.text = node.text;
  switch (node.type) {
    case NodeType::kString:
      item.kind = Item::Kind::kText;
      break;
    case NodeType::kInteger:
    case NodeType::kFloat:
      item.kind = Item::Kind::kNumber;
      break;
    case NodeType::kBoolean:
      item.kind = Item::Kind::kTruth;
      break;
    case NodeType::kDate:
      item.kind = Item::Kind::kOther;
      item.text = "a date or time";
      break;
    case NodeType::kArray:
      item.kind = Item::Kind::kList;
      for (const auto& entry : node.items) item.items.push_back(converted(entry));
      break;
    case NodeType::kTable:
      item.kind = Item::Kind::kObject;
      for (const auto& member : node.members) {
        item.fields.push_back({member.key, converted(member.value)});
      }
      break;
  }
  return item;
}

Error error_at(const SourceText& source, const std::string& name, const Misreading& fault,
               std::string_view what) {
  const auto place = source.place_of(std::min(fault.offset, source.text().size()));
  return {Fault::kInput, name + ":" + std::to_string(place.line) + ":" +
                             std::to_string(place.column) + ": " + std::string(what) + ": " +
                             fault.problem};
}

bool is_bare_key(std::string_view key) {
  return !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

std::string written(const Item& item, Syntax syntax) {
  const bool json = syntax == Syntax::kJson;
  std::string text;
  switch (item.kind) {
    case Item::Kind::kNull:
      return "null";
    case Item::Kind::kText:
      return toml_string(item.text);
    case Item::Kind::kNumber:
    case Item::Kind::kTruth:
    case Item::Kind::kOther:
      return item.text;
    case Item::Kind::kList:
      for (const auto& entry : item.items) {
        text += (text.empty() ? "" : ", ") + written(entry, syntax);
      }
      return "[" + text + "]";
    case Item::Kind::kObject:
      for (const auto& [key, value] : item.fields) {
        text += text.empty() ? "" : ", ";
        text += json || !is_bare_key(key) ? toml_string(key) : key;
        text += (json ? ": " : " = ") + written(value, syntax);
      }
      return json || text.empty() ? "{" + text + "}" : "{ " + text + " }";
  }
  std::terminate();
}

}  // namespace

const Item* Item::find(std::string_view key) const {
  const auto found = std::ranges::find(fields, key, &Field::key);
  return found == fields.end() ? nullptr : &found->value;
}

bool Item::is_scalar() const {
  return kind == Kind::kText || kind == Kind::kNumber || kind == Kind::kTruth;
}

Result<Source> read_source(std::string_view text, const std::string& name) {
  const SourceText source(text);
  const auto content = trim(source.text());
  if (content.empty()) return Error{Fault::kInput, name + " is empty"};
  auto json = parse_json(source.text());
  if (!json.root) {
    if (auto lines = parse_json_lines(source.text())) json = *std::move(lines);
  }
  if (json.root) return Source{*std::move(json.root), Syntax::kJson};
  if (content.front() == '{') return error_at(source, name, json.fault, "no JSON");

  const auto document = parse_document(source);
  if (document.root) return Source{converted(*document.root), Syntax::kToml};
  // A '[' begins an array or the header of a table: what was understood longer is what it is.
  if (content.front() == '[' && json.fault.offset > document.where.begin) {
    return error_at(source, name, json.fault, "no JSON");
  }
  return error_at(source, name, {document.where.begin, document.problem},
                  content.front() == '[' ? "no TOML" : "neither JSON nor TOML");
}

std::string as_written(const Item& item, Syntax syntax) {
  return without_controls(to_valid_utf8(written(item, syntax)));
}

}  // namespace rapporteur::stalwart
