#include "store/sqlite_rows.h"

#include <algorithm>

#include "base/text.h"

namespace rapporteur {

namespace {

bool is_glob(std::string_view text) {
  return text.find_first_of("*?") != text.npos;
}

// SQLite's GLOB gives '[' a meaning that our patterns do not have.
std::string sqlite_glob(std::string_view pattern) {
  std::string glob;
  for (const char c : pattern) {
    if (c == '[') {
      glob += "[[]";
    } else {
      glob += c;
    }
  }
  return glob;
}

}  // namespace

const std::string_view kDeliveryTables =
    " FROM deliveries AS d JOIN windows AS w ON w.id = d.window_id"
    " JOIN parts AS p ON p.window_id = d.window_id AND p.number = d.part ";

std::string submission_sql(std::string_view condition) {
  return "SELECT " + std::string(kDeliveryColumns) +
         ", CASE WHEN d.mail THEN p.mail_body ELSE p.gz END" + std::string(kDeliveryTables) +
         "WHERE " + std::string(condition);
}

void Conditions::name(std::string_view column, std::string_view name_or_glob) {
  if (name_or_glob.empty()) return;
  const auto lower = to_lower(name_or_glob);
  if (is_glob(lower)) {
    text(std::string(column) + " GLOB ?", sqlite_glob(lower));
  } else {
    text(std::string(column) + " = ?", lower);
  }
}

void Conditions::integers(std::string_view condition, std::initializer_list<std::int64_t> values) {
  conditions_.emplace_back(condition);
  for (const auto value : values) values_.push_back({false, value, {}});
}

void Conditions::time(std::string_view condition, Time value) {
  integers(condition, {value.time_since_epoch().count()});
}

void Conditions::after_window(const std::pair<Time, WindowId>& place) {
  // The first condition is the one that SQLite can search an index by.
  time("w.due >= ?", place.first);
  const auto due = place.first.time_since_epoch().count();
  integers("(w.due > ? OR w.id > ?)", {due, place.second});
}

void Conditions::text(std::string_view condition, std::string_view value) {
  conditions_.emplace_back(condition);
  values_.push_back({true, 0, std::string(value)});
}

void Conditions::texts(std::string_view condition, std::initializer_list<std::string> values) {
  conditions_.emplace_back(condition);
  for (const auto& value : values) values_.push_back({true, 0, value});
}

void Conditions::nocase(std::string_view column, std::string_view name_or_glob) {
  if (is_glob(name_or_glob)) return name("lower(" + std::string(column) + ")", name_or_glob);
  if (!name_or_glob.empty()) text(std::string(column) + " = ? COLLATE NOCASE", name_or_glob);
}

void Conditions::within(std::string_view before, const Conditions& inner, std::string_view after) {
  conditions_.push_back(std::string(before) + inner.sql() + std::string(after));
  values_.insert(values_.end(), inner.values_.begin(), inner.values_.end());
}

void Conditions::plain(std::string_view condition) {
  conditions_.emplace_back(condition);
}

std::string Conditions::sql() const {
  return conditions_.empty() ? std::string(" ") : " WHERE " + join(conditions_, " AND ") + " ";
}

void Conditions::bind_to(Query& query) const {
  for (const auto& value : values_) {
    if (value.is_text) {
      query.bind(value.text);
    } else {
      query.bind(value.integer);
    }
  }
}

std::int64_t row_limit(std::size_t limit) {
  return saturated(limit);
}

}  // namespace rapporteur
