#pragma once
// The store of several nodes, in a PostgreSQL database or one that speaks its language. Each part
// of the interface has its own file: pg_intake, pg_counts, pg_schedule, pg_deliveries,
// pg_suppressions, pg_admin, pg_summary, pg_received, pg_nodes. docs/formats.md has the tables,
// docs/scaling.md what they are made for.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "store/identity.h"
#include "store/open.h"
#include "store/pg.h"
#include "store/pg_places.h"
#include "store/pg_settle.h"
#include "store/pg_summary.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace rapporteur {

class PgStore final : public Store {
 public:
  // As open_store() says. `patience` is how long this and a method try while the database is away.
  static Result<std::unique_ptr<Store>> open(
      const std::string& url, Random& random, const StoreOptions& options,
      std::chrono::milliseconds patience = std::chrono::seconds(10));

  // Whether the database that `url` names has our tables, or cannot be asked.
  static bool exists(const std::string& url);

  const std::string& token() const override { return identity_.token; }
  const std::string& secret() const override { return identity_.secret; }
  void set_patience(std::chrono::milliseconds patience) override;
  Result<void> reach() override;

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
  // `random` is asked when the tables are made.
  PgStore(std::unique_ptr<PgDatabase> database, Random& random, StoreOptions options);

  // ---- Rows are found by their domain first. These know it, or ask; empty: there is no such row.
  // Within a transaction.
  std::string domain_of(WindowId window);
  std::string domain_of_delivery(const std::string& delivery);
  void know_domain(WindowId window, const std::string& domain);

  // The first of `count` ids in a row that no other window has or will have. Not within a
  // transaction: it is one of its own where the block that was taken last is used up.
  Result<WindowId> next_window_ids(std::size_t count);

  // ---- Nodes; see pg_nodes.cc.

  // The names of the nodes that run windows and were heard of within three leases, sorted, this one
  // among them whatever it has said. A few seconds old. Within a transaction.
  const std::vector<std::string>& live_nodes();
  std::vector<std::string> live_nodes_;
  std::optional<std::chrono::steady_clock::time_point> live_nodes_read_;
  // The rest within transactions, too, but for the last.
  std::vector<EarlyLookup> find_lookups(Time now, std::size_t limit);
  std::unordered_set<WindowId> drop_silent(std::span<const LookupNote> notes);
  void note_next(std::span<const LookupNote> notes, const std::unordered_set<WindowId>& gone);
  void forget_silences(Time now);

  // ---- Administration; see pg_admin.cc. Within transactions.

  // Removes what belongs to windows whose own rows the transaction has removed.
  void remove_rows_of(const PgArray& domains, const PgArray& windows);
  // prune() for up to `limit` windows. How many it has found, and how many of them it has removed.
  std::pair<std::size_t, std::size_t> prune_windows(Time finished_before, std::size_t limit);

  // ---- Numbers; see pg_summary.cc.

  Remembered<PgTallies> tallies_;
  Remembered<PgBacklog> backlog_;
  Remembered<std::uint64_t> session_ids_;

  // ---- Intake; see pg_intake.cc. All run inside the transaction of add(), but for the counters:
  // inside any.
  struct Added;
  Added add_once(const CountBatch& batch);
  bool claim_flush(const FlushId& flush, Time now);
  std::vector<std::string> remember_ids(std::span<const std::string> session_ids, Time now);
  std::vector<std::size_t> add_windows(const CountBatch& batch, Added& added);
  void advance_file(const FileProgress& progress, Time now);
  PgKnownPlaces known_places_;
  PgWindowIds spare_ids_;  // that add() has taken and no window has yet

  // ---- What read_counts() sorts; see pg_counts.cc.
  std::unique_ptr<Database> sorting_;  // absent: nothing yet
  std::uint64_t counts_generation_ = 0;

  // Within a transaction; see pg_intake.cc. Each node adds to its own rows.
  void add_counters(const std::map<std::string, std::uint64_t>& counters);

  // ---- Windows that fall due; see pg_schedule.cc. All run inside a transaction.
  struct DueWindow {
    Time due;
    WindowId id = 0;
    std::string domain;
    std::string state;
    Fence fence = 0;
    bool leased = true;  // false: it only falls due
  };
  std::vector<DueWindow> find_due_windows(Time now, std::size_t limit,
                                          const std::optional<std::pair<Time, WindowId>>& after);
  void lease_windows(std::span<DueWindow> windows, std::vector<Window>& leased);

  // ---- What runs come to; see pg_conclude.cc. Within a transaction.
  struct Concluded {
    std::vector<bool> written;
    std::optional<Error> problem;  // not the database's
  };
  void conclude_some(std::span<const Conclusion> conclusions, Concluded& concluded);
  std::unordered_set<WindowId> postpone(std::span<const Postponement* const> postponements);

  // ---- Deliveries; see pg_deliveries.cc and pg_due.cc. All but two run inside a transaction.
  struct DeliveryKeys {
    PgArray domains;
    PgArray ids;
  };
  void know_deliveries(std::span<const std::string> ids);
  void know_delivery(const std::string& id, DeliveryPlace place);
  const DeliveryPlace* delivery_place(const std::string& id) const;  // of one that is known
  std::set<DeliveryPlace> places_of(std::span<const std::string> ids);
  DeliveryKeys delivery_keys(std::span<const std::string> ids);
  void add_ended(const EndedCounts& ended);
  using DeliveryKey = std::pair<std::string, std::string>;  // domain and id
  // A transaction of its own.
  Result<std::vector<Submission>> submissions(std::span<const DeliveryKey> keys);
  Result<std::vector<bool>> change_deliveries(
      std::span<const std::string> deliveries,
      const std::function<bool(DeliveryBook& book, const DeliveryPlace& place, DeliveryRow& row)>&
          change);

  // One transaction in which `change` says of each window, known by its domain and id, whether it
  // has changed. They are looked at by domain, the order in which everything locks.
  Result<std::vector<bool>> change_windows(
      std::span<const WindowId> windows,
      const std::function<bool(const std::string& domain, WindowId window)>& change);
  bool cancel_one(const std::string& domain, WindowId window, const std::string& why, Time now);

  std::unique_ptr<PgDatabase> database_;
  StoreIdentity identity_;  // empty until the tables are prepared
  const StoreOptions options_;
  std::unordered_map<WindowId, std::string> domains_;  // of windows that were met lately
  WindowId next_id_ = 0;  // of the block of window ids; it ends before end_of_ids_
  WindowId end_of_ids_ = 0;
  std::unordered_map<std::string, DeliveryPlace> delivery_places_;  // of those met lately
  // Behind which destination_key the next turn begins, of posts and of mails; see pg_due.cc.
  std::array<std::string, 2> turns_;
};

}  // namespace rapporteur
