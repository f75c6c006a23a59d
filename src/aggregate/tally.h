#pragma once
// Sessions of one source added up by what they say and when they were, before anybody knows the
// windows that they belong to. The datagrams of a second, one HTTP request, one batch of a file.
// aggregate/recorder.h stores tallies. docs/design.md, "Counting".

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "aggregate/session_table.h"
#include "base/time.h"
#include "model/session.h"

namespace rapporteur {

// A clock that is this far ahead is taken to be wrong.
constexpr Seconds kFutureTolerance{300};

// This program is younger than this, so a clock that shows an earlier time is not set: a machine
// without a battery begins in 1970 and learns the time from the network.
constexpr Time kEarliestNow{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

struct IntakeRules {
  // Listeners refuse older sessions; files may be of any age.
  Seconds max_age{7 * 86'400};
  bool from_file = false;
};

enum class Counted {
  kAccepted,
  kOwnReport,  // it delivered a report of ours: not counted
  kTooOld,     // a listener refuses it
};

// One thread fills it, another may record it afterwards.
class Tally {
 public:
  // Packed sessions are kept in `table`, which other tallies of the same thread may share.
  Tally(std::string source, std::shared_ptr<SessionTable> table);

  // Counts one session at its own time, or at `now` if it has none or that lies further ahead than
  // kFutureTolerance (which nobody can tell while the clock is not set). A session with an id is
  // counted once, whatever is counted before and after: the recorder sees to that.
  Counted count(const Session& session, Time now, const IntakeRules& rules);

  // Counts at `time` what the table has under this number. `unchecked`: the clock is not set.
  void count_again(SessionTable::Number number, Time time, bool unchecked = false);

  // What makes a repetition of the whole tally recognisable; empty, as at first: nothing.
  void set_key(std::string key) { key_ = std::move(key); }
  const std::string& key() const { return key_; }

  const std::string& source() const { return source_; }

  // Counters by their names without the source: "accepted", "rejected.not-json", …
  void note(std::string_view counter, std::uint64_t amount = 1);
  void note_accepted() { ++accepted_; }
  std::map<std::string, std::uint64_t> counters() const;

  // Neither sessions nor counters.
  bool empty() const;
  // There is a session in it.
  bool has_sessions() const { return !slices_.empty() || !timed_.empty() || !identified_.empty(); }

  // How many entries for_each() shows.
  std::size_t entries() const { return arrived_ + timed_.size() + identified_.size(); }

  // Memory that it takes, its table included.
  std::size_t bytes() const { return table_->bytes() + own_bytes(); }
  // Without the table.
  std::size_t own_bytes() const;
  bool shares_table(const Tally& other) const { return table_ == other.table_; }

  // What it holds, for the recorder. `packed` lives as long as the tally.
  struct Entry {
    std::string_view packed;
    Time first;  // the sessions lie between these, within one clock hour
    Time last;
    std::uint64_t count = 0;
    std::string_view id;     // empty: none
    bool arrived = false;    // the time is that of their arrival: they carried none
    bool unchecked = false;  // the clock was not set then
    bool summed = false;     // `count` lines said it; else it was a single line
  };
  void for_each(const std::function<void(const Entry&)>& visit) const;

  // Adds what for_each() of another tally has shown.
  void add(const Entry& entry);

 private:
  // Sessions that carry no time, of one clock hour: how often each number of the table came.
  struct Slice {
    Time first;
    Time last;
    bool unchecked = false;
    std::vector<std::uint32_t> counts;
  };
  struct Timed {
    SessionTable::Number number;
    bool arrived;
    bool unchecked;
    std::uint64_t count;
    Time time;
  };
  struct Identified {
    Timed timed;
    std::string_view id;
  };

  void add_arrivals(Slice& slice, SessionTable::Number number, std::uint32_t count);
  Slice& slice_at(Time time, bool unchecked);
  SessionTable::Number number_of(std::string_view packed);

  std::string source_;
  std::shared_ptr<SessionTable> table_;
  std::vector<Slice> slices_;
  std::size_t arrived_ = 0;  // counts in slices_ that are not 0
  std::vector<Timed> timed_;
  std::vector<Identified> identified_;
  std::map<std::string, std::uint64_t, std::less<>> counters_;
  std::uint64_t accepted_ = 0;
  std::string key_;
  std::string packed_;  // scratch
};

}  // namespace rapporteur
