#include "expr/value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "expr/literal.h"

namespace expr {
namespace {

// Plain digits, as few as tell the number from its neighbours.
std::string float_text(double number) {
  std::array<char, 512> text{};  // the longest has 17 digits after 307 zeros
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  return error == std::errc{} ? std::string(text.data(), end) : std::string();
}

std::partial_ordering compare_mixed(std::int64_t a, double b) {
  constexpr double kTwoTo63 = 9223372036854775808.0;
  if (std::isnan(b)) return std::partial_ordering::unordered;
  if (b >= kTwoTo63) return std::partial_ordering::less;
  if (b < -kTwoTo63) return std::partial_ordering::greater;
  const double whole = std::trunc(b);
  const auto truncated = static_cast<std::int64_t>(whole);
  if (a != truncated) return a <=> truncated;
  return whole <=> b;
}

std::partial_ordering flip(std::partial_ordering order) {
  if (order == std::partial_ordering::less) return std::partial_ordering::greater;
  if (order == std::partial_ordering::greater) return std::partial_ordering::less;
  return order;
}

std::partial_ordering compare_numbers(const Number& a, const Number& b) {
  const auto* a_integer = std::get_if<std::int64_t>(&a);
  const auto* b_integer = std::get_if<std::int64_t>(&b);
  if (a_integer != nullptr && b_integer != nullptr) return *a_integer <=> *b_integer;
  if (a_integer != nullptr) return compare_mixed(*a_integer, std::get<double>(b));
  if (b_integer != nullptr) return flip(compare_mixed(*b_integer, std::get<double>(a)));
  return std::get<double>(a) <=> std::get<double>(b);
}

bool is_number_value(const Value& value) {
  return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value);
}

// The number that a value is or spells.
std::optional<Number> number_of(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return Number(*integer);
  if (const auto* real = std::get_if<double>(&value)) return Number(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return read_decimal(*text);
  return std::nullopt;
}

std::size_t place(const Constant& constant, const std::vector<std::string>& constants) {
  const auto found = std::find(constants.begin(), constants.end(), constant.name);
  return static_cast<std::size_t>(found - constants.begin());
}

std::partial_ordering compare_constants(const Constant& a, const Constant& b,
                                        const std::vector<std::string>& constants) {
  const auto order = place(a, constants) <=> place(b, constants);
  return std::is_eq(order) ? a.name <=> b.name : order;
}

// Numbers 0, constants 1, strings 2, arrays 3.
int rank(const Value& value) {
  switch (type_of(value)) {
    case Type::kArray:
      return 3;
    case Type::kString:
      return 2;
    case Type::kConstant:
      return 1;
    default:
      return 0;
  }
}

// An array is its elements between `[` and `]`, each as a literal.
std::string array_text(const Array& array) {
  std::string text = "[";
  for (const Value& element : array) {
    if (text.size() > 1) text += ", ";
    text += std::holds_alternative<double>(element) ? to_text(element) : to_literal(element);
  }
  return text + "]";
}

}  // namespace

Type type_of(const Value& value) {
  static constexpr std::array<Type, 5> kTypes = {Type::kString, Type::kInteger, Type::kFloat,
                                                 Type::kArray, Type::kConstant};
  return kTypes.at(value.index());
}

std::string_view to_string(Type type) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "any value", "string", "integer", "float", "array", "constant", "truth value"};
  return kNames.at(static_cast<std::size_t>(type));
}

std::string to_text(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value)) return float_text(*real);
  if (const auto* array = std::get_if<Array>(&value)) return array_text(*array);
  return std::get<Constant>(value).name;
}

std::string to_literal(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return quote(*text);
  if (const auto* real = std::get_if<double>(&value)) {
    const std::string digits = float_text(*real);
    return std::isfinite(*real) && digits.find('.') == digits.npos ? digits + ".0" : digits;
  }
  if (const auto* array = std::get_if<Array>(&value)) {
    std::string text = "[";
    for (const Value& element : *array) {
      if (text.size() > 1) text += ", ";
      text += to_literal(element);
    }
    return text + "]";
  }
  return to_text(value);
}

bool is_true(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return !text->empty();
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer != 0;
  if (const auto* real = std::get_if<double>(&value)) return *real != 0;
  if (const auto* array = std::get_if<Array>(&value)) return !array->empty();
  return true;
}

std::optional<Number> read_decimal(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('+') || digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.empty() || (digits[0] != '.' && (digits[0] < '0' || digits[0] > '9'))) {
    return std::nullopt;  // also "inf" and "nan", which from_chars would take
  }
  if (text[0] == '+') text = digits;
  const char* const end = text.data() + text.size();
  std::int64_t integer = 0;
  const auto whole = std::from_chars(text.data(), end, integer);
  if (whole.ec == std::errc{} && whole.ptr == end) return Number(integer);
  double real = 0;
  const auto [stop, error] = std::from_chars(text.data(), end, real);
  if (error != std::errc{} || stop != end || !std::isfinite(real)) return std::nullopt;
  return Number(real);
}

Number to_number(const Value& value) {
  if (const auto* array = std::get_if<Array>(&value)) return std::int64_t{array->empty()};
  return number_of(value).value_or(std::int64_t{0});
}

double to_double(const Number& number) {
  const auto* integer = std::get_if<std::int64_t>(&number);
  return integer != nullptr ? static_cast<double>(*integer) : std::get<double>(number);
}

Value to_value(const Number& number) {
  const auto* integer = std::get_if<std::int64_t>(&number);
  return integer != nullptr ? Value(*integer) : Value(std::get<double>(number));
}

std::int64_t to_integer(const Value& value) {
  const Number number = to_number(value);
  if (const auto* integer = std::get_if<std::int64_t>(&number)) return *integer;
  const double real = std::get<double>(number);
  if (std::isnan(real)) return 0;
  constexpr double kTwoTo63 = 9223372036854775808.0;
  if (real >= kTwoTo63) return std::numeric_limits<std::int64_t>::max();
  if (real < -kTwoTo63) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(real);
}

Array to_array(const Value& value) {
  if (const auto* array = std::get_if<Array>(&value)) return *array;
  if (const auto* text = std::get_if<std::string>(&value); text != nullptr && text->empty()) {
    return {};
  }
  return Array(1, value);
}

bool equal(const Value& a, const Value& b) {
  if (is_number_value(a) || is_number_value(b)) {
    const auto a_number = number_of(a);
    const auto b_number = number_of(b);
    return a_number && b_number && std::is_eq(compare_numbers(*a_number, *b_number));
  }
  if (a.index() != b.index()) return false;
  if (const auto* array = std::get_if<Array>(&a)) {
    const auto& other = std::get<Array>(b);
    return std::equal(array->begin(), array->end(), other.begin(), other.end(), equal);
  }
  if (const auto* text = std::get_if<std::string>(&a)) return *text == std::get<std::string>(b);
  return std::get<Constant>(a) == std::get<Constant>(b);
}

std::partial_ordering compare(const Value& a, const Value& b,
                              const std::vector<std::string>& constants) {
  if (is_number_value(a) || is_number_value(b)) {
    const auto a_number = number_of(a);
    const auto b_number = number_of(b);
    if (!a_number || !b_number) return std::partial_ordering::unordered;
    return compare_numbers(*a_number, *b_number);
  }
  if (a.index() != b.index()) return rank(a) <=> rank(b);
  if (const auto* text = std::get_if<std::string>(&a)) return *text <=> std::get<std::string>(b);
  if (const auto* constant = std::get_if<Constant>(&a)) {
    return compare_constants(*constant, std::get<Constant>(b), constants);
  }
  const auto& left = std::get<Array>(a);
  const auto& right = std::get<Array>(b);
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    const auto order = compare(left[i], right[i], constants);
    if (std::is_neq(order)) return order;
  }
  return left.size() <=> right.size();
}

bool sorts_before(const Value& a, const Value& b, const std::vector<std::string>& constants) {
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  const auto* left = std::get_if<Array>(&a);
  if (left == nullptr) {
    const auto order = compare(a, b, constants);
    if (order != std::partial_ordering::unordered) return std::is_lt(order);
    const auto* real = std::get_if<double>(&b);  // not a number comes last
    return real != nullptr && std::isnan(*real) && std::is_eq(compare(a, a, constants));
  }
  const auto& right = std::get<Array>(b);
  return std::lexicographical_compare(
      left->begin(), left->end(), right.begin(), right.end(),
      [&](const Value& x, const Value& y) { return sorts_before(x, y, constants); });
}

std::size_t size_of_others(const Value& value) {
  if (const auto* constant = std::get_if<Constant>(&value)) return constant->name.size();
  const auto* array = std::get_if<Array>(&value);
  if (array == nullptr) return 0;
  std::size_t size = 0;
  for (const Value& element : *array) size += kElementBytes + size_of(element);
  return size;
}

std::size_t most_text_bytes(const Value& value) {
  constexpr std::size_t kIntegerDigits = 20;
  constexpr std::size_t kFloatDigits = 330;
  if (const auto* text = std::get_if<std::string>(&value)) return text->size();
  if (const auto* constant = std::get_if<Constant>(&value)) return constant->name.size();
  if (std::holds_alternative<std::int64_t>(value)) return kIntegerDigits;
  const auto* array = std::get_if<Array>(&value);
  if (array == nullptr) return kFloatDigits;
  std::size_t size = 2;
  for (const Value& element : *array) {
    const std::size_t bytes = most_text_bytes(element);
    // Every character may need a backslash; quotes and a comma stand around it.
    size += std::holds_alternative<std::string>(element) ? 2 * bytes + 4 : bytes + 2;
  }
  return size;
}

}  // namespace expr
