#pragma once
// The part of the store that knows when the TXT records of collecting windows are to be looked up,
// and which domains have published none. docs/design.md, "Scheduling". The promises of store.h hold
// for it.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/window.h"

namespace rapporteur {

// A collecting window whose record is to be looked up before it is due.
struct EarlyLookup {
  WindowId window = 0;
  std::string domain;
  std::optional<Time> absent_since;  // an earlier lookup found that there is no record
};

// What an early lookup has come to.
struct LookupNote {
  WindowId window = 0;
  std::string domain;
  std::optional<Time> next;          // of the window's lookups; absent: none before it is due
  std::optional<Time> absent_since;  // as the lookup found, or an earlier one
  // The window is to be dropped, and until then the domain is known to have no record.
  std::optional<Time> silent_until;
};

class LookupStore {
 public:
  virtual ~LookupStore() = default;

  // Up to `limit` collecting windows whose lookup has come, the earliest first. They are not
  // returned again for five minutes, so that nodes share the work.
  virtual Result<std::vector<EarlyLookup>> lookups_due(Time now, std::size_t limit) = 0;

  // Writes down what lookups have come to. A window is dropped, with its counts, if its note says
  // so, it is still collecting and no session brought a record: its sessions are added to the
  // counter "dropped.sessions", and it to "dropped.windows". How many were dropped.
  virtual Result<std::size_t> note_lookups(std::span<const LookupNote> notes, Time now) = 0;
};

}  // namespace rapporteur
