#include "daemon/recording.h"

#include <malloc.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace rapporteur {

namespace {

// How long a store that is away is left alone before it is asked again.
constexpr std::chrono::milliseconds kRetryAfter{1000};

// A stop does not wait long for a store that is locked or away.
constexpr int kLastAttempts = 3;
constexpr std::chrono::milliseconds kLastPatience{1000};

// How long another program may lock the store before those who wait for an answer hear of it.
constexpr std::chrono::milliseconds kPatience{4000};

// How long it sleeps at most, so that it is seen to live.
constexpr std::chrono::seconds kHeartbeat{10};

// How much memory one transaction's tallies may take, unless a single one takes more.
constexpr std::size_t kRoundBytes = std::size_t{64} << 20;

// A round of at least so many bytes leaves much freed memory, which the library would keep.
constexpr std::size_t kLargeRound = std::size_t{8} << 20;

// How long counts stay in the journal alone, where `grace` leaves as much: windows that fall due
// have theirs.
constexpr std::chrono::milliseconds kFoldAfter{10'000};

// How much memory of journalled tallies is recorded at once, whenever they came.
constexpr std::size_t kMaxJournalledBytes = std::size_t{256} << 20;

std::chrono::milliseconds fold_after(const Config& config) {
  return std::min<std::chrono::milliseconds>(kFoldAfter, config.schedule.grace);
}

RecorderOptions options_of(const Config& config) {
  return {.max_age = config.ingest.max_age,
          .from_file = false,
          .send_old = false,
          .max_details = config.ingest.details_per_policy};
}

}  // namespace

Recording::Recording(Store& store, const Clock& clock, Log& log, SharedState& shared,
                     const RecordingOptions& options)
    : store_(store),
      clock_(clock),
      log_(log),
      shared_(shared),
      config_(shared.config.get()),
      planner_(config_),
      recorder_(store, planner_, clock, options_of(*config_)),
      fold_after_(fold_after(*config_)),
      options_(options) {}

void Recording::submit(std::unique_ptr<Tally> tally, Done done) {
  const auto bytes = tally->bytes();
  if (done) {
    waiting_bytes_ += bytes;
  } else {
    ++kept_;
  }
  ++unfinished_;
  {
    const std::lock_guard lock(mutex_);
    submitted_.push_back({std::move(tally), std::move(done), bytes});
  }
  submitted_here_.notify_one();
}

void Recording::follow_config() {
  auto latest = shared_.config.get();
  if (latest == config_) return;
  config_ = std::move(latest);
  recorder_.set_options(options_of(*config_));
  fold_after_ = fold_after(*config_);
  planner_.set_config(config_);
  recorder_.forget_windows();
  spill_again_ = {};
}

// Fills the round: what a failure has left, and what was submitted since.
void Recording::take_submitted() {
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  for (const auto& waiting : round_) bytes += waiting.bytes;
  auto next = submitted_.begin();
  for (; next != submitted_.end(); ++next) {
    if (!round_.empty() && bytes + next->bytes > kRoundBytes) break;
    bytes += next->bytes;
    round_.push_back(std::move(*next));
  }
  submitted_.erase(submitted_.begin(), next);
}

Result<void> Recording::recover() {
  auto journal = store_.journal();
  if (!journal) return std::move(journal).error();
  if (journal->pieces.empty()) return {};
  auto tallies = read_journal(journal->pieces);
  if (!tallies) return std::move(tallies).error();
  log_.info("journal-recovered", {{"pieces", std::to_string(journal->pieces.size())}});
  journalled_.tallies = *std::move(tallies);
  journalled_.last = journal->last;
  journalled_.bytes = journalled_.tallies.front()->bytes();
  return {};
}

void Recording::begin_without_store(const Error& why) {
  store_failing_ = true;
  shared_.health.set_problem(Problem::kFlush, why.text);
}

// Moves tallies with many entries from the round to the journal. False if the store failed.
bool Recording::journal_large() {
  // While it cannot be recorded, the journal takes no more: the bound of those who count holds.
  if (store_failing_ || journalled_.bytes > kMaxJournalledBytes) return true;
  for (auto waiting = round_.begin(); waiting != round_.end();) {
    if (waiting->done || waiting->tally->entries() <= options_.few_entries) {
      ++waiting;
      continue;
    }
    const auto number = store_.append_journal(writer_.write(*waiting->tally));
    if (!number) {
      writer_.begin_anew();
      fail(number.error());
      return false;
    }
    if (journalled_.tallies.empty()) journalled_.since = SteadyClock::now();
    const bool known_table =
        !journalled_.tallies.empty() && journalled_.tallies.back()->shares_table(*waiting->tally);
    journalled_.bytes += known_table ? waiting->tally->own_bytes() : waiting->bytes;
    journalled_.last = *number;
    journalled_.tallies.push_back(std::move(waiting->tally));
    waiting = round_.erase(waiting);
    --kept_;
    --unfinished_;
  }
  return true;
}

bool Recording::must_fold(bool all) const {
  if (journalled_.tallies.empty()) return false;
  return all || SteadyClock::now() >= journalled_.since + fold_after_ ||
         journalled_.bytes > kMaxJournalledBytes;
}

bool Recording::store_waiting(bool all) {
  follow_config();
  if (frozen_) {
    const Stopwatch stopwatch(shared_.metrics.flush);
    return record_round(frozen_->fold);
  }
  take_submitted();
  // After a failure an empty round finds out whether the store is back.
  if (round_.empty() && !must_fold(all) && !store_failing_) return true;
  const Stopwatch stopwatch(shared_.metrics.flush);
  if (!journal_large()) return false;
  const bool fold = must_fold(all);
  return (round_.empty() && !fold && !store_failing_) || record_round(fold);
}

// Nobody can tell whether the round was stored: it waits as it is.
void Recording::freeze(bool fold) {
  frozen_ = Frozen{.fold = fold, .again = false};
  const auto kept =
      std::ranges::count_if(round_, [](const Waiting& one) { return one.done == nullptr; });
  kept_ -= static_cast<std::size_t>(kept);
}

// Records the round, and what is journalled with it if `fold` is set.
bool Recording::record_round(bool fold) {
  std::vector<const Tally*> tallies;
  std::size_t bytes = 0;
  for (const auto& waiting : round_) {
    tallies.push_back(waiting.tally.get());
    bytes += waiting.bytes;
  }
  RecordWith with;
  if (fold) {
    for (const auto& tally : journalled_.tallies) tallies.push_back(tally.get());
    with.journalled = journalled_.last;
    bytes += journalled_.bytes;
  }
  if (!options_.source.empty()) with.flush = FlushId{options_.source, flush_number_};
  const auto recorded = recorder_.record(tallies, with);
  if (!recorded) {
    if (frozen_) {
      frozen_->again = true;  // that this try stored nothing says nothing of the first
    } else if (recorded.error().fault == Fault::kUnknown) {
      freeze(fold);
    } else {
      ++flush_number_;
    }
    fail(recorded.error());
    return false;
  }
  ++flush_number_;
  if (fold) {
    journalled_ = {};
    writer_.begin_anew();
  }
  finish(*recorded);
  if (bytes >= kLargeRound) malloc_trim(0);
  return true;
}

void Recording::finish(const std::vector<Recorded>& recorded) {
  if (std::exchange(store_failing_, false)) log_.info("flush-recovered");
  failing_for_good_ = false;
  spills_ = false;
  shared_.health.clear_problem(Problem::kFlush);
  const bool frozen = std::exchange(frozen_, std::nullopt).has_value();
  for (std::size_t index = 0; index < round_.size(); ++index) {
    const auto& [tally, done, bytes] = round_[index];
    if (!done) {
      if (!frozen) --kept_;
      continue;
    }
    waiting_bytes_ -= bytes;
    done(recorded.at(index));
  }
  unfinished_ -= std::exchange(round_, {}).size();
}

// Those who wait for an answer get it, unless there is none yet; the others' tallies wait for the
// store.
void Recording::fail(const Error& error) {
  const bool for_good = error.fault == Fault::kConfig || error.fault == Fault::kCorrupt;
  const bool new_kind = for_good && !std::exchange(failing_for_good_, true);
  if (!std::exchange(store_failing_, true) || new_kind) {
    log_.error("flush-failed", {{"error", error.text}});
  }
  shared_.metrics.flush_failures.add();
  shared_.health.set_problem(Problem::kFlush, error.text);
  if (!frozen_) refuse(round_, error);
  // Who comes behind a round that nobody knows the end of was not tried.
  if (frozen_ && frozen_->again) refuse_submitted({Fault::kTransient, error.text});
  spill_kept(false);
}

// Those with `done` are told, and go.
void Recording::refuse(std::vector<Waiting>& waiting, const Error& error) {
  std::erase_if(waiting, [&](const Waiting& one) {
    if (!one.done) return false;
    waiting_bytes_ -= one.bytes;
    one.done(error);
    --unfinished_;
    return true;
  });
}

void Recording::refuse_submitted(const Error& error) {
  std::vector<Waiting> waiting;
  {
    const std::lock_guard lock(mutex_);
    const auto first = std::ranges::stable_partition(
        submitted_, [](const Waiting& one) { return one.done == nullptr; });
    std::ranges::move(first, std::back_inserter(waiting));
    submitted_.erase(first.begin(), first.end());
  }
  refuse(waiting, error);
}

// Until there is something to do. True if it is to stop.
bool Recording::wait() {
  std::unique_lock lock(mutex_);
  const auto stopping = [this] { return stopping_; };
  const auto ready = [this] { return stopping_ || !submitted_.empty(); };
  if (store_failing_) {
    submitted_here_.wait_for(lock, kRetryAfter, stopping);
  } else if (options_.spill != nullptr && options_.spill->files() > 0) {
    submitted_here_.wait_until(lock, recover_again_, ready);
  } else if (!journalled_.tallies.empty()) {
    submitted_here_.wait_until(lock, journalled_.since + fold_after_, ready);
  } else {
    const auto most = beat_ ? std::min(kHeartbeat, beat_every_) : kHeartbeat;
    submitted_here_.wait_for(lock, most, ready);
  }
  return stopping_;
}

void Recording::announce(NodeBeat beat, Seconds every) {
  beat_ = std::move(beat);
  beat_every_ = every;
}

// A store that is known to be away is not asked: flushes find out when it is back.
void Recording::say_alive() {
  if (!beat_ || store_failing_ || SteadyClock::now() < next_beat_) return;
  beat_->spilled_bytes = spilled_bytes();
  const auto said = store_.beat(*beat_, clock_.now());
  next_beat_ = SteadyClock::now() + beat_every_;
  if (said) {
    beat_failing_ = false;
  } else if (!std::exchange(beat_failing_, true)) {
    log_.warning("beat-failed", {{"error", said.error().text}});
  }
}

bool Recording::serve() {
  LoopWatch watch(shared_.health, Loop::kRecording);
  store_.set_patience(kPatience);
  say_alive();
  while (!wait()) {
    watch.beat();
    // Who comes while the store is known to be away hears of it soon.
    store_.set_patience(store_failing_ ? kLastPatience : kPatience);
    if (store_waiting()) recover_file();
    say_alive();
  }
  store_.set_patience(kLastPatience);
  for (int attempts = 0; attempts < kLastAttempts;) {
    if (!store_waiting(true)) ++attempts;
    const std::lock_guard lock(mutex_);
    if (submitted_.empty() && round_.empty() && !frozen_) break;
  }
  return give_up();  // what is in the journal alone is on disk, too
}

void Recording::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  submitted_here_.notify_one();
}

}  // namespace rapporteur
