#include "store/look.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>

#include "base/text.h"
#include "base/url.h"
#include "store/open.h"
#include "store/pg.h"
#include "store/pg_nodes.h"
#include "store/schema_version.h"

namespace rapporteur {

namespace {

namespace fs = std::filesystem;

constexpr int kPatienceMilliseconds = 2'000;

StoreLook look_of(std::int64_t version, std::int64_t newest) {
  using enum StoreLook::State;
  return {.state = version == 0        ? kAbsent
                   : version == newest ? kCurrent
                   : version < newest  ? kOlder
                                       : kNewer,
          .version = version,
          .newest = newest};
}

// How SQLite reads a file that is not to be changed.
enum class Reading {
  kLocked,     // with the locks of a connection; it makes the files of one where they are missing
  kImmutable,  // without locks and without other files: right only as long as nobody writes
};

// The file as a URI of SQLite that is only read.
std::string read_only_uri(const std::string& path, Reading reading) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '/' || c == '.' || c == '-' || c == '_') {
      uri += c;
    } else {
      uri += '%';
      uri += kDigits[byte >> 4U];
      uri += kDigits[byte & 0xFU];
    }
  }
  return uri + (reading == Reading::kLocked ? "?mode=ro" : "?mode=ro&immutable=1");
}

class ReadOnlyFile {
 public:
  ReadOnlyFile(const std::string& path, Reading reading) : path_(path) {
    const int flags =
        SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    code_ = sqlite3_open_v2(read_only_uri(path, reading).c_str(), &handle_, flags, nullptr);
    if (code_ == SQLITE_OK) sqlite3_busy_timeout(handle_, kPatienceMilliseconds);
  }
  ~ReadOnlyFile() { sqlite3_close(handle_); }
  ReadOnlyFile(const ReadOnlyFile&) = delete;
  ReadOnlyFile& operator=(const ReadOnlyFile&) = delete;

  // The first column of the first row; 0 without a row or after a failure.
  std::int64_t number(const char* sql) {
    std::int64_t found = 0;
    each_row(sql, [&](sqlite3_stmt* row) { found = sqlite3_column_int64(row, 0); });
    return found;
  }

  std::vector<NodeStatus> nodes(Time now) {
    std::vector<NodeStatus> found;
    const auto text = [](sqlite3_stmt* row, int column) {
      const auto* const bytes = sqlite3_column_blob(row, column);
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(row, column));
      return size > 0 ? std::string(static_cast<const char*>(bytes), size) : std::string();
    };
    each_row(
        "SELECT name, role, host, process, version, started, spilled, seen FROM nodes"
        " ORDER BY name",
        [&](sqlite3_stmt* row) {
          auto& status = found.emplace_back();
          status.beat.name = text(row, 0);
          status.beat.role = text(row, 1);
          status.beat.host = text(row, 2);
          status.beat.process = sqlite3_column_int64(row, 3);
          status.beat.version = text(row, 4);
          status.beat.started = Time(Seconds(sqlite3_column_int64(row, 5)));
          status.beat.spilled_bytes = static_cast<std::uint64_t>(sqlite3_column_int64(row, 6));
          status.silent_for =
              std::max(now - Time(Seconds(sqlite3_column_int64(row, 7))), Seconds(0));
        });
    return found;
  }

  bool failed() const { return code_ != SQLITE_OK; }
  Error error() const {
    const int kind = code_ & 0xFF;
    const auto fault = kind == SQLITE_CANTOPEN || kind == SQLITE_PERM || kind == SQLITE_AUTH ||
                               kind == SQLITE_READONLY
                           ? Fault::kConfig
                       : kind == SQLITE_NOTADB || kind == SQLITE_CORRUPT || kind == SQLITE_ERROR
                           ? Fault::kCorrupt
                           : Fault::kTransient;
    const std::string why = handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code_);
    return {fault, "store " + path_ + ": " + why};
  }

 private:
  template <class Take>
  void each_row(const char* sql, const Take& take) {
    if (code_ != SQLITE_OK) return;
    sqlite3_stmt* statement = nullptr;
    code_ = sqlite3_prepare_v2(handle_, sql, -1, &statement, nullptr);
    if (code_ == SQLITE_OK) {
      int step = sqlite3_step(statement);
      for (; step == SQLITE_ROW; step = sqlite3_step(statement)) take(statement);
      if (step != SQLITE_DONE) code_ = step;
    }
    sqlite3_finalize(statement);
  }

  const std::string path_;
  sqlite3* handle_ = nullptr;
  int code_ = SQLITE_OK;
};

Result<StoreLook> look_once(const std::string& path, Reading reading, Time now) {
  ReadOnlyFile file(path, reading);
  const auto owner = file.number("PRAGMA application_id");
  const auto tables = file.number("SELECT count(*) FROM sqlite_master");
  if (!file.failed() && owner == 0 && tables == 0) return look_of(0, newest_sqlite_schema());
  if (!file.failed() && owner != sqlite_application_id()) {
    return Error{Fault::kCorrupt, "store " + path + ": the database belongs to another program"};
  }
  const auto version =
      file.number("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'schema_version'");
  if (file.failed()) return file.error();
  if (version < 1) {
    return Error{Fault::kCorrupt, "store " + path + ": it does not tell the version of its tables"};
  }
  auto look = look_of(version, newest_sqlite_schema());
  if (look.state == StoreLook::State::kCurrent) look.nodes = file.nodes(now);
  if (file.failed()) return file.error();
  return look;
}

// Whether somebody works on a file, and what changes when somebody has written to it.
struct FileState {
  bool in_use = false;  // the files of a connection stand beside it
  struct Bytes {
    std::uint64_t inode = 0;
    std::int64_t size = -1;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    friend bool operator==(const Bytes&, const Bytes&) = default;
  };
  std::array<Bytes, 2> bytes;  // of the database and of its write-ahead log

  friend bool operator==(const FileState&, const FileState&) = default;
};

FileState state_of(const std::string& path) {
  FileState state;
  const std::array files = {path, path + "-wal"};
  for (std::size_t i = 0; i < files.size(); ++i) {
    struct stat status {};
    if (stat(files[i].c_str(), &status) != 0) continue;
    state.bytes[i] = {status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  }
  std::error_code ignored;
  state.in_use = state.bytes[1].size >= 0 && fs::exists(path + "-shm", ignored);
  return state;
}

// A store in use is read with locks. One at rest is not, because a connection would make files
// beside it; neither is one whose other files this user may not use. What was read without locks
// counts only if nobody wrote meanwhile.
Result<StoreLook> look_whoever_writes(const std::string& path, Time now) {
  constexpr int kTries = 20;
  for (int tried = 0; tried < kTries; ++tried) {
    const auto before = state_of(path);
    if (before.in_use) {
      auto look = look_once(path, Reading::kLocked, now);
      if (look || look.error().fault != Fault::kConfig) return look;
    }
    auto look = look_once(path, Reading::kImmutable, now);
    // Of a store in use, half of what its log holds may just be on its way into the file.
    const bool torn = before.in_use && !look && look.error().fault == Fault::kCorrupt;
    if (!torn && state_of(path) == before) return look;
  }
  return Error{Fault::kTransient, "store " + path + ": somebody may be writing to it"};
}

Result<StoreLook> look_at_file(const std::string& path, Time now) {
  std::error_code failure;
  const auto status = fs::status(path, failure);
  if (status.type() == fs::file_type::not_found) return look_of(0, newest_sqlite_schema());
  if (failure) return Error{Fault::kConfig, "store " + path + ": " + failure.message()};
  if (!fs::is_regular_file(status)) return Error{Fault::kConfig, "store " + path + " is no file"};
  return look_whoever_writes(path, now);
}

Result<StoreLook> look_at_server(const std::string& url) {
  const auto opened = PgDatabase::open(url, "", std::chrono::milliseconds(kPatienceMilliseconds));
  if (!opened) return opened.error();
  auto& database = **opened;
  return database.read([&] {
    const bool made =
        database
            .query(
                "SELECT 1 FROM information_schema.tables"
                " WHERE table_name = 'meta' AND table_schema = ANY(current_schemas(false))")
            .next();
    std::int64_t version = 0;
    if (made) {
      auto rows = database.query("SELECT value FROM meta WHERE name = 'schema_version'");
      if (rows.next()) version = std::strtoll(rows.text(0).c_str(), nullptr, 10);
    }
    auto look = look_of(version, newest_pg_schema());
    if (look.state == StoreLook::State::kCurrent) look.nodes = nodes_of(database);
    return look;
  });
}

}  // namespace

Result<StoreLook> look_at_store(const std::string& url, Time now) {
  if (store_is_shared(url)) return look_at_server(url);
  constexpr std::string_view kScheme = "sqlite:";
  const auto path = url.starts_with(kScheme) ? url.substr(kScheme.size()) : std::string();
  if (path.empty() || path.find('\0') != path.npos) {
    return Error{Fault::kConfig, "'" + without_controls(to_valid_utf8(without_password(url))) +
                                     "' names no store: write sqlite:PATH or "
                                     "postgresql://USER@HOST/DATABASE"};
  }
  if (path == ":memory:") return look_of(0, newest_sqlite_schema());
  return look_at_file(path, now);
}

}  // namespace rapporteur
