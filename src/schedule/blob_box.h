#pragma once
// Large texts that are made one by one and wanted again later: in memory while they are small
// together, beyond that in a temporary file.

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/spill_file.h"

namespace rapporteur {

// One thread.
class BlobBox {
 public:
  // So many bytes are kept in memory.
  explicit BlobBox(std::size_t most_in_memory) : most_(most_in_memory) {}

  // Its number, from 0. Fails as SpillFile does.
  Result<std::size_t> put(std::string bytes);
  Result<std::string> get(std::size_t number) const;

  // All are in memory.
  bool in_memory() const { return spilled_ == 0; }

 private:
  struct Blob {
    bool spilled = false;
    std::string bytes;
    SpillFile::Place place;
  };

  std::size_t most_;
  std::size_t held_ = 0;
  std::size_t spilled_ = 0;
  std::vector<Blob> blobs_;
  SpillFile file_;
};

}  // namespace rapporteur
