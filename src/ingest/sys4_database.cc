#include "ingest/sys4_database.h"

#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/hash.h"

namespace rapporteur {

namespace {

constexpr int kPatienceMilliseconds = 10'000;

constexpr const char* kRows =
    "SELECT r.rowid, r.day, r.domain, r.tlsrptrecord, r.policy, r.cntrtotal, r.cntrfailure,"
    " f.reason, f.cntr, f.rowid FROM finalresults r LEFT JOIN failures f ON f.day IS r.day"
    " AND f.domain IS r.domain AND f.tlsrptrecord IS r.tlsrptrecord AND f.policy IS r.policy"
    " ORDER BY r.day, r.domain, r.tlsrptrecord, r.policy, r.rowid, f.reason, f.rowid";

constexpr const char* kOrphans =
    "SELECT count(*) FROM failures f WHERE NOT EXISTS (SELECT 1 FROM finalresults r"
    " WHERE f.day IS r.day AND f.domain IS r.domain AND f.tlsrptrecord IS r.tlsrptrecord"
    " AND f.policy IS r.policy)";

Error input_error(const std::string& path, sqlite3* handle, int code) {
  const std::string why = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  return {Fault::kInput, path + " cannot be read as a database of tlsrpt-collectd: " + why};
}

std::string text_of(sqlite3_stmt* statement, int column) {
  const auto* const text = sqlite3_column_text(statement, column);
  if (text == nullptr) return {};
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return {reinterpret_cast<const char*>(text), size};
}

std::optional<std::int64_t> integer_of(sqlite3_stmt* statement, int column) {
  if (sqlite3_column_type(statement, column) != SQLITE_INTEGER) return std::nullopt;
  return sqlite3_column_int64(statement, column);
}

struct Connection {
  ~Connection() { sqlite3_close(handle); }
  sqlite3* handle = nullptr;
};

// Whether its readers need files beside it: SQLite's file format, section 1.3.3.
bool has_write_ahead_log(const std::string& path) {
  constexpr std::streamoff kReadVersion = 19;
  std::ifstream file(path, std::ios::binary);
  return file.seekg(kReadVersion) && file.get() == 2;
}

// All of one database, as it is at one moment.
Result<void> copy(const std::string& path, sqlite3* from, sqlite3* to) {
  auto* const backup = sqlite3_backup_init(to, "main", from, "main");
  if (backup == nullptr) return input_error(path, to, sqlite3_errcode(to));
  const int step = sqlite3_backup_step(backup, -1);
  const int end = sqlite3_backup_finish(backup);
  if (step == SQLITE_DONE) return {};
  auto error = input_error(path, nullptr, end != SQLITE_OK ? end : step);
  const bool unmade = step == SQLITE_CANTOPEN || step == SQLITE_READONLY;
  if (unmade && has_write_ahead_log(path)) {
    error.text +=
        ": it is in write-ahead-log mode, for which a file has to be made beside it. Run this as "
        "its collector's user, or take a copy of the database and its -wal in a folder that can be "
        "written";
  }
  return error;
}

}  // namespace

struct Sys4Database::Impl {
  ~Impl() { sqlite3_finalize(statement); }

  Error error(int code) const { return input_error(path, copied.handle, code); }

  // The number of a query's only row.
  Result<std::uint64_t> number(const char* sql) {
    sqlite3_stmt* query = nullptr;
    int code = sqlite3_prepare_v2(copied.handle, sql, -1, &query, nullptr);
    std::int64_t found = 0;
    if (code == SQLITE_OK) {
      code = sqlite3_step(query);
      if (code == SQLITE_ROW) found = sqlite3_column_int64(query, 0);
    }
    sqlite3_finalize(query);
    if (code != SQLITE_ROW) return error(code);
    return static_cast<std::uint64_t>(found);
  }

  std::string path;
  Connection copied;  // a nameless file of its own, removed with it
  sqlite3_stmt* statement = nullptr;
  bool at_row = false;  // the statement stands on a row that was not taken yet
  bool ended = false;
};

Sys4Database::Sys4Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sys4Database::~Sys4Database() = default;

Result<std::unique_ptr<Sys4Database>> Sys4Database::open(const std::string& path) {
  std::error_code failure;
  if (!std::filesystem::is_regular_file(path, failure)) {
    return Error{Fault::kInput, "cannot open " + path + ": " +
                                    (failure ? failure.message() : "it is no regular file")};
  }
  Connection source;
  int code = sqlite3_open_v2(path.c_str(), &source.handle,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) return input_error(path, source.handle, code);
  sqlite3_busy_timeout(source.handle, kPatienceMilliseconds);
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  code = sqlite3_open_v2("", &impl->copied.handle,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) return impl->error(code);
  if (auto done = copy(path, source.handle, impl->copied.handle); !done) {
    return std::move(done).error();
  }
  code = sqlite3_prepare_v2(impl->copied.handle, kRows, -1, &impl->statement, nullptr);
  if (code != SQLITE_OK) return impl->error(code);
  const auto rows = impl->number("SELECT count(*) FROM finalresults");
  if (!rows) return rows.error();
  const auto orphans = impl->number(kOrphans);
  if (!orphans) return orphans.error();
  std::unique_ptr<Sys4Database> database(new Sys4Database(std::move(impl)));
  database->rows_ = *rows;
  database->orphans_ = *orphans;
  return database;
}

void Sys4Database::rewind() {
  sqlite3_reset(impl_->statement);
  impl_->at_row = false;
  impl_->ended = false;
}

Result<std::string> Sys4Database::content_hash() {
  rewind();
  Sha256 hash;
  const auto put = [&hash](const std::string& text) {
    hash.update(std::to_string(text.size()) + ":");
    hash.update(text);
  };
  put("tlsrpt-collectd");
  for (int code = sqlite3_step(impl_->statement); code != SQLITE_DONE;
       code = sqlite3_step(impl_->statement)) {
    if (code != SQLITE_ROW) return impl_->error(code);
    for (int column = 1; column <= 8; ++column) put(text_of(impl_->statement, column));
  }
  rewind();
  return hex(hash.finish());
}

Result<std::optional<Sys4Row>> Sys4Database::next() {
  auto* const statement = impl_->statement;
  const auto step = [&]() -> int {
    const int code = sqlite3_step(statement);
    impl_->at_row = code == SQLITE_ROW;
    impl_->ended = code == SQLITE_DONE;
    return code;
  };
  if (impl_->ended) return std::optional<Sys4Row>();
  if (!impl_->at_row) {
    const int code = step();
    if (code == SQLITE_DONE) return std::optional<Sys4Row>();
    if (code != SQLITE_ROW) return impl_->error(code);
  }
  const auto id = sqlite3_column_int64(statement, 0);
  Sys4Row row{.day = text_of(statement, 1),
              .domain = text_of(statement, 2),
              .record = text_of(statement, 3),
              .policy = text_of(statement, 4),
              .total = integer_of(statement, 5),
              .failures = integer_of(statement, 6),
              .details = {}};
  while (impl_->at_row && sqlite3_column_int64(statement, 0) == id) {
    if (sqlite3_column_type(statement, 9) != SQLITE_NULL) {
      row.details.push_back({text_of(statement, 7), integer_of(statement, 8)});
    }
    const int code = step();
    if (code != SQLITE_ROW && code != SQLITE_DONE) return impl_->error(code);
  }
  return std::optional(std::move(row));
}

}  // namespace rapporteur
