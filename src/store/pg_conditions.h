#pragma once
// Conditions of a SELECT of the PostgreSQL store, as Conditions of store/sqlite_rows.h for SQLite.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/pg.h"
#include "store/rows.h"

namespace rapporteur {

// Conditions whose values stand as '?' in the statement, in the order in which they were added.
class PgConditions {
 public:
  // `column` is equal to a name without '*' and '?', else matches it as a pattern, in lower case.
  // Empty: no condition.
  void name(std::string_view column, std::string_view name_or_glob);
  // `condition` holds one '?' for each value.
  void integers(std::string_view condition, std::initializer_list<std::int64_t> values);
  void time(std::string_view condition, Time value);
  void text(std::string_view condition, std::string_view value);
  void texts(std::string_view condition, std::initializer_list<std::string> values);
  // As name(), without regard to the case of what is stored.
  void nocase(std::string_view column, std::string_view name_or_glob);
  // `before`, the inner conditions, `after`.
  void within(std::string_view before, const PgConditions& inner, std::string_view after);
  // Rows of windows as w behind this one in the order (due, id).
  void after_window(const std::pair<Time, WindowId>& place);
  // Without a value.
  void plain(std::string_view condition);

  // "" or " WHERE a AND b ".
  std::string sql() const;

  // Runs a statement that holds sql(), within a transaction: each '?' of it stands for one value,
  // those of the conditions first, then `more`.
  template <class... Values>
  PgRows query(PgDatabase& database, std::string_view statement, const Values&... more) const {
    auto parameters = parameters_;
    (parameters.add(more), ...);
    return database.query_with(numbered(statement), parameters);
  }

 private:
  static std::string numbered(std::string_view statement);

  std::vector<std::string> conditions_;
  PgDatabase::Parameters parameters_;
};

}  // namespace rapporteur
