#pragma once
// The tag lists of DKIM signatures and key records (RFC 6376, section 3.2).

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rapporteur {

class TagList {
 public:
  // "v=1; d=example.org": names and values without blanks around them. What is no tag is left out.
  explicit TagList(std::string_view text);

  bool has(std::string_view name) const;
  // The value of the first tag of that name, without line breaks; empty: none.
  std::string value(std::string_view name) const;
  // The list again, without the tags of that name.
  std::string without(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> tags_;
};

}  // namespace rapporteur
