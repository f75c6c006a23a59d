#include "cli/input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/file.h"

namespace rapporteur {

namespace {

Result<Input> read_all(const Fd& fd, const std::string& name, std::size_t most) {
  Input input;
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto size = ::read(fd.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Error{Fault::kTransient, system_error("cannot read " + name)};
    if (size == 0) return input;
    const auto count = static_cast<std::size_t>(size);
    input.bytes += count;
    input.start.append(buffer.data(), std::min(count, most - input.start.size()));
  }
}

}  // namespace

Result<Input> read_input(const std::string& path, std::size_t most) {
  if (path == "-") {
    const Fd input(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
    return input ? read_all(input, "standard input", most)
                 : Error{Fault::kTransient, system_error("cannot read standard input")};
  }
  // Not waiting for the other end of a pipe, which is refused.
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) {
    return Error{Fault::kPermanent, system_error("cannot open " + path)};
  }
  if (!S_ISREG(status.st_mode)) return Error{Fault::kPermanent, path + " is no regular file"};
  return read_all(file, path, most);
}

}  // namespace rapporteur
