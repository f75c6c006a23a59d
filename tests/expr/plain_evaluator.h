#pragma once
// The language once more, straight from docs/expressions.md and the syntax tree: slow, recursive
// and without a checker, for comparing. It knows the operators, the special forms but system(), and
// the functions to_uppercase() of ASCII and contains().

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "expr/ast.h"
#include "expr/expression.h"
#include "expr/value.h"

namespace expr::testing_support {

class PlainEvaluator {
 public:
  PlainEvaluator(const Ast& ast, const Environment& environment,
                 const std::vector<std::string>& constants)
      : ast_(ast), environment_(environment), constants_(constants) {}

  Outcome run() {
    try {
      return value(ast_.root);
    } catch (const Failure& failure) {
      return failure;
    }
  }

 private:
  Value value(NodeId id) {
    const Node& node = ast_.nodes.at(id);
    return std::visit([&](const auto& form) { return value(form, node.point); }, node.form);
  }

  Value value(const Literal& literal, std::size_t) { return literal.value; }
  Value value(const Name& name, std::size_t point) {
    const auto is_constant = std::find(constants_.begin(), constants_.end(), name.text);
    if (is_constant != constants_.end()) return Constant{name.text};
    const Value* found = environment_.variable(0, name.text);
    return found != nullptr ? *found : fail("'" + name.text + "' has no value here", point);
  }
  Value value(const Capture& capture, std::size_t) {
    return capture.group < captures_.size() ? captures_[capture.group] : std::string();
  }
  Value value(const List& list, std::size_t) {
    Array array;
    for (const NodeId item : list.items) array.push_back(value(item));
    return array;
  }
  Value value(const Unary& unary, std::size_t point) {
    const Value operand = value(unary.operand);
    if (unary.op == UnaryOp::kNot) return truth(!is_true(operand));
    return calculated(BinaryOp::kMultiply, operand, std::int64_t{-1}, point);
  }
  Value value(const Index& index, std::size_t) {
    const Value array = value(index.array);
    const double position = std::trunc(float_of(value(index.position)));
    const Array elements = elements_of(array);
    if (position < 0 || position >= static_cast<double>(elements.size())) return std::string();
    return elements[static_cast<std::size_t>(position)];
  }

  Value value(const Binary& binary, std::size_t point) {
    const Value left = value(binary.left);
    if (binary.op == BinaryOp::kAnd && !is_true(left)) return truth(false);
    if (binary.op == BinaryOp::kOr && is_true(left)) return truth(true);
    const Value right = value(binary.right);
    const auto order = compare(left, right, constants_);
    switch (binary.op) {
      case BinaryOp::kAnd:
      case BinaryOp::kOr:
        return truth(is_true(right));
      case BinaryOp::kXor:
        return truth(is_true(left) != is_true(right));
      case BinaryOp::kEqual:
        return truth(equal(left, right));
      case BinaryOp::kNotEqual:
        return truth(!equal(left, right));
      case BinaryOp::kLess:
        return truth(order < 0);
      case BinaryOp::kLessEqual:
        return truth(order <= 0);
      case BinaryOp::kGreater:
        return truth(order > 0);
      case BinaryOp::kGreaterEqual:
        return truth(order >= 0);
      case BinaryOp::kAdd:
        return sum(left, right, point);
      case BinaryOp::kSubtract:
        if (is_array(left)) return without(left, right);
        break;
      default:
        break;
    }
    return calculated(binary.op, left, right, point);
  }

  Value value(const Call& call, std::size_t) {
    if (call.function == "if_then") {
      return value(call.arguments.at(is_true(value(call.arguments.at(0))) ? 1 : 2));
    }
    if (call.function == "matches") return matched(to_text(value(call.arguments.at(1))));
    const Value first = value(call.arguments.at(0));
    if (call.function == "to_uppercase") return uppercase(first);
    const Value second = value(call.arguments.at(1));
    if (!is_array(first)) return truth(to_text(first).find(to_text(second)) != std::string::npos);
    for (const Value& element : elements_of(first)) {
      if (equal(element, second)) return truth(true);
    }
    return truth(false);
  }

  // The one regular expression that it knows: '(1)2?'.
  Value matched(const std::string& text) {
    captures_.clear();
    const auto found = text.find('1');
    if (found == text.npos) return truth(false);
    captures_ = {text.substr(found, 2) == "12" ? "12" : "1", "1"};
    return truth(true);
  }

  Value uppercase(const Value& operand) {
    if (is_array(operand)) {
      Array changed;
      for (const Value& element : elements_of(operand)) changed.push_back(uppercase(element));
      return changed;
    }
    std::string text = to_text(operand);
    for (char& c : text) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return text;
  }

  Value sum(const Value& left, const Value& right, std::size_t point) {
    const bool left_text = std::holds_alternative<std::string>(left);
    const bool right_text = std::holds_alternative<std::string>(right);
    if (is_array(left) || is_array(right)) {
      Array joined = is_array(left) ? elements_of(left) : Array(1, left);
      const Array more = is_array(right) ? elements_of(right) : Array(1, right);
      joined.insert(joined.end(), more.begin(), more.end());
      return joined;
    }
    if (left_text && !is_true(left)) return right;
    if (right_text && !is_true(right)) return left;
    if (left_text || right_text) return to_text(left) + to_text(right);
    return calculated(BinaryOp::kAdd, left, right, point);
  }

  Value without(const Value& array, const Value& unwanted) {
    Array rest;
    for (const Value& element : elements_of(array)) {
      if (!equal(element, unwanted)) rest.push_back(element);
    }
    return rest;
  }

  // An integer if both are integers and it is no division.
  Value calculated(BinaryOp op, const Value& left, const Value& right, std::size_t point) {
    const Value a = number_of(left);
    const Value b = number_of(right);
    const auto* x = std::get_if<std::int64_t>(&a);
    const auto* y = std::get_if<std::int64_t>(&b);
    if (x != nullptr && y != nullptr && op != BinaryOp::kDivide) return calculated(op, *x, *y);
    const double m = float_of(a);
    const double n = float_of(b);
    if (op == BinaryOp::kDivide && n == 0) fail("division by zero", point);
    const double result = op == BinaryOp::kAdd        ? m + n
                          : op == BinaryOp::kSubtract ? m - n
                          : op == BinaryOp::kMultiply ? m * n
                                                      : m / n;
    return std::isfinite(result) ? result : fail("the result is too large for a float", point);
  }

  static Value calculated(BinaryOp op, std::int64_t x, std::int64_t y) {
    __extension__ typedef __int128 Wide;
    const Wide a = x;
    const Wide b = y;
    const Wide result = op == BinaryOp::kAdd ? a + b : op == BinaryOp::kSubtract ? a - b : a * b;
    const Wide most = std::numeric_limits<std::int64_t>::max();
    const Wide least = std::numeric_limits<std::int64_t>::min();
    return static_cast<std::int64_t>(std::clamp(result, least, most));
  }

  // An integer or a float.
  static Value number_of(const Value& value) {
    if (is_array(value)) return std::int64_t{!is_true(value)};
    if (std::holds_alternative<Constant>(value)) return std::int64_t{0};
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return value;
    if (text->empty() || text->find_first_not_of("0123456789+-.eE") != text->npos) {
      return std::int64_t{0};
    }
    char* end = nullptr;
    errno = 0;
    const std::int64_t integer = std::strtoll(text->c_str(), &end, 10);
    if (*end == '\0' && errno == 0) return integer;
    const double real = std::strtod(text->c_str(), &end);
    return *end == '\0' && std::isfinite(real) ? Value(real) : Value(std::int64_t{0});
  }
  static double float_of(const Value& value) {
    const Value number = number_of(value);
    const auto* integer = std::get_if<std::int64_t>(&number);
    return integer != nullptr ? static_cast<double>(*integer) : std::get<double>(number);
  }

  static bool is_array(const Value& value) { return std::holds_alternative<Array>(value); }
  static Array elements_of(const Value& value) {
    if (const auto* array = std::get_if<Array>(&value)) return *array;
    return value == Value(std::string()) ? Array() : Array(1, value);
  }
  static Value truth(bool holds) { return std::int64_t{holds}; }
  [[noreturn]] static Value fail(std::string message, std::size_t point) {
    throw Failure{std::move(message), point};
  }

  const Ast& ast_;
  const Environment& environment_;
  const std::vector<std::string>& constants_;
  std::vector<std::string> captures_;
};

}  // namespace expr::testing_support
