#pragma once
// Which rows a copy takes, and what becomes of them on the other side.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rapporteur {

// How a value is read and bound. The texts of sessions can be restored (store/pg_text.h), byte for
// byte; other texts are for people.
enum class CopyType { kText, kSessionText, kInteger, kFlag, kBytes };

struct CopyColumn {
  std::string_view name;  // in PostgreSQL
  CopyType type;
  std::string_view from;  // an expression in SQLite; empty: the name
};

struct CopyTable {
  std::string_view name;  // in PostgreSQL
  std::string_view from;  // tables in SQLite, joined
  // Where the copy has come to: expressions in SQLite that order the rows, each one different.
  std::vector<CopyColumn> place;
  std::vector<CopyColumn> columns;
};

// In the order in which they are copied.
std::span<const CopyTable> copy_tables();

}  // namespace rapporteur
