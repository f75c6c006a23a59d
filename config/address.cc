#include "config/address.h"

#include <array>

#include "base/domain.h"

namespace rapporteur {

namespace {

// RFC 5322, section 3.2.3.
constexpr std::array<bool, 256> kAtext = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789!#$%&'*+-/=?^_`{|}~")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}();

}  // namespace

bool is_dot_atom(std::string_view text) {
  char before = '.';
  for (const char c : text) {
    if (c == '.' ? before == '.' : !kAtext[static_cast<unsigned char>(c)]) return false;
    before = c;
  }
  return before != '.';  // neither empty nor with a dot at the end
}

bool is_local_part(std::string_view text) {
  constexpr std::size_t kMaxLocalPart = 64;  // RFC 5321, section 4.5.3.1.1
  return text.size() <= kMaxLocalPart && is_dot_atom(text);
}

std::optional<std::string> normalise_address(std::string_view text) {
  const auto at = text.rfind('@');
  if (at == text.npos) return std::nullopt;
  const auto local = text.substr(0, at);
  if (!is_local_part(local)) return std::nullopt;
  const auto domain = normalise_domain(text.substr(at + 1));
  if (!domain || domain->find('.') == domain->npos) return std::nullopt;
  auto address = std::string(local) + "@" + *domain;
  if (address.size() > kMaxAddress) return std::nullopt;
  return address;
}

}  // namespace rapporteur
