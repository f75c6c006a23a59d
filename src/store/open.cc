#include "store/open.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/url.h"
#include "store/pg_store.h"
#include "store/sqlite_schema.h"
#include "store/sqlite_store.h"

namespace rapporteur {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMemory = ":memory:";
constexpr mode_t kFileMode = 0640;

bool is_postgres(const std::string& url) {
  return url.starts_with("postgresql://") || url.starts_with("postgres://");
}

// The file's path, or ":memory:".
Result<std::string> sqlite_path(const std::string& url) {
  constexpr std::string_view kScheme = "sqlite:";
  const auto shown = "'" + without_controls(to_valid_utf8(without_password(url))) + "'";
  if (!url.starts_with(kScheme)) {
    return Error{Fault::kConfig, shown +
                                     " names no store that this program has: write sqlite:PATH or "
                                     "postgresql://USER@HOST/DATABASE"};
  }
  auto path = url.substr(kScheme.size());
  if (path.empty() || path.find('\0') != path.npos) {
    return Error{Fault::kConfig, shown + " names no file: write sqlite:PATH"};
  }
  return path;
}

// The path by which all names of the file know it.
std::string canonical_path(const std::string& path) {
  std::error_code ignored;
  const auto canonical = fs::weakly_canonical(path, ignored);
  return ignored ? path : canonical.string();
}

// A file that was moved away leaves its log behind, and maybe a daemon that works on it: an empty
// file in its place would take the log for its own and destroy it.
Result<void> check_not_lost(const std::string& path) {
  std::error_code ignored;
  const auto log = path + "-wal";
  const auto bytes = fs::file_size(log, ignored);
  if (!ignored && bytes > 0) {
    return Error{Fault::kTransient, "the store " + path + " is missing, but its log " + log +
                                        " is there: put the file back, or remove " + log + " and " +
                                        path + "-shm to begin anew"};
  }
  const auto lock = canonical_path(path) + ".lock";
  const Fd fd(::open(lock.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || flock(fd.get(), LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) return {};
  const auto holder = read_file(lock);
  const auto process = holder ? std::string(trim(*holder)) : std::string();
  if (process == std::to_string(getpid())) return {};
  return Error{Fault::kTransient, "the store " + path + " is missing while a daemon (process " +
                                      process +
                                      ") works on it: put the file back, or restart the "
                                      "daemon"};
}

// Makes an empty file with our mode unless there is one. It gets its name after it was closed:
// closing a file drops every lock that this process holds on it, those of SQLite included.
Result<void> make_file(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) == 0) {
    if (S_ISREG(status.st_mode)) return {};
    return Error{Fault::kConfig, "the store " + path + " is not a file"};
  }
  if (errno != ENOENT) return Error{Fault::kConfig, system_error("cannot open the store " + path)};
  if (auto lost = check_not_lost(path); !lost) return lost;
  auto temporary = path + ".XXXXXX";
  {
    const Fd fd(mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd) return Error{Fault::kConfig, system_error("cannot make the store " + path)};
    if (fchmod(fd.get(), kFileMode) != 0) {
      auto error = Error{Fault::kConfig, system_error("cannot make the store " + path)};
      unlink(temporary.c_str());
      return error;
    }
  }
  const bool linked = link(temporary.c_str(), path.c_str()) == 0 || errno == EEXIST;
  auto why = linked ? std::string() : system_error("cannot make the store " + path);
  unlink(temporary.c_str());
  if (!linked) return Error{Fault::kConfig, std::move(why)};
  return {};
}

class FileLock final : public DaemonLock {
 public:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}

 private:
  Fd fd_;
};

class NoLock final : public DaemonLock {};

}  // namespace

Result<std::unique_ptr<Store>> SqliteStore::open(const std::string& path, Random& random,
                                                 std::chrono::milliseconds busy_timeout) {
  if (path != kMemory) {
    if (auto made = make_file(path); !made) return std::move(made).error();
  }
  auto database = Database::open(path, busy_timeout);
  if (!database) return std::move(database).error();
  if (auto owned = check_owner(**database); !owned) return std::move(owned).error();
  if (auto ready = (*database)->use_write_ahead_log(); !ready) return std::move(ready).error();
  auto identity = prepare_schema(**database, random);
  if (!identity) return std::move(identity).error();
  return std::unique_ptr<Store>(new SqliteStore(*std::move(database), *std::move(identity)));
}

Result<std::unique_ptr<Store>> open_store(const std::string& url, Random& random,
                                          const StoreOptions& options) {
  if (is_postgres(url)) return PgStore::open(url, random, options);
  auto path = sqlite_path(url);
  if (!path) return std::move(path).error();
  return SqliteStore::open(*path, random);
}

bool store_exists(const std::string& url) {
  if (is_postgres(url)) return PgStore::exists(url);
  const auto path = sqlite_path(url);
  std::error_code ignored;
  return path && fs::exists(*path, ignored);
}

bool has_disk_room(const std::string& url) {
  if (is_postgres(url)) return true;
  const auto path = sqlite_path(url);
  if (!path || *path == kMemory) return true;
  std::error_code failure;
  const auto space = fs::space(fs::path(*path).parent_path(), failure);
  return failure || space.available >= kLeastDiskRoom;
}

Result<std::unique_ptr<DaemonLock>> lock_for_daemon(const std::string& url) {
  if (is_postgres(url)) return std::unique_ptr<DaemonLock>(new NoLock);
  auto path = sqlite_path(url);
  if (!path) return std::move(path).error();
  if (*path == kMemory) return std::unique_ptr<DaemonLock>(new NoLock);
  // Two names of one file are one store.
  const auto name = canonical_path(*path) + ".lock";
  Fd fd(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode));
  if (!fd) return Error{Fault::kConfig, system_error("cannot open " + name)};
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Error{Fault::kTransient, system_error("cannot lock " + name)};
    const auto holder = read_file(name);
    const auto process = holder ? std::string(trim(*holder)) : std::string();
    return Error{Fault::kConfig, "another daemon" +
                                     (process.empty() ? "" : " (process " + process + ")") +
                                     " works on " + *path + "; SQLite is for one node"};
  }
  const auto process = std::to_string(getpid()) + "\n";
  if (ftruncate(fd.get(), 0) != 0 ||
      pwrite(fd.get(), process.data(), process.size(), 0) != static_cast<ssize_t>(process.size())) {
    return Error{Fault::kTransient, system_error("cannot write " + name)};
  }
  return std::unique_ptr<DaemonLock>(new FileLock(std::move(fd)));
}

}  // namespace rapporteur
