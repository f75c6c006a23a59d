#pragma once
// Header field bodies from texts that may hold anything (RFC 5322, RFC 2047).

#include <string>
#include <string_view>

namespace rapporteur {

// Without control characters, broken UTF-8 replaced, runs of spaces made one, none at the ends.
std::string one_line(std::string_view text);

// one_line() with every character that is not ASCII replaced by '?'.
std::string ascii_line(std::string_view text);

// Lines of 7-bit ASCII that end in LF and have at most 900 bytes, for the text part.
std::string ascii_lines(std::string_view text);

// `text`, which is UTF-8, as RFC 2047 words with spaces between that do not count.
std::string encoded_words(std::string_view text);

// `text`, one line of ASCII, with line breaks (LF) put before spaces, so that lines have at most 77
// bytes where there are spaces; `name_length` bytes stand before it.
std::string folded(std::string_view text, std::size_t name_length);

// Whether every word of the text is ASCII and short enough to be written without encoding.
bool is_plain(std::string_view text);

}  // namespace rapporteur
