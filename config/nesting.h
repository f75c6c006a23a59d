#pragma once
// How deep a TOML text nests, found without parsing it: trees are walked recursively, by us and by
// the parser, which bounds brackets only; and for dotted names it searches lists from their front.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace rapporteur {

struct DeepNesting {
  std::string problem;
  std::size_t offset = 0;
};

// The first place where a key has more than 32 parts, where more than 32 brackets and braces are
// open, or behind 100,000 keys and headers of several parts. `text` need not be well formed; what
// comes after its first error may be misjudged.
std::optional<DeepNesting> find_deep_nesting(std::string_view text);

}  // namespace rapporteur
