#pragma once
// Files and pipes that commands read whole.

#include <cstdint>
#include <string>

#include "base/result.h"

namespace rapporteur {

struct Input {
  std::string start;        // its first bytes, as many as were asked for
  std::uint64_t bytes = 0;  // all of it
};

// Reads a regular file, or standard input for "-", to its end, so that nobody writes into a pipe
// without a reader, and keeps the first `most` bytes. Fails with Fault::kTransient if it cannot be
// read, with Fault::kPermanent if it cannot be opened or is no regular file.
Result<Input> read_input(const std::string& path, std::size_t most);

}  // namespace rapporteur
