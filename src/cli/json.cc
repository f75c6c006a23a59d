#include "cli/json.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

namespace rapporteur {

namespace {

using Node = nlohmann::ordered_json;

constexpr std::size_t kDeepest = 64;

// How many arrays and objects of a JSON text stand within each other. Texts that are no JSON may
// have any answer.
std::size_t depth_of(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '[' || c == '{')) {
      deepest = std::max(deepest, ++depth);
    } else if (!quoted && (c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

Node node_of(const expr::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* constant = std::get_if<expr::Constant>(&value)) return constant->name;
  auto array = Node::array();
  for (const auto& element : std::get<expr::Array>(value)) array.push_back(node_of(element));
  return array;
}

ReadValue value_of(const Node& node) {
  if (node.is_string()) return {expr::Value(node.get<std::string>()), ""};
  if (node.is_boolean()) return {expr::Value(std::int64_t{node.get<bool>() ? 1 : 0}), ""};
  if (node.is_number_unsigned() &&
      node.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    return {{}, "it does not fit 64 bits"};
  }
  if (node.is_number_integer()) return {expr::Value(node.get<std::int64_t>()), ""};
  if (node.is_number_float()) return {expr::Value(node.get<double>()), ""};
  if (!node.is_array()) {
    return {{}, node.is_null() ? "null is no value" : "an object is no value"};
  }
  expr::Array array;
  for (const auto& element : node) {
    auto read = value_of(element);
    if (!read.value) return read;
    array.push_back(*std::move(read.value));
  }
  return {expr::Value(std::move(array)), ""};
}

}  // namespace

struct Json::Tree {
  Node node;
};

Json::Json() : tree_(std::make_unique<Tree>()) {}
Json::Json(std::string_view text) : tree_(new Tree{Node(text)}) {}
Json::Json(std::int64_t number) : tree_(new Tree{Node(number)}) {}
Json::Json(std::uint64_t number) : tree_(new Tree{Node(number)}) {}
Json::Json(double number) : tree_(new Tree{std::isfinite(number) ? Node(number) : Node()}) {}
Json::Json(Truth truth) : tree_(new Tree{Node(truth.value)}) {}
Json::Json(std::unique_ptr<Tree> tree) : tree_(std::move(tree)) {}
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

Json Json::object() {
  return Json(std::make_unique<Tree>(Tree{Node::object()}));
}

Json Json::array() {
  return Json(std::make_unique<Tree>(Tree{Node::array()}));
}

Json Json::strings(const std::vector<std::string>& texts) {
  return Json(std::make_unique<Tree>(Tree{Node(texts)}));
}

Json Json::text_or_null(std::string_view text) {
  return text.empty() ? Json() : Json(text);
}

Json Json::time_or_null(const std::optional<Time>& time) {
  return time ? Json(*time) : Json();
}

Json Json::of(const expr::Value& value) {
  return Json(std::make_unique<Tree>(Tree{node_of(value)}));
}

std::optional<Json> Json::parse(std::string_view text) {
  if (depth_of(text) > kDeepest) return std::nullopt;
  auto node = Node::parse(text, nullptr, false);
  if (node.is_discarded()) return std::nullopt;
  return Json(std::make_unique<Tree>(Tree{std::move(node)}));
}

Json& Json::set(std::string_view key, Json value) & {
  tree_->node.emplace(std::string(key), std::move(value.tree_->node));
  return *this;
}

Json&& Json::set(std::string_view key, Json value) && {
  return std::move(set(key, std::move(value)));
}

Json& Json::add(Json value) {
  tree_->node.push_back(std::move(value.tree_->node));
  return *this;
}

std::string Json::text() const {
  return tree_->node.dump(2, ' ', false, Node::error_handler_t::replace);
}

std::string Json::line() const {
  return tree_->node.dump(-1, ' ', false, Node::error_handler_t::replace);
}

ReadValue read_value(std::string_view text) {
  const auto node = Node::parse(text, nullptr, false);
  if (node.is_discarded()) return {expr::Value(std::string(text)), ""};
  if (depth_of(text) > kDeepest) return {{}, "it is nested more than 64 deep"};
  return value_of(node);
}

}  // namespace rapporteur
