#include "base/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/file.h"
#include "base/file_writing.h"

namespace rapporteur {

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
  sync_folder_of(path);
  return {};
}

}  // namespace rapporteur
