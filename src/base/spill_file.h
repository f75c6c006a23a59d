#pragma once
// Bytes that are too many for memory, in a file without a name that is gone with the process.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"

namespace rapporteur {

// One thread. Nothing is on disk before the first append().
class SpillFile {
 public:
  struct Place {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };

  // The file is made in $TMPDIR, else in /var/tmp, else in /tmp. Fails with Fault::kTransient: no
  // folder can be written, or the disk is full; what was appended before can still be read.
  Result<Place> append(std::string_view bytes);

  // What append() put there.
  Result<std::string> read(Place place) const;

 private:
  Result<void> make();

  Fd fd_;
  std::uint64_t size_ = 0;
};

}  // namespace rapporteur
