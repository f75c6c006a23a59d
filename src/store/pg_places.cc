// Windows of a domain do not overlap, supplements apart: those with the latest start at or before
// the sessions are the only ones that can cover them.

#include "store/pg_places.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "store/deltas.h"
#include "store/pg_text.h"
#include "store/rows.h"

namespace rapporteur {

namespace {

// Beyond this many the memory of places starts anew (about 60 bytes each).
constexpr std::size_t kMaxKnown = 1'000'000;

// How often deltas are placed anew because other nodes changed or made their windows meanwhile.
constexpr int kRounds = 8;

// 9007199254740991 is kMaxCount. A parameter is never more.
constexpr std::string_view kAdd =
    "UPDATE windows AS w SET"
    " successful = least(w.successful, 9007199254740991 - v.successful) + v.successful,"
    " failed = least(w.failed, 9007199254740991 - v.failed) + v.failed,"
    " last_session = greatest(w.last_session, v.last),"
    " tlsrpt_record = CASE WHEN v.record <> '' AND v.record_last >= w.record_seen THEN v.record"
    " ELSE w.tlsrpt_record END,"
    " record_seen = CASE WHEN v.record <> '' THEN greatest(w.record_seen, v.record_last)"
    " ELSE w.record_seen END"
    " FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],"
    " $6::bigint[], $7::text[], $8::bigint[], $9::boolean[])"
    " AS v(domain, id, successful, failed, first, last, record, record_last, seen)"
    " WHERE w.domain = v.domain AND w.id = v.id AND w.starts <= v.first AND w.ends > v.last"
    " AND (v.seen OR NOT w.superseded)"
    " AND (w.cancelled OR w.state IN ('collecting', 'held', 'blocked')) RETURNING w.id";

constexpr std::string_view kMake =
    "INSERT INTO windows (domain, id, starts, ends, supplement, frequency, state, reason, due,"
    " retry, send_old, last_session, record_seen, tlsrpt_record, successful, failed, first_part,"
    " lookup) SELECT v.* FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[],"
    " $5::bigint[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[],"
    " $11::boolean[], $12::bigint[], $13::bigint[], $14::text[], $15::bigint[], $16::bigint[],"
    " $17::bigint[], $18::bigint[]) AS v(domain, id, starts, ends, supplement, frequency, state,"
    " reason, due, retry, send_old, last_session, record_seen, tlsrpt_record, successful, failed,"
    " first_part, lookup) ON CONFLICT DO NOTHING RETURNING id";

}  // namespace

std::vector<PgPlace> PgPlaces::add(std::span<const WindowDelta* const> deltas) {
  std::vector<PgPlace> places(deltas.size());
  std::vector<std::size_t> pending(deltas.size());
  for (std::size_t index = 0; index < pending.size(); ++index) pending[index] = index;
  for (int turn = 0; !pending.empty(); ++turn) {
    if (turn == kRounds) database_.fail(Fault::kTransient, "windows change too fast");
    Round round;
    round.deltas = deltas;
    if (turn == 0) find_known(round, pending);
    load_stored(round, pending);
    if (database_.failed()) return {};
    for (const auto index : pending) find_place(round, index);
    if (!give_ids(round)) return {};
    add_to_stored(round);
    supersede(round);
    insert(round);
    if (database_.failed()) return {};
    pending = settle(round, places);
  }
  return places;
}

// Leaves in `pending` those whose place is not remembered.
void PgPlaces::find_known(Round& round, std::vector<std::size_t>& pending) {
  std::erase_if(pending, [&](std::size_t index) {
    const auto& delta = *round.deltas[index];
    const auto known = known_.find(place_key(delta));
    if (known == known_.end()) return false;
    const auto target = target_of(round, known->second.id, delta);
    // Another domain may have the same key: it is no place of this one then.
    if (round.targets[target].delta->domain != delta.domain) return false;
    round.targets[target].supplement = known->second.supplement;
    gather(round, target, index);
    return true;
  });
}

// The windows among which the places of these deltas are, and those that they may overlap.
void PgPlaces::load_stored(Round& round, std::span<const std::size_t> pending) {
  if (pending.empty()) return;
  std::unordered_map<std::string_view, std::pair<Time, Time>> ranges;
  for (const auto index : pending) {
    const auto& delta = *round.deltas[index];
    const auto low = std::min(delta.first, delta.period.start);
    const auto high = std::max(delta.first + Seconds(1), delta.period.end);
    const auto [range, fresh] = ranges.try_emplace(delta.domain, low, high);
    if (fresh) continue;
    range->second = {std::min(range->second.first, low), std::max(range->second.second, high)};
  }
  PgArray domains;
  PgArray lows;
  PgArray highs;
  for (const auto& [domain, range] : ranges) {
    domains.add(domain);
    lows.add(range.first - kLongestPeriod);
    highs.add(range.second);
    round.stored[domain];
  }
  auto rows = database_.query(
      "SELECT w.domain, w.id, w.starts, w.ends, w.supplement, w.state, w.frequency, w.first_part,"
      " w.cancelled FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS v(domain, low, high)"
      " JOIN windows AS w ON w.domain = v.domain AND w.starts >= v.low AND w.starts < v.high",
      domains, lows, highs);
  while (rows.next()) {
    const auto of_domain = round.stored.find(rows.text(0));
    if (of_domain == round.stored.end()) continue;
    of_domain->second.push_back({rows.integer(1),
                                 {rows.time(2), rows.time(3)},
                                 rows.integer(4),
                                 takes_counts(rows.text(5)),
                                 rows.text(6),
                                 rows.integer(7),
                                 rows.flag(8),
                                 {}});
  }
  for (auto& [domain, stored] : round.stored) {
    std::ranges::sort(stored, [](const Stored& a, const Stored& b) {
      return std::tie(a.period.start, a.supplement) > std::tie(b.period.start, b.supplement);
    });
  }
}

// Leaves a misplaced delta without a target.
void PgPlaces::find_place(Round& round, std::size_t index) {
  const auto& delta = *round.deltas[index];
  auto& stored = round.stored[delta.domain];
  const Stored* newest = nullptr;  // of the latest start
  const Stored* sibling = nullptr;
  Stored* cancelled = nullptr;
  const auto use = [&](Stored& window) {
    if (!window.target) {
      window.target = target_of(round, window.id, delta);
      round.targets[*window.target].seen = true;
      round.targets[*window.target].supplement = window.supplement > 0 && window.takes_counts;
    }
    gather(round, *window.target, index);
  };
  for (auto& window : stored) {
    if (window.period.start > delta.first) continue;
    if (newest == nullptr) newest = &window;
    if (window.period.start != newest->period.start) break;
    if (window.period.end <= delta.last) continue;
    if (window.takes_counts) return use(window);
    if (window.cancelled) cancelled = &window;
    if (sibling == nullptr) sibling = &window;
  }
  if (cancelled != nullptr) return use(*cancelled);
  if (sibling != nullptr) {
    const auto due = delta.supplement_due ? *delta.supplement_due
                                          : batch_.supplement_due(delta.domain, sibling->period);
    return plan(
        round, stored, index,
        {sibling->period, newest->supplement + 1, sibling->frequency, sibling->first_part, due});
  }
  const bool inside = delta.period.covers(delta.first) && delta.period.covers(delta.last);
  if (!inside || delta.due == Time{} || overlaps(stored, delta)) return;
  plan(round, stored, index,
       {delta.period, 0, std::string(to_string(delta.frequency)),
        first_part_of(delta.period, pruned(), batch_.now), delta.due});
}

bool PgPlaces::overlaps(const std::vector<Stored>& stored, const WindowDelta& delta) {
  std::optional<Time> start;
  for (const auto& window : stored) {
    if (window.period.start >= delta.period.end) continue;
    if (start && *start != window.period.start) return false;
    start = window.period.start;
    if (window.period.end > delta.period.start) return true;
  }
  return false;
}

void PgPlaces::plan(Round& round, std::vector<Stored>& stored, std::size_t index,
                    const Making& making) {
  const auto& delta = *round.deltas[index];
  Target target;
  target.delta = &delta;
  target.supplement = making.supplement > 0;
  target.making = making;
  round.targets.push_back(std::move(target));
  Stored planned;
  planned.period = making.period;
  planned.supplement = making.supplement;
  planned.takes_counts = takes_counts(to_string(delta.state));
  planned.frequency = making.frequency;
  planned.first_part = making.first_part;
  planned.target = round.targets.size() - 1;
  gather(round, *planned.target, index);
  const auto place = std::ranges::find_if(stored, [&](const Stored& other) {
    return std::tie(other.period.start, other.supplement) <
           std::tie(planned.period.start, planned.supplement);
  });
  stored.insert(place, std::move(planned));
}

std::size_t PgPlaces::target_of(Round& round, WindowId id, const WindowDelta& delta) {
  const auto [found, fresh] = round.by_id.try_emplace(id, round.targets.size());
  if (fresh) {
    Target target;
    target.id = id;
    target.delta = &delta;
    round.targets.push_back(std::move(target));
  }
  return found->second;
}

void PgPlaces::gather(Round& round, std::size_t target_index, std::size_t index) {
  auto& target = round.targets[target_index];
  const auto& delta = *round.deltas[index];
  const auto [successful, failed] = sums_of(delta);
  target.successful = saturating_sum(target.successful, successful);
  target.failed = saturating_sum(target.failed, failed);
  const bool fresh = target.deltas.empty();
  target.first = fresh ? delta.first : std::min(target.first, delta.first);
  target.last = fresh ? delta.last : std::max(target.last, delta.last);
  if (!delta.tlsrpt_record.empty() && (target.record.empty() || delta.last >= target.record_last)) {
    target.record = delta.tlsrpt_record;
    target.record_last = delta.last;
  }
  target.deltas.push_back(index);
}

Time PgPlaces::pruned() {
  if (!pruned_) {
    auto rows = database_.query("SELECT value::bigint FROM meta WHERE name = 'pruned_ends'");
    pruned_ = rows.next() ? rows.time(0) : Time::min();
  }
  return *pruned_;
}

bool PgPlaces::give_ids(Round& round) {
  for (auto& target : round.targets) {
    if (!target.making) continue;
    if (ids_.next >= ids_.end) {
      const auto needed = std::ranges::count_if(
          round.targets, [](const Target& each) { return each.making && each.id == 0; });
      missing_ = static_cast<std::size_t>(ids_.next - first_id_ + needed);
      return false;
    }
    target.id = ids_.next++;
  }
  return true;
}

void PgPlaces::add_to_stored(Round& round) {
  PgArray domains;
  PgArray ids;
  PgArray successful;
  PgArray failed;
  PgArray firsts;
  PgArray lasts;
  PgArray records;
  PgArray record_lasts;
  PgArray seen;
  std::unordered_map<WindowId, Target*> targets;
  for (auto& target : round.targets) {
    if (target.making || target.deltas.empty()) continue;
    targets[target.id] = &target;
    domains.add(target.delta->domain);
    ids.add(target.id);
    successful.add(target.successful);
    failed.add(target.failed);
    firsts.add(target.first);
    lasts.add(target.last);
    records.add(readable(target.record));
    record_lasts.add(target.record_last);
    seen.add(target.seen);
  }
  if (targets.empty()) return;
  auto rows = database_.query(kAdd, domains, ids, successful, failed, firsts, lasts, records,
                              record_lasts, seen);
  while (rows.next()) {
    const auto target = targets.find(rows.integer(0));
    if (target != targets.end()) target->second->done = true;
  }
}

// Marks the siblings of supplements that are to be made. That locks them: none of them is assembled
// meanwhile, and the numbers of their parts stay.
void PgPlaces::supersede(Round& round) {
  PgArray domains;
  PgArray starts;
  std::unordered_map<std::string_view, std::vector<Making*>> makings;
  for (auto& target : round.targets) {
    if (!target.making || target.making->supplement == 0) continue;
    domains.add(target.delta->domain);
    starts.add(target.making->period.start);
    makings[target.delta->domain].push_back(&*target.making);
  }
  if (makings.empty()) return;
  database_.execute(
      "UPDATE windows AS w SET superseded = TRUE FROM unnest($1::text[], $2::bigint[])"
      " AS v(domain, starts) WHERE w.domain = v.domain AND w.starts = v.starts",
      domains, starts);
  auto rows = database_.query(
      "SELECT w.domain, w.starts, max(p.number) + 1 FROM unnest($1::text[], $2::bigint[])"
      " AS v(domain, starts) JOIN windows AS w ON w.domain = v.domain AND w.starts = v.starts"
      " JOIN parts AS p ON p.domain = w.domain AND p.window_id = w.id GROUP BY w.domain, w.starts",
      domains, starts);
  while (rows.next()) {
    for (auto* const making : makings[rows.text(0)]) {
      if (making->period.start != rows.time(1)) continue;
      making->first_part = std::max(making->first_part, rows.integer(2));
    }
  }
}

void PgPlaces::insert(Round& round) {
  // Texts: 0, 5, 6, 7, 13; as in kMake.
  std::array<PgArray, 18> columns;
  std::unordered_map<WindowId, Target*> targets;
  for (auto& target : round.targets) {
    if (!target.making) continue;
    targets[target.id] = &target;
    const auto& delta = *target.delta;
    const auto& making = *target.making;
    std::optional<Time> retry;
    if (delta.state == WindowState::kBlocked) retry = making.due;
    auto column = columns.begin();
    const auto put = [&](const auto& value) { (column++)->add(value); };
    put(delta.domain);
    put(target.id);
    put(making.period.start);
    put(making.period.end);
    put(making.supplement);
    put(making.frequency);
    put(to_string(delta.state));
    put(readable(delta.reason));
    put(making.due);
    put(retry);
    put(delta.send_old);
    put(target.last);
    put(target.record.empty() ? making.period.start : target.record_last);
    put(readable(target.record));
    put(target.successful);
    put(target.failed);
    put(making.first_part);
    put(making.supplement > 0 ? std::nullopt : delta.lookup);
  }
  if (targets.empty()) return;
  PgDatabase::Parameters parameters;
  for (const auto& column : columns) parameters.add(column);
  auto rows = database_.query_with(kMake, parameters);
  while (rows.next()) {
    const auto target = targets.find(rows.integer(0));
    if (target != targets.end()) target->second->done = true;
  }
}

// Notes the places of deltas that have been added. Returns those whose windows were not as they
// had seemed.
std::vector<std::size_t> PgPlaces::settle(Round& round, std::vector<PgPlace>& places) {
  std::vector<std::size_t> again;
  for (const auto& target : round.targets) {
    for (const auto index : target.deltas) {
      const auto key = place_key(*round.deltas[index]);
      if (!target.done) {
        known_.erase(key);
        again.push_back(index);
        continue;
      }
      places[index] = {target.id, target.supplement, target.making.has_value()};
      if (known_.size() >= kMaxKnown) known_.clear();
      known_[key] = places[index];
    }
  }
  std::ranges::sort(again);
  return again;
}

}  // namespace rapporteur
