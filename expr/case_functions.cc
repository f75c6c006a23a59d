// The functions about letters, digits and their case.

#include <algorithm>

#include "expr/functions.h"
#include "expr/search.h"
#include "expr/unicode.h"
#include "expr/value.h"

namespace expr {
namespace {

template <class Predicate>
std::size_t count_characters(std::string_view text, Predicate predicate) {
  std::size_t number = 0;
  while (!text.empty()) {
    const Character character = next_character(text);
    if (predicate(character.code)) ++number;
    text.remove_prefix(character.bytes.size());
  }
  return number;
}

Value lowercase(const Arguments& arguments) {
  return map_text(arguments[0], [](const std::string& s) { return to_lowercase(s); });
}

Value uppercase(const Arguments& arguments) {
  return map_text(arguments[0], [](const std::string& s) { return to_uppercase(s); });
}

Value all_uppercase(const Arguments& arguments) {
  return map_text(arguments[0], [](const std::string& s) {
    return std::int64_t{count_characters(s, is_lowercase) == 0};
  });
}

Value all_lowercase(const Arguments& arguments) {
  return map_text(arguments[0], [](const std::string& s) {
    return std::int64_t{count_characters(s, is_uppercase) == 0};
  });
}

Value has_digits(const Arguments& arguments) {
  return map_text(arguments[0], [](const std::string& s) {
    return std::int64_t{s.find_first_of("0123456789") != s.npos};
  });
}

Value count_all(const Arguments& arguments) {
  return count(count_characters(arguments.text(0), [](char32_t) { return true; }));
}

Value count_spaces(const Arguments& arguments) {
  return count(count_characters(arguments.text(0), is_space));
}

Value count_uppercase(const Arguments& arguments) {
  return count(count_characters(arguments.text(0), is_uppercase));
}

Value count_lowercase(const Arguments& arguments) {
  return count(count_characters(arguments.text(0), is_lowercase));
}

bool equal_ignoring_ascii_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

Value eq_ignore_case(const Arguments& arguments) {
  return truth(equal_ignoring_ascii_case(arguments.text(0), arguments.text(1)));
}

Value contains(const Arguments& arguments) {
  if (const auto* array = std::get_if<Array>(&arguments[0])) {
    return truth(std::any_of(array->begin(), array->end(),
                             [&](const Value& element) { return equal(element, arguments[1]); }));
  }
  return truth(find_first(arguments.text(0), arguments.text(1)) != std::string::npos);
}

Value contains_ignore_case(const Arguments& arguments) {
  const std::string& sought = arguments.text(1);
  if (const auto* array = std::get_if<Array>(&arguments[0])) {
    return truth(std::any_of(array->begin(), array->end(), [&](const Value& element) {
      return equal_ignoring_ascii_case(to_text(element), sought);
    }));
  }
  const std::string lower = to_lowercase(arguments.text(0));
  return truth(find_first(lower, to_lowercase(sought)) != std::string::npos);
}

constexpr auto kAny = Accepts::kAnything;
constexpr auto kText = Accepts::kText;

constexpr std::array<Function, 12> kFunctions = {{
    {"to_lowercase",
     1,
     {kAny},
     Gives::kStringOrArray,
     lowercase,
     {},
     Special::kNone,
     Growth::kLetters},
    {"to_uppercase",
     1,
     {kAny},
     Gives::kStringOrArray,
     uppercase,
     {},
     Special::kNone,
     Growth::kLetters},
    {"is_lowercase",
     1,
     {kAny},
     Gives::kTruthOrArray,
     all_lowercase,
     {},
     Special::kNone,
     Growth::kLetters},
    {"is_uppercase",
     1,
     {kAny},
     Gives::kTruthOrArray,
     all_uppercase,
     {},
     Special::kNone,
     Growth::kLetters},
    {"has_digits", 1, {kAny}, Gives::kTruthOrArray, has_digits},
    {"count_chars", 1, {kText}, Gives::kInteger, count_all},
    {"count_spaces", 1, {kText}, Gives::kInteger, count_spaces},
    {"count_uppercase",
     1,
     {kText},
     Gives::kInteger,
     count_uppercase,
     {},
     Special::kNone,
     Growth::kLetters},
    {"count_lowercase",
     1,
     {kText},
     Gives::kInteger,
     count_lowercase,
     {},
     Special::kNone,
     Growth::kLetters},
    {"eq_ignore_case", 2, {kText, kText}, Gives::kTruth, eq_ignore_case},
    {"contains", 2, {kAny, kAny}, Gives::kTruth, contains, {}, Special::kNone, Growth::kPairs},
    {"contains_ignore_case",
     2,
     {kAny, kAny},
     Gives::kTruth,
     contains_ignore_case,
     {},
     Special::kNone,
     Growth::kPairs},
}};

}  // namespace

std::span<const Function> case_functions() {
  return kFunctions;
}

}  // namespace expr
