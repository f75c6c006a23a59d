#pragma once
// The tables of an SQLite store and how older ones are brought up to date. docs/formats.md
// describes them.

#include "base/random.h"
#include "base/result.h"
#include "store/identity.h"
#include "store/sqlite.h"

namespace rapporteur {

// Fails with Fault::kCorrupt if the file is no database or another program's, and leaves it as it
// is.
Result<void> check_owner(Database& database);

// Makes or updates the tables in one transaction. Fails with Fault::kCorrupt for a newer schema.
Result<StoreIdentity> prepare_schema(Database& database, Random& random);

}  // namespace rapporteur
