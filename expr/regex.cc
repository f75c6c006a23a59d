#include "expr/regex.h"

#include <re2/re2.h>

#include <utility>

namespace expr {
namespace {

constexpr std::size_t kInstructionBytes = 8;

RE2::Options options() {
  RE2::Options options;
  options.set_max_mem(static_cast<std::int64_t>(kMaxRegexBytes));
  options.set_log_errors(false);
  return options;
}

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

struct Regex::Compiled {
  explicit Compiled(std::string_view pattern) : re(piece(pattern), options()) {}
  RE2 re;
};

Regex::Regex(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

std::variant<Regex, std::string> Regex::compile(std::string_view pattern) {
  auto compiled = std::make_shared<const Compiled>(pattern);
  const RE2& re = compiled->re;
  if (re.error_code() == RE2::ErrorPatternTooLarge) {
    return "the regular expression takes more than 1 MiB when compiled";
  }
  if (!re.ok()) return "the regular expression is not valid: " + re.error();
  if (re.NumberOfCapturingGroups() > kMaxRegexGroups) {
    return "the regular expression has more than 99 groups";
  }
  return Regex(std::move(compiled));
}

std::size_t Regex::compiled_bytes() const {
  return static_cast<std::size_t>(compiled_->re.ProgramSize()) * kInstructionBytes;
}

bool Regex::search(std::string_view text, std::vector<std::string>& captures) const {
  captures.clear();
  const RE2& re = compiled_->re;
  const int groups = re.NumberOfCapturingGroups() + 1;
  std::vector<re2::StringPiece> found(static_cast<std::size_t>(groups));
  if (!re.Match(piece(text), 0, text.size(), RE2::UNANCHORED, found.data(), groups)) return false;
  captures.reserve(found.size());
  for (const auto& group : found) captures.emplace_back(group.data(), group.size());
  return true;
}

}  // namespace expr
