#include "store/pg_text.h"

#include <algorithm>

#include "base/text.h"

namespace rapporteur {

namespace {

constexpr char kMark = '\x01';

int hex_digit(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

}  // namespace

std::string storable(std::string_view text) {
  const bool utf8 = is_valid_utf8(text);
  const auto plain = [&](char c) {
    return c != '\0' && c != kMark && (utf8 || static_cast<unsigned char>(c) < 0x80);
  };
  if (std::ranges::all_of(text, plain)) return std::string(text);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string stored;
  for (const char c : text) {
    if (plain(c)) {
      stored += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    stored += kMark;
    stored += kDigits[byte >> 4];
    stored += kDigits[byte & 0xf];
  }
  return stored;
}

std::string restored(std::string text) {
  if (text.find(kMark) == text.npos) return text;
  std::string whole;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == kMark && i + 2 < text.size()) {
      whole += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      whole += text[i];
    }
  }
  return whole;
}

std::string readable(std::string_view text) {
  auto valid = to_valid_utf8(text);
  std::erase(valid, '\0');
  return valid;
}

}  // namespace rapporteur
