#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/file_writing.h"

namespace rapporteur {

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

std::string system_error(const std::string& what) {
  return what + ": " + std::generic_category().message(errno);
}

Result<std::string> read_regular_file(const std::string& path, std::size_t most) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return Error{Fault::kPermanent, system_error("cannot open " + path)};
  }
  if (!S_ISREG(status.st_mode)) return Error{Fault::kPermanent, path + " is no regular file"};
  return read_file(path, most);
}

Result<std::string> read_file(const std::string& path, std::size_t most) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Error{Fault::kPermanent, system_error("cannot open " + path)};
  std::string content;
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto size = ::read(fd.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Error{Fault::kPermanent, system_error("cannot read " + path)};
    if (size == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(size));
    if (content.size() > most) {
      return Error{Fault::kPermanent,
                   path + " is larger than " + std::to_string(most >> 20U) + " MiB"};
    }
  }
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const auto size = ::write(fd, content.data(), content.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

void sync_folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path().string();
  const Fd directory(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC));
  if (directory) ::fsync(directory.get());
}

Result<void> write_file(const std::string& path, std::string_view content, unsigned mode,
                        bool synced) {
  std::string temporary = path + ".XXXXXX";
  const Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return Error{Fault::kTransient, system_error("cannot create " + temporary)};
  if (!write_all(fd.get(), content) || ::fchmod(fd.get(), mode) != 0 ||
      (synced && ::fsync(fd.get()) != 0) || ::rename(temporary.c_str(), path.c_str()) != 0) {
    const auto reason = system_error("cannot write " + path);
    ::unlink(temporary.c_str());
    return Error{Fault::kTransient, reason};
  }
  if (synced) sync_folder_of(path);
  return {};
}

Result<void> sync_file_system(const std::string& folder) {
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || ::syncfs(fd.get()) != 0) {
    return Error{Fault::kTransient, system_error("cannot put on disk what is in " + folder)};
  }
  return {};
}

}  // namespace rapporteur
