#pragma once
// The tables of an SQLite store and how older ones are brought up to date. docs/formats.md
// describes them.

#include <string>

#include "base/random.h"
#include "base/result.h"
#include "store/sqlite.h"

namespace rapporteur {

// Makes or updates the tables in one transaction and returns the store's token, which `random` gives
// to a new store. Fails with Fault::kCorrupt for a newer schema and for another program's database.
Result<std::string> prepare_schema(Database& database, Random& random);

}  // namespace rapporteur
