#pragma once
// Fakes of this room: transports that do as they are told, and a store that can fail.

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "deliver/judge.h"
#include "deliver/transport.h"
#include "store/store.h"

namespace rapporteur::testing_support {

// The same number every time; this one makes with_jitter() change nothing.
class SteadyRandom final : public Random {
 public:
  explicit SteadyRandom(std::uint64_t value = 150) : value_(value) {}
  std::uint64_t next() override { return value_; }

 private:
  std::uint64_t value_;
};

inline Reply make_reply(Reply::Outcome outcome, Stage stage, int code, std::string text) {
  return {outcome, stage, code, std::move(text), std::nullopt};
}
inline Reply accepted() {
  return make_reply(Reply::Outcome::kAccepted, Stage::kFinal, 250, "250 ok (end of data)");
}
inline Reply temporary() {
  return make_reply(Reply::Outcome::kTemporary, Stage::kRcptTo, 451, "451 later (RCPT TO)");
}
inline Reply permanent() {
  return make_reply(Reply::Outcome::kPermanent, Stage::kRcptTo, 550, "550 no user (RCPT TO)");
}
inline Reply relay_down() {
  return make_reply(Reply::Outcome::kRelayTrouble, Stage::kConnect, 0, "refused (connect)");
}
inline Reply host_down() {
  return make_reply(Reply::Outcome::kTemporary, Stage::kConnect, 0, "refused (connect)");
}
inline Reply http(int code) {
  return make_reply(judge_http(code, true), Stage::kRequest, code,
                    std::to_string(code) + " (POST)");
}

// What all transports of a test do: replies by target, in turn, else `otherwise`.
class Wire {
 public:
  struct Sent {
    std::string from, target, payload;
  };

  void reply(const std::string& target, Reply reply) {
    const std::lock_guard lock(mutex_);
    replies_[target].push_back(std::move(reply));
  }
  void reply_otherwise(Reply reply) {
    const std::lock_guard lock(mutex_);
    otherwise_ = std::move(reply);
  }

  // Attempts stay under way: before handing over, or (handed_over) waiting for the final reply.
  void hold(bool handed_over) {
    const std::lock_guard lock(mutex_);
    held_ = true;
    handed_over_ = handed_over;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  // Until that many attempts are under way.
  void await_under_way(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return under_way_ >= count; });
  }

  std::vector<Sent> sent() {
    const std::lock_guard lock(mutex_);
    return sent_;
  }
  std::vector<std::string> targets() {
    std::vector<std::string> all;
    for (const auto& sent : this->sent()) all.push_back(sent.target);
    return all;
  }
  int most_at_once() {
    const std::lock_guard lock(mutex_);
    return most_at_once_;
  }

  Reply carry(const std::string& from, const std::string& target, std::string_view payload,
              const Interrupt& interrupt) {
    std::unique_lock lock(mutex_);
    sent_.push_back({from, target, std::string(payload)});
    most_at_once_ = std::max(most_at_once_, ++under_way_);
    changed_.notify_all();
    auto reply = otherwise_;
    if (auto& replies = replies_[target]; !replies.empty()) {
      reply = replies.front();
      replies.pop_front();
    }
    while (held_) {
      if (interrupt.before_final && !handed_over_) {
        reply = make_reply(Reply::Outcome::kInterrupted, Stage::kData, 0, "broken off (DATA)");
        break;
      }
      if (interrupt.everything) {
        reply = make_reply(Reply::Outcome::kUncertain, Stage::kFinal, 0, "broken off");
        break;
      }
      changed_.wait_for(lock, std::chrono::milliseconds(2));
    }
    --under_way_;
    return reply;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::deque<Reply>> replies_;
  Reply otherwise_ = accepted();
  bool held_ = false;
  bool handed_over_ = false;
  int under_way_ = 0;
  int most_at_once_ = 0;
  std::vector<Sent> sent_;
};

class ScriptedTransport final : public MailTransport, public HttpsTransport {
 public:
  ScriptedTransport(Wire& wire, const Interrupt& interrupt) : wire_(wire), interrupt_(interrupt) {}
  Reply send(const std::string& envelope_from, const std::string& recipient,
             std::string_view message) override {
    return wire_.carry(envelope_from, recipient, message, interrupt_);
  }
  Reply probe() override { return accepted(); }
  Reply post(const std::string& url, std::string_view gz) override {
    return wire_.carry("", url, gz, interrupt_);
  }

 private:
  Wire& wire_;
  const Interrupt& interrupt_;
};

// A real store whose delivery methods fail on demand.
class FaultyStore : public Store {
 public:
  explicit FaultyStore(Store& real) : real_(real) {}

  // The next that many calls of the method fail.
  std::map<std::string, int> failures;
  std::vector<AttemptRecord> recorded;
  std::vector<std::vector<std::string>> renewed;  // deliveries, by call
  std::set<std::string> others;                   // deliveries that another node has got
  int queries = 0;
  std::size_t found = 0;  // by all of them

  Result<std::vector<Submission>> due_deliveries(const DueQuery& query) override {
    ++queries;
    if (fails("due_deliveries")) return away();
    auto due = real_.due_deliveries(query);
    if (due) found += due->size();
    return due;
  }
  Result<std::vector<bool>> begin_attempts(std::span<const std::string> deliveries,
                                           Time now) override {
    if (fails("begin_attempts")) return away();
    auto begun = real_.begin_attempts(deliveries, now);
    for (std::size_t i = 0; begun && i < deliveries.size(); ++i) {
      if (others.contains(deliveries[i])) begun->at(i) = false;
    }
    return begun;
  }
  Result<void> record_attempts(std::span<const AttemptRecord> records) override {
    if (fails("record_attempts")) return away();
    recorded.insert(recorded.end(), records.begin(), records.end());
    return real_.record_attempts(records);
  }
  Result<std::vector<bool>> retry_deliveries(std::span<const std::string> deliveries,
                                             Time now) override {
    if (fails("retry_deliveries")) return away();
    return real_.retry_deliveries(deliveries, now);
  }

  Result<std::vector<Suppression>> suppressions(std::span<const std::string> patterns) override {
    if (fails("suppressions")) return away();
    return real_.suppressions(patterns);
  }
  Result<void> put_suppression(const Suppression& suppression) override {
    if (fails("put_suppression")) return away();
    return real_.put_suppression(suppression);
  }
  Result<bool> claim_probe(const std::string& pattern, const std::string& delivery) override {
    if (fails("claim_probe")) return away();
    return real_.claim_probe(pattern, delivery);
  }
  Result<FailureStreak> failure_streak(const std::string& destination, Time since,
                                       Time now) override {
    if (fails("failure_streak")) return away();
    return real_.failure_streak(destination, since, now);
  }
  Result<void> forgive(std::span<const std::string> ids) override {
    if (fails("forgive")) return away();
    return real_.forgive(ids);
  }
  Result<std::vector<Delivery>> deliveries(const DeliveryFilter& filter) override {
    if (fails("deliveries")) return away();
    return real_.deliveries(filter);
  }

  // A courier asks for nothing else.
  Result<std::vector<Suppression>> suppression_list(const std::string&, std::size_t) override {
    return unused();
  }
  Result<bool> remove_suppression(const std::string&) override { return unused(); }
  const std::string& token() const override { return real_.token(); }
  const std::string& secret() const override { return real_.secret(); }
  Result<std::vector<DomainPlaces>> places(std::span<const std::string>, Time, Time) override {
    return unused();
  }
  Result<void> beat(const NodeBeat&, Time) override { return unused(); }
  Result<std::vector<NodeStatus>> nodes(Time) override { return unused(); }
  Result<CheckedRows> check(const std::function<void(const Finding&)>&) override {
    return unused();
  }
  Result<Prunable> prunable(const Expiry&) override { return unused(); }
  Result<std::vector<EarlyLookup>> lookups_due(Time, std::size_t) override { return unused(); }
  Result<std::size_t> note_lookups(std::span<const LookupNote>, Time) override { return unused(); }
  Result<std::vector<bool>> seen(std::span<const std::string>) override { return unused(); }
  Result<bool> unblock(WindowId, Time) override { return unused(); }
  void set_patience(std::chrono::milliseconds) override {}
  Result<std::optional<FileProgress>> file(const std::string&) override { return unused(); }
  Result<void> forget_file(const std::string&) override { return unused(); }
  Result<Flushed> add(const CountBatch&) override { return unused(); }
  Result<JournalNumber> append_journal(std::string_view) override { return unused(); }
  Result<Journal> journal() override { return unused(); }
  Result<std::map<std::string, std::uint64_t>> counters() override { return unused(); }
  Result<std::vector<Window>> claim_due(Time, std::size_t,
                                        std::optional<std::pair<Time, WindowId>>) override {
    return unused();
  }
  Result<WindowCounts> counts(WindowId) override { return unused(); }
  Result<WindowCounts> outline(WindowId) override { return unused(); }
  Result<std::vector<Dossier>> dossiers(std::span<const DossierQuestion>) override {
    return unused();
  }
  Result<std::unique_ptr<CountsSource>> read_counts(WindowId, const AddressShown&) override {
    return unused();
  }
  Result<std::vector<bool>> conclude(std::span<const Conclusion>) override { return unused(); }
  Result<void> renew_leases(std::span<const WindowId> windows,
                            std::span<const std::string> deliveries) override {
    if (fails("renew_leases")) return away();
    renewed.emplace_back(deliveries.begin(), deliveries.end());
    return real_.renew_leases(windows, deliveries);
  }
  Result<void> retry_now(bool, Time) override { return unused(); }
  Result<bool> reported_like(const std::string&, const std::string&, Time) override {
    return unused();
  }
  Result<std::size_t> recover_interrupted(Time) override { return unused(); }
  Result<std::optional<Submission>> submission(const std::string&) override { return unused(); }
  Result<std::vector<bool>> abandon_deliveries(std::span<const std::string>, const std::string&,
                                               Time) override {
    return unused();
  }
  Result<std::vector<ReceivedAdded>> add_received(std::span<const ReceivedAddition>) override {
    return unused();
  }
  Result<std::vector<KeptReport>> received(const ReceivedFilter&) override { return unused(); }
  Result<std::optional<std::string>> received_json(std::int64_t) override { return unused(); }
  Result<void> received_policies(const std::string&, Time, Time,
                                 const std::function<void(const PolicyRow&)>&) override {
    return unused();
  }
  Result<void> received_failures(const std::string&, Time, Time,
                                 const std::function<void(const FailureRow&)>&) override {
    return unused();
  }
  Result<std::size_t> prune_received(Time, std::size_t) override { return unused(); }
  Result<std::vector<Window>> windows(const WindowFilter&) override { return unused(); }
  Result<std::map<WindowState, std::uint64_t>> window_states() override { return unused(); }
  Result<StoreSummary> summary(Time) override { return unused(); }
  Result<std::string> deciding_record(WindowId) override { return unused(); }
  Result<std::vector<bool>> hold(std::span<const WindowId>, const std::string&, Time) override {
    return unused();
  }
  Result<std::vector<bool>> release(std::span<const WindowId>, Time) override { return unused(); }
  Result<std::vector<bool>> cancel(std::span<const WindowId>, const std::string&, Time) override {
    return unused();
  }
  Result<std::vector<bool>> send_now(std::span<const WindowId>, Time) override { return unused(); }
  Result<std::vector<ReportEntry>> reports(const std::string&, std::size_t) override {
    return unused();
  }
  Result<std::optional<ReportEntry>> report(const std::string&) override { return unused(); }
  Result<Pause> pause() override { return unused(); }
  Result<void> set_pause(const Pause&) override { return unused(); }
  Result<std::size_t> prune(Time, Time, std::size_t) override { return unused(); }

 private:
  bool fails(const std::string& method) {
    auto& left = failures[method];
    return left > 0 && left-- > 0;
  }
  static Error away() { return {Fault::kTransient, "the store is away"}; }
  static Error unused() { return {Fault::kPermanent, "a courier does not ask for this"}; }

  Store& real_;
};

}  // namespace rapporteur::testing_support
