#pragma once
// Small things done to text. Case means ASCII case throughout: domains and keywords are ASCII.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rapporteur {

// The pieces between the delimiters; one more than there are delimiters. Views into `text`.
std::vector<std::string_view> split(std::string_view text, char delimiter);

std::string join(const std::vector<std::string>& parts, std::string_view delimiter);

// Without spaces, tabs, CR and LF at either end. A view into `text`.
std::string_view trim(std::string_view text);

std::string to_lower(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);

bool is_ascii(std::string_view text);

// `text` with every byte sequence that is not UTF-8 (RFC 3629) replaced by U+FFFD, one for each
// maximal broken piece.
std::string to_valid_utf8(std::string_view text);
bool is_valid_utf8(std::string_view text);

// Without the control characters U+0000 to U+001F, U+007F and U+0080 to U+009F. `text` is UTF-8.
std::string without_controls(std::string_view text);

// At most `max_bytes` bytes: cut at a character and marked with "…" (whose three bytes count) if
// it was longer. `text` is UTF-8, `max_bytes` at least 3.
std::string truncate_utf8(std::string_view text, std::size_t max_bytes);

// Shell-style pattern: '*' any run, '?' one byte, everything else itself, ignoring case.
bool glob_matches(std::string_view pattern, std::string_view text);

// The number of single-character insertions, deletions, replacements and swaps of neighbours that
// turn one word into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

// For unordered containers with keys of type std::string that are searched with a string_view.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

// Standard base64 (RFC 4648, section 4) on one line.
std::string base64(std::string_view bytes);

}  // namespace rapporteur
