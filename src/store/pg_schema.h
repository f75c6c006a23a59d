#pragma once
// The tables of the store on PostgreSQL. docs/formats.md describes them.

#include "base/random.h"
#include "base/result.h"
#include "store/identity.h"
#include "store/pg.h"

namespace rapporteur {

// Makes the tables if there are none and brings older ones up to date; many may do so at once.
// Fails with Fault::kCorrupt for tables of a newer program or of another one.
Result<StoreIdentity> prepare_schema(PgDatabase& database, Random& random);

}  // namespace rapporteur
