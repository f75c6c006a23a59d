#include "base/spill_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace rapporteur {

Result<void> SpillFile::make() {
  const char* chosen = std::getenv("TMPDIR");
  const std::string folders[] = {chosen == nullptr ? "" : chosen, "/var/tmp", "/tmp"};
  std::string problem;
  for (const auto& folder : folders) {
    if (folder.empty()) continue;
    std::string path = folder + "/rapporteur-XXXXXX";
    const int fd = mkostemp(path.data(), O_CLOEXEC);
    if (fd >= 0) {
      unlink(path.c_str());
      fd_ = Fd(fd);
      return {};
    }
    if (problem.empty()) problem = system_error("cannot make a temporary file in " + folder);
  }
  return Error{Fault::kTransient, problem};
}

Result<SpillFile::Place> SpillFile::append(std::string_view bytes) {
  if (!fd_) {
    if (auto made = make(); !made) return std::move(made).error();
  }
  const Place place{size_, bytes.size()};
  auto at = size_;
  while (!bytes.empty()) {
    const auto written = pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0)
      return Error{Fault::kTransient, system_error("cannot write a temporary file")};
    bytes.remove_prefix(static_cast<std::size_t>(written));
    at += static_cast<std::uint64_t>(written);
  }
  size_ = at;
  return place;
}

Result<std::string> SpillFile::read(Place place) const {
  std::string bytes(place.size, '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto got = pread(fd_.get(), bytes.data() + done, bytes.size() - done,
                           static_cast<off_t>(place.offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Error{Fault::kTransient, system_error("cannot read a temporary file")};
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace rapporteur
