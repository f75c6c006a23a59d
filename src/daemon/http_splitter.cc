#include "daemon/http_splitter.h"

#include <algorithm>
#include <utility>

#include "ingest/decoder.h"

namespace rapporteur {

namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
// With more space at its front a body is taken to be lines.
constexpr std::size_t kMaxProbe = std::size_t{64} << 10;

bool is_space(char c) {
  return kSpace.find(c) != kSpace.npos;
}

}  // namespace

bool SessionSplitter::broken(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
  return false;
}

void SessionSplitter::decide(bool at_end) {
  std::string_view text = probe_;
  if (!at_end && kByteOrderMark.starts_with(text)) return;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const auto first = text.find_first_not_of(kSpace);
  const bool give_up = at_end || probe_.size() > kMaxProbe;
  if (first == text.npos) {
    if (give_up) form_ = Form::kLines;
    return;
  }
  if (text[first] == '{' && json_) {
    form_ = Form::kObjects;
    return;
  }
  if (text[first] != '[') {
    form_ = Form::kLines;
    return;
  }
  const auto second = text.find_first_not_of(kSpace, first + 1);
  if (second == text.npos) {
    if (give_up) form_ = Form::kArray;
  } else if (json_ || std::string_view("{][\"").find(text[second]) != std::string_view::npos) {
    form_ = Form::kArray;
  } else {
    form_ = Form::kLines;  // a line of a log may begin with '['
  }
}

bool SessionSplitter::add(std::string_view piece, const Sink& sink) {
  if (!problem_.empty()) return false;
  if (form_ != Form::kUnknown) return run(piece, sink);
  // More space decides nothing, until there is too much of it.
  const bool space = piece.find_first_not_of(kSpace) == piece.npos;
  const bool undecided = space && !probe_.empty() && probe_.size() <= kMaxProbe;
  probe_ += piece;
  if (undecided) return true;
  decide(false);
  if (form_ == Form::kUnknown) return true;
  const auto begun = std::exchange(probe_, {});
  return run(begun, sink);
}

bool SessionSplitter::run(std::string_view piece, const Sink& sink) {
  if (form_ != Form::kLines) return run_elements(piece, sink);
  run_lines(piece, sink);
  return true;
}

bool SessionSplitter::finish(const Sink& sink) {
  if (!problem_.empty()) return false;
  if (form_ == Form::kUnknown) {
    decide(true);
    const auto begun = std::exchange(probe_, {});
    if (!begun.empty() && !run(begun, sink)) return false;
  }
  if (form_ == Form::kLines) {
    if (holding_) hand_on(sink);
    return true;
  }
  if (place_ == Place::kElement) return broken("the body ends within a session");
  if (form_ == Form::kArray && place_ != Place::kAfterEnd) {
    return broken("the body ends within its array");
  }
  return true;
}

void SessionSplitter::hold(std::string_view text) {
  holding_ = true;
  const auto room = kMaxLineBytes + 1 - std::min(kMaxLineBytes + 1, held_.size());
  held_ += text.substr(0, room);
}

void SessionSplitter::hand_on(const Sink& sink) {
  sink(held_);
  held_.clear();
  holding_ = false;
}

void SessionSplitter::run_lines(std::string_view piece, const Sink& sink) {
  while (!piece.empty()) {
    const auto end = piece.find('\n');
    if (end == piece.npos) return hold(piece);
    const auto line = piece.substr(0, end);
    if (holding_) {
      hold(line);
      hand_on(sink);
    } else {
      sink(line);
    }
    piece.remove_prefix(end + 1);
  }
}

bool SessionSplitter::run_elements(std::string_view piece, const Sink& sink) {
  if (place_ == Place::kBeforeFirst && piece.starts_with(kByteOrderMark)) {
    piece.remove_prefix(kByteOrderMark.size());
  }
  if (form_ == Form::kArray && place_ == Place::kBeforeFirst && depth_ == 0) {
    // decide() has seen the bracket.
    piece.remove_prefix(piece.find('[') + 1);
    depth_ = 1;
  }
  while (!piece.empty()) {
    if (place_ == Place::kElement) {
      piece.remove_prefix(within_element(piece, sink));
      continue;
    }
    const char c = piece.front();
    const bool begins = !is_space(c);
    if (begins && !between_elements(c, sink)) return false;
    if (place_ != Place::kElement) piece.remove_prefix(1);
  }
  return true;
}

// Takes what stands between elements, or sees that one begins. Objects one behind the other are an
// array without brackets and commas.
bool SessionSplitter::between_elements(char c, const Sink&) {
  const bool array = form_ == Form::kArray;
  if (place_ == Place::kAfterEnd) return broken("something follows the array");
  if (!array) {
    if (c != '{') return broken("something other than an object follows an object");
  } else if (c == ',') {
    if (place_ != Place::kAfterElement) return broken("a comma without a session before it");
    place_ = Place::kAfterComma;
    return true;
  } else if (c == ']') {
    if (place_ == Place::kAfterComma) return broken("a comma without a session behind it");
    place_ = Place::kAfterEnd;
    return true;
  } else if (place_ == Place::kAfterElement) {
    return broken("no comma between two sessions");
  }
  place_ = Place::kElement;
  scalar_ = c != '{' && c != '[' && c != '"';
  depth_ = 0;
  return true;
}

// Takes as much of the element as the piece has, its end included. The number of bytes.
std::size_t SessionSplitter::within_element(std::string_view piece, const Sink& sink) {
  std::size_t at = 0;
  bool ended = false;
  while (at < piece.size() && !ended) {
    const char c = piece[at];
    if (quoted_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        quoted_ = false;
        ended = depth_ == 0;
      }
    } else if (scalar_) {
      if (c == ',' || c == ']' || is_space(c)) break;  // no part of it
    } else if (c == '"') {
      quoted_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      --depth_;
      ended = depth_ == 0;
    }
    ++at;
  }
  const bool scalar_ended = scalar_ && at < piece.size();
  const auto text = piece.substr(0, at);
  if (!ended && !scalar_ended) {
    hold(text);
    return at;
  }
  if (holding_) {
    hold(text);
    hand_on(sink);
  } else {
    sink(text);
  }
  place_ = Place::kAfterElement;
  return at;
}

}  // namespace rapporteur
