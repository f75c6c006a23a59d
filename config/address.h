#pragma once
// Mail addresses as this program sends from them: dot-atom@domain (RFC 5321, section 4.1.2, without
// quoted strings and address literals).

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace rapporteur {

inline constexpr std::size_t kMaxAddress = 254;  // RFC 5321, section 4.5.3.1.3, without "<" and ">"

// The address with its domain in A-labels. Nullopt unless the local part is a dot-atom of at most
// 64 bytes, the domain has at least two labels, and all of it is at most 254 bytes.
std::optional<std::string> normalise_address(std::string_view text);

// dot-atom-text (RFC 5322, section 3.2.3).
bool is_dot_atom(std::string_view text);

// A dot-atom of at most 64 bytes.
bool is_local_part(std::string_view text);

}  // namespace rapporteur
