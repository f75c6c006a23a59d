#pragma once
// The nodes of a database as a transaction reads them.

#include <vector>

#include "store/node_store.h"
#include "store/pg.h"

namespace rapporteur {

// What the nodes have said of themselves within a week, by name, without what they hold. Inside
// PgDatabase::read().
std::vector<NodeStatus> nodes_of(PgDatabase& database);

}  // namespace rapporteur
