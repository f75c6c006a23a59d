#pragma once
// Between rows of the tables and the words of the model, for the files of the SQLite store.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/counts.h"
#include "model/delivery.h"
#include "model/window.h"
#include "store/sqlite.h"

namespace rapporteur {

// The columns that read_window() expects, from column 0, of table windows as w.
extern const std::string_view kWindowColumns;
inline constexpr int kWindowColumnCount = 18;

// The columns that read_delivery() expects, of tables deliveries as d, windows as w, parts as p.
extern const std::string_view kDeliveryColumns;
inline constexpr int kDeliveryColumnCount = 18;
extern const std::string_view kDeliveryTables;  // what they are of

// Selects a delivery's columns and then what is submitted of it.
std::string submission_sql(std::string_view condition);

// Rows of policies (id, type, domain, strings, mx_hosts, successful, failed, …) without details,
// and of details (anything, result_type, …, failure_reason_code, sessions). A stored word that is
// none of its enumeration marks the database as corrupt.
Window read_window(Database& database, const Query& row);
Delivery read_delivery(Database& database, const Query& row);
PolicyCounts read_policy(Database& database, const Query& row);
DetailCount read_detail(Database& database, const Query& row);
WindowState read_window_state(Database& database, const std::string& text);

// Several texts as one that can be taken apart again, whatever they hold: each as its length in
// bytes, ':', itself and ','.
std::string pack(const std::vector<std::string>& texts);
std::optional<std::vector<std::string>> unpack(std::string_view packed);

// The first 16 bytes of the SHA-256 of what makes a row itself.
std::string content_key(std::string_view content);

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
