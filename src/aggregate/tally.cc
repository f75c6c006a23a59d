#include "aggregate/tally.h"

#include <algorithm>
#include <utility>

#include "aggregate/packed_session.h"

namespace rapporteur {

namespace {

// Keys of packed sessions and keys that callers choose stand in one table: they must not meet.
Hash128 key_of(std::string_view packed) {
  constexpr std::uint64_t kMark = 0x9e3779b97f4a7c15U;
  auto key = fast_hash128(packed);
  key.high ^= kMark;
  return key;
}

bool same_hour(Time a, Time b) {
  return std::chrono::floor<std::chrono::hours>(a) == std::chrono::floor<std::chrono::hours>(b);
}

}  // namespace

Tally::Tally(std::string source, std::shared_ptr<SessionTable> table)
    : source_(std::move(source)), table_(std::move(table)) {}

SessionTable::Number Tally::number_of(std::string_view packed) {
  const auto key = key_of(packed);
  const auto known = table_->find(key);
  return known == SessionTable::kNone ? table_->insert(key, packed) : known;
}

Counted Tally::count(const Session& session, Time now, const IntakeRules& rules) {
  if (session.own_report) return Counted::kOwnReport;
  auto time = session.time.value_or(now);
  const bool unchecked = now < kEarliestNow;
  if (!unchecked && time > now + kFutureTolerance) time = now;
  if (!rules.from_file && time + rules.max_age < now) return Counted::kTooOld;
  pack_session(session, packed_);
  const auto number = number_of(packed_);
  const Timed timed{number, !session.time, unchecked, session.count, time};
  if (!session.id.empty()) {
    identified_.push_back({timed, table_->keep(session.id)});
  } else if (session.time || session.count > 1) {
    timed_.push_back(timed);
  } else {
    count_again(number, now, unchecked);
  }
  return Counted::kAccepted;
}

Tally::Slice& Tally::slice_at(Time time, bool unchecked) {
  // There are few, and mostly it is the last.
  auto slice = std::find_if(slices_.rbegin(), slices_.rend(), [&](const Slice& other) {
    return same_hour(other.first, time) && other.unchecked == unchecked;
  });
  if (slice == slices_.rend()) {
    slices_.push_back({time, time, unchecked, {}});
    slices_.back().counts.reserve(table_->size());
    slice = slices_.rbegin();
  }
  slice->first = std::min(slice->first, time);
  slice->last = std::max(slice->last, time);
  return *slice;
}

void Tally::count_again(SessionTable::Number number, Time time, bool unchecked) {
  add_arrivals(slice_at(time, unchecked), number, 1);
}

void Tally::add_arrivals(Slice& slice, SessionTable::Number number, std::uint32_t count) {
  if (slice.counts.size() <= number) slice.counts.resize(table_->size());
  auto& sum = slice.counts[number];
  if (sum > UINT32_MAX - count) {
    timed_.push_back({number, true, slice.unchecked, count, slice.last});
    return;
  }
  if (sum == 0) ++arrived_;
  sum += count;
}

void Tally::add(const Entry& entry) {
  const auto number = number_of(entry.packed);
  const Timed timed{number, entry.arrived, entry.unchecked, entry.count, entry.last};
  if (!entry.id.empty()) {
    identified_.push_back({timed, table_->keep(entry.id)});
  } else if (!entry.summed || entry.count > UINT32_MAX) {
    timed_.push_back(timed);
  } else {
    auto& slice = slice_at(entry.first, entry.unchecked);
    slice.last = std::max(slice.last, entry.last);
    add_arrivals(slice, number, static_cast<std::uint32_t>(entry.count));
  }
}

void Tally::note(std::string_view counter, std::uint64_t amount) {
  const auto found = counters_.find(counter);
  if (found != counters_.end()) {
    found->second += amount;
  } else {
    counters_.emplace(counter, amount);
  }
}

std::map<std::string, std::uint64_t> Tally::counters() const {
  std::map<std::string, std::uint64_t> all(counters_.begin(), counters_.end());
  if (accepted_ > 0) all["accepted"] += accepted_;
  return all;
}

bool Tally::empty() const {
  return !has_sessions() && counters_.empty() && accepted_ == 0;
}

std::size_t Tally::own_bytes() const {
  std::size_t bytes =
      timed_.capacity() * sizeof(Timed) + identified_.capacity() * sizeof(Identified);
  for (const auto& slice : slices_) bytes += slice.counts.capacity() * sizeof(std::uint32_t);
  return bytes;
}

void Tally::for_each(const std::function<void(const Entry&)>& visit) const {
  for (const auto& slice : slices_) {
    for (std::size_t number = 0; number < slice.counts.size(); ++number) {
      const auto count = slice.counts[number];
      if (count == 0) continue;
      const auto packed = table_->entry(static_cast<SessionTable::Number>(number));
      visit({packed, slice.first, slice.last, count, {}, true, slice.unchecked, true});
    }
  }
  const auto show = [&](const Timed& timed, std::string_view id) {
    visit({table_->entry(timed.number), timed.time, timed.time, timed.count, id, timed.arrived,
           timed.unchecked, false});
  };
  for (const auto& timed : timed_) show(timed, {});
  for (const auto& [timed, id] : identified_) show(timed, id);
}

}  // namespace rapporteur
