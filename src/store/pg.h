#pragma once
// A thin layer over libpq for this room alone: one connection that comes back by itself, statements
// with their parameters, and transactions that are tried again when the database asks for it. As
// with store/sqlite.h, errors stick: after the first one nothing more is done, and the transaction
// tells it in the end, so that the callers read as straight sequences of statements.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "store/values.h"

struct pg_conn;
struct pg_result;

namespace rapporteur {

// A column of values for unnest($1::text[], $2::bigint[], …), one for each row. The text of an
// array as PostgreSQL reads it grows with each value.
class PgArray {
 public:
  void add(std::string_view text);
  void add(const char* text) { add(std::string_view(text)); }
  void add(Blob bytes);
  void add(std::int64_t value);
  void add(std::uint64_t count) { add(saturated(count)); }
  void add(int value) { add(std::int64_t{value}); }
  void add(bool value);
  void add(Time time) { add(time.time_since_epoch().count()); }
  void add(std::optional<Time> time);
  void add_null();

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string text() const { return text_.empty() ? "{}" : text_ + "}"; }

 private:
  void separate();

  std::string text_;
  std::size_t size_ = 0;
};

// The rows of a statement, in memory.
class PgRows {
 public:
  explicit PgRows(pg_result* result) : result_(result) {}
  ~PgRows();
  PgRows(PgRows&& other) noexcept
      : result_(std::exchange(other.result_, nullptr)), row_(other.row_) {}
  PgRows(const PgRows&) = delete;
  PgRows& operator=(const PgRows&) = delete;

  // Whether there is a row more. False also after a failure.
  bool next();
  std::size_t size() const;

  // Columns of the row, from 0.
  std::int64_t integer(int column) const;
  std::uint64_t count(int column) const;
  bool flag(int column) const;
  std::string text(int column) const;
  std::string bytes(int column) const;  // of a BYTEA
  Time time(int column) const { return Time(Seconds(integer(column))); }
  std::optional<Time> optional_time(int column) const;
  bool is_null(int column) const;

 private:
  pg_result* result_;  // absent: there are none
  int row_ = -1;
};

// One connection. One thread at a time.
class PgDatabase {
 public:
  // `url` as libpq reads it. Fails with Fault::kConfig if it cannot be read or the database refuses
  // us, with Fault::kTransient if it does not answer within `patience`.
  static Result<std::unique_ptr<PgDatabase>> open(const std::string& url, const std::string& source,
                                                  std::chrono::milliseconds patience);
  // Likewise, but the first transaction connects. Fails only if `url` cannot be read.
  static Result<std::unique_ptr<PgDatabase>> make(const std::string& url, const std::string& source,
                                                  std::chrono::milliseconds patience);
  ~PgDatabase();
  PgDatabase(const PgDatabase&) = delete;
  PgDatabase& operator=(const PgDatabase&) = delete;

  // How long a transaction is tried while the database is away or others are in its way.
  void set_patience(std::chrono::milliseconds patience) { patience_ = patience; }

  // What has to be done before anything else: it runs transactions of its own on this. Until it
  // has succeeded once, each transaction begins with it, and fails as it does.
  void prepare_with(std::function<Result<void>()> prepare) { prepare_ = std::move(prepare); }

  // Connects and prepares, if that is still to be done. A database that is away is asked once.
  Result<void> reach();

  // Runs `work`, which only reads. Each of its statements sees what was committed before it, or
  // with `whole` all of them see one state of the data. `work` may run several times: it must not
  // keep what it has found outside of what it returns.
  template <class Work>
  auto read(Work&& work, bool whole = false) {
    return run(whole ? Kind::kSnapshot : Kind::kRead, std::forward<Work>(work));
  }

  // Likewise for one that writes: all of it happens, once, or nothing. Serialisation failures,
  // deadlocks and lost connections are tried again until the patience is over. Each transaction
  // carries a number in the table `flushes`, so that one whose end was not heard of is not done
  // twice. Fails with Fault::kUnknown if the database is still away then.
  template <class Work>
  auto write(Work&& work) {
    return run(Kind::kWrite, std::forward<Work>(work));
  }

  // As write(), without a number: for tables that are still to be made.
  template <class Work>
  auto set_up(Work&& work) {
    return run(Kind::kSetUp, std::forward<Work>(work));
  }

  // ---- Within a transaction

  bool failed() const { return error_.has_value(); }
  // Notes a failure that the database does not see, such as a stored value that cannot be. The
  // first wins.
  void fail(Fault fault, std::string_view what);
  // The transaction is to leave no trace; what `work` returns is its answer all the same.
  void roll_back() { rolling_back_ = true; }

  // One statement with its parameters $1, $2, …: integers, counts, bool, text, Blob, Time,
  // std::optional<Time>, PgArray.
  template <class... Values>
  PgRows query(std::string_view sql, const Values&... values) {
    Parameters parameters;
    (parameters.add(values), ...);
    return PgRows(send(sql, parameters));
  }
  // Likewise for parameters that are composed.
  struct Parameters;
  PgRows query_with(std::string_view sql, const Parameters& parameters) {
    return PgRows(send(sql, parameters));
  }
  // Begins a statement whose rows nobody asks for, so that the caller works on while the database
  // does. What comes next in the transaction waits for it and tells its failure.
  void post(std::string_view sql, const Parameters& parameters);
  // Returns how many rows it changed; 0 on failure.
  template <class... Values>
  std::int64_t execute(std::string_view sql, const Values&... values) {
    Parameters parameters;
    (parameters.add(values), ...);
    return change(sql, parameters);
  }

  // Several statements without parameters and without rows. Returns how many rows the last changed.
  std::int64_t run_script(const std::string& sql);

  struct Parameters {
    struct Bound {
      std::optional<std::string> text;  // absent: NULL
      bool binary = false;
    };
    std::vector<Bound> values;

    template <class Value>
    void add(const Value& value);
  };

 private:
  enum class Kind { kRead, kSnapshot, kWrite, kSetUp };
  enum class End { kDone, kAgain, kFailed };

  PgDatabase(std::string url, std::string source, std::chrono::milliseconds patience)
      : url_(std::move(url)), source_(std::move(source)), patience_(patience) {}

  // The outcome of `work`, or why there is none.
  template <class Work>
  auto run(Kind kind, Work&& work) {
    using Value = std::invoke_result_t<Work>;
    if constexpr (std::is_void_v<Value>) {
      const auto failure = attempt(kind, [&] { work(); });
      return failure ? Result<void>(*failure) : Result<void>();
    } else {
      std::optional<Value> value;
      const auto failure = attempt(kind, [&] { value.emplace(work()); });
      return failure ? Result<Value>(*failure) : Result<Value>(*std::move(value));
    }
  }

  std::optional<Error> prepare();
  std::optional<Error> attempt(Kind kind, const std::function<void()>& work);
  End attempt_once(Kind kind, const std::function<void()>& work);
  End end_transaction(Kind kind);
  bool connect();
  bool begin(Kind kind);
  bool begin_numbered();
  void disconnect();
  void fail_with(const pg_result* result);
  const std::string* name_of(std::string_view sql);
  pg_result* await();
  bool settle();
  pg_result* send(std::string_view sql, const Parameters& parameters);
  std::int64_t change(std::string_view sql, const Parameters& parameters);

  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  const std::string url_;
  const std::string source_;  // of the numbers of our transactions
  std::chrono::milliseconds patience_;
  std::function<Result<void>()> prepare_;  // absent: it is done, or under way
  pg_conn* connection_ = nullptr;
  std::unordered_map<std::string, std::string, TextHash, std::equal_to<>> prepared_;  // names
  std::optional<Error> error_;
  bool posted_ = false;  // a statement is under way
  bool again_ = false;   // the error passes if the transaction is tried again
  bool rolling_back_ = false;
  bool repeated_ = false;    // the transaction turned out to have been done
  bool in_doubt_ = false;    // its end was not heard of
  std::int64_t number_ = 0;  // of the last transaction that writes
};

template <class Value>
void PgDatabase::Parameters::add(const Value& value) {
  if constexpr (std::is_same_v<Value, Blob>) {
    values.push_back({std::string(value.bytes), true});
  } else if constexpr (std::is_same_v<Value, Time>) {
    values.push_back({std::to_string(value.time_since_epoch().count())});
  } else if constexpr (std::is_same_v<Value, std::optional<Time>>) {
    if (value) {
      add(*value);
    } else {
      values.push_back({std::nullopt});
    }
  } else if constexpr (std::is_same_v<Value, PgArray>) {
    values.push_back({value.text()});
  } else if constexpr (std::is_same_v<Value, bool>) {
    values.push_back({value ? "t" : "f"});
  } else if constexpr (std::is_same_v<Value, std::uint64_t>) {
    values.push_back({std::to_string(saturated(value))});
  } else if constexpr (std::is_integral_v<Value>) {
    values.push_back({std::to_string(value)});
  } else {
    values.push_back({std::string(std::string_view(value))});
  }
}

}  // namespace rapporteur
