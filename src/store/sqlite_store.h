#pragma once
// The store of one node, in one SQLite file. Each part of the interface has its own file:
// sqlite_intake, sqlite_counts, sqlite_schedule, sqlite_deliveries, sqlite_due,
// sqlite_suppressions, sqlite_admin, sqlite_summary, sqlite_received, sqlite_nodes, sqlite_check.
// docs/formats.md has the tables.

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/fast_hash.h"
#include "store/sqlite.h"
#include "store/sqlite_schema.h"
#include "store/store.h"

namespace rapporteur {

constexpr std::chrono::milliseconds kBusyTimeout{10'000};

struct KeptTwin;  // see received_rules.h

// What prune() removes and prunable() counts; ?1 is what they ended before.
inline constexpr std::string_view kPrunedWindows =
    "finished < ?1 AND state IN ('done', 'suppressed')";
inline constexpr std::string_view kPrunedSuppressions =
    "(lifted < ?1 OR (automatic = 0 AND until < ?1))";

class SqliteStore final : public Store {
 public:
  // Opens "…/file" or ":memory:", making the file with mode 0640 if there is none. Fails as
  // open_store() says. `busy_timeout` is how long a method waits for another process.
  static Result<std::unique_ptr<Store>> open(const std::string& path, Random& random,
                                             std::chrono::milliseconds busy_timeout = kBusyTimeout);

  const std::string& token() const override { return token_; }
  const std::string& secret() const override { return secret_; }
  void set_patience(std::chrono::milliseconds patience) override;

  Result<std::vector<DomainPlaces>> places(std::span<const std::string> domains, Time since,
                                           Time now) override;
  Result<std::vector<bool>> seen(std::span<const std::string> session_ids) override;
  Result<std::optional<FileProgress>> file(const std::string& sha256) override;
  Result<void> forget_file(const std::string& sha256) override;
  Result<Flushed> add(const CountBatch& batch) override;
  Result<JournalNumber> append_journal(std::string_view piece) override;
  Result<Journal> journal() override;
  Result<std::map<std::string, std::uint64_t>> counters() override;

  Result<std::vector<Window>> claim_due(Time now, std::size_t limit,
                                        std::optional<std::pair<Time, WindowId>> after) override;
  Result<WindowCounts> counts(WindowId window) override;
  Result<WindowCounts> outline(WindowId window) override;
  Result<std::vector<Dossier>> dossiers(std::span<const DossierQuestion> questions) override;
  Result<std::unique_ptr<CountsSource>> read_counts(WindowId window,
                                                    const AddressShown& shown) override;
  Result<std::vector<bool>> conclude(std::span<const Conclusion> conclusions) override;
  Result<void> renew_leases(std::span<const WindowId> windows,
                            std::span<const std::string> deliveries) override;
  Result<void> retry_now(bool temporary, Time now) override;
  Result<bool> unblock(WindowId window, Time now) override;
  Result<bool> reported_like(const std::string& domain, const std::string& fingerprint,
                             Time since) override;

  Result<std::vector<Submission>> due_deliveries(const DueQuery& query) override;
  Result<std::vector<bool>> begin_attempts(std::span<const std::string> deliveries,
                                           Time now) override;
  Result<void> record_attempts(std::span<const AttemptRecord> records) override;
  Result<std::size_t> recover_interrupted(Time now) override;
  Result<std::vector<Delivery>> deliveries(const DeliveryFilter& filter) override;
  Result<std::optional<Submission>> submission(const std::string& delivery) override;
  Result<std::vector<bool>> retry_deliveries(std::span<const std::string> deliveries,
                                             Time now) override;
  Result<std::vector<bool>> abandon_deliveries(std::span<const std::string> deliveries,
                                               const std::string& reason, Time now) override;

  Result<std::vector<Suppression>> suppressions(std::span<const std::string> patterns) override;
  Result<std::vector<Suppression>> suppression_list(const std::string& after,
                                                    std::size_t limit) override;
  Result<void> put_suppression(const Suppression& suppression) override;
  Result<bool> remove_suppression(const std::string& pattern) override;
  Result<bool> claim_probe(const std::string& pattern, const std::string& delivery) override;
  Result<FailureStreak> failure_streak(const std::string& destination, Time since,
                                       Time now) override;
  Result<void> forgive(std::span<const std::string> deliveries) override;

  Result<std::vector<ReceivedAdded>> add_received(
      std::span<const ReceivedAddition> additions) override;
  Result<std::vector<KeptReport>> received(const ReceivedFilter& filter) override;
  Result<std::optional<std::string>> received_json(std::int64_t number) override;
  Result<void> received_policies(const std::string& domain, Time since, Time until,
                                 const std::function<void(const PolicyRow&)>& take) override;
  Result<void> received_failures(const std::string& domain, Time since, Time until,
                                 const std::function<void(const FailureRow&)>& take) override;
  Result<std::size_t> prune_received(Time before, std::size_t limit) override;

  Result<void> beat(const NodeBeat& beat, Time now) override;
  Result<std::vector<NodeStatus>> nodes(Time now) override;
  Result<std::vector<EarlyLookup>> lookups_due(Time now, std::size_t limit) override;
  Result<std::size_t> note_lookups(std::span<const LookupNote> notes, Time now) override;

  Result<CheckedRows> check(const std::function<void(const Finding&)>& found) override;
  Result<Prunable> prunable(const Expiry& expiry) override;

  Result<std::vector<Window>> windows(const WindowFilter& filter) override;
  Result<std::map<WindowState, std::uint64_t>> window_states() override;
  Result<StoreSummary> summary(Time now) override;
  Result<std::string> deciding_record(WindowId window) override;
  Result<std::vector<bool>> hold(std::span<const WindowId> windows, const std::string& reason,
                                 Time now) override;
  Result<std::vector<bool>> release(std::span<const WindowId> windows, Time now) override;
  Result<std::vector<bool>> cancel(std::span<const WindowId> windows, const std::string& reason,
                                   Time now) override;
  Result<std::vector<bool>> send_now(std::span<const WindowId> windows, Time now) override;
  Result<std::vector<ReportEntry>> reports(const std::string& domain, std::size_t limit) override;
  Result<std::optional<ReportEntry>> report(const std::string& report_id) override;
  Result<Pause> pause() override;
  Result<void> set_pause(const Pause& pause) override;
  Result<std::size_t> prune(Time finished_before, Time ids_before, std::size_t limit) override;

 private:
  struct PolicyPlace {
    std::int64_t id = 0;
    std::array<char, 16> content_key{};
  };
  struct PlaceHash {
    std::size_t operator()(const Hash128& hash) const { return hash.low; }
  };
  struct WindowPlace {
    WindowId id = 0;  // 0: there is none
    bool supplement = false;
    bool made = false;  // with the counts of the delta in its sums

    friend auto operator<=>(const WindowPlace&, const WindowPlace&) = default;
  };
  struct Progress {  // of add()
    const CountBatch& batch;
    std::size_t done = 0;  // deltas of earlier chunks
    std::vector<std::size_t> misplaced;
    std::vector<std::size_t>& late;
    std::optional<Time> pruned;  // see first_part(); absent: not asked yet
  };
  struct Sibling {  // a window that covers the sessions of a delta but takes no counts
    Period period;
    std::string frequency;
    std::int64_t first_part = 1;
    std::int64_t supplement = 0;  // the greatest of its period
  };

  SqliteStore(std::unique_ptr<Database> database, StoreIdentity identity)
      : database_(std::move(database)),
        token_(std::move(identity.token)),
        secret_(std::move(identity.secret)) {}

  // Intake; see sqlite_intake.cc. All run inside the transaction of add().
  std::vector<std::string> remember_ids(std::span<const std::string> session_ids, Time now);
  void add_counters(const std::map<std::string, std::uint64_t>& counters);
  bool claim_flush(const FlushId& flush, Time now);
  void advance_file(const FileProgress& progress, Time now);
  std::vector<std::size_t> add_windows(const CountBatch& batch, std::vector<std::size_t>& late);
  void add_chunk(std::span<const WindowDelta> deltas, Progress& progress);
  WindowPlace place_for(const WindowDelta& delta, Progress& progress);
  int first_part(const Period& period, Progress& progress);
  WindowId make_window(const WindowDelta& delta, Progress& progress);
  WindowId make_supplement(const WindowDelta& delta, const Sibling& sibling,
                           const CountBatch& batch);
  bool overlaps_stored(const WindowDelta& delta);
  bool add_to_known(WindowId window, const WindowDelta& delta);
  void add_to(WindowId window, const WindowDelta& delta);
  void add_policies(WindowId window, const WindowDelta& delta, std::size_t max_details);
  std::int64_t add_policy(WindowId window, const PolicyCounts& counts);
  bool add_to_policy(const PolicyPlace& place, WindowId window, const PolicyCounts& counts);
  void add_details(std::int64_t policy, const PolicyCounts& counts, std::size_t max_details);
  void forget_rows();

  // One transaction in which `change` says of each of them whether it has changed.
  template <class Id, class Change>
  Result<std::vector<bool>> change_each(std::span<const Id> ids, const Change& change) {
    Transaction transaction(*database_, Transaction::Kind::kWrite);
    std::vector<bool> changed;
    changed.reserve(ids.size());
    for (const auto& id : ids) changed.push_back(change(id));
    return transaction.commit(std::move(changed));
  }
  bool cancel_one(WindowId window, const std::string& reason, Time now);  // see sqlite_admin.cc

  // Runs; see sqlite_schedule.cc. Both run inside the transaction of conclude().
  Result<bool> write(const Assembly& assembly);
  Result<bool> write(const Postponement& postponement);

  bool drop_silent(const LookupNote& note);  // see sqlite_nodes.cc; inside a transaction

  // Deliveries; see sqlite_deliveries.cc. All run inside the transaction of their caller.
  void record_one(const AttemptRecord& record);
  void insert_delivery(const Delivery& delivery, WindowId window);
  void settle_part(WindowId window, int part, Time now);
  void revive_fallbacks(WindowId window, int part);
  void settle_window(WindowId window, Time now);
  void abandon_open(WindowId window, const std::string& reason, Time now);

  // Received reports; see sqlite_received.cc. All run inside the transaction of add_received().
  ReceivedAdded add_one_received(const ReceivedAddition& addition);
  ReceivedAdded raise_received(ReceivedAddition addition, const KeptTwin& kept);
  std::int64_t insert_received(const ReceivedAddition& addition, const std::string& id);
  std::vector<FailureTally> new_failures(const ReceivedAddition& addition, std::int64_t number);

  std::uint64_t session_id_count();  // see sqlite_summary.cc; inside a transaction

  std::unique_ptr<Database> database_;
  std::string token_;
  std::string secret_;
  std::uint64_t counts_generation_ = 0;  // of the temporary tables of read_counts()
  std::uint64_t session_ids_ = 0;        // when they were counted last
  std::optional<std::chrono::steady_clock::time_point> session_ids_counted_;
  // Behind which destination_key the next turn begins, of posts and of mails; see sqlite_due.cc.
  std::array<std::string, 2> turns_;
  // Where intake found windows and policies last, by hashes of their content. Other processes
  // change rows meanwhile, so every use repeats the content in its condition.
  std::unordered_map<std::uint64_t, WindowPlace> known_windows_;
  std::unordered_map<Hash128, PolicyPlace, PlaceHash> known_policies_;
};

}  // namespace rapporteur
