#pragma once
// The recording thread: stores the tallies of all sources, those that wait together in one
// transaction (group commit), so that counting never waits for the disk. A tally with very many
// entries is put into the store's journal first, which is quick, and recorded a few seconds later
// together with those that came after it.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "aggregate/journal.h"
#include "aggregate/recorder.h"
#include "aggregate/tally.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/shared_state.h"
#include "schedule/planner.h"
#include "store/store.h"

namespace rapporteur {

class Recording {
 public:
  // Told once: after the tally is on disk, what came of it; or why it could not be stored: then
  // nothing of it was counted, and nothing of it will be. Called on the recording thread, which
  // waits for it.
  using Done = std::function<void(const Result<Recorded>& recorded)>;

  // Follows the configuration of `shared`; windows that were opened keep the frequency that they
  // have. A tally with more than `few_entries` is journalled, if nobody waits for an answer.
  Recording(Store& store, const Clock& clock, Log& log, SharedState& shared,
            std::size_t few_entries = kFewEntries);

  // Hands a tally over to be stored. Any thread; never waits for the store. Without `done` it waits
  // in memory until the store takes it.
  void submit(std::unique_ptr<Tally> tally, Done done = {});

  // Whether tallies with `done` may be submitted: false while those that wait take more than
  // kMaxWaitingBytes of memory. Any thread.
  bool has_room() const { return waiting_bytes_ < kMaxWaitingBytes; }

  // Nothing waits and nothing is being stored. Any thread.
  bool idle() const { return unfinished_ == 0; }
  // Nothing that was submitted without `done` waits. Any thread.
  bool ready_for_more() const { return kept_ == 0; }

  // Takes over what an earlier process has left in the journal. Before serve().
  Result<void> recover();

  // Makes serve() say to the store, at its start and then so often, that this node lives. Before
  // serve().
  void announce(NodeBeat beat, Seconds every);

  // Stores what waits, once; what is journalled is recorded if its time has come or `all` is set.
  // False if the store failed. The recording thread's, or a test's.
  bool store_waiting(bool all = false);

  // Stores what is submitted until stop() was called and nothing waits; a store that is away then
  // is tried a few times. False if something was left.
  bool serve();

  // Makes serve() end when everything that has been submitted before is stored. Any thread.
  void stop();

  static constexpr std::size_t kMaxWaitingBytes = std::size_t{256} << 20;
  static constexpr std::size_t kFewEntries = 2000;

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

  void take_submitted();
  bool journal_large();
  bool must_fold(bool all) const;
  bool record_round(bool fold);
  void finish(const std::vector<Recorded>& recorded);
  void fail(const Error& error);
  bool wait();
  void say_alive();

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
  const std::size_t few_entries_;
  bool store_failing_ = false;
  std::optional<NodeBeat> beat_;
  std::chrono::seconds beat_every_{};
  SteadyClock::time_point next_beat_{};
  bool beat_failing_ = false;
  std::atomic<std::size_t> waiting_bytes_ = 0;  // of tallies with `done`
  std::atomic<std::size_t> unfinished_ = 0;     // tallies
  std::atomic<std::size_t> kept_ = 0;           // those without `done`

  std::mutex mutex_;  // guards what follows
  std::condition_variable submitted_here_;
  std::vector<Waiting> submitted_;
  bool stopping_ = false;
};

}  // namespace rapporteur
