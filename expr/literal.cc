#include "expr/literal.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

namespace expr {
namespace {

constexpr std::string_view kDigits = "0123456789";

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr std::array<Unit, 8> kUnits = {{{"d", 86'400'000},
                                         {"h", 3'600'000},
                                         {"m", 60'000},
                                         {"s", 1'000},
                                         {"ms", 1},
                                         {"kb", 1LL << 10},
                                         {"mb", 1LL << 20},
                                         {"gb", 1LL << 30}}};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string to_lower_ascii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

const Unit* find_unit(std::string_view name) {
  const std::string lower = to_lower_ascii(name);
  for (const Unit& unit : kUnits) {
    if (unit.name == lower) return &unit;
  }
  return nullptr;
}

std::optional<std::int64_t> read_integer(std::string_view digits) {
  std::int64_t number = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

std::variant<Value, Malformed> read_float(std::string_view token) {
  if (std::count(token.begin(), token.end(), '.') != 1 || token.size() < 2) {
    return Malformed{mention(token) + " is not a number", ""};
  }
  double number = 0;
  const auto [stop, error] =
      std::from_chars(token.data(), token.data() + token.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(number)) {
    return Malformed{mention(token) + " is out of the range of a float", ""};
  }
  return Value(number);
}

Malformed explain(std::string_view token, std::string_view suffix) {
  const bool letters = std::all_of(suffix.begin(), suffix.end(), is_letter);
  if (letters && token.find('.') == token.npos) {
    return {"unknown unit " + mention(suffix) + " in " + mention(token),
            "the units are d, h, m, s, ms, kb, mb and gb"};
  }
  if (letters && find_unit(suffix) != nullptr) {
    return {mention(token) + " is not a number", "durations and sizes are whole numbers"};
  }
  if (suffix.front() == 'e' || suffix.front() == 'E') {
    return {mention(token) + " is not a number", "numbers are written without an exponent"};
  }
  return {mention(token) + " is not a number", ""};
}

void append_escaped(std::string& text, char c) {
  switch (c) {
    case '\\':
      text += "\\\\";
      return;
    case '\'':
      text += "\\'";
      return;
    case '\n':
      text += "\\n";
      return;
    case '\r':
      text += "\\r";
      return;
    case '\t':
      text += "\\t";
      return;
    default:
      text += c;
  }
}

}  // namespace

std::variant<Value, Malformed> read_number(std::string_view token) {
  const auto digits = token.substr(0, token.find_first_not_of(kDigits));
  const auto suffix = token.substr(std::min(token.size(), token.find_first_not_of("0123456789.")));
  if (digits.size() != token.size() && suffix.empty()) return read_float(token);

  const bool whole = digits.size() + suffix.size() == token.size() && !digits.empty();
  const Unit* unit = suffix.empty() ? nullptr : find_unit(suffix);
  if (!whole || (unit == nullptr && !suffix.empty())) return explain(token, suffix);

  const auto number = read_integer(digits);
  const std::int64_t factor = unit == nullptr ? 1 : unit->factor;
  if (!number || *number > std::numeric_limits<std::int64_t>::max() / factor) {
    return Malformed{mention(token) + " does not fit in 64 bits", ""};
  }
  return Value(*number * factor);
}

std::string unescape(std::string_view body) {
  std::string text;
  text.reserve(body.size());
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\' || i + 1 == body.size()) {
      text += body[i];
      continue;
    }
    const char next = body[++i];
    switch (next) {
      case '\\':
      case '\'':
      case '"':
        text += next;
        break;
      case 'n':
        text += '\n';
        break;
      case 'r':
        text += '\r';
        break;
      case 't':
        text += '\t';
        break;
      default:
        text += '\\';
        text += next;
    }
  }
  return text;
}

std::string quote(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) append_escaped(quoted, c);
  return quoted + "'";
}

std::string mention(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  const bool cut = text.size() > kLongest;
  if (cut) {
    text = text.substr(0, kLongest);
    // Not in the middle of a character.
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) {
      text.remove_suffix(1);
    }
    if (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80) != 0) {
      text.remove_suffix(1);
    }
  }
  std::string words = "'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    words += byte < 0x20 || byte == 0x7F ? ' ' : c;
  }
  return words + (cut ? "…'" : "'");
}

}  // namespace expr
