#include "mime/header_text.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace rapporteur {

namespace {

constexpr std::size_t kFoldWidth = 77;
// Well below the 998 bytes that RFC 5322 allows, since a field name may stand before the word.
constexpr std::size_t kLongestWord = 900;

// One '?' for each character, not for each of its bytes.
std::string ascii_only(std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  std::string out;
  for (const char c : text) {
    const bool continues = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
    if (!continues) out += static_cast<unsigned char>(c) < 0x80 ? c : '?';
  }
  return out;
}

// Printable ASCII with single spaces between words, as nearly all texts are.
bool is_one_line(std::string_view text) {
  char before = ' ';
  for (const char c : text) {
    if (c < ' ' || c > '~' || (c == ' ' && before == ' ')) return false;
    before = c;
  }
  return text.empty() || before != ' ';
}

}  // namespace

std::string one_line(std::string_view text) {
  if (is_one_line(text)) return std::string(text);
  const auto clean = without_controls(to_valid_utf8(text));
  std::vector<std::string> words;
  for (const auto word : split(clean, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  return join(words, " ");
}

std::string ascii_line(std::string_view text) {
  return ascii_only(one_line(text));
}

std::string ascii_lines(std::string_view text) {
  std::string out;
  auto lines = split(text, '\n');
  if (lines.back().empty()) lines.pop_back();
  for (const auto line : lines) {
    auto clean = ascii_only(without_controls(to_valid_utf8(line)));
    for (; clean.size() > kLongestWord; clean.erase(0, kLongestWord)) {
      out.append(clean, 0, kLongestWord).append("\n");
    }
    out += clean + "\n";
  }
  return out;
}

std::string encoded_words(std::string_view text) {
  constexpr std::size_t kBytesEach = 45;  // 60 characters of base64: a word may have 75
  std::string out;
  while (!text.empty()) {
    auto size = std::min(kBytesEach, text.size());
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
    if (!out.empty()) out += ' ';
    out += "=?UTF-8?B?" + base64(text.substr(0, size)) + "?=";
    text.remove_prefix(size);
  }
  return out;
}

std::string folded(std::string_view text, std::size_t name_length) {
  std::string out;
  std::size_t column = name_length;
  for (const auto word : split(text, ' ')) {
    if (!out.empty()) {
      if (column + 1 + word.size() > kFoldWidth) {
        out += '\n';
        column = 0;
      }
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

bool is_plain(std::string_view text) {
  if (!is_ascii(text)) return false;
  const auto words = split(text, ' ');
  return std::ranges::all_of(words, [](auto word) { return word.size() <= kLongestWord; });
}

}  // namespace rapporteur
