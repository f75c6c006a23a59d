#pragma once
// The list of destinations that get no reports. Who comes onto it, and for how long, is decided in
// deliver/suppression.h.

#include <cstddef>
#include <optional>
#include <string>

#include "base/time.h"

namespace rapporteur {

struct Suppression {
  // "user@b.example", "@b.example", "@*.b.example", "https://b.example/*" (the whole host),
  // "https://b.example/path", "report:a.example" (reports about this domain), "report:*.a.example".
  std::string pattern;
  bool automatic = false;  // the destination failed again and again; else the administrator's word
  Time since;
  std::optional<Time> until;  // absent: until it is removed
  std::string reason;
  // Of automatic ones:
  int spells = 0;  // how often in a row it was suppressed
  std::optional<Time>
      lifted;               // accepted a report since, or removed: not in force, kept for `spells`
  std::string probe;        // the delivery that may try the destination once `until` is past
  bool probe_open = false;  // that delivery is still pending or uncertain
};

// The failures of a destination that count against it, with no success between them.
struct FailureStreak {
  std::size_t windows = 0;  // whose reports failed
  Time first, last;         // of the failed attempts; meaningless if there are none
};

}  // namespace rapporteur
