#pragma once
// What values are when seen as something else, and how they compare: docs/expressions.md, "Values".
// Everything here is total: there is no value that any of it refuses.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "expr/expression.h"

namespace expr {

constexpr std::size_t kMaxValueBytes = 65'536;

using Number = std::variant<std::int64_t, double>;

// The number that the whole of a text is: digits with an optional sign, fraction and exponent.
std::optional<Number> read_decimal(std::string_view text);

// Text that is no number is 0, and so is a constant; an array is 1 if it is empty and else 0.
Number to_number(const Value& value);
double to_double(const Number& number);
Value to_value(const Number& number);

// Without its fraction, and the nearest one if it does not fit.
std::int64_t to_integer(const Value& value);

// An array is itself, '' is [], any other value is an array with itself in it.
Array to_array(const Value& value);

// Numbers by their size, strings by their bytes, a string and a number if all of the string is that
// number, arrays element by element, constants by their names. Nothing else is equal.
bool equal(const Value& a, const Value& b);

// As equal() where both are numbers or numbers in strings, strings bytewise, arrays by their first
// difference, constants by their place in `constants`. A number and something that is none are
// unordered. Of different kinds: an array is more than a string, a string more than a constant.
std::partial_ordering compare(const Value& a, const Value& b,
                              const std::vector<std::string>& constants);

// A strict weak order of all values, for sorting: numbers, constants, strings, arrays; each kind
// within itself as compare().
bool sorts_before(const Value& a, const Value& b, const std::vector<std::string>& constants);

// What counts toward kMaxValueBytes: the bytes of a text, and kElementBytes for each element of an
// array.
constexpr std::size_t kElementBytes = 16;
inline std::size_t size_of(const Value& value);

// size_of() of what is no text.
std::size_t size_of_others(const Value& value);

inline std::size_t size_of(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr ? text->size() : size_of_others(value);
}

// How long to_text() is at most.
std::size_t most_text_bytes(const Value& value);

inline Value truth(bool value) {
  return Value(std::int64_t{value});
}

}  // namespace expr
