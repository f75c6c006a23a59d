// What the recording thread does with counts that a store which is away does not take: files.

#include <malloc.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "daemon/recording.h"

namespace rapporteur {

namespace {

// What intake remembers of earlier lines, all of which its tallies share (ingest/line_counter.h).
constexpr std::size_t kRemembered = std::size_t{128} << 20;

// How long a folder that cannot be written, or a file that cannot be read or recorded, is left
// alone before it is tried again.
constexpr std::chrono::seconds kAgainAfter{10};

// No file that was written is so large.
constexpr std::size_t kMaxFileBytes = std::size_t{4} << 30;

}  // namespace

bool Recording::is_large(std::size_t own_bytes, std::size_t bytes) const {
  return own_bytes > options_.spill_beyond || bytes > options_.spill_beyond + kRemembered;
}

bool Recording::ready_for(const Tally& tally) const {
  const auto kept = kept_.load();
  if (kept == 0) return true;
  return kept == 1 && spills_ && is_large(tally.own_bytes(), tally.bytes());
}

// Tallies without `done` of which nothing was stored.
std::vector<Recording::Waiting> Recording::take_kept() {
  std::vector<Waiting> kept;
  if (!frozen_) kept = std::exchange(round_, {});
  const std::lock_guard lock(mutex_);
  const auto first = std::ranges::stable_partition(
      submitted_, [](const Waiting& waiting) { return waiting.done != nullptr; });
  std::ranges::move(first, std::back_inserter(kept));
  submitted_.erase(first.begin(), first.end());
  return kept;
}

// What the tallies take, and their tables. A table that several share counts once, and has grown
// since the first of them was submitted.
std::pair<std::size_t, std::size_t> Recording::sizes_of(const std::vector<Waiting>& kept) {
  std::size_t own = 0;
  std::size_t tables = 0;
  std::size_t table = 0;  // of the tally before
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const auto& tally = *kept[i].tally;
    own += tally.own_bytes();
    if (i == 0 || !kept[i - 1].tally->shares_table(tally)) table = 0;
    const auto size = kept[i].bytes - std::min(kept[i].bytes, tally.own_bytes());
    tables += size - std::min(size, table);
    table = std::max(size, table);
  }
  return {own, tables};
}

// Writes what waits to a file if it takes too much memory, or `all` is set. False if it waits on.
// Those of the round have no `done` when this is called.
bool Recording::spill_kept(bool all) {
  if (options_.spill == nullptr) return false;
  auto kept = take_kept();
  const auto [own, tables] = sizes_of(kept);
  bool spilled = kept.empty();
  const bool patient = !all && SteadyClock::now() < spill_again_;
  if (!kept.empty() && !patient && (all || is_large(own, own + tables))) {
    spilled = write_spill(std::nullopt, kept);
  }
  spills_ = SteadyClock::now() >= spill_again_;
  if (spilled) {
    kept_ -= kept.size();
    unfinished_ -= kept.size();
    kept.clear();
    if (own + tables > options_.spill_beyond) malloc_trim(0);
    return true;
  }
  const std::lock_guard lock(mutex_);
  submitted_.insert(submitted_.begin(), std::make_move_iterator(kept.begin()),
                    std::make_move_iterator(kept.end()));
  return false;
}

bool Recording::write_spill(const std::optional<FlushId>& flush,
                            const std::vector<Waiting>& waiting) {
  std::vector<const Tally*> tallies;
  tallies.reserve(waiting.size());
  for (const auto& one : waiting) tallies.push_back(one.tally.get());
  const auto max_bytes = static_cast<std::uint64_t>(config_->store.spill_max_bytes);
  const auto written = options_.spill->write(tallies, max_bytes, flush);
  if (!written) {
    spill_again_ = SteadyClock::now() + kAgainAfter;
    tell_of_spill(written.error().text);
    return false;
  }
  tell_of_spill({});
  log_.warning("counts-spilled", {{"files", std::to_string(options_.spill->files())},
                                  {"bytes", std::to_string(options_.spill->bytes())}});
  return true;
}

// Empty: there is none.
void Recording::tell_of_spill(const std::string& trouble) {
  shared_.health.tell(Problem::kSpill, trouble);
  if (trouble == spill_trouble_) return;
  spill_trouble_ = trouble;
  if (!trouble.empty()) log_.error("spill-failed", {{"error", trouble}});
}

// The round under its own id, so that it can be tried again after a restart.
bool Recording::spill_frozen() {
  if (options_.spill == nullptr || options_.source.empty() || frozen_->fold) return false;
  if (!round_.empty() && !write_spill(FlushId{options_.source, flush_number_}, round_)) {
    return false;
  }
  refuse(round_, {Fault::kUnknown, "the connection to the store broke"});
  unfinished_ -= std::exchange(round_, {}).size();
  frozen_.reset();
  return true;
}

bool Recording::give_up() {
  const Error away{Fault::kTransient, "the store is away, and the daemon ends"};
  if (frozen_ && !spill_frozen()) {
    log_.error("flush-outcome-unknown", {{"tallies", std::to_string(round_.size())}});
    refuse(round_, {Fault::kUnknown, "the connection to the store broke"});
  }
  refuse_submitted(away);
  if (!frozen_) refuse(round_, away);
  spill_kept(true);
  return idle() && !frozen_;
}

bool Recording::recover_file() {
  if (options_.spill == nullptr || store_failing_ || SteadyClock::now() < recover_again_) {
    return true;
  }
  if (const auto opened = options_.spill->open(); !opened) {
    recover_again_ = SteadyClock::now() + kAgainAfter;
    tell_of_spill(opened.error().text);
    return false;
  }
  const auto path = options_.spill->oldest();
  if (!path) {
    if (spill_trouble_.empty()) return true;
    const auto tidy = options_.spill->tidy();
    tell_of_spill(tidy ? std::string() : tidy.error().text);
    return static_cast<bool>(tidy);
  }
  follow_config();
  auto bytes = read_regular_file(*path, kMaxFileBytes);
  if (!bytes) {
    tell_of_spill(bytes.error().text);
    options_.spill->postpone();
    recover_again_ = SteadyClock::now() + kAgainAfter;
    return false;
  }
  auto counts = read_spilled_counts(*bytes);
  *bytes = {};
  if (!counts) {
    log_.error("spill-broken", {{"file", *path}, {"error", counts.error().text}});
    options_.spill->set_aside();
    return true;
  }
  if (!record_file(*counts)) return false;
  const auto removed = options_.spill->remove();
  spill_again_ = {};  // there is room
  tell_of_spill(removed ? std::string() : removed.error().text);
  log_.info("spill-recovered",
            {{"file", *path}, {"left", std::to_string(options_.spill->files())}});
  malloc_trim(0);
  return true;
}

// It is the same whether nothing was stored or nobody can tell: the file says under which id it is
// tried again.
bool Recording::record_file(const SpilledCounts& counts) {
  std::vector<const Tally*> tallies;
  tallies.reserve(counts.tallies.size());
  for (const auto& tally : counts.tallies) tallies.push_back(tally.get());
  RecordWith with;
  with.flush = counts.flush;
  const Stopwatch stopwatch(shared_.metrics.flush);
  const auto recorded = recorder_.record(tallies, with);
  if (recorded) return true;
  shared_.metrics.flush_failures.add();
  tell_of_spill("what has been spilled cannot be recorded: " + recorded.error().text);
  recover_again_ = SteadyClock::now() + kAgainAfter;
  return false;
}

}  // namespace rapporteur
