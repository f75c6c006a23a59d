#pragma once
// What [store] and [received] say about keeping: who works on the store under which name, how often
// he says so, and what is old enough to be removed.

#include <cstddef>
#include <string>

#include "base/time.h"
#include "config/config.h"
#include "store/open.h"
#include "store/store_check.h"

namespace rapporteur {

// The name of this machine. Not [system] hostname: nodes that share a configuration share that.
std::string host_name();

// This node's name is [store] node, or else that of the machine.
StoreOptions store_options(const Config& config);

// How often a node with this lease says that it lives, and how long it may be silent before it is
// taken for dead: nine times as long.
Seconds beat_every(Seconds lease);
Seconds silence_of_the_dead(Seconds lease);

// What may be removed at `now`. Windows are kept as long as late sessions and the rules about our
// own reports may ask for them, whatever `keepReports` says.
Expiry expiry(const Config& config, Time now);

// So many windows, or reports of others, are removed in one transaction.
constexpr std::size_t kPrunePage = 500;

}  // namespace rapporteur
