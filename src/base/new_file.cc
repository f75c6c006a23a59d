#include "base/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"

namespace rapporteur {

namespace {

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const auto size = ::write(fd, content.data(), content.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

}  // namespace

Result<void> write_new_file(const std::string& path, std::string_view content, unsigned mode) {
  // It gets its name when it is whole and on disk; link(2) replaces nothing.
  std::string temporary = path + ".XXXXXX";
  const Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return Error{Fault::kTransient, system_error("cannot create " + path)};
  const bool written = write_all(fd.get(), content) && ::fchmod(fd.get(), mode) == 0 &&
                       ::fsync(fd.get()) == 0 && ::link(temporary.c_str(), path.c_str()) == 0;
  const bool taken = !written && errno == EEXIST;
  const auto reason = written ? std::string() : system_error("cannot write " + path);
  ::unlink(temporary.c_str());
  if (taken) return Error{Fault::kPermanent, path + " exists already; nothing is overwritten"};
  if (!written) return Error{Fault::kTransient, reason};
  const auto folder = std::filesystem::path(path).parent_path().string();
  const Fd directory(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC));
  if (directory) ::fsync(directory.get());
  return {};
}

}  // namespace rapporteur
