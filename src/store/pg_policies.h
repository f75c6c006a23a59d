#pragma once
// Adds the policies and details of deltas whose windows are known, many at a time. A part of
// PgStore::add().

#include <cstddef>
#include <span>

#include "store/pg.h"
#include "store/pg_places.h"
#include "store/store.h"

namespace rapporteur {

// Within the transaction that has added to the windows: that locks them, and with them what is
// theirs. places[i] is that of deltas[i]. Details beyond `max_details` of a policy are folded.
void add_policies(PgDatabase& database, std::span<const WindowDelta* const> deltas,
                  std::span<const PgPlace> places, std::size_t max_details);

}  // namespace rapporteur
