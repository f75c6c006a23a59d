#pragma once
// What the files of the SQLite store share beyond store/rows.h.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/rows.h"
#include "store/sqlite.h"

namespace rapporteur {

extern const std::string_view kDeliveryTables;  // what the columns of a delivery are of

// Selects a delivery's columns and then what is submitted of it.
std::string submission_sql(std::string_view condition);

// Conditions of a SELECT whose values are bound in the order in which they were added.
class Conditions {
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
  void within(std::string_view before, const Conditions& inner, std::string_view after);
  // Rows of windows as w behind this one in the order (due, id).
  void after_window(const std::pair<Time, WindowId>& place);
  // Without a value.
  void plain(std::string_view condition);

  // "" or " WHERE a AND b ".
  std::string sql() const;
  void bind_to(Query& query) const;

 private:
  struct Value {
    bool is_text;
    std::int64_t integer;
    std::string text;
  };
  std::vector<std::string> conditions_;
  std::vector<Value> values_;
};

// A limit as SQLite takes it.
std::int64_t row_limit(std::size_t limit);

}  // namespace rapporteur
