#pragma once
// The part of the store that says which nodes work on it. The promises of store.h hold for it.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace rapporteur {

// What a daemon says of itself every few seconds.
struct NodeBeat {
  std::string name;  // [store] node
  std::string role;  // "ingest", "schedule" or "all"
  std::string host;
  std::int64_t process = 0;
  std::string version;
  Time started;
  std::uint64_t spilled_bytes = 0;  // of counts that wait on its own disk for the store
};

struct NodeStatus {
  NodeBeat beat;
  Seconds silent_for{0};         // since its last beat, by the store's clock
  std::uint64_t windows = 0;     // due ones that it holds by a lease that has not run out
  std::uint64_t deliveries = 0;  // likewise
};

class NodeStore {
 public:
  virtual ~NodeStore() = default;

  // Replaces what the node of this name has said before.
  virtual Result<void> beat(const NodeBeat& beat, Time now) = 0;
  // By name. Nodes that have been silent for a week are forgotten. A store of one node has no
  // leases: it holds what is due.
  virtual Result<std::vector<NodeStatus>> nodes(Time now) = 0;
};

}  // namespace rapporteur
