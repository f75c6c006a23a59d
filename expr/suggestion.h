#pragma once
// The nearest known word, for messages about an unknown one.

#include <string>
#include <string_view>
#include <vector>

namespace expr {

// "did you mean WORD?" for the candidate that is fewest edits away from `word`, whatever the case;
// empty if none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace expr
