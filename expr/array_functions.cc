// The functions about arrays, and those that ask what a value is.

#include <algorithm>
#include <iterator>
#include <utility>

#include "expr/functions.h"
#include "expr/value.h"

namespace expr {
namespace {

bool holds(const Array& array, const Value& value) {
  return std::any_of(array.begin(), array.end(),
                     [&](const Value& element) { return equal(element, value); });
}

Value count_elements(const Arguments& arguments) {
  return count(to_array(arguments[0]).size());
}

Value sort(const Arguments& arguments) {
  Array sorted = to_array(arguments[0]);
  const bool ascending = is_true(arguments[1]);
  std::stable_sort(sorted.begin(), sorted.end(), [&](const Value& a, const Value& b) {
    return ascending ? sorts_before(a, b, arguments.constants())
                     : sorts_before(b, a, arguments.constants());
  });
  return Value(std::move(sorted));
}

Value dedup(const Arguments& arguments) {
  Array unique;
  for (const Value& element : to_array(arguments[0])) {
    if (!holds(unique, element)) unique.push_back(element);
  }
  return Value(std::move(unique));
}

Value winnow(const Arguments& arguments) {
  Array kept = to_array(arguments[0]);
  kept.erase(std::remove_if(kept.begin(), kept.end(),
                            [](const Value& element) {
                              const auto* text = std::get_if<std::string>(&element);
                              return text != nullptr && text->empty();
                            }),
             kept.end());
  return Value(std::move(kept));
}

Value is_intersect(const Arguments& arguments) {
  const auto* left = std::get_if<Array>(&arguments[0]);
  const auto* right = std::get_if<Array>(&arguments[1]);
  if (left != nullptr && right != nullptr) {
    return truth(std::any_of(left->begin(), left->end(),
                             [&](const Value& element) { return holds(*right, element); }));
  }
  if (left != nullptr) return truth(holds(*left, arguments[1]));
  return truth(right != nullptr && holds(*right, arguments[0]));
}

Value is_empty(const Arguments& arguments) {
  const bool can_be = std::holds_alternative<std::string>(arguments[0]) ||
                      std::holds_alternative<Array>(arguments[0]);
  return truth(can_be && !is_true(arguments[0]));
}

Value is_number(const Arguments& arguments) {
  if (const auto* text = std::get_if<std::string>(&arguments[0])) {
    return truth(read_decimal(*text).has_value());
  }
  return truth(std::holds_alternative<std::int64_t>(arguments[0]) ||
               std::holds_alternative<double>(arguments[0]));
}

constexpr auto kAny = Accepts::kAnything;

constexpr std::array<Function, 7> kFunctions = {{
    {"count", 1, {kAny}, Gives::kInteger, count_elements},
    {"sort", 2, {kAny, kAny}, Gives::kArray, sort, {}, Special::kNone, Growth::kSorting},
    {"dedup", 1, {kAny}, Gives::kArray, dedup, {}, Special::kNone, Growth::kPairs},
    {"winnow", 1, {kAny}, Gives::kArray, winnow},
    {"is_intersect",
     2,
     {kAny, kAny},
     Gives::kTruth,
     is_intersect,
     {},
     Special::kNone,
     Growth::kPairs},
    {"is_empty", 1, {kAny}, Gives::kTruth, is_empty},
    {"is_number", 1, {kAny}, Gives::kTruth, is_number},
}};

}  // namespace

std::span<const Function> array_functions() {
  return kFunctions;
}

}  // namespace expr
