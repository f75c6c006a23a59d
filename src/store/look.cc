#include "store/look.h"

#include <sqlite3.h>

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

// The file as a URI of SQLite that is only read. Without the files of a connection beside it
// ("-wal", "-shm") nobody works on it, and "immutable" keeps SQLite from making them.
std::string read_only_uri(const std::string& path) {
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
  std::error_code ignored;
  const bool in_use = fs::exists(path + "-wal", ignored) && fs::exists(path + "-shm", ignored);
  return uri + (in_use ? "?mode=ro" : "?mode=ro&immutable=1");
}

class ReadOnlyFile {
 public:
  explicit ReadOnlyFile(const std::string& path) : path_(path) {
    const int flags =
        SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    code_ = sqlite3_open_v2(read_only_uri(path).c_str(), &handle_, flags, nullptr);
    if (code_ == SQLITE_OK) sqlite3_busy_timeout(handle_, kPatienceMilliseconds);
  }
  ~ReadOnlyFile() { sqlite3_close(handle_); }
  ReadOnlyFile(const ReadOnlyFile&) = delete;
  ReadOnlyFile& operator=(const ReadOnlyFile&) = delete;

  // The first column of the first row; 0 without a row or after a failure.
  std::int64_t number(const char* sql) {
    if (code_ != SQLITE_OK) return 0;
    sqlite3_stmt* statement = nullptr;
    std::int64_t found = 0;
    code_ = sqlite3_prepare_v2(handle_, sql, -1, &statement, nullptr);
    if (code_ == SQLITE_OK) {
      const int step = sqlite3_step(statement);
      if (step == SQLITE_ROW) found = sqlite3_column_int64(statement, 0);
      if (step != SQLITE_ROW && step != SQLITE_DONE) code_ = step;
    }
    sqlite3_finalize(statement);
    return found;
  }

  bool failed() const { return code_ != SQLITE_OK; }
  Error error() const {
    const int kind = code_ & 0xFF;
    const auto fault = kind == SQLITE_CANTOPEN || kind == SQLITE_PERM || kind == SQLITE_AUTH
                           ? Fault::kConfig
                       : kind == SQLITE_NOTADB || kind == SQLITE_CORRUPT || kind == SQLITE_ERROR
                           ? Fault::kCorrupt
                           : Fault::kTransient;
    const std::string why = handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code_);
    return {fault, "store " + path_ + ": " + why};
  }

 private:
  const std::string path_;
  sqlite3* handle_ = nullptr;
  int code_ = SQLITE_OK;
};

Result<StoreLook> look_at_file(const std::string& path) {
  std::error_code failure;
  const auto status = fs::status(path, failure);
  if (status.type() == fs::file_type::not_found) return look_of(0, newest_sqlite_schema());
  if (failure) return Error{Fault::kConfig, "store " + path + ": " + failure.message()};
  if (!fs::is_regular_file(status)) return Error{Fault::kConfig, "store " + path + " is no file"};
  ReadOnlyFile file(path);
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
  return look_of(version, newest_sqlite_schema());
}

Result<StoreLook> look_at_server(const std::string& url) {
  const auto opened = PgDatabase::open(url, "", std::chrono::milliseconds(kPatienceMilliseconds));
  if (!opened) return opened.error();
  auto& database = **opened;
  const auto version = database.read([&]() -> std::int64_t {
    const bool made =
        database
            .query(
                "SELECT 1 FROM information_schema.tables"
                " WHERE table_name = 'meta' AND table_schema = ANY(current_schemas(false))")
            .next();
    if (!made) return 0;
    auto rows = database.query("SELECT value FROM meta WHERE name = 'schema_version'");
    return rows.next() ? std::strtoll(rows.text(0).c_str(), nullptr, 10) : 0;
  });
  if (!version) return version.error();
  return look_of(*version, newest_pg_schema());
}

}  // namespace

Result<StoreLook> look_at_store(const std::string& url) {
  if (store_is_shared(url)) return look_at_server(url);
  constexpr std::string_view kScheme = "sqlite:";
  const auto path = url.starts_with(kScheme) ? url.substr(kScheme.size()) : std::string();
  if (path.empty() || path.find('\0') != path.npos) {
    return Error{Fault::kConfig, "'" + without_controls(to_valid_utf8(without_password(url))) +
                                     "' names no store: write sqlite:PATH or "
                                     "postgresql://USER@HOST/DATABASE"};
  }
  if (path == ":memory:") return look_of(0, newest_sqlite_schema());
  return look_at_file(path);
}

}  // namespace rapporteur
