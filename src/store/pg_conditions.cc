#include "store/pg_conditions.h"
#include "store/pg_text.h"

#include <algorithm>

#include "base/text.h"

namespace rapporteur {

namespace {

bool is_glob(std::string_view text) {
  return text.find_first_of("*?") != text.npos;
}

// LIKE gives '%', '_' and '\' a meaning that our patterns do not have.
std::string like_pattern(std::string_view glob) {
  std::string pattern;
  for (const char c : glob) {
    if (c == '*') {
      pattern += '%';
    } else if (c == '?') {
      pattern += '_';
    } else {
      if (c == '%' || c == '_' || c == '\\') pattern += '\\';
      pattern += c;
    }
  }
  return pattern;
}

}  // namespace

void PgConditions::name(std::string_view column, std::string_view name_or_glob) {
  if (name_or_glob.empty()) return;
  const auto lower = to_lower(name_or_glob);
  if (is_glob(lower)) {
    text(std::string(column) + " LIKE ?", like_pattern(lower));
  } else {
    text(std::string(column) + " = ?", lower);
  }
}

void PgConditions::integers(std::string_view condition,
                            std::initializer_list<std::int64_t> values) {
  conditions_.emplace_back(condition);
  for (const auto value : values) parameters_.add(value);
}

void PgConditions::time(std::string_view condition, Time value) {
  integers(condition, {value.time_since_epoch().count()});
}

void PgConditions::after_window(const std::pair<Time, WindowId>& place) {
  integers("(w.due, w.id) > (?, ?)", {place.first.time_since_epoch().count(), place.second});
}

void PgConditions::text(std::string_view condition, std::string_view value) {
  conditions_.emplace_back(condition);
  parameters_.add(readable(value));
}

void PgConditions::texts(std::string_view condition, std::initializer_list<std::string> values) {
  conditions_.emplace_back(condition);
  for (const auto& value : values) parameters_.add(readable(value));
}

void PgConditions::nocase(std::string_view column, std::string_view name_or_glob) {
  name("lower(" + std::string(column) + ")", name_or_glob);
}

void PgConditions::within(std::string_view before, const PgConditions& inner,
                          std::string_view after) {
  conditions_.push_back(std::string(before) + inner.sql() + std::string(after));
  parameters_.values.insert(parameters_.values.end(), inner.parameters_.values.begin(),
                            inner.parameters_.values.end());
}

void PgConditions::plain(std::string_view condition) {
  conditions_.emplace_back(condition);
}

std::string PgConditions::sql() const {
  return conditions_.empty() ? std::string(" ") : " WHERE " + join(conditions_, " AND ") + " ";
}

// Values never stand in the text of a statement, so that no other '?' does.
std::string PgConditions::numbered(std::string_view statement) {
  std::string sql;
  int number = 0;
  for (const char c : statement) {
    if (c == '?') {
      sql += "$" + std::to_string(++number);
    } else {
      sql += c;
    }
  }
  return sql;
}

}  // namespace rapporteur
