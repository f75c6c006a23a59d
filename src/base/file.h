#pragma once
// Files and their descriptors.

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace rapporteur {

// Owns one file descriptor and closes it.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// The whole file. Fails with Fault::kPermanent and the system's reason, also if it has more than
// `most` bytes; no more than these are read.
Result<std::string> read_file(const std::string& path,
                              std::size_t most = std::numeric_limits<std::size_t>::max());

// The same of a regular file: no pipe, which could keep its reader waiting, and no device.
Result<std::string> read_regular_file(const std::string& path, std::size_t most);

// Writes a file whole or not at all: a temporary file beside it, fsync, rename. `mode` as for
// open(2). Fails with Fault::kTransient and leaves whatever stood under `path` as it was. Without
// `synced` nothing waits for the disk: readers see it whole all the same, but a loss of power may
// take it or empty it until sync_file_system() was called.
Result<void> write_file(const std::string& path, std::string_view content, unsigned mode,
                        bool synced = true);

// Puts on disk what was written to the file system of this folder. Fails with Fault::kTransient.
Result<void> sync_file_system(const std::string& folder);

// "cannot open /x: No such file or directory", from errno.
std::string system_error(const std::string& what);

}  // namespace rapporteur
