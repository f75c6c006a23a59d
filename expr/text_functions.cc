// The functions that cut and search texts.

#include <algorithm>
#include <limits>
#include <utility>

#include "expr/digest.h"
#include "expr/functions.h"
#include "expr/search.h"
#include "expr/unicode.h"
#include "expr/value.h"

namespace expr {
namespace {

Value text(std::string_view bytes) {
  return Value(std::string(bytes));
}

Value length(const Arguments& arguments) {
  const auto* array = std::get_if<Array>(&arguments[0]);
  return count(array != nullptr ? array->size() : arguments.text(0).size());
}

Value trim(const Arguments& arguments) {
  return map_text(arguments[0],
                  [](const std::string& s) { return std::string(trim_end(trim_start(s))); });
}

Value trim_at_start(const Arguments& arguments) {
  return map_text(arguments[0], [](const std::string& s) { return std::string(trim_start(s)); });
}

Value trim_at_end(const Arguments& arguments) {
  return map_text(arguments[0], [](const std::string& s) { return std::string(trim_end(s)); });
}

Value starts_with(const Arguments& arguments) {
  return truth(arguments.text(0).starts_with(arguments.text(1)));
}

Value ends_with(const Arguments& arguments) {
  return truth(arguments.text(0).ends_with(arguments.text(1)));
}

Value strip_prefix(const Arguments& arguments) {
  const std::string& whole = arguments.text(0);
  const std::string& prefix = arguments.text(1);
  return whole.starts_with(prefix) ? text(whole.substr(prefix.size())) : text("");
}

Value strip_suffix(const Arguments& arguments) {
  const std::string& whole = arguments.text(0);
  const std::string& suffix = arguments.text(1);
  return whole.ends_with(suffix) ? text(whole.substr(0, whole.size() - suffix.size())) : text("");
}

Value substring(const Arguments& arguments) {
  const std::string& whole = arguments.text(0);
  std::int64_t skip = to_integer(arguments[1]);
  std::int64_t take = to_integer(arguments[2]);
  std::string part;
  if (skip < 0) return Value(part);
  for (std::string_view rest = whole; !rest.empty() && take > 0;) {
    const auto bytes = next_character(rest).bytes;
    rest.remove_prefix(bytes.size());
    if (skip > 0) {
      --skip;
    } else {
      part += bytes;
      --take;
    }
  }
  return Value(std::move(part));
}

Value lines(const Arguments& arguments) {
  if (std::holds_alternative<Array>(arguments[0])) return arguments[0];
  const std::string& whole = arguments.text(0);
  Array found;
  for (std::string_view rest = whole; !rest.empty();) {
    const auto newline = rest.find('\n');
    auto line = rest.substr(0, newline);
    rest.remove_prefix(newline == rest.npos ? rest.size() : newline + 1);
    if (newline != rest.npos && line.ends_with('\r')) line.remove_suffix(1);
    found.push_back(text(line));
  }
  return Value(std::move(found));
}

// What has more pieces is larger than a value may be, so that the rest need not be cut.
constexpr std::size_t kMostPieces = kMaxValueBytes / kElementBytes + 1;

// With an empty separator every character is a piece, between an empty first and last one.
Array split_at_characters(std::string_view whole) {
  Array pieces(1, text(""));
  while (!whole.empty() && pieces.size() < kMostPieces) {
    const auto bytes = next_character(whole).bytes;
    pieces.push_back(text(bytes));
    whole.remove_prefix(bytes.size());
  }
  pieces.push_back(text(""));
  return pieces;
}

Array split_text(std::string_view whole, std::string_view separator, std::size_t most) {
  most = std::min(most, kMostPieces);
  Array pieces;
  for (auto at = find_first(whole, separator); at != whole.npos && pieces.size() < most;
       at = find_first(whole, separator)) {
    pieces.push_back(text(whole.substr(0, at)));
    whole.remove_prefix(at + separator.size());
  }
  pieces.push_back(text(whole));
  return pieces;
}

Value split(const Arguments& arguments) {
  const std::string& whole = arguments.text(0);
  const std::string& separator = arguments.text(1);
  if (separator.empty()) return Value(split_at_characters(whole));
  return Value(split_text(whole, separator, std::numeric_limits<std::size_t>::max()));
}

Value split_n(const Arguments& arguments) {
  const std::string& whole = arguments.text(0);
  const std::string& separator = arguments.text(1);
  const std::int64_t most = separator.empty() ? 0 : to_integer(arguments[2]);
  return Value(
      split_text(whole, separator, static_cast<std::size_t>(std::max<std::int64_t>(0, most))));
}

Value rsplit(const Arguments& arguments) {
  const std::string& whole = arguments.text(0);
  const std::string& separator = arguments.text(1);
  Array pieces;
  if (separator.empty()) {
    pieces = split_at_characters(whole);
    std::reverse(pieces.begin(), pieces.end());
    return Value(std::move(pieces));
  }
  std::string_view rest = whole;
  for (auto at = find_last(rest, separator); at != rest.npos && pieces.size() < kMostPieces;
       at = find_last(rest, separator)) {
    pieces.push_back(text(rest.substr(at + separator.size())));
    rest = rest.substr(0, at);
  }
  pieces.push_back(text(rest));
  return Value(std::move(pieces));
}

Value halves(std::string_view whole, std::size_t at, std::size_t separator) {
  if (at == whole.npos) return text("");
  Array pieces;
  pieces.push_back(text(whole.substr(0, at)));
  pieces.push_back(text(whole.substr(at + separator)));
  return Value(std::move(pieces));
}

Value split_once(const Arguments& arguments) {
  const std::string& whole = arguments.text(0);
  const std::string& separator = arguments.text(1);
  return halves(whole, find_first(whole, separator), separator.size());
}

Value rsplit_once(const Arguments& arguments) {
  const std::string& whole = arguments.text(0);
  const std::string& separator = arguments.text(1);
  return halves(whole, find_last(whole, separator), separator.size());
}

bool is_word(std::string_view piece) {
  while (!piece.empty()) {
    const Character character = next_character(piece);
    if (!is_alphanumeric(character.code)) return false;
    piece.remove_prefix(character.bytes.size());
  }
  return true;
}

Value split_words(const Arguments& arguments) {
  const std::string& whole = arguments.text(0);
  Array words;
  for (std::string_view rest = trim_start(whole); !rest.empty(); rest = trim_start(rest)) {
    std::size_t end = 0;
    while (end < rest.size()) {
      const Character character = next_character(rest.substr(end));
      if (is_space(character.code)) break;
      end += character.bytes.size();
    }
    if (is_word(rest.substr(0, end))) words.push_back(text(rest.substr(0, end)));
    rest.remove_prefix(end);
  }
  return Value(std::move(words));
}

constexpr std::array<std::string_view, 4> kAlgorithms = {"md5", "sha1", "sha256", "sha512"};

Value hash(const Arguments& arguments) {
  const std::string& bytes = arguments.text(0);
  const std::string& algorithm = arguments.text(1);
  if (algorithm == "md5") return Value(md5_hex(bytes));
  if (algorithm == "sha1") return Value(sha1_hex(bytes));
  if (algorithm == "sha256") return Value(sha256_hex(bytes));
  if (algorithm == "sha512") return Value(sha512_hex(bytes));
  return text("");
}

constexpr auto kAny = Accepts::kAnything;
constexpr auto kText = Accepts::kText;
constexpr auto kNumber = Accepts::kNumber;

constexpr std::array<Function, 17> kFunctions = {{
    {"len", 1, {kAny}, Gives::kInteger, length},
    {"trim", 1, {kAny}, Gives::kStringOrArray, trim},
    {"trim_start", 1, {kAny}, Gives::kStringOrArray, trim_at_start},
    {"trim_end", 1, {kAny}, Gives::kStringOrArray, trim_at_end},
    {"starts_with", 2, {kText, kText}, Gives::kTruth, starts_with},
    {"ends_with", 2, {kText, kText}, Gives::kTruth, ends_with},
    {"strip_prefix", 2, {kText, kText}, Gives::kString, strip_prefix},
    {"strip_suffix", 2, {kText, kText}, Gives::kString, strip_suffix},
    {"substring", 3, {kText, kNumber, kNumber}, Gives::kString, substring},
    {"lines", 1, {kText}, Gives::kArray, lines},
    {"split", 2, {kText, kText}, Gives::kArray, split},
    {"rsplit", 2, {kText, kText}, Gives::kArray, rsplit},
    {"split_once", 2, {kText, kText}, Gives::kAnything, split_once},
    {"rsplit_once", 2, {kText, kText}, Gives::kAnything, rsplit_once},
    {"split_n", 3, {kText, kText, kNumber}, Gives::kArray, split_n},
    {"split_words", 1, {kText}, Gives::kArray, split_words},
    {"hash", 2, {kText, Accepts::kWord}, Gives::kString, hash, kAlgorithms},
}};

}  // namespace

std::span<const Function> text_functions() {
  return kFunctions;
}

}  // namespace expr
