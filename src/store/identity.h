#pragma once
// What a store is given once, when it is made.

#include <cstddef>
#include <string>

namespace rapporteur {

inline constexpr std::size_t kTokenLength = 8;
inline constexpr std::size_t kSecretLength = 32;

// store.h says what for.
struct StoreIdentity {
  std::string token;
  std::string secret;
};

}  // namespace rapporteur
