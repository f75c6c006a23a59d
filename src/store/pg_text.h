#pragma once
// Texts of sessions may hold what a PostgreSQL text cannot: U+0000, and bytes that are no UTF-8.

#include <cstdint>
#include <string>
#include <string_view>

#include "store/pg.h"

namespace rapporteur {

// `text` as it can be stored: such a byte is U+0001 and its two hexadecimal digits. U+0001 itself
// is written likewise, so that restored() gives back what there was.
std::string storable(std::string_view text);
std::string restored(std::string text);

// `text` for people, who miss nothing by what cannot be stored.
std::string readable(std::string_view text);

// A row whose texts are restored.
class RestoredRow {
 public:
  explicit RestoredRow(const PgRows& rows) : rows_(rows) {}

  std::int64_t integer(int column) const { return rows_.integer(column); }
  std::uint64_t count(int column) const { return rows_.count(column); }
  std::string text(int column) const { return restored(rows_.text(column)); }

 private:
  const PgRows& rows_;
};

}  // namespace rapporteur
