#pragma once
// A look at a store that leaves it exactly as it is: for checks before the daemon runs, and while
// it does. open_store() makes files and tables and brings older ones up to date; this does not.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "store/node_store.h"

namespace rapporteur {

struct StoreLook {
  enum class State {
    kAbsent,   // no file, or a database without tables of ours: the daemon will make them
    kCurrent,  // as this program makes it
    kOlder,    // the next daemon brings it up to date
    kNewer,    // of a newer program: this one does not open it
  };
  State state = State::kAbsent;
  std::int64_t version = 0;  // of its tables; 0: there are none
  std::int64_t newest = 0;   // of the tables that this program makes
  // kCurrent: those that are known, by name. What they hold is not counted.
  std::vector<NodeStatus> nodes;
};

// `url` as open_store() reads it. Of an SQLite store whose daemon does not run, or beside whose
// files this user may not work, what stands in a write-ahead log alone is not seen. Fails with
// Fault::kConfig for a URL of another kind, a file that may not be read or a database that refuses
// us, with Fault::kCorrupt for a file that is no store, with Fault::kTransient if it does not
// answer, or is written to while it is read without locks.
Result<StoreLook> look_at_store(const std::string& url, Time now);

}  // namespace rapporteur
