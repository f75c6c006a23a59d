#include "expr/search.h"

#include <cstring>
#include <string>

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
  const std::string backwards(whole.rbegin(), whole.rend());
  const auto found = find_first(backwards, std::string(sought.rbegin(), sought.rend()));
  return found == whole.npos ? found : whole.size() - found - sought.size();
}

}  // namespace expr
