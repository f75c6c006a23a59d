#pragma once
// Characters of UTF-8 text and their case. Case is known for Latin (Basic Latin, Latin-1,
// Extended-A, the regular pairs of Extended-B and Extended Additional), Greek, Cyrillic, Armenian
// and full-width Latin, as in Unicode 15 with its unconditional and final-sigma special casings;
// other letters have none here. Bytes that are no UTF-8 are kept as they are.

#include <string>
#include <string_view>

namespace expr {

struct Character {
  char32_t code = 0;       // U+FFFD if not valid
  std::string_view bytes;  // 1 to 4 of them
  bool valid = true;
};

// The first character of a text that is not empty. A byte that begins no character is one by
// itself.
Character next_character(std::string_view text);

bool is_space(char32_t code);  // Unicode's White_Space
bool is_uppercase(char32_t code);
bool is_lowercase(char32_t code);
// Letters and digits. Outside of the scripts above by block: everything from U+00C0 on except
// punctuation, symbols and emoji.
bool is_alphanumeric(char32_t code);

std::string to_lowercase(std::string_view text);
std::string to_uppercase(std::string_view text);

// Views into `text`.
std::string_view trim_start(std::string_view text);
std::string_view trim_end(std::string_view text);

}  // namespace expr
