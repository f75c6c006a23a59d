#include "expr/operators.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <cstdint>
#include <iterator>
#include <limits>
#include <utility>

#include "expr/value.h"

namespace expr {
namespace {

constexpr std::string_view kNotFinite = "the result is too large for a float";

std::int64_t saturated(bool negative) {
  return negative ? std::numeric_limits<std::int64_t>::min()
                  : std::numeric_limits<std::int64_t>::max();
}

std::int64_t add_saturating(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? saturated(a < 0) : sum;
}

std::int64_t subtract_saturating(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  return __builtin_sub_overflow(a, b, &difference) ? saturated(a < 0) : difference;
}

std::int64_t multiply_saturating(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? saturated((a < 0) != (b < 0)) : product;
}

Computed finite(double number) {
  if (!std::isfinite(number)) return kNotFinite;
  return Value(number);
}

// +, - and * of two numbers: integers stay integers, unless one of them is a float.
Computed calculate(BinaryOp op, const Number& a, const Number& b) {
  const auto* x = std::get_if<std::int64_t>(&a);
  const auto* y = std::get_if<std::int64_t>(&b);
  if (x != nullptr && y != nullptr) {
    if (op == BinaryOp::kAdd) return Value(add_saturating(*x, *y));
    if (op == BinaryOp::kSubtract) return Value(subtract_saturating(*x, *y));
    return Value(multiply_saturating(*x, *y));
  }
  if (op == BinaryOp::kAdd) return finite(to_double(a) + to_double(b));
  if (op == BinaryOp::kSubtract) return finite(to_double(a) - to_double(b));
  return finite(to_double(a) * to_double(b));
}

bool is_empty_text(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr && text->empty();
}

Computed add(const Value& left, const Value& right) {
  const bool joins_arrays =
      std::holds_alternative<Array>(left) || std::holds_alternative<Array>(right);
  if (joins_arrays) {
    Array joined;
    for (const Value* side : {&left, &right}) {
      if (const auto* array = std::get_if<Array>(side)) {
        joined.insert(joined.end(), array->begin(), array->end());
      } else {
        joined.push_back(*side);
      }
    }
    return Value(std::move(joined));
  }
  if (is_empty_text(left)) return right;
  if (is_empty_text(right)) return left;
  if (std::holds_alternative<std::string>(left) || std::holds_alternative<std::string>(right)) {
    return Value(to_text(left) + to_text(right));
  }
  return calculate(BinaryOp::kAdd, to_number(left), to_number(right));
}

Computed subtract(const Value& left, const Value& right) {
  const auto* array = std::get_if<Array>(&left);
  if (array == nullptr) {
    return calculate(BinaryOp::kSubtract, to_number(left), to_number(right));
  }
  Array rest;
  std::copy_if(array->begin(), array->end(), std::back_inserter(rest),
               [&](const Value& element) { return !equal(element, right); });
  return Value(std::move(rest));
}

Computed divide(const Value& left, const Value& right) {
  const double divisor = to_double(to_number(right));
  if (divisor == 0) return std::string_view("division by zero");
  return finite(to_double(to_number(left)) / divisor);
}

bool is_integer(Type type) {
  return type == Type::kInteger || type == Type::kTruth;
}
bool is_numeric(Type type) {
  return is_integer(type) || type == Type::kFloat;
}

Type numeric_type(Type left, Type right) {
  if (is_integer(left) && is_integer(right)) return Type::kInteger;
  if (left == Type::kFloat || right == Type::kFloat) return Type::kFloat;
  return Type::kAny;  // text: what number it is shows later
}

Type sum_type(const Operand& left, const Operand& right) {
  if (left.type == Type::kArray || right.type == Type::kArray) return Type::kArray;
  if (left.value != nullptr && is_empty_text(*left.value)) return right.type;
  if (right.value != nullptr && is_empty_text(*right.value)) return left.type;
  if (left.type == Type::kAny || right.type == Type::kAny) return Type::kAny;
  const bool left_text = left.type == Type::kString;
  const bool right_text = right.type == Type::kString;
  if (left_text && right_text) return Type::kString;
  // Text that may be empty gives the other operand as it is.
  if ((left_text && left.value != nullptr) || (right_text && right.value != nullptr)) {
    return Type::kString;
  }
  if (left_text || right_text) return Type::kAny;
  return numeric_type(left.type, right.type);
}

std::string needs_number(std::string_view op, Type operand) {
  return "'" + std::string(op) + "' needs a number, not " + with_article(operand);
}

}  // namespace

std::string with_article(Type type) {
  const std::string name(to_string(type));
  const bool vowel = name[0] == 'a' || name[0] == 'i';
  return (type == Type::kAny ? "" : vowel ? "an " : "a ") + name;
}

Value compute(UnaryOp op, const Value& operand) {
  if (op == UnaryOp::kNot) return truth(!is_true(operand));
  const Number number = to_number(operand);
  if (const auto* integer = std::get_if<std::int64_t>(&number)) {
    return Value(subtract_saturating(0, *integer));
  }
  return Value(-std::get<double>(number));
}

Computed compute(BinaryOp op, const Value& left, const Value& right,
                 const std::vector<std::string>& constants) {
  switch (op) {
    case BinaryOp::kMultiply:
      return calculate(op, to_number(left), to_number(right));
    case BinaryOp::kDivide:
      return divide(left, right);
    case BinaryOp::kAdd:
      return add(left, right);
    case BinaryOp::kSubtract:
      return subtract(left, right);
    case BinaryOp::kGreater:
      return truth(std::is_gt(compare(left, right, constants)));
    case BinaryOp::kGreaterEqual:
      return truth(std::is_gteq(compare(left, right, constants)));
    case BinaryOp::kLess:
      return truth(std::is_lt(compare(left, right, constants)));
    case BinaryOp::kLessEqual:
      return truth(std::is_lteq(compare(left, right, constants)));
    case BinaryOp::kEqual:
      return truth(equal(left, right));
    case BinaryOp::kNotEqual:
      return truth(!equal(left, right));
    case BinaryOp::kXor:
      return truth(is_true(left) != is_true(right));
    case BinaryOp::kAnd:
      return truth(is_true(left) && is_true(right));
    case BinaryOp::kOr:
      break;
  }
  return truth(is_true(left) || is_true(right));
}

Value element(const Value& array, const Value& position) {
  const std::int64_t place = to_integer(position);
  if (place < 0) return Value(std::string());
  const auto index = static_cast<std::size_t>(place);
  if (const auto* elements = std::get_if<Array>(&array)) {
    return index < elements->size() ? (*elements)[index] : Value(std::string());
  }
  return index == 0 ? array : Value(std::string());
}

Type result_type(UnaryOp op, const Operand& operand) {
  if (op == UnaryOp::kNot) return Type::kTruth;
  return numeric_type(operand.type, Type::kInteger);
}

Type result_type(BinaryOp op, const Operand& left, const Operand& right) {
  switch (op) {
    case BinaryOp::kAdd:
      return sum_type(left, right);
    case BinaryOp::kSubtract:
      if (left.type == Type::kArray || left.type == Type::kAny) return left.type;
      return numeric_type(left.type, right.type);
    case BinaryOp::kMultiply:
      return numeric_type(left.type, right.type);
    case BinaryOp::kDivide:
      return Type::kFloat;
    default:
      return Type::kTruth;
  }
}

Type element_type(const Operand& array) {
  return array.type == Type::kString ? Type::kString : Type::kAny;
}

std::optional<Refusal> refuse(UnaryOp op, Type operand) {
  if (op == UnaryOp::kNot || (operand != Type::kArray && operand != Type::kConstant)) {
    return std::nullopt;
  }
  return Refusal{false, needs_number(spelling(op), operand)};
}

std::optional<Refusal> refuse(BinaryOp op, Type left, Type right) {
  if (op == BinaryOp::kAdd) {
    // A constant joins to text and to arrays; where the other operand is a number, it has none.
    const auto counts = [](Type type) { return is_numeric(type) || type == Type::kConstant; };
    if (left == Type::kConstant && counts(right)) return Refusal{false, needs_number("+", left)};
    if (right == Type::kConstant && counts(left)) return Refusal{true, needs_number("+", right)};
    return std::nullopt;
  }
  const bool calculates =
      op == BinaryOp::kSubtract || op == BinaryOp::kMultiply || op == BinaryOp::kDivide;
  if (!calculates) return std::nullopt;
  if (op == BinaryOp::kSubtract && left == Type::kArray) return std::nullopt;
  const auto has_no_number = [](Type type) {
    return type == Type::kArray || type == Type::kConstant;
  };
  if (has_no_number(left)) return Refusal{false, needs_number(spelling(op), left)};
  // What is subtracted may be an array's element, an array itself, if the left side is an array.
  const bool left_may_be_array = op == BinaryOp::kSubtract && left == Type::kAny;
  if (has_no_number(right) && !left_may_be_array) {
    return Refusal{true, needs_number(spelling(op), right)};
  }
  return std::nullopt;
}

}  // namespace expr
