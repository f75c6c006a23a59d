#include "store/backup.h"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/file.h"
#include "store/sqlite.h"
#include "store/sqlite_schema.h"

namespace rapporteur {

namespace {

constexpr mode_t kFileMode = 0640;
constexpr std::chrono::milliseconds kPatience{10'000};

// So many are copied between two calls of `progress`.
constexpr int kPagesAtOnce = 1024;

// A new file that is removed unless it was given its name.
class NewFile {
 public:
  explicit NewFile(std::string name) : name_(std::move(name)), temporary_(name_ + ".XXXXXX") {}
  ~NewFile() {
    if (!made_) return;
    unlink(temporary_.c_str());
    unlink((temporary_ + "-journal").c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  const std::string& path() const { return temporary_; }

  // Empty, and closed before SQLite opens it.
  Result<void> make() {
    struct stat status {};
    if (lstat(name_.c_str(), &status) == 0) return exists();
    const Fd fd(mkostemp(temporary_.data(), O_CLOEXEC));
    if (!fd) return failed();
    made_ = true;
    if (fchmod(fd.get(), kFileMode) != 0) return failed();
    return {};
  }

  // On disk, then under its name.
  Result<void> keep() {
    if (auto synced = sync(temporary_, O_RDONLY); !synced) return synced;
    if (link(temporary_.c_str(), name_.c_str()) != 0) {
      if (errno == EEXIST) return exists();
      return failed();
    }
    unlink(temporary_.c_str());
    made_ = false;
    auto folder = std::filesystem::path(name_).parent_path().string();
    return sync(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  }

 private:
  Error exists() const {
    return {Fault::kPermanent, name_ + " is there already: a backup overwrites nothing"};
  }
  Error failed() const { return {Fault::kPermanent, system_error("cannot make " + name_)}; }

  static Result<void> sync(const std::string& path, int flags) {
    const Fd fd(::open(path.c_str(), flags | O_CLOEXEC));
    if (!fd || fsync(fd.get()) != 0) {
      return Error{Fault::kTransient, system_error("cannot write " + path)};
    }
    return {};
  }

  const std::string name_;
  std::string temporary_;
  bool made_ = false;
};

struct CloseHandle {
  void operator()(sqlite3* handle) const { sqlite3_close(handle); }
};
using Handle = std::unique_ptr<sqlite3, CloseHandle>;

Error sqlite_failure(sqlite3* handle, const std::string& path) {
  std::string what = handle == nullptr ? "no memory" : sqlite3_errmsg(handle);
  const int number = handle == nullptr ? 0 : sqlite3_system_errno(handle);
  if (number != 0) what += ": " + std::system_category().message(number);
  return {Fault::kTransient, "cannot write " + path + ": " + what};
}

Result<Handle> open_file(const std::string& name, int flags) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &opened,
                                   flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Handle handle(opened);
  if (code != SQLITE_OK) return sqlite_failure(handle.get(), name);
  return handle;
}

// Reads it whole. No log is made beside it, because nobody else has it.
Result<void> check_sound(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    switch (c) {
      case '%':
        uri += "%25";
        break;
      case '?':
        uri += "%3f";
        break;
      case '#':
        uri += "%23";
        break;
      default:
        uri += c;
    }
  }
  auto handle = open_file(uri + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  if (!handle) return std::move(handle).error();
  std::string answer;
  const auto take = [](void* into, int, char** values, char**) {
    auto& text = *static_cast<std::string*>(into);
    if (text.empty() && values[0] != nullptr) text = values[0];
    return 0;
  };
  const int code = sqlite3_exec(handle->get(), "PRAGMA integrity_check(1)", take, &answer, nullptr);
  if (code == SQLITE_OK && answer == "ok") return {};
  if (answer.empty()) answer = sqlite3_errmsg(handle->get());
  return Error{Fault::kCorrupt,
               "the copy is not sound, so that the store may be damaged: " + answer};
}

}  // namespace

Result<std::uint64_t> Database::copy_to(
    const std::string& path,
    const std::function<void(std::uint64_t copied, std::uint64_t total)>& progress) {
  auto target = open_file(path, SQLITE_OPEN_READWRITE);
  if (!target) return std::move(target).error();
  // Nobody needs the copy before it is whole, and then it is synchronised.
  sqlite3_exec(target->get(), "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF", nullptr,
               nullptr, nullptr);
  std::uint64_t page_size = 0;
  // While this transaction reads, it sees one state: what others write meanwhile neither changes
  // nor restarts the copy.
  Transaction reading(*this, Transaction::Kind::kRead);
  {
    Query query(*this, "PRAGMA page_size");
    if (query.next()) page_size = query.count(0);
    Query state(*this, "SELECT count(*) FROM sqlite_master");
    state.next();
  }
  if (auto error = take_error()) return *std::move(error);
  sqlite3_backup* const backup = sqlite3_backup_init(target->get(), "main", handle_, "main");
  if (backup == nullptr) return sqlite_failure(target->get(), path);
  int code = SQLITE_OK;
  std::uint64_t total = 0;
  while (code == SQLITE_OK) {
    code = sqlite3_backup_step(backup, kPagesAtOnce);
    total = static_cast<std::uint64_t>(sqlite3_backup_pagecount(backup)) * page_size;
    const auto left = static_cast<std::uint64_t>(sqlite3_backup_remaining(backup)) * page_size;
    if (progress && (code == SQLITE_OK || code == SQLITE_DONE)) progress(total - left, total);
  }
  const int finished = sqlite3_backup_finish(backup);
  if (code != SQLITE_DONE || finished != SQLITE_OK) return sqlite_failure(target->get(), path);
  return reading.commit(total);
}

Result<Backup> back_up(
    const std::string& url, const std::string& file,
    const std::function<void(std::uint64_t copied, std::uint64_t total)>& progress) {
  constexpr std::string_view kScheme = "sqlite:";
  if (url.starts_with("postgresql:") || url.starts_with("postgres:")) {
    return Error{Fault::kPermanent,
                 "the store is a PostgreSQL database: back it up with pg_dump, see "
                 "docs/operations.md, \"Backup and restore\""};
  }
  if (!url.starts_with(kScheme) || url == "sqlite::memory:") {
    return Error{Fault::kPermanent, "the store is in no file that could be copied"};
  }
  const auto path = url.substr(kScheme.size());
  if (file.empty()) return Error{Fault::kPermanent, "the backup has no name"};
  auto source = Database::open(path, kPatience);
  if (!source) return std::move(source).error();
  if (auto owned = check_owner(**source); !owned) return std::move(owned).error();
  NewFile copy(file);
  if (auto made = copy.make(); !made) return std::move(made).error();
  const auto bytes = (*source)->copy_to(copy.path(), progress);
  if (!bytes) return bytes.error();
  if (auto sound = check_sound(copy.path()); !sound) return std::move(sound).error();
  if (auto kept = copy.keep(); !kept) return std::move(kept).error();
  return Backup{*bytes};
}

}  // namespace rapporteur
