#pragma once
// Chance, as an interface, so that a test can know what it will be.

#include <cstddef>
#include <cstdint>
#include <string>

namespace rapporteur {

class Random {
 public:
  virtual ~Random() = default;
  // 64 bits, each as likely as the other. Any thread.
  virtual std::uint64_t next() = 0;
};

// The kernel's generator (getrandom(2)): fit for names that nobody may guess.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override;
};

// `length` characters a-z0-9, each equally likely.
std::string random_token(Random& random, std::size_t length);

}  // namespace rapporteur
