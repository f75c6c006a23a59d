#include "aggregate/aggregator.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace rapporteur {

namespace {

// A clock that is this far ahead is taken to be wrong (docs/design.md, "Counting").
constexpr Seconds kFutureTolerance{300};

// Domains whose windows are remembered at once. Beyond it all are forgotten and asked again.
constexpr std::size_t kMaxKnownDomains = 1'000'000;

// How long an answer of `never` is believed without asking the expression again.
constexpr Seconds kNeverFor{300};

constexpr Seconds kLongestWindow{7 * 86'400};

// Another sender may close windows and store ids between planning and flushing, each time anew.
constexpr int kMaxFlushRounds = 20;

// This program is younger than this, so a clock that shows an earlier time is not set: a machine
// without a battery begins in 1970 and learns the time from the network.
constexpr Time kEarliestNow{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

Period covering(std::span<const Period> periods, Time time, bool& found) {
  const auto at = std::ranges::find_if(periods, [&](const auto& p) { return p.covers(time); });
  found = at != periods.end();
  return found ? *at : Period{};
}

}  // namespace

Aggregator::Aggregator(Store& store, WindowPlanner& planner, const Clock& clock,
                       AggregatorOptions options)
    : store_(store), planner_(planner), clock_(clock), options_(options) {}

Result<Aggregator::DomainWindows*> Aggregator::windows_of(const std::string& domain, Time now) {
  const auto found = domains_.find(domain);
  if (found != domains_.end()) return &found->second;
  // A listener's sessions are at most max_age old, and no window is longer than a week.
  const auto since = options_.from_file ? Time{} : now - options_.max_age - kLongestWindow;
  auto stored = store_.periods(domain, since);
  if (!stored) return std::move(stored).error();
  if (domains_.size() >= kMaxKnownDomains) domains_.clear();
  auto& windows = domains_[domain];
  windows.stored = *std::move(stored);
  return &windows;
}

Result<WindowPlan> Aggregator::place(const std::string& domain, Time time, Time now) {
  auto windows = windows_of(domain, now);
  if (!windows) return std::move(windows).error();
  auto& known = **windows;

  for (const auto& plan : known.planned) {
    if (plan.period.covers(time)) return plan;
  }
  bool stored = false;
  const auto period = covering(known.stored, time, stored);
  if (stored) {
    WindowPlan plan;  // what a supplement gets, should the window take no more counts
    plan.period = period;
    hold_if_old(plan, now);
    return plan;
  }
  // Further ahead than it was ever set, the clock has been set back since.
  const auto never = known.never_until;
  if (never && now < *never && *never - now <= kNeverFor) {
    WindowPlan plan;
    plan.frequency = Frequency::kNever;
    return plan;
  }
  std::vector<Period> periods = known.stored;
  for (const auto& plan : known.planned) periods.push_back(plan.period);
  auto plan = planner_.plan(domain, time, periods, now);
  if (plan.frequency == Frequency::kNever) {
    known.never_until = now + kNeverFor;
    return plan;
  }
  known.never_until.reset();
  hold_if_old(plan, now);
  known.planned.push_back(plan);
  return plan;
}

void Aggregator::hold_if_old(WindowPlan& plan, Time now) const {
  const bool old = plan.period.end + options_.max_age < now;
  if (!options_.from_file || options_.send_old || !old) return;
  if (plan.state != WindowState::kCollecting) return;
  plan.state = WindowState::kHeld;
  plan.reason = "made from a file after its time; release it to send it";
}

// `session` has a time.
Result<void> Aggregator::add(Buckets& buckets, const Session& session, Time now) {
  const auto time = *session.time;
  const auto plan = place(session.recipient_domain, time, now);
  if (!plan) return plan.error();
  if (plan->frequency == Frequency::kNever) return {};
  auto& of_domain = buckets[session.recipient_domain];
  auto bucket = std::ranges::find_if(
      of_domain, [&](const Bucket& other) { return other.plan.period == plan->period; });
  if (bucket == of_domain.end()) {
    of_domain.push_back({*plan, time, time, {}, {}});
    bucket = std::prev(of_domain.end());
    // The plan of a stored window has no due time: it is needed only should that window be gone.
    if (bucket->plan.due == Time{}) {
      bucket->plan.due = planner_.supplement_due(session.recipient_domain, plan->period, now);
    }
  }
  bucket->first = std::min(bucket->first, time);
  bucket->last = std::max(bucket->last, time);
  if (!session.tlsrpt_record.empty()) bucket->tlsrpt_record = session.tlsrpt_record;
  bucket->counts.add(session, options_.max_details);
  return {};
}

Result<Counted> Aggregator::count(Session&& session) {
  if (session.own_report) return Counted::kOwnReport;
  const auto now = clock_.now();
  if (now < kEarliestNow) {
    return Error{Fault::kTransient, "the clock is not set: it shows " + format_rfc3339(now)};
  }
  auto time = session.time.value_or(now);
  if (time > now + kFutureTolerance) time = now;
  if (!options_.from_file && time + options_.max_age < now) return Counted::kTooOld;
  session.time = time;
  const auto plan = place(session.recipient_domain, time, now);
  if (!plan) return plan.error();
  if (plan->frequency == Frequency::kNever) return Counted::kNever;
  if (session.id.empty()) {
    if (auto added = add(buckets_, session, now); !added) return std::move(added).error();
    return Counted::kAccepted;
  }
  if (!waiting_.insert(session.id).second) return Counted::kDuplicate;
  identified_.push_back(std::move(session));
  return Counted::kAccepted;
}

Result<std::size_t> Aggregator::drop_seen() {
  if (identified_.empty()) return std::size_t{0};
  std::vector<std::string> ids;
  ids.reserve(identified_.size());
  for (const auto& session : identified_) ids.push_back(session.id);
  const auto seen = store_.seen(ids);
  if (!seen) return seen.error();
  std::vector<Session> fresh;
  for (std::size_t i = 0; i < identified_.size(); ++i) {
    if ((*seen)[i]) {
      waiting_.erase(identified_[i].id);
    } else {
      fresh.push_back(std::move(identified_[i]));
    }
  }
  const auto dropped = identified_.size() - fresh.size();
  identified_ = std::move(fresh);
  return dropped;
}

void Aggregator::append_deltas(const Buckets& buckets, CountBatch& batch) {
  for (const auto& [domain, of_domain] : buckets) {
    for (const auto& bucket : of_domain) {
      WindowDelta delta;
      delta.domain = domain;
      delta.period = bucket.plan.period;
      delta.first = bucket.first;
      delta.last = bucket.last;
      delta.tlsrpt_record = bucket.tlsrpt_record;
      delta.counts = bucket.counts.counts();
      delta.frequency = bucket.plan.frequency;
      delta.due = bucket.plan.due;
      delta.state = bucket.plan.state;
      delta.reason = bucket.plan.reason;
      delta.send_old = options_.send_old;
      delta.supplement_due = planner_.supplement_due(domain, bucket.plan.period, batch.now);
      batch.windows.push_back(std::move(delta));
    }
  }
}

Result<CountBatch> Aggregator::make_batch(Buckets& identified) {
  CountBatch batch;
  batch.now = clock_.now();
  batch.max_details = options_.max_details;
  identified.clear();
  for (const auto& session : identified_) {
    if (auto added = add(identified, session, batch.now); !added) return std::move(added).error();
    batch.session_ids.push_back(session.id);
  }
  append_deltas(buckets_, batch);
  append_deltas(identified, batch);
  return batch;
}

// The windows of these deltas changed under our hands (`send-now` closed one, another sender opened
// one): asks the store again and moves the buckets to the windows that cover them now. Where the
// new border runs through a bucket, which spans one flush interval at most for a listener, it
// follows its newest session. Where the domain's answer is `never` meanwhile, its sessions are not
// counted.
Result<void> Aggregator::replan(const CountBatch& batch, const std::vector<std::size_t>& misplaced,
                                Buckets& buckets) {
  for (const auto index : misplaced) domains_.erase(batch.windows.at(index).domain);
  for (const auto index : misplaced) {
    const auto& delta = batch.windows.at(index);
    const auto of_domain = buckets.find(delta.domain);
    if (of_domain == buckets.end()) continue;
    auto& those = of_domain->second;
    for (auto bucket = those.begin(); bucket != those.end();) {
      if (bucket->plan.period != delta.period) {
        ++bucket;
        continue;
      }
      const auto plan = place(delta.domain, bucket->last, batch.now);
      if (!plan) return plan.error();
      if (plan->frequency == Frequency::kNever) {
        bucket = those.erase(bucket);
        continue;
      }
      bucket->plan = *plan;
      bucket->first = std::max(bucket->first, plan->period.start);
      bucket->last = std::min(bucket->last, plan->period.end - Seconds{1});
      ++bucket;
    }
    if (those.empty()) buckets.erase(of_domain);
  }
  return {};
}

Result<Aggregator::FlushResult> Aggregator::flush(
    const std::optional<FileProgress>& file, const std::map<std::string, std::uint64_t>& counters) {
  if (!pending() && !file && counters.empty()) return FlushResult{};
  for (int round = 0; round < kMaxFlushRounds; ++round) {
    const auto dropped = drop_seen();
    if (!dropped) return dropped.error();
    duplicates_ += *dropped;
    Buckets identified;
    auto batch = make_batch(identified);
    if (!batch) return std::move(batch).error();
    batch->file = file;
    batch->counters = counters;
    if (const auto accepted = batch->counters.find("accepted");
        accepted != batch->counters.end() && duplicates_ > 0) {
      const auto moved = std::min(accepted->second, duplicates_);
      accepted->second -= moved;
      batch->counters["ignored.duplicate"] += moved;
    }
    const auto flushed = store_.add(*batch);
    if (!flushed) return flushed.error();
    if (flushed->stored()) {
      for (const auto& delta : batch->windows) {
        const auto known = domains_.find(delta.domain);
        if (known != domains_.end() && !known->second.planned.empty()) domains_.erase(known);
      }
      const FlushResult result{.duplicates = duplicates_};
      discard();
      return result;
    }
    if (options_.from_file && !flushed->misplaced.empty()) {
      discard();
      forget_windows();
      return FlushResult{.duplicates = 0, .outdated = true};
    }
    if (auto planned = replan(*batch, flushed->misplaced, buckets_); !planned) {
      return std::move(planned).error();
    }
  }
  return Error{Fault::kTransient, "windows kept changing while counts were to be stored"};
}

void Aggregator::discard() {
  buckets_.clear();
  identified_.clear();
  waiting_.clear();
  duplicates_ = 0;
}

void Aggregator::forget_windows() {
  domains_.clear();
}

}  // namespace rapporteur
