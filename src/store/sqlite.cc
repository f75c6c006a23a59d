#include "store/sqlite.h"

#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include <sqlite3.h>

namespace rapporteur {

namespace {

Fault fault_of(int code) {
  switch (code) {
    case SQLITE_IOERR_CORRUPTFS:
      return Fault::kCorrupt;
    default:
      break;
  }
  switch (code & 0xff) {
    case SQLITE_ERROR:  // a table or column is not there
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
    case SQLITE_FORMAT:
    case SQLITE_RANGE:
    case SQLITE_MISUSE:
    case SQLITE_CONSTRAINT:  // every transaction looks first: what it meets nobody put there
      return Fault::kCorrupt;
    default:  // locked, full, input or output, memory
      return Fault::kTransient;
  }
}

// The one of all connections to this file.
std::shared_ptr<WriteTurn> turn_of(const std::string& file) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<WriteTurn>> turns;
  if (file.empty()) return std::make_shared<WriteTurn>();
  const std::lock_guard lock(mutex);
  std::erase_if(turns, [](const auto& entry) { return entry.second.expired(); });
  auto& known = turns[file];
  auto turn = known.lock();
  if (!turn) known = turn = std::make_shared<WriteTurn>();
  return turn;
}

// Before the first connection. Debian's SQLite has no lookaside memory, so that each of its many
// small allocations would take the mutex of its statistics. What undoes one statement stays in
// memory up to a size that few statements about one window reach: past 64 KiB, which splitting a
// page can pass, the rest of the transaction would write each page to a temporary file first.
void configure_sqlite() {
  static std::once_flag once;
  constexpr int kUndoBytes = 96 << 10;  // allocated at once for each such statement
  std::call_once(once, [] {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, kUndoBytes);
  });
}

int sqlite_length(std::string_view text) {
  return static_cast<int>(text.size());
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& path,
                                                 std::chrono::milliseconds busy_timeout) {
  configure_sqlite();
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  std::unique_ptr<Database> database(new Database(path, handle, busy_timeout));
  if (code != SQLITE_OK) {
    const std::string why = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
    return Error{(code & 0xff) == SQLITE_CANTOPEN ? Fault::kConfig : fault_of(code),
                 "cannot open the store " + path + ": " + why};
  }
  database->set_up();
  if (auto error = database->take_error()) {
    const int failure = sqlite3_extended_errcode(handle) & 0xff;
    if (failure == SQLITE_CANTOPEN || failure == SQLITE_READONLY) error->fault = Fault::kConfig;
    return *std::move(error);
  }
  return database;
}

Database::Database(std::string path, sqlite3* handle, std::chrono::milliseconds busy_timeout)
    : path_(std::move(path)), handle_(handle), busy_timeout_(busy_timeout) {}

Database::~Database() {
  for (auto& [sql, cached] : statements_) sqlite3_finalize(cached.statement);
  sqlite3_close(handle_);
}

void Database::set_busy_timeout(std::chrono::milliseconds busy_timeout) {
  busy_timeout_ = busy_timeout;
  sqlite3_busy_timeout(handle_, static_cast<int>(busy_timeout.count()));
}

std::string Database::file() const {
  const char* const name = sqlite3_db_filename(handle_, "main");
  return name == nullptr ? "" : name;
}

void Database::set_up() {
  turn_ = turn_of(file());
  sqlite3_busy_timeout(handle_, static_cast<int>(busy_timeout_.count()));
  if (sqlite3_db_readonly(handle_, "main") == 1) {
    return fail(Fault::kConfig, "the file may not be written");
  }
  run_script(
      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16000;"
      "PRAGMA temp_store = FILE; PRAGMA journal_size_limit = 67108864;");
}

// SQLite does not wait for its busy time-out when two connections switch a new file at once.
Result<void> Database::use_write_ahead_log() {
  error_.reset();
  const auto end = std::chrono::steady_clock::now() + busy_timeout_;
  for (;;) {
    std::string mode;
    {
      Query query(*this, "PRAGMA journal_mode = WAL");
      if (query.next()) mode = query.text(0);
    }
    auto error = take_error();
    if (!error && (mode == "wal" || mode == "memory")) return {};
    if (!error) {
      return Error{Fault::kConfig,
                   "store " + path_ + ": its file system cannot hold a write-ahead log"};
    }
    const int code = sqlite3_errcode(handle_) & 0xff;
    if (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) error->fault = Fault::kConfig;
    if (code != SQLITE_BUSY || std::chrono::steady_clock::now() >= end) return *std::move(error);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void Database::fail(Fault fault, std::string_view what) {
  if (error_) return;
  error_ = Error{fault, "store " + path_ + ": " + std::string(what)};
}

void Database::fail_with(int code) {
  if (error_) return;
  std::string what = sqlite3_errmsg(handle_);
  // "disk I/O error" alone does not tell that the disk is full.
  const int number = (code & 0xff) == SQLITE_IOERR ? sqlite3_system_errno(handle_) : 0;
  if (number != 0) what += ": " + std::system_category().message(number);
  fail(fault_of(code), what);
}

void Database::run_script(const std::string& sql) {
  if (failed()) return;
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail_with(code);
}

std::int64_t Database::last_row() const {
  return sqlite3_last_insert_rowid(handle_);
}

std::int64_t Database::changes() const {
  return sqlite3_changes64(handle_);
}

// What is written to a file without a name is gone with the process.
void Database::check_file() {
  int moved = 0;
  const int code = sqlite3_file_control(handle_, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  if (code == SQLITE_OK && moved != 0) {
    fail(Fault::kTransient,
         "the database file was moved, replaced or deleted; put it back, or restart the daemon");
  }
}

sqlite3_stmt* Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), sqlite_length(sql),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) fail_with(code);
  return statement;
}

Query::Query(Database& database, std::string_view sql, bool copies)
    : database_(database), copies_(copies) {
  if (database_.failed()) return;
  auto found = database_.statements_.find(sql);
  if (found == database_.statements_.end()) {
    auto* const statement = database_.prepare(sql);
    if (statement == nullptr) return;
    found = database_.statements_.emplace(sql, Database::Cached{statement, false}).first;
  }
  if (found->second.busy) {
    statement_ = database_.prepare(sql);
    return;
  }
  found->second.busy = true;
  cached_ = &found->second;
  statement_ = cached_->statement;
}

Query::~Query() {
  if (cached_ == nullptr) {
    sqlite3_finalize(statement_);
    return;
  }
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  cached_->busy = false;
}

void Query::check_bind(int code) {
  if (code != SQLITE_OK) database_.fail_with(code);
}

void Query::bind_integer(std::int64_t value) {
  ++bound_;
  if (statement_ != nullptr) check_bind(sqlite3_bind_int64(statement_, bound_, value));
}

void Query::bind_text(std::string_view value) {
  ++bound_;
  if (statement_ == nullptr) return;
  // A null pointer would bind NULL.
  check_bind(sqlite3_bind_text64(statement_, bound_, value.empty() ? "" : value.data(),
                                 value.size(), copies_ ? SQLITE_TRANSIENT : SQLITE_STATIC,
                                 SQLITE_UTF8));
}

void Query::bind_blob(std::string_view value) {
  ++bound_;
  if (statement_ == nullptr) return;
  check_bind(sqlite3_bind_blob64(statement_, bound_, value.empty() ? "" : value.data(),
                                 value.size(), copies_ ? SQLITE_TRANSIENT : SQLITE_STATIC));
}

void Query::bind_null() {
  ++bound_;
  if (statement_ != nullptr) check_bind(sqlite3_bind_null(statement_, bound_));
}

bool Query::next() {
  if (statement_ == nullptr || database_.failed()) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.fail_with(code);
  return false;
}

std::int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::uint64_t Query::count(int column) const {
  const auto value = integer(column);
  return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}

std::string Query::text(int column) const {
  const void* const bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (bytes == nullptr || size <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

std::optional<Time> Query::optional_time(int column) const {
  if (is_null(column)) return std::nullopt;
  return time(column);
}

bool Query::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Transaction::Transaction(Database& database, Kind kind)
    : database_(database), turn_(*database.turn_, std::defer_lock) {
  database_.error_.reset();
  database_.check_file();
  if (kind == Kind::kWrite && !turn_.try_lock_for(database_.busy_timeout_)) {
    database_.fail(Fault::kTransient, "database is locked");
  }
  database_.execute(kind == Kind::kRead ? "BEGIN" : "BEGIN IMMEDIATE");
  open_ = !database_.failed();
}

Transaction::~Transaction() {
  // SQLite may have rolled back by itself, after a full disk for example.
  if (!open_ || sqlite3_get_autocommit(database_.handle_) != 0) return;
  sqlite3_exec(database_.handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<void> Transaction::commit() {
  if (!database_.failed()) {
    database_.execute("COMMIT");
    if (!database_.failed()) {
      open_ = false;
      if (turn_.owns_lock()) turn_.unlock();
    }
  }
  if (auto error = database_.take_error()) return *std::move(error);
  return {};
}

}  // namespace rapporteur
