// The nodes that work on the store, and lookups ahead of a window's run.

#include <algorithm>
#include <map>
#include <unordered_set>

#include "store/pg_conditions.h"
#include "store/pg_leases.h"
#include "store/pg_nodes.h"
#include "store/pg_store.h"
#include "store/pg_text.h"

namespace rapporteur {

namespace {

// Other nodes leave a window alone for so long once its lookup was handed out.
constexpr Seconds kLookupHeld{300};

constexpr Seconds kForgetNodes{7 * 86'400};

// Leases are short in tests; beats are not.
constexpr Seconds kLeastSilence{10};
constexpr std::chrono::seconds kReadNodesEvery{5};

// Silences that are over are removed so many at a time, notes written so many in a transaction.
constexpr std::int64_t kSilencesAtOnce = 1000;
constexpr std::size_t kNotesAtOnce = 1000;

// With others alive, each looks at so many more windows than it wants, to find enough of its own.
constexpr std::size_t kMostNodesAside = 8;

}  // namespace

Result<void> PgStore::beat(const NodeBeat& beat, Time /*now*/) {
  return database_->write([&] {
    database_->execute(
        "INSERT INTO nodes (name, role, host, process, version, started, spilled, seen)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, extract(epoch FROM clock_timestamp())::bigint)"
        " ON CONFLICT (name) DO UPDATE SET role = excluded.role, host = excluded.host,"
        " process = excluded.process, version = excluded.version, started = excluded.started,"
        " spilled = excluded.spilled, seen = excluded.seen",
        readable(beat.name), readable(beat.role), readable(beat.host), beat.process,
        readable(beat.version), beat.started, beat.spilled_bytes);
    database_->execute(
        "DELETE FROM nodes WHERE seen < extract(epoch FROM clock_timestamp())::bigint - $1::bigint",
        kForgetNodes.count());
  });
}

std::vector<NodeStatus> nodes_of(PgDatabase& database) {
  std::vector<NodeStatus> found;
  auto rows = database.query(
      "SELECT name, role, host, process, version, started, spilled,"
      " extract(epoch FROM clock_timestamp())::bigint - seen FROM nodes"
      " WHERE seen >= extract(epoch FROM clock_timestamp())::bigint - $1::bigint",
      kForgetNodes.count());
  while (rows.next()) {
    auto& status = found.emplace_back();
    status.beat = {rows.text(0), rows.text(1), rows.text(2), rows.integer(3),
                   rows.text(4), rows.time(5), rows.count(6)};
    status.silent_for = std::max(Seconds(rows.integer(7)), Seconds(0));
  }
  // Databases differ in what comes first.
  std::ranges::sort(found, {}, [](const NodeStatus& status) { return status.beat.name; });
  return found;
}

Result<std::vector<NodeStatus>> PgStore::nodes(Time /*now*/) {
  return database_->read([&] {
    std::map<std::string, std::uint64_t> windows;
    std::map<std::string, std::uint64_t> deliveries;
    const auto count = [&](std::string_view sql, auto& counts) {
      auto rows = database_->query(sql);
      while (rows.next()) counts[rows.text(0)] = rows.count(1);
    };
    count(
        "SELECT lease_node, count(*) FROM windows WHERE state = 'due'"
        " AND lease_until > extract(epoch FROM clock_timestamp())::bigint GROUP BY lease_node",
        windows);
    count(
        "SELECT lease_node, count(*) FROM deliveries WHERE lease_node <> ''"
        " AND lease_until > extract(epoch FROM clock_timestamp())::bigint GROUP BY lease_node",
        deliveries);
    auto found = nodes_of(*database_);
    for (auto& status : found) {
      status.windows = windows[status.beat.name];
      status.deliveries = deliveries[status.beat.name];
    }
    return found;
  });
}

const std::vector<std::string>& PgStore::live_nodes() {
  const auto now = std::chrono::steady_clock::now();
  if (live_nodes_read_ && now - *live_nodes_read_ < kReadNodesEvery) return live_nodes_;
  std::vector<std::string> found = {options_.node};
  {
    auto rows = database_->query(
        "SELECT name FROM nodes WHERE role <> 'ingest'"
        " AND seen >= extract(epoch FROM clock_timestamp())::bigint - $1::bigint",
        std::max(3 * options_.lease, kLeastSilence).count());
    while (rows.next()) found.push_back(rows.text(0));
  }
  std::ranges::sort(found);
  const auto [first, last] = std::ranges::unique(found);
  found.erase(first, last);
  live_nodes_ = std::move(found);
  if (!database_->failed()) live_nodes_read_ = now;
  return live_nodes_;
}

// Takes the windows by putting their lookups off, as long as these are what was read: of two nodes
// that find the same window, one gets it.
Result<std::vector<EarlyLookup>> PgStore::lookups_due(Time now, std::size_t limit) {
  auto found = database_->read([&] { return find_lookups(now, limit); });
  if (!found || found->empty()) return found;
  auto taken = database_->write([&] {
    PgArray domains;
    PgArray windows;
    for (const auto& lookup : *found) {
      domains.add(lookup.domain);
      windows.add(lookup.window);
    }
    std::unordered_set<WindowId> ours;
    auto rows = database_->query(
        "UPDATE windows AS w SET lookup = $4 FROM unnest($1::text[], $2::bigint[]) AS v (domain, "
        "id)"
        " WHERE w.domain = v.domain AND w.id = v.id AND w.state = 'collecting'"
        " AND w.lookup <= $3 RETURNING w.id",
        domains, windows, now, now + kLookupHeld);
    while (rows.next()) ours.insert(rows.integer(0));
    return ours;
  });
  if (!taken) return std::move(taken).error();
  std::erase_if(*found, [&](const EarlyLookup& lookup) { return !taken->contains(lookup.window); });
  return found;
}

// Candidates in the order of their time. Where several nodes are alive, those of this one's share
// come first, so that nodes are seldom after the same.
std::vector<EarlyLookup> PgStore::find_lookups(Time now, std::size_t limit) {
  const Share share(live_nodes(), options_.node);
  std::vector<EarlyLookup> ours;
  std::vector<EarlyLookup> others;
  auto rows = database_->query(
      "SELECT id, domain, absent_since FROM windows WHERE lookup <= $1 AND state = 'collecting'"
      " ORDER BY lookup LIMIT $2",
      now, saturated(limit * std::min(share.nodes(), kMostNodesAside)));
  while (rows.next()) {
    const auto domain = rows.text(1);
    auto& list = share.has(domain) ? ours : others;
    if (list.size() < limit) list.push_back({rows.integer(0), domain, rows.optional_time(2)});
    know_domain(rows.integer(0), domain);
  }
  others.resize(std::min(others.size(), limit - ours.size()));
  ours.insert(ours.end(), others.begin(), others.end());
  return ours;
}

Result<std::size_t> PgStore::note_lookups(std::span<const LookupNote> notes, Time now) {
  std::size_t dropped = 0;
  for (std::size_t first = 0; first < notes.size(); first += kNotesAtOnce) {
    const auto page = notes.subspan(first, std::min(kNotesAtOnce, notes.size() - first));
    auto done = database_->write([&] {
      const auto gone = drop_silent(page);
      note_next(page, gone);
      return gone.size();
    });
    if (!done) return std::move(done).error();
    dropped += *done;
  }
  forget_silences(now);
  return dropped;
}

// Removes the windows whose notes say so, unless they are to be kept. Which were removed.
std::unordered_set<WindowId> PgStore::drop_silent(std::span<const LookupNote> notes) {
  std::unordered_set<WindowId> gone;
  PgArray domains;
  PgArray windows;
  for (const auto& note : notes) {
    if (!note.silent_until) continue;
    domains.add(note.domain);
    windows.add(note.window);
  }
  if (domains.empty()) return gone;
  std::uint64_t sessions = 0;
  {
    auto rows = database_->query(
        "DELETE FROM windows AS w USING unnest($1::text[], $2::bigint[]) AS v (domain, id)"
        " WHERE w.domain = v.domain AND w.id = v.id AND w.state = 'collecting'"
        " AND w.tlsrpt_record = '' RETURNING w.id, w.successful + w.failed",
        domains, windows);
    while (rows.next()) {
      gone.insert(rows.integer(0));
      sessions += rows.count(1);
    }
  }
  if (gone.empty()) return gone;
  std::map<std::string, Time> silences;  // sorted: nodes write them in the same order
  PgArray gone_domains;
  PgArray gone_windows;
  for (const auto& note : notes) {
    if (!note.silent_until || !gone.contains(note.window)) continue;
    gone_domains.add(note.domain);
    gone_windows.add(note.window);
    auto& until = silences.try_emplace(note.domain, *note.silent_until).first->second;
    until = std::max(until, *note.silent_until);
  }
  remove_rows_of(gone_domains, gone_windows);
  PgArray silent;
  PgArray until;
  for (const auto& [domain, end] : silences) {
    silent.add(domain);
    until.add(end);
  }
  database_->execute(
      "INSERT INTO silent_domains (domain, until)"
      " SELECT v.domain, v.until FROM unnest($1::text[], $2::bigint[]) AS v (domain, until)"
      " ON CONFLICT (domain) DO UPDATE SET until = greatest(silent_domains.until, excluded.until)",
      silent, until);
  add_counters(
      {{std::string(kDroppedWindows), gone.size()}, {std::string(kDroppedSessions), sessions}});
  return gone;
}

void PgStore::note_next(std::span<const LookupNote> notes,
                        const std::unordered_set<WindowId>& gone) {
  PgArray domains;
  PgArray windows;
  PgArray next;
  PgArray absent;
  for (const auto& note : notes) {
    if (gone.contains(note.window)) continue;
    domains.add(note.domain);
    windows.add(note.window);
    next.add(note.next);
    absent.add(note.absent_since);
  }
  if (domains.empty()) return;
  database_->execute(
      "UPDATE windows AS w SET lookup = v.next, absent_since = v.absent"
      " FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])"
      " AS v (domain, id, next, absent)"
      " WHERE w.domain = v.domain AND w.id = v.id AND w.state = 'collecting'",
      domains, windows, next, absent);
}

// What fails here is done the next time: silences that are over are silences no longer.
void PgStore::forget_silences(Time now) {
  auto over = database_->read([&] {
    PgArray domains;
    auto rows = database_->query(
        "SELECT domain FROM silent_domains WHERE until <= $1 ORDER BY until LIMIT $2", now,
        kSilencesAtOnce);
    while (rows.next()) domains.add(rows.text(0));
    return domains;
  });
  if (!over || over->empty()) return;
  // One that was lengthened meanwhile stays.
  static_cast<void>(database_->write([&] {
    database_->execute("DELETE FROM silent_domains WHERE domain = ANY($1::text[]) AND until <= $2",
                       *over, now);
  }));
}

}  // namespace rapporteur
