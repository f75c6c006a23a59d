#pragma once
// A thin layer over SQLite for this room alone: one connection, its prepared statements, and
// transactions. Errors stick: after the first one nothing more is done and the transaction's
// commit() tells it, so that the callers read as straight sequences of statements.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "base/result.h"
#include "base/time.h"
#include "store/values.h"
#include "store/write_turn.h"

struct sqlite3;
struct sqlite3_stmt;

namespace rapporteur {

// One connection. One thread at a time.
class Database {
 public:
  // Opens an existing file or ":memory:" (full synchronisation, foreign keys). A statement waits up
  // to `busy_timeout` for another connection. Fails with Fault::kConfig if the file cannot be
  // opened for writing, else as fault_of() says in sqlite.cc.
  static Result<std::unique_ptr<Database>> open(const std::string& path,
                                                std::chrono::milliseconds busy_timeout);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Lets readers and a writer work at once. Before the first transaction of a new file; changes
  // nothing if it is so already. Fails with Fault::kConfig where the file system cannot do it.
  Result<void> use_write_ahead_log();

  void set_busy_timeout(std::chrono::milliseconds busy_timeout);

  // Absolute path of the file; empty for ":memory:".
  std::string file() const;

  // Copies the whole database, as one transaction sees it, over the existing file; how many bytes.
  // See back_up(), whose file has this, too.
  Result<std::uint64_t> copy_to(
      const std::string& path,
      const std::function<void(std::uint64_t copied, std::uint64_t total)>& progress);

  bool failed() const { return error_.has_value(); }
  // Notes a failure that SQLite does not see, such as a stored value that cannot be. The first
  // wins.
  void fail(Fault fault, std::string_view what);
  // The first failure since the last call or the last transaction's begin; forgets it.
  std::optional<Error> take_error() { return std::exchange(error_, std::nullopt); }

  // Several statements without parameters and without rows.
  void run_script(const std::string& sql);

  // One statement with its parameters ?1, ?2, … Returns how many rows it changed; 0 on failure.
  template <class... Values>
  std::int64_t execute(std::string_view sql, const Values&... values);

  // The row id that the last INSERT made.
  std::int64_t last_row() const;

 private:
  friend class Query;
  friend class Transaction;

  struct Cached {
    sqlite3_stmt* statement = nullptr;
    bool busy = false;
  };
  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  Database(std::string path, sqlite3* handle, std::chrono::milliseconds busy_timeout);
  void set_up();
  void fail_with(int code);
  void check_file();
  sqlite3_stmt* prepare(std::string_view sql);
  std::int64_t changes() const;

  std::string path_;
  sqlite3* handle_;
  std::chrono::milliseconds busy_timeout_;
  // Of all connections of this process to the file: whoever writes holds it. SQLite itself would
  // sleep and look again, up to a tenth of a second at a time.
  std::shared_ptr<WriteTurn> turn_;
  std::optional<Error> error_;
  std::unordered_map<std::string, Cached, TextHash, std::equal_to<>> statements_;
};

// One statement under way. Ends before its Database.
class Query {
 public:
  // Values are integers, counts, bool, text, Blob, Time and std::optional<Time>; they are copied.
  template <class... Values>
  explicit Query(Database& database, std::string_view sql, const Values&... values)
      : Query(database, sql, true) {
    (bind(values), ...);
  }
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  // One value more, for statements that are composed.
  template <class Value>
  void bind(const Value& value);

  // Whether there is a row more. False also after a failure.
  bool next();

  // Columns of the row, from 0.
  std::int64_t integer(int column) const;
  std::uint64_t count(int column) const;
  bool flag(int column) const { return integer(column) != 0; }
  std::string text(int column) const;  // TEXT or BLOB
  Time time(int column) const { return Time(Seconds(integer(column))); }
  std::optional<Time> optional_time(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;

  Query(Database& database, std::string_view sql, bool copies);
  void bind_integer(std::int64_t value);
  void bind_text(std::string_view value);
  void bind_blob(std::string_view value);
  void bind_null();
  void check_bind(int code);

  Database& database_;
  Database::Cached* cached_ = nullptr;  // absent: the statement is this query's own
  sqlite3_stmt* statement_ = nullptr;
  bool copies_;
  int bound_ = 0;
};

// Everything between construction and commit() happens whole or not at all. Not nested. It fails,
// with Fault::kTransient, while the database's file does not stand under its name.
class Transaction {
 public:
  enum class Kind {
    kRead,   // one state of the data throughout
    kWrite,  // waits for the only writer's place at once, so that it never fails half-way for it
  };

  Transaction(Database& database, Kind kind);
  ~Transaction();  // rolls back what was not committed
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Fails with the first failure since it began; then nothing is stored.
  Result<void> commit();

  template <class T>
  Result<T> commit(T value) {
    auto done = commit();
    if (!done) return std::move(done).error();
    return value;
  }

 private:
  Database& database_;
  std::unique_lock<WriteTurn> turn_;  // of a writer
  bool open_ = false;
};

template <class Value>
void Query::bind(const Value& value) {
  if constexpr (std::is_same_v<Value, Blob>) {
    bind_blob(value.bytes);
  } else if constexpr (std::is_same_v<Value, Time>) {
    bind_integer(value.time_since_epoch().count());
  } else if constexpr (std::is_same_v<Value, std::optional<Time>>) {
    value ? bind_integer(value->time_since_epoch().count()) : bind_null();
  } else if constexpr (std::is_same_v<Value, std::uint64_t>) {
    bind_integer(saturated(value));
  } else if constexpr (std::is_integral_v<Value>) {
    bind_integer(static_cast<std::int64_t>(value));
  } else {
    bind_text(std::string_view(value));
  }
}

template <class... Values>
std::int64_t Database::execute(std::string_view sql, const Values&... values) {
  Query query(*this, sql, false);
  (query.bind(values), ...);
  while (query.next()) {
  }
  return failed() ? 0 : changes();
}

}  // namespace rapporteur
