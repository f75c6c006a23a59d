#include "base/maildir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/file.h"

namespace rapporteur {

namespace {

namespace fs = std::filesystem;

struct Entry {
  std::int64_t seconds;
  std::int64_t nanoseconds;
  std::string name;

  bool operator<(const Entry& other) const {
    return std::tie(seconds, nanoseconds, name) <
           std::tie(other.seconds, other.nanoseconds, other.name);
  }
};

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

Error transient(const std::string& what) {
  return {Fault::kTransient, system_error(what)};
}

// The name that a message of new/ gets in cur/, at the n-th try: flags that it may already have
// give way, and what would not fit into a name (NAME_MAX).
std::string seen_name(std::string_view name, int attempt) {
  constexpr std::size_t kMostBytes = 240;
  std::string seen(name.substr(0, std::min(name.find(":2,"), kMostBytes)));
  if (attempt > 0) seen += "." + std::to_string(attempt);
  return seen + ":2,S";
}

// rename(2) that replaces nothing: fails with EEXIST. Some file systems have no such call; there
// it is looked first.
int rename_to_free(const std::string& from, const std::string& to) {
  const int done = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  if (done == 0 || (errno != EINVAL && errno != ENOSYS)) return done;
  struct stat status {};
  if (::lstat(to.c_str(), &status) == 0) {
    errno = EEXIST;
    return -1;
  }
  return ::rename(from.c_str(), to.c_str());
}

Result<std::string> read_start(const Fd& fd, const std::string& path, std::size_t most) {
  std::string text(most, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const auto size = ::read(fd.get(), text.data() + filled, text.size() - filled);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return transient("cannot read " + path);
    if (size == 0) break;
    filled += static_cast<std::size_t>(size);
  }
  text.resize(filled);
  return text;
}

}  // namespace

bool is_maildir(const std::string& path) {
  return is_directory(path + "/new");
}

Maildir::Maildir(std::string path, Limits limits) : path_(std::move(path)), limits_(limits) {
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
}

Result<std::vector<std::string>> Maildir::waiting() const {
  const auto folder = path_ + "/new";
  std::error_code failure;
  std::vector<Entry> entries;
  for (fs::directory_iterator file(folder, failure), end; !failure && file != end;
       file.increment(failure)) {
    auto name = file->path().filename().string();
    struct stat status {};
    if (name.starts_with('.') || ::lstat(file->path().c_str(), &status) != 0 ||
        !S_ISREG(status.st_mode)) {
      continue;
    }
    entries.push_back({status.st_mtim.tv_sec, status.st_mtim.tv_nsec, std::move(name)});
  }
  if (failure) return Error{Fault::kTransient, "cannot read " + folder + ": " + failure.message()};
  const auto count = std::min(limits_.messages, entries.size());
  const auto end = entries.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(entries.begin(), end, entries.end());
  std::vector<std::string> paths;
  for (auto entry = entries.begin(); entry != end; ++entry) {
    paths.push_back(folder + "/" + entry->name);
  }
  return paths;
}

Result<MaildirMessage> Maildir::read(const std::string& path) const {
  MaildirMessage message;
  // Not waiting for the other end, if a pipe has taken the file's place.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && (errno == ENOENT || errno == ELOOP || errno == ENXIO)) return message;
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return transient("cannot open " + path);
  if (!S_ISREG(status.st_mode)) return message;
  message.bytes = static_cast<std::uint64_t>(status.st_size);
  message.state = MaildirMessage::State::kTooLarge;
  if (message.bytes > limits_.message_bytes) return message;
  // One byte more than it has, where it is read to its end, shows that it grows.
  auto text = read_start(fd, path, std::min(message.bytes + 1, limits_.read_bytes));
  if (!text) return std::move(text).error();
  if (text->size() > message.bytes) {
    return Error{Fault::kTransient, path + " is still being written"};
  }
  message.text = *std::move(text);
  message.state = MaildirMessage::State::kRead;
  return message;
}

Result<void> Maildir::take_away(const std::string& path) const {
  constexpr int kMostAttempts = 100;
  const auto folder = path_ + "/new/";
  const auto name = std::string_view(path).substr(std::min(folder.size(), path.size()));
  if (!path.starts_with(folder) || name.empty() || name.find('/') != name.npos) {
    return Error{Fault::kPermanent, path + " is not in " + folder};
  }
  const auto seen = path_ + "/cur";
  if (::mkdir(seen.c_str(), 0700) != 0 && errno != EEXIST) return transient("cannot make " + seen);
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    if (rename_to_free(path, seen + "/" + seen_name(name, attempt)) == 0) return {};
    if (errno != EEXIST) break;
  }
  const auto reason = transient("cannot move " + path + " to " + seen);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 && errno == ENOENT) return {};
  return reason;
}

}  // namespace rapporteur
