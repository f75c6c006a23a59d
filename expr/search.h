#pragma once
// Where a text stands in another, in a time that grows with their sum and not with their product,
// which the standard library does not promise.

#include <string_view>

namespace expr {

// The place of the first, the last occurrence; npos if there is none. An empty text stands
// everywhere.
std::size_t find_first(std::string_view whole, std::string_view sought);
std::size_t find_last(std::string_view whole, std::string_view sought);

}  // namespace expr
