#pragma once
// The one report of a zip archive. libzip stays behind this header.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rapporteur {

struct ZippedFile {
  std::string content;
  std::size_t others = 0;  // files of the archive that were not read
};

// The first file whose name ends in .json or .json.gz, else the first one. Fails with Fault::kInput
// if there is none, if it is encrypted, compressed by anything but deflate, or damaged, and if the
// archive has more than `most_files` or the file more than `most_bytes`, of which no more are
// inflated. Any thread.
Result<ZippedFile> read_zip(std::string_view archive, std::size_t most_files,
                            std::size_t most_bytes);

}  // namespace rapporteur
