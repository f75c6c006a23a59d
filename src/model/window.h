#pragma once
// Reporting windows: recipient domain + [start, end) in UTC. When they begin, end and fall due is
// computed in schedule/window_math.h; what they hold is in the store.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace rapporteur {

enum class Frequency : std::uint8_t { kHourly, kDaily, kWeekly, kNever };

std::string_view to_string(Frequency frequency);
// "disable" is a synonym of "never".
std::optional<Frequency> parse_frequency(std::string_view text);

// Half open: `start` belongs to it, `end` does not.
struct Period {
  Time start;
  Time end;

  bool covers(Time time) const { return start <= time && time < end; }
  friend auto operator<=>(const Period&, const Period&) = default;
};

enum class WindowState : std::uint8_t {
  kCollecting,  // sessions are added to it
  kDue,         // its time has come, or it was told to go, and it waits for its run
  kAssembled,   // its parts and deliveries exist
  kDone,        // every delivery has ended
  kBlocked,     // a fault of ours: tried again after reload and every 15 minutes
  kHeld,        // the administrator's word; until released
  kSuppressed,  // ended without a report, for the reason that it carries
};

std::string_view to_string(WindowState state);
std::optional<WindowState> parse_window_state(std::string_view text);

using WindowId = std::int64_t;

// Grows with each lease of a window: a smaller one than the stored is of a lease that was lost.
using Fence = std::int64_t;

struct Window {
  WindowId id = 0;
  std::string domain;
  Frequency frequency = Frequency::kDaily;
  Period period;
  int supplement =
      0;  // 0: the window itself; 1, 2, …: for sessions that came after it was assembled
  WindowState state = WindowState::kCollecting;
  std::string reason;         // why it is blocked, held, suppressed or waiting; empty: no reason
  Time due;                   // when it runs
  std::optional<Time> retry;  // kBlocked, or kDue after a temporary failure: the next attempt
  std::optional<Time> first_attempt;  // when its run was first tried and could not finish
  std::optional<Time> lookup_since;   // since when its TXT record cannot be looked up
  std::string tlsrpt_record;          // the newest TXT record that an MTA saw; empty: none was told
  std::uint64_t successful = 0;       // sums over its policies
  std::uint64_t failed = 0;
  int first_part = 1;  // number of its first part: supplements number on after their window's parts
  bool send_old = false;  // released or sent on purpose: its age does not hold it again
  Fence fence = 0;        // of the lease under which it was given to be run; 0: there are none
};

}  // namespace rapporteur
