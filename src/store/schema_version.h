#pragma once
// Which tables this program makes.

#include <cstdint>

namespace rapporteur {

std::int64_t newest_sqlite_schema();
std::int64_t newest_pg_schema();

// Marks the file of an SQLite store (PRAGMA application_id).
std::int64_t sqlite_application_id();

}  // namespace rapporteur
