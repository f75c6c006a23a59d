#include <algorithm>
#include <array>
#include <limits>
#include <tuple>

#include "base/text.h"
#include "config/reporter.h"

namespace rapporteur {

namespace {

constexpr std::string_view kEllipsis = "…";

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

struct Range {
  char32_t first;
  char32_t last;
};

// Characters that terminals draw two columns wide (Unicode TR 11, East Asian Wide and Fullwidth)
// or in no column of their own (combining marks, joiners, variation selectors).
constexpr std::array kWide = {
    Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},   Range{0x3041, 0x4DBF},
    Range{0x4E00, 0xA4CF},   Range{0xA960, 0xA97F},   Range{0xAC00, 0xD7A3},
    Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},
    Range{0xFFE0, 0xFFE6},   Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1F6FF},
    Range{0x1F900, 0x1F9FF}, Range{0x20000, 0x3FFFD}};
constexpr std::array kNoWidth = {Range{0x0300, 0x036F}, Range{0x1AB0, 0x1AFF},
                                 Range{0x200B, 0x200F}, Range{0x20D0, 0x20FF},
                                 Range{0xFE00, 0xFE0F}, Range{0xFE20, 0xFE2F}};

template <std::size_t size>
bool holds(const std::array<Range, size>& ranges, char32_t c) {
  return std::ranges::any_of(ranges, [c](Range r) { return c >= r.first && c <= r.last; });
}

std::size_t columns_of(char32_t c) {
  if (holds(kNoWidth, c)) return 0;
  return holds(kWide, c) ? 2 : 1;
}

// Takes one character off the front of valid UTF-8.
char32_t take_character(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  char32_t c = size == 1 ? first : first & (0x7FU >> size);
  for (std::size_t i = 1; i < size && i < text.size(); ++i) {
    c = (c << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  text.remove_prefix(std::min(size, text.size()));
  return c;
}

// The line as it can be shown: valid UTF-8, and nothing that a terminal would obey.
std::string showable(std::string_view line) {
  std::string shown = to_valid_utf8(line);
  for (char& c : shown) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F) c = '?';
  }
  return shown;
}

// White space that is as wide as the characters before the column, then the caret and its tail.
std::string caret_line(std::string_view line, int column, std::size_t length) {
  std::string text;
  for (int i = 1; i < column; ++i) {
    const char32_t c = line.empty() ? U' ' : take_character(line);
    text += c == U'\t' ? std::string(1, '\t') : std::string(columns_of(c), ' ');
  }
  std::size_t width = 0;
  for (std::size_t i = 0; i < length; ++i) {
    width += line.empty() ? 1 : columns_of(take_character(line));
  }
  text += '^';
  if (width > 1) text.append(width - 1, '~');
  return text;
}

std::string folded(std::string_view word) {
  auto text = to_lower(word);
  std::erase_if(text, [](char c) { return c == '_' || c == '-'; });
  return text;
}

}  // namespace

std::string ConfigDiagnostic::text() const {
  std::string text = where.file;
  if (where.line > 0) {
    text += ":" + std::to_string(where.line) + ":" + std::to_string(where.column);
  }
  text += severity == expr::Severity::kError ? ": error: " : ": advice: ";
  text += message;
  if (where.line > 0) {
    const auto shown = showable(line);
    text += "\n    " + shown + "\n    " + caret_line(shown, where.column - line_column + 1, length);
  }
  if (!suggestion.empty()) text += "\n  " + suggestion;
  return text;
}

void Reporter::error(Span where, std::string message, std::string suggestion) {
  report(expr::Severity::kError, where, std::move(message), std::move(suggestion));
}

void Reporter::advice(Span where, std::string message, std::string suggestion) {
  report(expr::Severity::kAdvice, where, std::move(message), std::move(suggestion));
}

void Reporter::report(expr::Severity severity, Span where, std::string message,
                      std::string suggestion) {
  if (!counts(severity)) return;
  ConfigDiagnostic diagnostic;
  diagnostic.severity = severity;
  diagnostic.where = location(where.begin);
  diagnostic.message = std::move(message);
  diagnostic.suggestion = std::move(suggestion);
  quote_line(where, diagnostic);
  diagnostics_.push_back(std::move(diagnostic));
}

void Reporter::error_in_file(std::string message, std::string suggestion) {
  if (!counts(expr::Severity::kError)) return;
  ConfigDiagnostic diagnostic;
  diagnostic.where.file = path_;
  diagnostic.message = std::move(message);
  diagnostic.suggestion = std::move(suggestion);
  diagnostics_.push_back(std::move(diagnostic));
}

bool Reporter::counts(expr::Severity severity) {
  return ++(severity == expr::Severity::kError ? errors_ : advice_) <= kMostOfAKind;
}

void Reporter::quote_line(Span where, ConfigDiagnostic& diagnostic) const {
  constexpr std::size_t kLongestLine = 1000;  // bytes
  constexpr std::size_t kBefore = 200;        // of these left of the place, in a longer line
  diagnostic.length = source_.underlined(where);
  const auto line = source_.line_span(diagnostic.where.line);
  if (line.end - line.begin <= kLongestLine) {
    diagnostic.line = source_.line(diagnostic.where.line);
    return;
  }
  const auto text = source_.text();
  const auto place = std::min(where.begin, line.end);
  // As much as is allowed, also near the end of the line.
  auto begin = place - line.begin > kBefore ? place - kBefore : line.begin;
  begin = std::min(begin, line.end - kLongestLine);
  auto end = std::min(begin + kLongestLine, line.end);
  while (begin > line.begin && continues_character(text[begin])) --begin;
  while (end < line.end && continues_character(text[end])) ++end;
  diagnostic.line = text.substr(begin, end - begin);
  diagnostic.line_column = source_.place_of(begin).column;
  if (begin > line.begin) {
    diagnostic.line.insert(0, kEllipsis);
    --diagnostic.line_column;
  }
  if (end < line.end) diagnostic.line += kEllipsis;
  const auto shown = std::max<std::size_t>(source_.characters_in({place, end}), 1);
  diagnostic.length = std::min(diagnostic.length, shown);
}

Location Reporter::location(std::size_t offset) const {
  const auto place = source_.place_of(offset);
  return {path_, place.line, place.column};
}

std::vector<ConfigDiagnostic> Reporter::take() {
  std::ranges::stable_sort(diagnostics_, [](const auto& a, const auto& b) {
    return std::tie(a.where.line, a.where.column) < std::tie(b.where.line, b.where.column);
  });
  summarise(errors_, expr::Severity::kError, " further errors");
  summarise(advice_, expr::Severity::kAdvice, " further pieces of advice");
  return std::move(diagnostics_);
}

void Reporter::summarise(std::size_t count, expr::Severity severity, std::string_view what) {
  if (count <= kMostOfAKind) return;
  ConfigDiagnostic diagnostic;
  diagnostic.severity = severity;
  diagnostic.where.file = path_;
  diagnostic.message = std::to_string(count - kMostOfAKind) + std::string(what) + " are not shown";
  diagnostics_.push_back(std::move(diagnostic));
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  constexpr std::size_t kLongest = 64;
  if (word.size() > kLongest) return {};
  const auto sought = folded(word);
  std::string_view best;
  auto least = std::numeric_limits<std::size_t>::max();
  for (const auto candidate : candidates) {
    const auto distance = edit_distance(sought, folded(candidate));
    const auto bound = std::max<std::size_t>(std::min(sought.size(), candidate.size()) / 3, 1);
    if (distance <= bound && distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates) {
  const auto meant = nearest(word, candidates);
  return meant.empty() ? std::string() : "did you mean " + std::string(meant) + "?";
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  const auto shown = without_controls(to_valid_utf8(text.substr(0, 4 * kLongest)));
  return "'" + truncate_utf8(shown, kLongest) + "'";
}

}  // namespace rapporteur
