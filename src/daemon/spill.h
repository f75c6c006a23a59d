#pragma once
// The folder where counts wait while a store that several nodes share is away. Each file is written
// whole and holds the id under which its counts are to be stored, so that a file that could not be
// removed afterwards, or was copied, is not counted twice. docs/formats.md, "Spilled counts".

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "aggregate/spilled_counts.h"
#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "daemon/metrics.h"

namespace rapporteur {

// One thread, but for what is said otherwise.
class Spill {
 public:
  // Of the node `node` within `folder`: it has a folder of its own there. Touches no disk.
  Spill(const std::string& folder, const std::string& node, Random& random, Log& log,
        DaemonMetrics& metrics);

  // Makes the folder, with mode 0700, takes its lock, which lasts as long as this, and finds what
  // earlier processes have left. Does nothing once it has been done. Fails with Fault::kConfig if
  // another process has the lock, with Fault::kTransient if the folder cannot be used.
  Result<void> open();

  // Writes the tallies to a file, which is on disk then; under `flush`, else under an id of its
  // own. Fails with Fault::kPermanent if the files would take more than `max_bytes` together, with
  // Fault::kTransient if it cannot be written: then no file was made.
  Result<void> write(std::span<const Tally* const> tallies, std::uint64_t max_bytes,
                     const std::optional<FlushId>& flush = std::nullopt);

  // The path of the oldest file, if there is one. remove(), set_aside() and postpone() are about
  // that one.
  std::optional<std::string> oldest() const;

  // Its counts are stored. A file that cannot be removed is left out from here on: then the result
  // is Fault::kTransient, and tidy() tries it again.
  Result<void> remove();
  Result<void> tidy();
  // It cannot be read by anybody: it is named NAME.broken and left alone.
  void set_aside();
  // It cannot be read at the moment: the others come first.
  void postpone();

  std::uint64_t bytes() const { return bytes_; }
  std::size_t files() const { return files_.size(); }

  const std::string& folder() const { return folder_; }

 private:
  struct File {
    std::string name;
    std::uint64_t bytes = 0;
  };

  Result<void> lock();
  Result<void> list();
  File take_oldest();
  void tell();
  std::string path_of(const std::string& name) const { return folder_ + '/' + name; }

  const std::string parent_;
  const std::string folder_;
  const std::string prefix_;  // of the names of this process's files
  Log& log_;
  DaemonMetrics& metrics_;
  Fd lock_;
  std::deque<File> files_;  // oldest first
  std::uint64_t bytes_ = 0;
  std::vector<std::string> stored_;  // names of files that are to be removed
  std::uint64_t number_ = 0;         // of the last file that was written
};

}  // namespace rapporteur
