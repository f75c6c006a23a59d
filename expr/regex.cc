#include "expr/regex.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <utility>

#include "expr/literal.h"

namespace expr {
namespace {

constexpr std::size_t kInstructionBytes = 8;
constexpr std::size_t kUsualGroups = 8;

RE2::Options options() {
  RE2::Options options;
  options.set_max_mem(static_cast<std::int64_t>(kMaxRegexBytes));
  options.set_log_errors(false);
  return options;
}

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

// RE2 quotes the pattern in what it says.
std::string one_line(std::string_view text) {
  const std::string quoted = mention(text);
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace

struct Regex::Compiled {
  explicit Compiled(std::string_view pattern)
      : re(piece(pattern), options()),
        instructions(re.ok() ? static_cast<std::size_t>(re.ProgramSize()) : 0),
        // Makes RE2 compile what it needs to search backwards now, not during the first evaluation.
        most_instructions(std::max(
            instructions,
            re.ok() ? static_cast<std::size_t>(std::max(re.ReverseProgramSize(), 0)) : 0)) {}
  RE2 re;
  std::size_t instructions;
  std::size_t most_instructions;
};

Regex::Regex(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

std::variant<Regex, std::string> Regex::compile(std::string_view pattern) {
  auto compiled = std::make_shared<const Compiled>(pattern);
  const RE2& re = compiled->re;
  if (re.error_code() == RE2::ErrorPatternTooLarge) {
    return "the regular expression takes more than 1 MiB when compiled";
  }
  if (!re.ok()) return "the regular expression is not valid: " + one_line(re.error());
  // RE2 begins to build its automaton when it first searches; that is load's time, too.
  re.Match("mail.example.com", 0, 16, RE2::UNANCHORED, nullptr, 0);
  if (re.NumberOfCapturingGroups() > kMaxRegexGroups) {
    return "the regular expression has more than 99 groups";
  }
  return Regex(std::move(compiled));
}

std::size_t Regex::compiled_bytes() const {
  return compiled_->instructions * kInstructionBytes;
}

std::size_t Regex::instructions() const {
  return compiled_->most_instructions;
}

bool Regex::search(std::string_view text, std::size_t groups,
                   std::vector<std::string>& captures) const {
  captures.clear();
  const RE2& re = compiled_->re;
  if (groups == 0) {
    return re.Match(piece(text), 0, text.size(), RE2::UNANCHORED, nullptr, 0);
  }
  const auto known = static_cast<std::size_t>(re.NumberOfCapturingGroups()) + 1;
  groups = std::min(groups, known);
  std::array<re2::StringPiece, kUsualGroups> few;
  std::vector<re2::StringPiece> many(groups > kUsualGroups ? groups : 0);
  auto* const found = many.empty() ? few.data() : many.data();
  if (!re.Match(piece(text), 0, text.size(), RE2::UNANCHORED, found, static_cast<int>(groups))) {
    return false;
  }
  captures.reserve(groups);
  for (std::size_t i = 0; i < groups; ++i) captures.emplace_back(found[i].data(), found[i].size());
  return true;
}

}  // namespace expr
