#pragma once
// The intake of the daemon on a socket and a store of its own, and the bare loop that it is
// compared with: one that receives and throws away.

#include <cstdint>
#include <string>

#include "bench/datagrams.h"

namespace rapporteur::bench {

struct IntakeRun {
  // From the start of the senders until all that they sent was received, and on disk.
  double seconds = 0;
  double recorded_seconds = 0;  // until it was in its windows
  std::uint64_t received = 0;   // datagrams
};

struct Traffic {
  std::uint64_t count = 0;
  unsigned senders = 1;
  bool blocking = true;
};

// `first`: its thread goes before others, as the intake's does where that is allowed.
IntakeRun run_bare_loop(const Datagrams& datagrams, const Traffic& traffic, bool first);

// `received` is what the store has counted, of whatever verdict. The same traffic `rounds` times,
// by one daemon.
IntakeRun run_intake(const Datagrams& datagrams, const Traffic& traffic, int rounds = 1);

}  // namespace rapporteur::bench
