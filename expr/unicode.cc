#include "expr/unicode.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace expr {
namespace {

// Upper-case letters first, first + step, … last; the lower-case one of each is `delta` further.
struct CaseRange {
  char32_t first;
  char32_t last;
  std::uint32_t step;
  std::int32_t delta;
};
constexpr std::array<CaseRange, 45> kRanges = {{
    {0x41, 0x5A, 1, 32},     {0xC0, 0xD6, 1, 32},     {0xD8, 0xDE, 1, 32},
    {0x100, 0x12E, 2, 1},    {0x132, 0x136, 2, 1},    {0x139, 0x147, 2, 1},
    {0x14A, 0x176, 2, 1},    {0x178, 0x178, 1, -121}, {0x179, 0x17D, 2, 1},
    {0x1CD, 0x1DB, 2, 1},    {0x1DE, 0x1EE, 2, 1},    {0x1F8, 0x21E, 2, 1},
    {0x222, 0x232, 2, 1},    {0x246, 0x24E, 2, 1},    {0x370, 0x372, 2, 1},
    {0x376, 0x376, 1, 1},    {0x37F, 0x37F, 1, 116},  {0x386, 0x386, 1, 38},
    {0x388, 0x38A, 1, 37},   {0x38C, 0x38C, 1, 64},   {0x38E, 0x38F, 1, 63},
    {0x391, 0x3A1, 1, 32},   {0x3A3, 0x3AB, 1, 32},   {0x3CF, 0x3CF, 1, 8},
    {0x3D8, 0x3EE, 2, 1},    {0x3F7, 0x3F7, 1, 1},    {0x3F9, 0x3F9, 1, -7},
    {0x3FA, 0x3FA, 1, 1},    {0x3FD, 0x3FF, 1, -130}, {0x400, 0x40F, 1, 80},
    {0x410, 0x42F, 1, 32},   {0x460, 0x480, 2, 1},    {0x48A, 0x4BE, 2, 1},
    {0x4C0, 0x4C0, 1, 15},   {0x4C1, 0x4CD, 2, 1},    {0x4D0, 0x52E, 2, 1},
    {0x531, 0x556, 1, 48},   {0x1E00, 0x1E94, 2, 1},  {0x1EA0, 0x1EFE, 2, 1},
    {0xFF21, 0xFF3A, 1, 32}, {0x187, 0x187, 1, 1},    {0x191, 0x191, 1, 1},
    {0x198, 0x198, 1, 1},    {0x1A0, 0x1A4, 2, 1},    {0x1AF, 0x1AF, 1, 1},
}};

// Letters whose other case does not lead back to them.
constexpr std::array<std::pair<char32_t, char32_t>, 2> kOnlyToLower = {
    {{0x3F4, 0x3B8}, {0x1E9E, 0xDF}}};
constexpr std::array<std::pair<char32_t, char32_t>, 12> kOnlyToUpper = {{
    {0xB5, 0x39C},
    {0x131, 0x49},
    {0x17F, 0x53},
    {0x3C2, 0x3A3},
    {0x3D0, 0x392},
    {0x3D1, 0x398},
    {0x3D5, 0x3A6},
    {0x3D6, 0x3A0},
    {0x3F0, 0x39A},
    {0x3F1, 0x3A1},
    {0x3F5, 0x395},
    {0x1E9B, 0x1E60},
}};
constexpr std::array<std::pair<char32_t, std::string_view>, 10> kToSeveralUpper = {{
    {0xDF, "SS"},
    {0x149, "\xCA\xBCN"},
    {0x390, "\xCE\x99\xCC\x88\xCC\x81"},
    {0x3B0, "\xCE\xA5\xCC\x88\xCC\x81"},
    {0x587, "\xD4\xB5\xD5\x92"},
    {0x1E96, "H\xCC\xB1"},
    {0x1E97, "T\xCC\x88"},
    {0x1E98, "W\xCC\x8A"},
    {0x1E99, "Y\xCC\x8A"},
    {0x1E9A, "A\xCA\xBE"},
}};
constexpr char32_t kDottedI = 0x130;  // its lower case is an i and a combining dot
constexpr char32_t kSigma = 0x3A3;
constexpr char32_t kFinalSigma = 0x3C2;

constexpr std::array<std::pair<char32_t, char32_t>, 10> kNoLetters = {{
    {0xD7, 0xD7},
    {0xF7, 0xF7},
    {0x300, 0x36F},
    {0x37E, 0x37E},
    {0x387, 0x387},
    {0x2000, 0x2BFF},
    {0x3000, 0x303F},
    {0xE000, 0xF8FF},
    {0xFE00, 0xFF0F},
    {0x1F000, 0x1FAFF},
}};

template <std::size_t kSize>
char32_t look_up(const std::array<std::pair<char32_t, char32_t>, kSize>& table, char32_t code) {
  for (const auto& [from, to] : table) {
    if (from == code) return to;
  }
  return code;
}

bool contains(const CaseRange& range, std::int64_t code) {
  return code >= range.first && code <= range.last && (code - range.first) % range.step == 0;
}

char32_t to_lower(char32_t code) {
  if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + 0x20 : code;
  for (const CaseRange& range : kRanges) {
    if (contains(range, code))
      return static_cast<char32_t>(static_cast<std::int64_t>(code) + range.delta);
  }
  return look_up(kOnlyToLower, code);
}

char32_t to_upper(char32_t code) {
  if (code < 0x80) return code >= 'a' && code <= 'z' ? code - 0x20 : code;
  for (const CaseRange& range : kRanges) {
    const std::int64_t upper = static_cast<std::int64_t>(code) - range.delta;
    if (contains(range, upper)) return static_cast<char32_t>(upper);
  }
  return look_up(kOnlyToUpper, code);
}

std::string_view to_several_upper(char32_t code) {
  for (const auto& [from, to] : kToSeveralUpper) {
    if (from == code) return to;
  }
  return {};
}

bool has_case(char32_t code) {
  return is_uppercase(code) || is_lowercase(code);
}

void append(std::string& text, char32_t code) {
  const auto tail = [&](unsigned shift) {
    text += static_cast<char>(0x80 | ((code >> shift) & 0x3F));
  };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | (code >> 6));
    tail(0);
  } else {
    text += static_cast<char>(0xE0 | (code >> 12));
    tail(6);
    tail(0);
  }
}

}  // namespace

Character next_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, text.substr(0, 1), true};
  const Character broken{0xFFFD, text.substr(0, 1), false};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return broken;
  char32_t code = lead & (0x7Fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return broken;
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  const bool shortest = size == 2 || code >= (size == 3 ? 0x800u : 0x10000u);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (!shortest || surrogate || code > 0x10FFFF) return broken;
  return {code, text.substr(0, size), true};
}

bool is_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
         code == 0x202F || code == 0x205F || code == 0x3000;
}

bool is_uppercase(char32_t code) {
  return code == kDottedI || to_lower(code) != code;
}

bool is_lowercase(char32_t code) {
  if (code < 0x80) return code >= 'a' && code <= 'z';
  return to_upper(code) != code || !to_several_upper(code).empty() || code == 0x138;
}

bool is_alphanumeric(char32_t code) {
  if (code < 0x80) {
    return (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
           (code >= 'A' && code <= 'Z');
  }
  if (code < 0xC0) return code == 0xAA || code == 0xB5 || code == 0xBA;
  if (is_space(code) || code == 0xFFFD) return false;
  return std::none_of(kNoLetters.begin(), kNoLetters.end(), [code](const auto& range) {
    return code >= range.first && code <= range.second;
  });
}

std::string to_lowercase(std::string_view text) {
  std::string lower;
  lower.reserve(text.size());
  bool after_letter = false;
  while (!text.empty()) {
    const Character character = next_character(text);
    text.remove_prefix(character.bytes.size());
    const auto before_letter = [&] { return !text.empty() && has_case(next_character(text).code); };
    if (character.code == kSigma && after_letter && !before_letter()) {
      append(lower, kFinalSigma);
    } else if (character.code == kDottedI) {
      lower += "i\xCC\x87";
    } else if (const char32_t code = to_lower(character.code); code != character.code) {
      append(lower, code);
    } else {
      lower += character.bytes;
    }
    after_letter = has_case(character.code);
  }
  return lower;
}

std::string to_uppercase(std::string_view text) {
  std::string upper;
  upper.reserve(text.size());
  while (!text.empty()) {
    const Character character = next_character(text);
    text.remove_prefix(character.bytes.size());
    if (character.code < 0x80) {
      append(upper, to_upper(character.code));
    } else if (const auto several = to_several_upper(character.code); !several.empty()) {
      upper += several;
    } else if (const char32_t code = to_upper(character.code); code != character.code) {
      append(upper, code);
    } else {
      upper += character.bytes;
    }
  }
  return upper;
}

std::string_view trim_start(std::string_view text) {
  while (!text.empty()) {
    const Character character = next_character(text);
    if (!is_space(character.code)) break;
    text.remove_prefix(character.bytes.size());
  }
  return text;
}

std::string_view trim_end(std::string_view text) {
  std::size_t end = 0;  // of the last character that is no space
  for (std::size_t i = 0; i < text.size();) {
    const Character character = next_character(text.substr(i));
    i += character.bytes.size();
    if (!is_space(character.code)) end = i;
  }
  return text.substr(0, end);
}

}  // namespace expr
