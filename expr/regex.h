#pragma once
// The regular expressions of matches(): RE2 syntax, linear time. RE2 itself stays in regex.cc.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace expr {

// Compiled, all of one expression together; also of one alone with the memory that RE2 takes to run
// it.
constexpr std::size_t kMaxRegexBytes = 1'048'576;
constexpr int kMaxRegexGroups = 99;

// Compiled and immutable; copies share it, and any number of threads may search at once.
class Regex {
 public:
  // The regex, or what is wrong with the pattern.
  static std::variant<Regex, std::string> compile(std::string_view pattern);

  std::size_t compiled_bytes() const;  // of its instructions
  std::size_t instructions() const;    // that a search goes through for each byte, at most

  // Whether it matches anywhere in the text. If it does, `captures` becomes the match and its
  // groups, `groups` texts in all at most; a group that took no part is ''. If it does not,
  // `captures` becomes empty. Fewer groups are found faster.
  bool search(std::string_view text, std::size_t groups, std::vector<std::string>& captures) const;

 private:
  struct Compiled;
  explicit Regex(std::shared_ptr<const Compiled> compiled);
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace expr
