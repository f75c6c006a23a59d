#pragma once
// Stores tallies: finds the window of every session, opens new ones, adds up, and writes all of it
// in one transaction. docs/design.md, "Counting".

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "aggregate/planner.h"
#include "aggregate/tally.h"
#include "base/clock.h"
#include "base/result.h"
#include "store/store.h"

namespace rapporteur {

struct RecorderOptions {
  // Windows made of files that ended longer ago than max_age are held, unless send_old is set.
  Seconds max_age{7 * 86'400};
  bool from_file = false;
  bool send_old = false;
  std::size_t max_details = 10'000;
};

// What became of a tally's accepted sessions.
struct Recorded {
  std::uint64_t duplicates = 0;  // lines with an id that was counted before: not counted
  std::uint64_t never = 0;       // lines of domains whose sendFrequency is `never`: not counted
  std::uint64_t silent = 0;      // lines of domains that publish no TLSRPT record: not counted
  bool repeated = false;         // a tally with this key was recorded before: nothing was counted
};

// What is stored together with tallies.
struct RecordWith {
  std::optional<FileProgress> file;
  // The tallies, all or some, are what the journal holds up to this piece.
  std::optional<JournalNumber> journalled;
  std::optional<FlushId> flush;  // see CountBatch
  // Called many times a second while it is stored, within the transaction: it leaves the store
  // alone.
  std::function<void()> meanwhile = {};
};

// One thread.
class Recorder {
 public:
  Recorder(Store& store, WindowPlanner& planner, const Clock& clock, RecorderOptions options);

  // Stores all of the tallies with their counters, and `with`, in one transaction, and tells
  // what became of each. What was stored before under the same FlushId is told as if it were stored
  // now. On failure nothing is stored, but for Fault::kUnknown (Store::add());
  // it fails with Fault::kTransient also while the clock is evidently not set. Duplicates, sessions
  // that are never reported and those of silent domains are moved from the counter "accepted" to
  // "ignored.duplicate", "ignored.never" and "ignored.no-tlsrpt-record".
  Result<std::vector<Recorded>> record(std::span<const Tally* const> tallies,
                                       const RecordWith& with = {});

  // Forgets which windows exist and how they were planned: after a reload, for instance.
  void forget_windows() { known_.clear(); }

  const RecorderOptions& options() const { return options_; }
  void set_options(const RecorderOptions& options) { options_ = options; }

 private:
  struct Line;
  struct Group;
  class Placement;
  // Where sessions of a domain were counted last.
  struct Known {
    enum class Use {
      kWindow,  // that of `period`
      kNever,   // not at all, as sendFrequency said: believed within `period`
      kSilent,  // not at all, because there is no TLSRPT record: likewise
    };
    Period period;
    Use use = Use::kWindow;
  };

  const Known* known_place(std::uint64_t domain_hash, Time first, Time last, Time now) const;
  void know(std::uint64_t domain_hash, const Known& known);

  Store& store_;
  WindowPlanner& planner_;
  const Clock& clock_;
  RecorderOptions options_;
  std::unordered_map<std::uint64_t, Known> known_;  // by the hash of the domain
};

}  // namespace rapporteur
