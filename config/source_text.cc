#include "config/source_text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace rapporteur {

namespace {

constexpr std::size_t kStep = 64;  // bytes

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

std::size_t utf8_size(std::uint32_t code_point) {
  if (code_point < 0x80) return 1;
  if (code_point < 0x800) return 2;
  return code_point < 0x10000 ? 3 : 4;
}

// Walks the content of one string, noting for each byte of the content where it was written.
class ContentWalk {
 public:
  ContentWalk(std::string_view source, std::size_t begin, std::size_t size)
      : source_(source), at_(begin), size_(size) {
    const char quote = peek(0);
    basic_ = quote == '"';
    multi_line_ = peek(1) == quote && peek(2) == quote;
    at_ += multi_line_ ? 3 : 1;
    if (multi_line_) skip_line_end();  // one that follows the opening quotes is no content
    offsets_.reserve(size + 1);
  }

  std::vector<std::size_t> walk() {
    while (offsets_.size() < size_ && at_ < source_.size()) step();
    if (basic_ && multi_line_) skip_continuations();
    offsets_.resize(size_, at_);
    offsets_.push_back(at_);
    return std::move(offsets_);
  }

 private:
  char peek(std::size_t ahead) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }

  bool skip_line_end() {
    if (peek(0) == '\n') {
      at_ += 1;
    } else if (peek(0) == '\r' && peek(1) == '\n') {
      at_ += 2;
    } else {
      return false;
    }
    return true;
  }

  void note(std::size_t bytes, std::size_t written) {
    offsets_.insert(offsets_.end(), bytes, at_);
    at_ += written;
  }

  void step() {
    if (basic_ && peek(0) == '\\') return escape();
    if (peek(0) == '\r' && peek(1) == '\n') return note(1, 2);  // the parser makes it one '\n'
    note(1, 1);
  }

  void escape() {
    const char kind = peek(1);
    if (kind != 'u' && kind != 'U') {
      if (multi_line_ && skip_continuation()) return;
      return note(1, 2);
    }
    const std::size_t digits = kind == 'u' ? 4 : 8;
    std::uint32_t code_point = 0;
    const auto text = source_.substr(std::min(at_ + 2, source_.size()), digits);
    std::from_chars(text.data(), text.data() + text.size(), code_point, 16);
    note(utf8_size(code_point), 2 + digits);
  }

  // A backslash at the end of a line swallows all white space up to the next character.
  bool skip_continuation() {
    auto end = source_.find_first_not_of(" \t", at_ + 1);
    if (end == source_.npos || (source_[end] != '\n' && source_[end] != '\r')) return false;
    at_ = std::min(source_.find_first_not_of(" \t\r\n", end), source_.size());
    return true;
  }

  void skip_continuations() {
    while (peek(0) == '\\' && skip_continuation()) {
    }
  }

  std::string_view source_;
  std::size_t at_;
  std::size_t size_;
  bool basic_ = false;
  bool multi_line_ = false;
  std::vector<std::size_t> offsets_;
};

}  // namespace

SourceText::SourceText(std::string_view text) : text_(text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  line_begins_.push_back(0);
  for (std::size_t at = text_.find('\n'); at != text_.npos; at = text_.find('\n', at + 1)) {
    line_begins_.push_back(at + 1);
  }
  counts_.reserve(text_.size() / kStep + 1);
  counts_.push_back(0);
  for (std::size_t at = kStep; at <= text_.size(); at += kStep) {
    counts_.push_back(counts_.back() + count_characters(text_.substr(at - kStep, kStep)));
  }
}

std::size_t SourceText::characters_before(std::size_t offset) const {
  const auto step = offset / kStep;
  return counts_[step] + count_characters(text_.substr(step * kStep, offset % kStep));
}

std::size_t SourceText::characters_in(Span span) const {
  return characters_before(span.end) - characters_before(span.begin);
}

SourceText::Place SourceText::place_of(std::size_t offset) const {
  offset = std::min(offset, text_.size());
  const auto after = std::upper_bound(line_begins_.begin(), line_begins_.end(), offset);
  return {static_cast<int>(after - line_begins_.begin()),
          static_cast<int>(characters_in({*(after - 1), offset})) + 1};
}

std::size_t SourceText::offset_of(Place place) const {
  if (place.line < 1) return 0;
  const auto index = static_cast<std::size_t>(place.line) - 1;
  if (index >= line_begins_.size()) return text_.size();
  const auto begin = line_begins_[index];
  const auto end = index + 1 < line_begins_.size() ? line_begins_[index + 1] - 1 : text_.size();
  if (place.column <= 1) return begin;
  // The character that is sought, and the last step before it.
  const auto sought = characters_before(begin) + static_cast<std::size_t>(place.column) - 1;
  const auto step = std::upper_bound(counts_.begin(), counts_.end(), sought) - counts_.begin() - 1;
  auto count = counts_[static_cast<std::size_t>(step)];
  auto offset = static_cast<std::size_t>(step) * kStep;
  for (; offset < end; ++offset) {
    if (!begins_character(text_[offset])) continue;
    if (count == sought) break;
    ++count;
  }
  return std::min(offset, end);
}

Span SourceText::line_span(int number) const {
  if (number < 1 || static_cast<std::size_t>(number) > line_begins_.size()) {
    return {text_.size(), text_.size()};
  }
  const auto next = static_cast<std::size_t>(number);
  const auto begin = line_begins_[next - 1];
  auto end = next < line_begins_.size() ? line_begins_[next] - 1 : text_.size();
  if (end > begin && text_[end - 1] == '\r') --end;
  return {begin, end};
}

std::string_view SourceText::line(int number) const {
  const auto [begin, end] = line_span(number);
  return text_.substr(begin, end - begin);
}

std::size_t SourceText::underlined(Span span) const {
  if (span.begin >= text_.size()) return 1;
  const auto line_end = line_span(place_of(span.begin).line).end;
  const auto end = std::min(span.end, line_end);
  return end <= span.begin ? 1 : std::max<std::size_t>(characters_in({span.begin, end}), 1);
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::vector<std::size_t> content_offsets(std::string_view source, std::size_t begin,
                                         std::size_t size) {
  return ContentWalk(source, begin, size).walk();
}

}  // namespace rapporteur
