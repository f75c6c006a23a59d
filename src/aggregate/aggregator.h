#pragma once
// Counts sessions in memory and hands them to the store in batches. docs/design.md, "Counting".

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "aggregate/accumulator.h"
#include "aggregate/planner.h"
#include "base/clock.h"
#include "base/result.h"
#include "model/session.h"
#include "store/store.h"

namespace rapporteur {

struct AggregatorOptions {
  Seconds max_age{7 * 86'400};
  // Listeners refuse sessions older than max_age. Files may be of any age: windows made of them
  // that ended longer ago than max_age are held, unless send_old is set.
  bool from_file = false;
  bool send_old = false;
  std::size_t max_details = 10'000;
};

enum class Counted {
  kAccepted,   // it is in memory and will be in the store after the next successful flush
  kDuplicate,  // its id is waiting to be flushed already
  kOwnReport,  // it delivered a report of ours: not counted
  kNever,      // its domain's sendFrequency is `never`: not counted
  kTooOld,     // a listener refuses it
};

// Sessions go in one by one, batches come out at flush(). One thread.
class Aggregator {
 public:
  Aggregator(Store& store, WindowPlanner& planner, const Clock& clock, AggregatorOptions options);

  // Counts one session and takes it over. Fails only if the store cannot be asked about its
  // domain's windows, or the clock is evidently not set; then it is not counted and `session` stays
  // whole, to be offered again.
  Result<Counted> count(Session&& session);

  struct FlushResult {
    std::uint64_t duplicates = 0;  // of the accepted ones, found to be repetitions; not counted
    // from_file only: windows changed under the batch, which was discarded; count it again.
    bool outdated = false;
  };
  // Writes everything that was counted, and `file` and `counters` with it, in one transaction. On
  // failure all stays in memory and the next flush tries again. Where `counters` has "accepted",
  // duplicates are moved from it to "ignored.duplicate".
  Result<FlushResult> flush(const std::optional<FileProgress>& file = std::nullopt,
                            const std::map<std::string, std::uint64_t>& counters = {});

  // Throws away what was counted since the last successful flush.
  void discard();

  // Something waits to be flushed.
  bool pending() const { return !buckets_.empty() || !identified_.empty(); }

  // How much waits: sessions with an id, and domains with counts of others.
  std::size_t waiting() const { return identified_.size() + buckets_.size(); }

  // Forgets which windows exist and how they were planned: after a reload, for instance.
  void forget_windows();

  const AggregatorOptions& options() const { return options_; }
  void set_options(const AggregatorOptions& options) { options_ = options; }

 private:
  struct Bucket {
    WindowPlan plan;
    Time first;
    Time last;
    std::string tlsrpt_record;
    Accumulator counts;
  };
  struct DomainWindows {
    std::vector<Period> stored;       // sorted
    std::vector<WindowPlan> planned;  // not in the store yet
    std::optional<Time> never_until;  // sendFrequency said never; asked again then
  };
  using Buckets = std::unordered_map<std::string, std::vector<Bucket>>;

  Result<DomainWindows*> windows_of(const std::string& domain, Time now);
  void hold_if_old(WindowPlan& plan, Time now) const;
  Result<WindowPlan> place(const std::string& domain, Time time, Time now);
  Result<void> add(Buckets& buckets, const Session& session, Time now);
  Result<CountBatch> make_batch(Buckets& identified);
  void append_deltas(const Buckets& buckets, CountBatch& batch);
  Result<std::size_t> drop_seen();
  Result<void> replan(const CountBatch& batch, const std::vector<std::size_t>& misplaced,
                      Buckets& buckets);

  Store& store_;
  WindowPlanner& planner_;
  const Clock& clock_;
  AggregatorOptions options_;
  std::unordered_map<std::string, DomainWindows> domains_;
  Buckets buckets_;                          // of sessions without an id
  std::vector<Session> identified_;          // sessions with an id, until they are flushed
  std::unordered_set<std::string> waiting_;  // their ids
  std::uint64_t duplicates_ = 0;             // dropped from them since the last successful flush
};

}  // namespace rapporteur
