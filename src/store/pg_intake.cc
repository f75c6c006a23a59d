// Intake: what was seen before, and the counts of a batch.

#include <algorithm>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "store/deltas.h"
#include "store/pg_policies.h"
#include "store/pg_store.h"
#include "store/pg_text.h"
#include "store/rows.h"

namespace rapporteur {

namespace {

// How many deltas are added together, or session ids.
constexpr std::size_t kChunk = 4000;

// Where ids are needed before all deltas are known, this many are taken at least: beginning again
// costs all that was done, and ids that no window gets cost nothing.
constexpr std::size_t kManyIds = 200'000;

struct StoredPeriod {
  Period period;
  std::int64_t supplement = 0;
};

// From the newest back, the first that ended in time is the last to look at. A supplement that
// outlived its window stands for it.
std::vector<Period> periods_of(std::vector<StoredPeriod>& stored, Time since) {
  std::ranges::sort(stored, [](const StoredPeriod& a, const StoredPeriod& b) {
    return std::tuple(b.period.start, a.supplement) < std::tuple(a.period.start, b.supplement);
  });
  std::vector<Period> found;
  for (const auto& [period, supplement] : stored) {
    if (!found.empty() && found.back().start == period.start) continue;
    if (period.end <= since) break;
    found.push_back(period);
  }
  std::ranges::reverse(found);
  return found;
}

}  // namespace

struct PgStore::Added {
  Flushed flushed;
  PgWindowIds ids;  // that are left
  // How many ids it would have taken, if there were not enough: nothing was stored then.
  std::optional<std::size_t> ids_missing;
};

Result<std::vector<DomainPlaces>> PgStore::places(std::span<const std::string> domains, Time since,
                                                  Time now) {
  PgArray names;
  for (const auto& domain : domains) names.add(domain);
  return database_->read([&] {
    std::vector<DomainPlaces> found(domains.size());
    std::vector<std::vector<StoredPeriod>> stored(domains.size());
    // A silence has the supplement -1.
    auto rows = database_->query(
        "WITH v AS (SELECT * FROM unnest($1::text[]) WITH ORDINALITY AS v(domain, number))"
        " SELECT v.number, w.starts, w.ends, w.supplement FROM v JOIN windows AS w"
        " ON w.domain = v.domain AND w.starts > $2::bigint UNION ALL"
        " SELECT v.number, s.until, s.until, -1 FROM v JOIN silent_domains AS s"
        " ON s.domain = v.domain AND s.until > $3::bigint",
        names, since - kLongestPeriod, now);
    while (rows.next()) {
      const auto place = static_cast<std::size_t>(rows.integer(0) - 1);
      if (rows.integer(3) < 0) {
        found.at(place).silent_until = rows.time(1);
      } else {
        stored.at(place).push_back({{rows.time(1), rows.time(2)}, rows.integer(3)});
      }
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
      found[i].periods = periods_of(stored[i], since);
    }
    return found;
  });
}

Result<std::vector<bool>> PgStore::seen(std::span<const std::string> session_ids) {
  PgArray keys;
  for (const auto& id : session_ids) keys.add(Blob{content_key(id)});
  return database_->read([&] {
    std::vector<bool> known(session_ids.size());
    auto rows = database_->query(
        "SELECT v.number FROM unnest($1::bytea[]) WITH ORDINALITY AS v(content_key, number)"
        " JOIN session_ids AS s ON s.content_key = v.content_key",
        keys);
    while (rows.next()) known.at(static_cast<std::size_t>(rows.integer(0) - 1)) = true;
    return known;
  });
}

Result<std::optional<FileProgress>> PgStore::file(const std::string& sha256) {
  return database_->read([&] {
    std::optional<FileProgress> progress;
    auto rows = database_->query(
        "SELECT name, position, finished, accepted FROM files WHERE sha256 = $1", sha256);
    if (rows.next()) {
      progress = FileProgress{sha256, rows.text(0), rows.count(1), rows.flag(2), rows.count(3)};
    }
    return progress;
  });
}

Result<void> PgStore::forget_file(const std::string& sha256) {
  return database_->write(
      [&] { database_->execute("DELETE FROM files WHERE sha256 = $1", sha256); });
}

// Ids are taken before the transaction, because whoever takes some locks a row that all nodes need.
// How many it needs shows within it: if there are not enough, it begins again with more.
Result<Flushed> PgStore::add(const CountBatch& batch) {
  for (;;) {
    auto added = database_->write([&] {
      auto attempt = add_once(batch);
      if (attempt.ids_missing || attempt.flushed.repeated || !attempt.flushed.stored()) {
        database_->roll_back();
      }
      return attempt;
    });
    if (!added) {
      known_places_.clear();
      spare_ids_ = {};  // who knows whether those that were given out are in use
      return std::move(added).error();
    }
    if (!added->ids_missing) {
      if (added->flushed.stored()) {
        spare_ids_ = added->ids;
      } else {
        known_places_.clear();
      }
      return std::move(added->flushed);
    }
    const auto first = next_window_ids(*added->ids_missing);
    if (!first) return first.error();
    spare_ids_ = {*first, *first + static_cast<WindowId>(*added->ids_missing)};
  }
}

// Inside the transaction of add().
PgStore::Added PgStore::add_once(const CountBatch& batch) {
  Added added;
  added.ids = spare_ids_;
  if (batch.flush && !claim_flush(*batch.flush, batch.now)) {
    added.flushed.repeated = true;
    return added;
  }
  added.flushed.seen = remember_ids(batch.session_ids, batch.now);
  if (database_->failed() || !added.flushed.seen.empty()) return added;
  const auto late = add_windows(batch, added);
  std::ranges::sort(added.flushed.misplaced);
  if (database_->failed() || added.ids_missing || !added.flushed.stored()) return added;
  if (batch.file) advance_file(*batch.file, batch.now);
  auto counters = batch.counters;
  if (batch.late_counters && !late.empty()) {
    for (const auto& [name, value] : batch.late_counters(late)) {
      counters[name] = std::min(kMaxCount, std::min(kMaxCount, counters[name]) + value);
    }
  }
  add_counters(counters);
  return added;
}

// False: it was stored before.
bool PgStore::claim_flush(const FlushId& flush, Time now) {
  return database_->execute(
             "INSERT INTO flushes (source, number, stored) VALUES ($1, $2, $3) ON CONFLICT (source)"
             " DO UPDATE SET number = excluded.number, stored = excluded.stored"
             " WHERE flushes.number < excluded.number",
             readable(flush.source), flush.number, now) == 1 ||
         database_->failed();
}

// Returns those that were known before. All nodes lock the keys in the same order.
std::vector<std::string> PgStore::remember_ids(std::span<const std::string> session_ids, Time now) {
  std::vector<std::string> keys;
  keys.reserve(session_ids.size());
  for (const auto& id : session_ids) keys.push_back(content_key(id));
  auto sorted = keys;
  std::ranges::sort(sorted);
  const auto doubles = std::ranges::unique(sorted);
  sorted.erase(doubles.begin(), doubles.end());
  std::unordered_set<std::string> fresh;
  fresh.reserve(sorted.size());
  for (std::size_t first = 0; first < sorted.size(); first += kChunk) {
    PgArray chunk;
    const auto end = std::min(first + kChunk, sorted.size());
    for (auto i = first; i < end; ++i) chunk.add(Blob{sorted[i]});
    auto rows = database_->query(
        "INSERT INTO session_ids (content_key, counted)"
        " SELECT v.content_key, $2::bigint FROM unnest($1::bytea[]) AS v(content_key)"
        " ON CONFLICT (content_key) DO NOTHING RETURNING content_key",
        chunk, now);
    while (rows.next()) fresh.insert(rows.bytes(0));
  }
  std::vector<std::string> known;
  if (database_->failed()) return known;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (fresh.erase(keys[i]) == 0) known.push_back(session_ids[i]);  // also the second of a double
  }
  return known;
}

// Adds all deltas that have a place; notes the others in `added`. Returns those that were counted
// in supplements.
std::vector<std::size_t> PgStore::add_windows(const CountBatch& batch, Added& added) {
  PgPlaces places(*database_, batch, known_places_, added.ids);
  std::vector<std::size_t> late;
  std::size_t done = 0;
  // `deltas` are some of those that begin with `first`, the ordinal `done`.
  const auto add_chunk = [&](std::span<const WindowDelta* const> deltas, const WindowDelta* first,
                             bool further) {
    const auto found = places.add(deltas);
    if (const auto missing = places.ids_missing()) {
      added.ids_missing = further ? 2 * *missing + kManyIds : *missing;
      return false;
    }
    if (database_->failed()) return false;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const auto ordinal = done + static_cast<std::size_t>(deltas[i] - first);
      if (found[i].id == 0) added.flushed.misplaced.push_back(ordinal);
      if (found[i].supplement) late.push_back(ordinal);
    }
    if (added.flushed.misplaced.empty()) {
      add_policies(*database_, deltas, found, batch.max_details);
    }
    return !database_->failed();
  };
  const auto ordered = by_domain(batch.windows);
  const std::span held = ordered;
  bool more = batch.more != nullptr;
  for (std::size_t first = 0; first < held.size(); first += kChunk) {
    const auto chunk = held.subspan(first, std::min(kChunk, held.size() - first));
    if (!add_chunk(chunk, batch.windows.data(), more || first + kChunk < held.size())) return late;
  }
  done = held.size();
  std::vector<WindowDelta> deltas;
  for (std::size_t first = 0; more; first += deltas.size()) {
    deltas.clear();
    while (more && deltas.size() < kChunk) more = batch.more(first + deltas.size(), deltas);
    if (!add_chunk(by_domain(deltas), deltas.data(), more)) return late;
    done += deltas.size();
  }
  added.ids = places.ids_left();
  return late;
}

// Two processes that take the same file at once would count it twice: a batch that does not begin
// where the stored ones end is refused.
void PgStore::advance_file(const FileProgress& progress, Time now) {
  constexpr std::string_view kGoOn =
      "UPDATE files SET name = $2, position = $3, finished = $4, accepted = $5, updated = $6"
      " WHERE sha256 = $1 AND position = $7";
  constexpr std::string_view kBegin =
      "INSERT INTO files (sha256, name, position, finished, accepted, updated)"
      " SELECT $1::text, $2::text, $3::bigint, $4::boolean, $5::bigint, $6::bigint"
      " WHERE $7::bigint = 0 ON CONFLICT (sha256) DO UPDATE SET name = excluded.name,"
      " position = excluded.position, finished = excluded.finished, accepted = excluded.accepted,"
      " updated = excluded.updated WHERE files.position = 0";
  const auto changed = database_->execute(
      progress.begin == 0 ? kBegin : kGoOn, progress.sha256, readable(progress.name),
      progress.offset, progress.finished, progress.accepted, now, progress.begin);
  if (changed == 1 || database_->failed()) return;
  auto rows = database_->query("SELECT position FROM files WHERE sha256 = $1", progress.sha256);
  const auto position = rows.next() ? rows.count(0) : 0;
  database_->fail(Fault::kTransient, "another process takes the same file: '" + progress.name +
                                         "' has come to byte " + std::to_string(position));
}

Result<std::map<std::string, std::uint64_t>> PgStore::counters() {
  return database_->read([&] {
    std::map<std::string, std::uint64_t> values;
    // Those that end deliveries are the summary's.
    auto rows = database_->query(
        "SELECT name, least(sum(value), 9007199254740991)::bigint FROM counters"
        " WHERE name NOT LIKE 'ended.%' GROUP BY name");
    while (rows.next()) values[rows.text(0)] = rows.count(1);
    return values;
  });
}

void PgStore::add_counters(const std::map<std::string, std::uint64_t>& counters) {
  if (counters.empty()) return;
  PgArray names;
  PgArray values;
  for (const auto& [name, value] : counters) {
    names.add(readable(name));
    values.add(value);
  }
  database_->execute(
      "INSERT INTO counters (name, node, value) SELECT v.name, $3::text, v.value"
      " FROM unnest($1::text[], $2::bigint[]) AS v(name, value) ON CONFLICT (name, node) DO UPDATE"
      " SET value = least(counters.value, 9007199254740991 - excluded.value) + excluded.value",
      names, values, readable(options_.node));
}

}  // namespace rapporteur
