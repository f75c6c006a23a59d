#pragma once
// The store of several nodes, in a PostgreSQL database or one that speaks its language. Each part
// of the interface has its own file: pg_intake, pg_counts, pg_schedule, pg_deliveries,
// pg_suppressions, pg_admin, pg_summary, pg_received, pg_nodes. docs/formats.md has the tables,
// docs/scaling.md what they are made for.

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

#include "store/identity.h"
#include "store/open.h"
#include "store/pg.h"
#include "store/store.h"

namespace rapporteur {

class PgStore final : public Store {
 public:
  // Fails as open_store() says. `patience` is how long a method tries while the database is away.
  static Result<std::unique_ptr<Store>> open(
      const std::string& url, Random& random, const StoreOptions& options,
      std::chrono::milliseconds patience = std::chrono::seconds(10));

  const std::string& token() const override { return identity_.token; }
  const std::string& secret() const override { return identity_.secret; }
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
  Result<std::unique_ptr<CountsSource>> read_counts(WindowId window,
                                                    const AddressShown& shown) override;
  Result<std::vector<bool>> conclude(std::span<const Conclusion> conclusions) override;
  Result<void> renew_leases(std::span<const WindowId> windows,
                            std::span<const std::string> deliveries) override;
  Result<void> retry_now(bool temporary, Time now) override;
  Result<bool> unblock(WindowId window, Time now) override;
  Result<std::uint64_t> mails_handed_over(const std::string& domain, Period between) override;
  Result<bool> reported_like(const std::string& domain, const std::string& fingerprint,
                             Time since) override;
  Result<int> next_part_number(const std::string& domain, Period period) override;

  Result<std::vector<Submission>> due_deliveries(const DueQuery& query) override;
  Result<std::vector<bool>> begin_attempts(std::span<const std::string> deliveries,
                                           Time now) override;
  Result<void> record_attempts(std::span<const AttemptRecord> records) override;
  Result<std::size_t> recover_interrupted(Time now) override;
  Result<std::vector<Delivery>> deliveries(const DeliveryFilter& filter) override;
  Result<std::optional<Submission>> submission(const std::string& delivery) override;
  Result<bool> retry_delivery(const std::string& delivery, Time now) override;
  Result<bool> abandon_delivery(const std::string& delivery, const std::string& reason,
                                Time now) override;

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
  Result<bool> hold(WindowId window, const std::string& reason, Time now) override;
  Result<bool> release(WindowId window, Time now) override;
  Result<bool> cancel(WindowId window, const std::string& reason, Time now) override;
  Result<bool> send_now(WindowId window, Time now) override;
  Result<std::vector<ReportEntry>> reports(const std::string& domain, std::size_t limit) override;
  Result<std::optional<ReportEntry>> report(const std::string& report_id) override;
  Result<Pause> pause() override;
  Result<void> set_pause(const Pause& pause) override;
  Result<std::size_t> prune(Time finished_before, Time ids_before, std::size_t limit) override;

 private:
  PgStore(std::unique_ptr<PgDatabase> database, StoreIdentity identity, StoreOptions options)
      : database_(std::move(database)),
        identity_(std::move(identity)),
        options_(std::move(options)) {}

  // ---- Rows are found by their domain first. These know it, or ask; empty: there is no such row.
  // Within a transaction.
  std::string domain_of(WindowId window);
  std::string domain_of_delivery(const std::string& delivery);
  void know_domain(WindowId window, const std::string& domain);

  std::unique_ptr<PgDatabase> database_;
  const StoreIdentity identity_;
  const StoreOptions options_;
  std::unordered_map<WindowId, std::string> domains_;  // of windows that were met lately
};

}  // namespace rapporteur
