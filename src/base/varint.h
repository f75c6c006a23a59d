#pragma once
// Numbers and texts one behind the other in a string of bytes: a number as seven bits a byte, the
// lowest first, where the highest bit says that more follow; a text as its length and itself.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rapporteur {

inline void put_number(std::uint64_t number, std::string& to) {
  constexpr std::uint64_t kMore = 0x80;
  while (number >= kMore) {
    to += static_cast<char>(number | kMore);
    number /= kMore;
  }
  to += static_cast<char>(number);
}

inline void put_text(std::string_view text, std::string& to) {
  put_number(text.size(), to);
  to += text;
}

// Takes a number off the front. Nullopt if there is none that 64 bits hold.
inline std::optional<std::uint64_t> take_number(std::string_view& from) {
  constexpr unsigned kMore = 0x80;
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (from.empty()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    number |= static_cast<std::uint64_t>(byte & (kMore - 1)) << shift;
    if (byte < kMore) return number;
  }
  return std::nullopt;
}

// Takes a text off the front; a view of it. Nullopt if there is not so much.
inline std::optional<std::string_view> take_text(std::string_view& from) {
  const auto length = take_number(from);
  if (!length || *length > from.size()) return std::nullopt;
  const auto text = from.substr(0, static_cast<std::size_t>(*length));
  from.remove_prefix(text.size());
  return text;
}

}  // namespace rapporteur
