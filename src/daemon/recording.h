#pragma once
// The recording thread: stores the tallies of all sources, those that wait together in one
// transaction (group commit), so that counting never waits for the disk. A tally with very many
// entries is put into the store's journal first, which is quick, and recorded a few seconds later
// together with those that came after it. Where the store is another machine's, what it does not
// take for long waits in files. docs/design.md, "From a line to the store".

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aggregate/journal.h"
#include "aggregate/recorder.h"
#include "aggregate/tally.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/shared_state.h"
#include "daemon/spill.h"
#include "schedule/planner.h"
#include "store/store.h"

namespace rapporteur {

struct RecordingOptions {
  // A tally with more entries is journalled, if nobody waits for an answer.
  std::size_t few_entries = 2000;
  // Of the FlushIds of what is recorded: unlike that of every other process, before and after.
  // Empty, for a store that never fails with Fault::kUnknown: there are none.
  std::string source;
  // Where counts wait while the store is away; null: in memory only. Outlives this.
  Spill* spill = nullptr;
  // Counts that wait in memory without being spilled, beside what intake remembers of earlier
  // lines.
  std::size_t spill_beyond = std::size_t{64} << 20;
};

class Recording {
 public:
  // Told once: after the tally is on disk, what came of it; or why it could not be stored: then
  // nothing of it was counted, and nothing of it will be, but for Fault::kUnknown, which comes only
  // at the end: it was counted, or it will be if its sender does not try again, or neither. Called
  // on the recording thread, which waits for it.
  using Done = std::function<void(const Result<Recorded>& recorded)>;

  // Follows the configuration of `shared`; windows that were opened keep the frequency that they
  // have.
  Recording(Store& store, const Clock& clock, Log& log, SharedState& shared,
            const RecordingOptions& options = {});

  // Hands a tally over to be stored. Any thread; never waits for the store. Without `done` it
  // waits, in memory or in a file, until the store takes it.
  void submit(std::unique_ptr<Tally> tally, Done done = {});

  // Whether tallies with `done` may be submitted: false while those that wait take more than
  // kMaxWaitingBytes of memory. Any thread.
  bool has_room() const { return waiting_bytes_ < kMaxWaitingBytes; }

  // Nothing waits and nothing is being stored. Any thread.
  bool idle() const { return unfinished_ == 0; }
  // Whether this tally, which has no `done`, may be submitted: nothing like it waits, or it is so
  // large that it is to be written to a file. Any thread.
  bool ready_for(const Tally& tally) const;

  // Size of the files that wait for the store. Any thread.
  std::uint64_t spilled_bytes() const {
    return static_cast<std::uint64_t>(shared_.metrics.spilled_bytes.value());
  }

  // Takes over what an earlier process has left in the journal. Before serve().
  Result<void> recover();

  // In place of recover() where the store, which keeps no journal, is known to be away: until it is
  // back it is left alone but for one try a second. Before serve().
  void begin_without_store(const Error& why);

  // Makes serve() say to the store, at its start and then so often, that this node lives. Before
  // serve().
  void announce(NodeBeat beat, Seconds every);

  // Stores what waits, once; what is journalled is recorded if its time has come or `all` is set.
  // False if the store failed. If nobody can tell whether something was stored, the next call tries
  // the same again, and nothing else. The recording thread's, or a test's.
  bool store_waiting(bool all = false);

  // Records the oldest file of counts that waited for the store, if there is one and the store is
  // not known to be away. False if it stays, or the folder cannot be used. The recording thread's,
  // or a test's.
  bool recover_file();

  // Ends what store_waiting() could not: writes it to files, if it has some, and tells those who
  // wait. False if counts are lost, or nobody can tell. The recording thread's, or a test's.
  bool give_up();

  // Stores what is submitted until stop() was called and nothing waits; a store that is away then
  // is tried a few times. False if something was lost.
  bool serve();

  // Makes serve() end when everything that has been submitted before is stored. Any thread.
  void stop();

  static constexpr std::size_t kMaxWaitingBytes = std::size_t{256} << 20;

 private:
  using SteadyClock = std::chrono::steady_clock;

  struct Waiting {
    std::unique_ptr<Tally> tally;
    Done done;
    std::size_t bytes = 0;
  };

  // Of tallies that are on disk in the journal.
  struct Journalled {
    std::vector<std::unique_ptr<Tally>> tallies;
    JournalNumber last = 0;
    std::size_t bytes = 0;
    SteadyClock::time_point since;
  };

  // A round of which nobody can tell whether it was stored.
  struct Frozen {
    bool fold = false;   // what is journalled is part of it
    bool again = false;  // it was tried again
  };

  void follow_config();
  void take_submitted();
  void freeze(bool fold);
  bool journal_large();
  bool must_fold(bool all) const;
  bool record_round(bool fold);
  void finish(const std::vector<Recorded>& recorded);
  void fail(const Error& error);
  void refuse(std::vector<Waiting>& waiting, const Error& error);
  void refuse_submitted(const Error& error);
  bool wait();
  void say_alive();

  // recording_spill.cc
  bool is_large(std::size_t own_bytes, std::size_t bytes) const;
  std::vector<Waiting> take_kept();
  static std::pair<std::size_t, std::size_t> sizes_of(const std::vector<Waiting>& kept);
  bool spill_kept(bool all);
  bool spill_frozen();
  bool write_spill(const std::optional<FlushId>& flush, const std::vector<Waiting>& waiting);
  void tell_of_spill(const std::string& trouble);
  bool record_file(const SpilledCounts& counts);

  Store& store_;
  const Clock& clock_;
  Log& log_;
  SharedState& shared_;
  std::shared_ptr<const Config> config_;
  SettingsPlanner planner_;
  Recorder recorder_;
  std::vector<Waiting> round_;  // of this thread: those without `done` stay after a failure
  Journalled journalled_;
  JournalWriter writer_;
  std::chrono::milliseconds fold_after_;
  const RecordingOptions options_;
  bool store_failing_ = false;
  bool failing_for_good_ = false;  // it is no matter of waiting alone
  std::optional<NodeBeat> beat_;
  std::chrono::seconds beat_every_{};
  SteadyClock::time_point next_beat_{};
  bool beat_failing_ = false;
  std::optional<Frozen> frozen_;
  std::int64_t flush_number_ = 1;  // of the next FlushId, or of the frozen round's
  std::string spill_trouble_;      // empty: none
  SteadyClock::time_point spill_again_;
  SteadyClock::time_point recover_again_;
  std::atomic<bool> spills_ = false;            // the store is away, and there is room for files
  std::atomic<std::size_t> waiting_bytes_ = 0;  // of tallies with `done`
  std::atomic<std::size_t> unfinished_ = 0;     // tallies
  std::atomic<std::size_t> kept_ = 0;           // those without `done` that are not frozen

  std::mutex mutex_;  // guards what follows
  std::condition_variable submitted_here_;
  std::vector<Waiting> submitted_;
  bool stopping_ = false;
};

}  // namespace rapporteur
