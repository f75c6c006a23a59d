#pragma once
// A store of which every call is a fault point.

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "faults/fault_points.h"
#include "store/store.h"

namespace rapporteur::testing_support {

class BreakableStore : public Store {
 public:
  // `recorded` hears of every attempt that is on disk.
  BreakableStore(std::unique_ptr<Store> real, FaultPoints& points,
                 std::function<void(const AttemptRecord&)> recorded)
      : real_(std::move(real)), points_(points), recorded_(std::move(recorded)) {}

  const std::string& token() const override { return real_->token(); }
  const std::string& secret() const override { return real_->secret(); }
  void set_patience(std::chrono::milliseconds patience) override { real_->set_patience(patience); }

  Result<std::vector<DomainPlaces>> places(std::span<const std::string> domains, Time since,
                                           Time now) override {
    return pass("places", [&] { return real_->places(domains, since, now); });
  }
  Result<std::vector<bool>> seen(std::span<const std::string> ids) override {
    return pass("seen", [&] { return real_->seen(ids); });
  }
  Result<std::optional<FileProgress>> file(const std::string& sha256) override {
    return pass("file", [&] { return real_->file(sha256); });
  }
  Result<void> forget_file(const std::string& sha256) override {
    return pass("forget_file", [&] { return real_->forget_file(sha256); });
  }
  Result<Flushed> add(const CountBatch& batch) override {
    return pass("add", [&] { return real_->add(batch); });
  }
  Result<JournalNumber> append_journal(std::string_view piece) override {
    return pass("append_journal", [&] { return real_->append_journal(piece); });
  }
  Result<Journal> journal() override {
    return pass("journal", [&] { return real_->journal(); });
  }
  Result<std::map<std::string, std::uint64_t>> counters() override {
    return pass("counters", [&] { return real_->counters(); });
  }
  Result<std::vector<Window>> claim_due(Time now, std::size_t limit,
                                        std::optional<std::pair<Time, WindowId>> after) override {
    return pass("claim_due", [&] { return real_->claim_due(now, limit, after); });
  }
  Result<WindowCounts> counts(WindowId window) override {
    return pass("counts", [&] { return real_->counts(window); });
  }
  Result<WindowCounts> outline(WindowId window) override {
    return pass("outline", [&] { return real_->outline(window); });
  }
  Result<std::vector<Dossier>> dossiers(std::span<const DossierQuestion> questions) override {
    return pass("dossiers", [&] { return real_->dossiers(questions); });
  }
  Result<std::unique_ptr<CountsSource>> read_counts(WindowId window,
                                                    const AddressShown& shown) override {
    return pass("read_counts", [&] { return real_->read_counts(window, shown); });
  }
  Result<std::vector<bool>> conclude(std::span<const Conclusion> conclusions) override {
    return pass("conclude", [&] { return real_->conclude(conclusions); });
  }
  Result<void> renew_leases(std::span<const WindowId> windows,
                            std::span<const std::string> deliveries) override {
    return pass("renew_leases", [&] { return real_->renew_leases(windows, deliveries); });
  }
  Result<void> retry_now(bool temporary, Time now) override {
    return pass("retry_now", [&] { return real_->retry_now(temporary, now); });
  }
  Result<bool> unblock(WindowId window, Time now) override {
    return pass("unblock", [&] { return real_->unblock(window, now); });
  }
  Result<bool> reported_like(const std::string& domain, const std::string& fingerprint,
                             Time since) override {
    return pass("reported_like", [&] { return real_->reported_like(domain, fingerprint, since); });
  }
  Result<std::vector<Submission>> due_deliveries(const DueQuery& query) override {
    return pass("due_deliveries", [&] { return real_->due_deliveries(query); });
  }
  Result<std::vector<bool>> begin_attempts(std::span<const std::string> deliveries,
                                           Time now) override {
    return pass("begin_attempts", [&] { return real_->begin_attempts(deliveries, now); });
  }
  Result<void> record_attempts(std::span<const AttemptRecord> records) override {
    return pass("record_attempts", [&] {
      auto done = real_->record_attempts(records);
      if (done) {
        for (const auto& record : records) recorded_(record);
      }
      return done;
    });
  }
  Result<std::size_t> recover_interrupted(Time now) override {
    return pass("recover_interrupted", [&] { return real_->recover_interrupted(now); });
  }
  Result<std::vector<Delivery>> deliveries(const DeliveryFilter& filter) override {
    return pass("deliveries", [&] { return real_->deliveries(filter); });
  }
  Result<std::optional<Submission>> submission(const std::string& delivery) override {
    return pass("submission", [&] { return real_->submission(delivery); });
  }
  Result<std::vector<bool>> retry_deliveries(std::span<const std::string> deliveries,
                                             Time now) override {
    return pass("retry_deliveries", [&] { return real_->retry_deliveries(deliveries, now); });
  }
  Result<std::vector<bool>> abandon_deliveries(std::span<const std::string> deliveries,
                                               const std::string& reason, Time now) override {
    return pass("abandon_deliveries",
                [&] { return real_->abandon_deliveries(deliveries, reason, now); });
  }
  Result<std::vector<Suppression>> suppressions(std::span<const std::string> patterns) override {
    return pass("suppressions", [&] { return real_->suppressions(patterns); });
  }
  Result<std::vector<Suppression>> suppression_list(const std::string& after,
                                                    std::size_t limit) override {
    return pass("suppression_list", [&] { return real_->suppression_list(after, limit); });
  }
  Result<void> put_suppression(const Suppression& suppression) override {
    return pass("put_suppression", [&] { return real_->put_suppression(suppression); });
  }
  Result<bool> remove_suppression(const std::string& pattern) override {
    return pass("remove_suppression", [&] { return real_->remove_suppression(pattern); });
  }
  Result<bool> claim_probe(const std::string& pattern, const std::string& delivery) override {
    return pass("claim_probe", [&] { return real_->claim_probe(pattern, delivery); });
  }
  Result<void> forgive(std::span<const std::string> ids) override {
    return pass("forgive", [&] { return real_->forgive(ids); });
  }
  Result<FailureStreak> failure_streak(const std::string& destination, Time since,
                                       Time now) override {
    return pass("failure_streak", [&] { return real_->failure_streak(destination, since, now); });
  }
  Result<std::vector<ReceivedAdded>> add_received(
      std::span<const ReceivedAddition> additions) override {
    return pass("add_received", [&] { return real_->add_received(additions); });
  }
  Result<std::vector<KeptReport>> received(const ReceivedFilter& filter) override {
    return pass("received", [&] { return real_->received(filter); });
  }
  Result<std::optional<std::string>> received_json(std::int64_t number) override {
    return pass("received_json", [&] { return real_->received_json(number); });
  }
  Result<void> received_policies(const std::string& domain, Time since, Time until,
                                 const std::function<void(const PolicyRow&)>& take) override {
    return pass("received_policies",
                [&] { return real_->received_policies(domain, since, until, take); });
  }
  Result<void> received_failures(const std::string& domain, Time since, Time until,
                                 const std::function<void(const FailureRow&)>& take) override {
    return pass("received_failures",
                [&] { return real_->received_failures(domain, since, until, take); });
  }
  Result<std::size_t> prune_received(Time before, std::size_t limit) override {
    return pass("prune_received", [&] { return real_->prune_received(before, limit); });
  }
  Result<void> beat(const NodeBeat& beat, Time now) override {
    return pass("beat", [&] { return real_->beat(beat, now); });
  }
  Result<std::vector<NodeStatus>> nodes(Time now) override {
    return pass("nodes", [&] { return real_->nodes(now); });
  }
  Result<CheckedRows> check(const std::function<void(const Finding&)>& found) override {
    return pass("check", [&] { return real_->check(found); });
  }
  Result<Prunable> prunable(const Expiry& expiry) override {
    return pass("prunable", [&] { return real_->prunable(expiry); });
  }
  Result<std::vector<EarlyLookup>> lookups_due(Time now, std::size_t limit) override {
    return pass("lookups_due", [&] { return real_->lookups_due(now, limit); });
  }
  Result<std::size_t> note_lookups(std::span<const LookupNote> notes, Time now) override {
    return pass("note_lookups", [&] { return real_->note_lookups(notes, now); });
  }
  Result<std::vector<Window>> windows(const WindowFilter& filter) override {
    return pass("windows", [&] { return real_->windows(filter); });
  }
  Result<std::map<WindowState, std::uint64_t>> window_states() override {
    return pass("window_states", [&] { return real_->window_states(); });
  }
  Result<StoreSummary> summary(Time now) override {
    return pass("summary", [&] { return real_->summary(now); });
  }
  Result<std::string> deciding_record(WindowId window) override {
    return pass("deciding_record", [&] { return real_->deciding_record(window); });
  }
  Result<std::vector<bool>> hold(std::span<const WindowId> windows, const std::string& reason,
                                 Time now) override {
    return pass("hold", [&] { return real_->hold(windows, reason, now); });
  }
  Result<std::vector<bool>> release(std::span<const WindowId> windows, Time now) override {
    return pass("release", [&] { return real_->release(windows, now); });
  }
  Result<std::vector<bool>> cancel(std::span<const WindowId> windows, const std::string& reason,
                                   Time now) override {
    return pass("cancel", [&] { return real_->cancel(windows, reason, now); });
  }
  Result<std::vector<bool>> send_now(std::span<const WindowId> windows, Time now) override {
    return pass("send_now", [&] { return real_->send_now(windows, now); });
  }
  Result<std::vector<ReportEntry>> reports(const std::string& domain, std::size_t limit) override {
    return pass("reports", [&] { return real_->reports(domain, limit); });
  }
  Result<std::optional<ReportEntry>> report(const std::string& report_id) override {
    return pass("report", [&] { return real_->report(report_id); });
  }
  Result<Pause> pause() override {
    return pass("pause", [&] { return real_->pause(); });
  }
  Result<void> set_pause(const Pause& pause) override {
    return pass("set_pause", [&] { return real_->set_pause(pause); });
  }
  Result<std::size_t> prune(Time finished_before, Time ids_before, std::size_t limit) override {
    return pass("prune", [&] { return real_->prune(finished_before, ids_before, limit); });
  }

 private:
  template <class Call>
  std::invoke_result_t<Call> pass(std::string_view method, Call&& call) {
    const auto trouble = points_.visit(Seam::kStore, method);
    if (!trouble) return call();
    if (*trouble == Trouble::kDiesAfter) {
      static_cast<void>(call());
      points_.die();
    }
    if (*trouble == Trouble::kLosesReply) {
      static_cast<void>(call());
      return Error{Fault::kUnknown, "the store's reply was lost: " + std::string(method)};
    }
    const auto fault = *trouble == Trouble::kIsBroken ? Fault::kCorrupt : Fault::kTransient;
    return Error{fault, "the store is away: " + std::string(method)};
  }

  const std::unique_ptr<Store> real_;
  FaultPoints& points_;
  const std::function<void(const AttemptRecord&)> recorded_;
};

}  // namespace rapporteur::testing_support
