#include "schedule/early_lookups.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "dns/tlsrpt_record.h"
#include "schedule/runner.h"

namespace rapporteur {

namespace {

// Two lookups that find nothing must be so far apart. No cache on our side keeps a negative answer
// for longer, see dns/resolver.cc and dns/caching_resolver.cc.
constexpr Seconds kApart{3600};
constexpr Seconds kFailedRetry{3600};

// The second one comes somewhat later, spread by domain.
constexpr Seconds kLater{60};
constexpr std::uint64_t kSpread = 600;

constexpr Seconds kShortestSilence{3600};
constexpr Seconds kLongestSilence{6 * 3600};

Time second_lookup(const EarlyLookup& lookup, Time first) {
  return first + kApart + kLater +
         Seconds(static_cast<std::int64_t>(hash64(lookup.domain) % kSpread));
}

}  // namespace

Result<EarlySummary> EarlyLookups::step() {
  auto done = work();
  if (done) return done;
  lookups_.reset();
  open_.clear();
  return done;
}

Result<EarlySummary> EarlyLookups::work() {
  EarlySummary summary;
  const auto now = clock_.now();
  const auto pause = store_.pause();
  if (!pause) return pause.error();
  if (held_by(*pause, now).everything) return summary;
  if (auto begun = begin(now, summary); !begun) return std::move(begun).error();
  if (!lookups_) return summary;

  std::vector<LookupNote> notes;
  for (const auto& [ticket, answer] : lookups_->take(std::chrono::milliseconds(0))) {
    const auto found = open_.find(ticket);
    if (found == open_.end()) continue;
    notes.push_back(note_of(found->second, answer, clock_.now(), summary));
    open_.erase(found);
  }
  if (open_.empty()) lookups_.reset();
  if (notes.empty()) return summary;
  const auto dropped = store_.note_lookups(notes, clock_.now());
  if (!dropped) return dropped.error();
  summary.dropped = *dropped;
  return summary;
}

Result<void> EarlyLookups::begin(Time now, EarlySummary& summary) {
  if (open_.size() + kAtOnce > kMost) return {};
  auto due = store_.lookups_due(now, kAtOnce);
  if (!due) return std::move(due).error();
  summary.full = due->size() == kAtOnce;
  for (auto& lookup : *due) {
    if (!lookups_) lookups_ = resolver_.stream();
    lookups_->ask({tlsrpt_name(lookup.domain), DnsType::kTxt}, next_);
    open_.emplace(next_++, std::move(lookup));
  }
  return {};
}

LookupNote EarlyLookups::note_of(const EarlyLookup& lookup, const DnsAnswer& answer, Time now,
                                 EarlySummary& summary) {
  LookupNote note;
  note.window = lookup.window;
  note.domain = lookup.domain;
  if (answer.status == DnsAnswer::Status::kTemporary) {
    ++summary.failed;
    note.next = now + kFailedRetry;
    note.absent_since = lookup.absent_since;
    return note;
  }
  if (read_tlsrpt_answers(answer.records).status != RecordStatus::kNone) {
    ++summary.present;
    return note;
  }
  ++summary.absent;
  // A time that lies ahead was written under a wrong clock.
  const bool known = lookup.absent_since && *lookup.absent_since <= now;
  note.absent_since = known ? *lookup.absent_since : now;
  if (now - *note.absent_since >= kApart) {
    note.silent_until = now + std::clamp(answer.ttl, kShortestSilence, kLongestSilence);
  } else {
    note.next = second_lookup(lookup, *note.absent_since);
  }
  return note;
}

}  // namespace rapporteur
