#include "config/nesting.h"

#include <algorithm>

namespace rapporteur {

namespace {

constexpr std::size_t kMostParts = 32;
constexpr std::size_t kMostOpen = 32;
constexpr std::size_t kMostDotted = 100'000;

// Behind the end of the comment that begins at `at`.
std::size_t skip_comment(std::string_view text, std::size_t at) {
  return std::min(text.find('\n', at), text.size());
}

// Behind the end of the string that begins at `at` (TOML 1.0, "String").
std::size_t skip_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const bool multi_line = text.substr(at, 3) == std::string_view(quote == '"' ? "\"\"\"" : "'''");
  at += multi_line ? 3 : 1;
  for (; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == '\n' && !multi_line) {
      return at;  // an error of the text
    } else if (text[at] == quote) {
      if (!multi_line) return at + 1;
      // Up to two quotes may stand before the three that close.
      const auto run = text.substr(at, 5);
      const auto quotes = std::min(run.find_first_not_of(quote), run.size());
      if (quotes >= 3) return at + quotes;
      at += quotes - 1;
    }
  }
  return text.size();
}

}  // namespace

std::optional<DeepNesting> find_deep_nesting(std::string_view text) {
  std::size_t open = 0;
  std::size_t parts = 1;   // of the key at hand; a number such as 1.5 counts as one of two
  std::size_t dotted = 0;  // names of several parts
  bool behind_equals = false;
  for (std::size_t at = 0; at < text.size();) {
    switch (text[at]) {
      case '#':
        at = skip_comment(text, at);
        continue;
      case '"':
      case '\'':
        at = skip_string(text, at);
        continue;
      case '.':
        if (++parts > kMostParts) {
          return DeepNesting{"too many dots: a key may have 32 parts at most", at};
        }
        if (parts == 2 && !behind_equals && ++dotted > kMostDotted) {
          return DeepNesting{"the file has more than 100,000 keys and headers with dots", at};
        }
        break;
      case '[':
      case '{':
        if (++open > kMostOpen) return DeepNesting{"the values nest deeper than 32 levels", at};
        parts = 1;
        behind_equals = false;
        break;
      case ']':
      case '}':
        if (open > 0) --open;
        parts = 1;
        break;
      case '=':
      case ',':
      case '\n':
        parts = 1;
        behind_equals = text[at] == '=';
        break;
      default:
        break;
    }
    ++at;
  }
  return std::nullopt;
}

}  // namespace rapporteur
