#pragma once
// The intake of the daemon on a socket and a store of its own, and the bare loop that it is
// compared with: one that receives and throws away.

#include <cstdint>
#include <string>

#include "bench/datagrams.h"

namespace rapporteur::bench {

struct IntakeRun {
  double seconds = 0;          // from the start of the senders until all was received and on disk
  std::uint64_t received = 0;  // datagrams
  std::uint64_t stored = 0;    // sessions that the store holds afterwards; 0 for the bare loop
};

struct Traffic {
  std::uint64_t count = 0;
  unsigned senders = 1;
  bool blocking = true;
};

IntakeRun run_bare_loop(const Datagrams& datagrams, const Traffic& traffic, bool first);
IntakeRun run_intake(const Datagrams& datagrams, const Traffic& traffic);

}  // namespace rapporteur::bench
