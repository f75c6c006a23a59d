#pragma once
// A copy of a store, made while others work on it.

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

namespace rapporteur {

struct Backup {
  std::uint64_t bytes = 0;
};

// Copies the SQLite store of the URL as it is at one moment into a new file with mode 0640. Nobody
// is kept from working on it meanwhile; only its write-ahead log grows until the copy is whole. The
// file gets its name when it is on disk and SQLite has found it sound: until then it stands beside
// it as FILE.XXXXXX, and is removed if anything fails. `progress` is told how many of how many
// bytes are copied.
//
// Fails with Fault::kPermanent, without touching it, if something stands under that name; for a
// store that is in no SQLite file; and if the file cannot be made. With Fault::kConfig if there is
// no such store; with Fault::kCorrupt if it is damaged; else with Fault::kTransient.
Result<Backup> back_up(
    const std::string& url, const std::string& file,
    const std::function<void(std::uint64_t copied, std::uint64_t total)>& progress = {});

}  // namespace rapporteur
