#include "expr/search.h"

#include <algorithm>
#include <cstring>
#include <functional>

namespace expr {
namespace {

// Up to here the plain search is as good, and faster to begin.
constexpr std::size_t kShort = 16;

}  // namespace

std::size_t find_first(std::string_view whole, std::string_view sought) {
  if (sought.size() <= kShort) return whole.find(sought);
  const auto* const found = memmem(whole.data(), whole.size(), sought.data(), sought.size());
  if (found == nullptr) return whole.npos;
  return static_cast<std::size_t>(static_cast<const char*>(found) - whole.data());
}

std::size_t find_last(std::string_view whole, std::string_view sought) {
  if (sought.size() <= kShort) return whole.rfind(sought);
  // The first occurrence of what is read backwards.
  const std::boyer_moore_searcher backwards(sought.rbegin(), sought.rend());
  const auto [begin, end] = backwards(whole.rbegin(), whole.rend());
  return begin == end ? whole.npos : static_cast<std::size_t>(whole.rend() - end);
}

}  // namespace expr
