#include "daemon/scheduler.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "dns/caching_resolver.h"
#include "schedule/assembler.h"
#include "schedule/dns_answers.h"
#include "schedule/evaluation.h"
#include "schedule/keeping.h"
#include "schedule/misplanned.h"
#include "schedule/runner.h"

namespace rapporteur {

namespace {

using SteadyClock = std::chrono::steady_clock;

// The command line works on the same store: this is how soon the daemon notices.
constexpr std::chrono::milliseconds kPoll{500};

// Between steps of early lookups while many are due: a few hundred a second.
constexpr std::chrono::milliseconds kLookupPace{100};

constexpr Seconds kResolverRetry{5};
constexpr Seconds kPruneEvery{600};
constexpr std::chrono::minutes kCorrectEvery{10};

}  // namespace

void Scheduler::interrupt() {
  const std::lock_guard lock(resolver_mutex_);
  interrupted_ = true;
  if (resolver_) resolver_->interrupt();
}

void Scheduler::renew_resolver(SharedState& shared) {
  auto resolver = make_resolver(resolver_options(config_->dns));
  if (!resolver) {
    log_.error("resolver-failed", {{"error", resolver.error().text}});
    resolver_problem_ = resolver.error().text;
    resolver_tried_ = SteadyClock::now();
    return;
  }
  resolver_problem_.clear();
  runner_.reset();
  lookups_.reset();
  {
    const std::lock_guard lock(resolver_mutex_);
    resolver_ = std::make_shared<CachingResolver>(*std::move(resolver), clock_);
    if (interrupted_) resolver_->interrupt();
  }
  runner_.emplace(store_, *resolver_, clock_, log_, [&shared](std::chrono::nanoseconds took) {
    shared.metrics.window_run.observe(took);
    shared.health.beat(Loop::kSchedule);
  });
  lookups_.emplace(store_, *resolver_, clock_);
}

void Scheduler::use(SharedState& shared, std::shared_ptr<const Config> config, bool reloaded) {
  signer_ = signer_of(*config);
  config_ = std::move(config);
  renew_resolver(shared);
  if (!reloaded) return;
  unblock_collecting();
  if (const auto retried = store_.retry_now(true, clock_.now()); !retried) {
    log_.error("store-failed", {{"error", retried.error().text}});
  }
}

// Windows whose sendFrequency failed when they were opened, and works by now, need not wait for
// their end.
void Scheduler::unblock_collecting() {
  const auto now = clock_.now();
  WindowFilter filter{.state = WindowState::kBlocked, .limit = 1000};
  for (;;) {
    const auto windows = store_.windows(filter);
    if (!windows) return log_.error("store-failed", {{"error", windows.error().text}});
    for (const auto& window : *windows) {
      if (window.period.end <= now || !frequency_setting(*config_, window.domain)) continue;
      if (const auto moved = store_.unblock(window.id, now); !moved) {
        return log_.error("store-failed", {{"error", moved.error().text}});
      }
    }
    if (windows->size() < filter.limit) return;
    filter.after = {windows->back().due, windows->back().id};
  }
}

void Scheduler::note(DaemonMetrics& metrics, const RunSummary& summary) {
  metrics.windows_assembled.add(summary.assembled);
  metrics.windows_postponed.add(summary.postponed);
  metrics.windows_blocked.add(summary.blocked);
  metrics.windows_suppressed.add(summary.suppressed);
}

// The store is away: nothing is to be done at once.
bool Scheduler::store_failed(SharedState& shared, const Error& error) {
  shared.health.set_problem(Problem::kStoreSchedule, error.text);
  if (!std::exchange(store_failing_, true)) log_.error("store-failed", {{"error", error.text}});
  return false;
}

void Scheduler::store_answered(SharedState& shared) {
  shared.health.clear_problem(Problem::kStoreSchedule);
  if (std::exchange(store_failing_, false)) log_.info("store-recovered");
}

// Nothing is begun before the store was there once.
bool Scheduler::reach_store(SharedState& shared) {
  if (store_reached_) return true;
  if (const auto reached = store_.reach(); !reached) return store_failed(shared, reached.error());
  store_answered(shared);
  store_reached_ = true;
  return true;
}

// Runs what is due and can be run. True if there is more to do at once.
bool Scheduler::run_due(SharedState& shared) {
  const auto summary = runner_->run_page(*config_, *signer_, shared.stopping);
  if (!summary) return store_failed(shared, summary.error());
  store_answered(shared);
  note(shared.metrics, *summary);
  if (summary->assembled > 0) on_assembled_();
  return summary->more;
}

// Looks up records of windows that collect. True if more may be due soon.
bool Scheduler::look_ahead(SharedState& shared) {
  const auto summary = lookups_->step();
  if (!summary) return store_failed(shared, summary.error());
  shared.metrics.early_lookups_present.add(summary->present);
  shared.metrics.early_lookups_absent.add(summary->absent);
  shared.metrics.early_lookups_failed.add(summary->failed);
  return summary->full;
}

void Scheduler::prune() {
  const auto now = clock_.now();
  if (pruned_ && *pruned_ <= now && now - *pruned_ < kPruneEvery) return;
  const auto old = expiry(*config_, now);
  const auto removed = store_.prune(old.finished_before, old.ids_before, kPrunePage);
  if (!removed) log_.error("store-failed", {{"error", removed.error().text}});
  // A full page: the next one at the next turn.
  if (!removed || *removed < kPrunePage) pruned_ = now;
}

// What was planned under a clock that was ahead. The steady clock counts, which nobody sets.
void Scheduler::correct_plans() {
  const auto steady = SteadyClock::now();
  if (corrected_ && steady - *corrected_ < kCorrectEvery) return;
  corrected_ = steady;
  const auto moved = bring_forward(store_, config_->schedule, clock_.now(), log_);
  if (!moved) log_.error("store-failed", {{"error", moved.error().text}});
}

void Scheduler::serve(SharedState& shared) {
  LoopWatch watch(shared.health, Loop::kSchedule);
  use(shared, shared.config.get(), false);
  while (!shared.stopping) {
    watch.beat();
    if (auto latest = shared.config.get(); latest != config_) {
      use(shared, std::move(latest), store_reached_);
    }
    if (!reach_store(shared)) {
      shared.schedule.wait(kPoll);
      continue;
    }
    correct_plans();
    if (!resolver_ && SteadyClock::now() - resolver_tried_ >= kResolverRetry) {
      renew_resolver(shared);
    }
    shared.health.tell(Problem::kResolver, resolver_problem_);
    if (runner_ && run_due(shared)) continue;
    const bool soon = lookups_ && !shared.stopping && look_ahead(shared);
    prune();
    if (!shared.stopping) shared.schedule.wait(soon ? kLookupPace : kPoll);
  }
}

}  // namespace rapporteur
