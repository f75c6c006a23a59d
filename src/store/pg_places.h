#pragma once
// Finds the windows that deltas belong to and adds to their sums, many at a time. A part of
// PgStore::add().

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/pg.h"
#include "store/store.h"

namespace rapporteur {

// No window is longer: a week, and the hours by which clocks are put back, with room to spare.
inline constexpr Seconds kLongestPeriod = std::chrono::days(8);

struct PgPlace {
  WindowId id = 0;  // 0: there is none
  bool supplement = false;
  bool made = false;  // just now: it has no policies yet
};

// Where intake found windows last, by place_key(). Other nodes change rows meanwhile, so that every
// use repeats in its condition what made it the place.
using PgKnownPlaces = std::unordered_map<std::uint64_t, PgPlace>;

// Ids that no window has yet: from `next` on, before `end`.
struct PgWindowIds {
  WindowId next = 0;
  WindowId end = 0;
};

// Within one transaction.
class PgPlaces {
 public:
  PgPlaces(PgDatabase& database, const CountBatch& batch, PgKnownPlaces& known, PgWindowIds ids)
      : database_(database), batch_(batch), known_(known), ids_(ids), first_id_(ids.next) {}

  // Adds to the windows' sums and makes windows. The place of each delta, in their order; one
  // without an id is misplaced. Empty if it failed or ids_missing().
  std::vector<PgPlace> add(std::span<const WindowDelta* const> deltas);

  // How many ids would have been needed until now, if there were not enough.
  std::optional<std::size_t> ids_missing() const { return missing_; }
  PgWindowIds ids_left() const { return ids_; }

 private:
  struct Stored {  // a window of the domain of a delta, or one that is to be made
    WindowId id = 0;
    Period period;
    std::int64_t supplement = 0;
    bool takes_counts = false;
    std::string frequency;
    std::int64_t first_part = 1;
    bool cancelled = false;
    std::optional<std::size_t> target;  // where counts for it are gathered
  };
  struct Making {  // what a window that is not stored yet will be
    Period period;
    std::int64_t supplement = 0;
    std::string frequency;
    std::int64_t first_part = 1;
    Time due;
  };
  struct Target {  // a window, and what is to be added to it
    WindowId id = 0;
    const WindowDelta* delta = nullptr;  // the first that goes there
    bool seen = false;                   // it was looked at in this round
    bool supplement = false;
    std::optional<Making> making;
    std::uint64_t successful = 0;
    std::uint64_t failed = 0;
    Time first;
    Time last;
    std::string_view record;  // newest; empty: none
    Time record_last;
    std::vector<std::size_t> deltas;
    bool done = false;
  };
  struct Round {
    std::span<const WindowDelta* const> deltas;
    std::unordered_map<std::string_view, std::vector<Stored>> stored;  // by domain, newest first
    std::vector<Target> targets;
    std::unordered_map<WindowId, std::size_t> by_id;  // of targets that are stored
  };

  void find_known(Round& round, std::vector<std::size_t>& pending);
  void load_stored(Round& round, std::span<const std::size_t> pending);
  void find_place(Round& round, std::size_t index);
  static bool overlaps(const std::vector<Stored>& stored, const WindowDelta& delta);
  void plan(Round& round, std::vector<Stored>& stored, std::size_t index, const Making& making);
  void gather(Round& round, std::size_t target, std::size_t index);
  std::size_t target_of(Round& round, WindowId id, const WindowDelta& delta);
  Time pruned();
  bool give_ids(Round& round);
  void add_to_stored(Round& round);
  void supersede(Round& round);
  void insert(Round& round);
  std::vector<std::size_t> settle(Round& round, std::vector<PgPlace>& places);

  PgDatabase& database_;
  const CountBatch& batch_;
  PgKnownPlaces& known_;
  PgWindowIds ids_;
  const WindowId first_id_;
  std::optional<std::size_t> missing_;
  std::optional<Time> pruned_;  // absent: not asked yet
};

}  // namespace rapporteur
