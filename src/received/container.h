#pragma once
// What a report comes wrapped in: nothing, gzip or a zip archive. The bytes decide, whatever names
// and types say about them. Bombs are refused after little work: nothing is inflated beyond what
// the limits allow.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rapporteur {

struct UnpackLimits {
  std::size_t packed_bytes = 10'000'000;  // of gzip or zip
  std::size_t json_bytes = std::size_t{64} << 20;
  // How many times larger than what was packed the JSON may be, once it has more than free_bytes.
  // Reports come to 30 at the most.
  std::size_t ratio = 250;
  std::size_t free_bytes = std::size_t{1} << 20;
  std::size_t files = 1000;  // in an archive
};

struct Unpacked {
  std::string json;
  std::vector<std::string> oddities;
};

// Whether the bytes begin like something that unpack() takes.
bool is_container(std::string_view bytes);

// Fails with Fault::kInput and one line that says why. Any thread.
Result<Unpacked> unpack(std::string_view bytes, const UnpackLimits& limits = {});

}  // namespace rapporteur
