// The node that works on the store, and lookups ahead of a window's run.

#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace rapporteur {

namespace {

using Kind = Transaction::Kind;

// Other nodes would leave a window alone for so long once its lookup was handed out.
constexpr Seconds kLookupHeld{300};

constexpr Seconds kForgetNodes{7 * 86'400};

// Silences that are over are removed so many at a time.
constexpr std::int64_t kSilencesAtOnce = 1000;

}  // namespace

Result<void> SqliteStore::beat(const NodeBeat& beat, Time now) {
  Transaction transaction(*database_, Kind::kWrite);
  database_->execute(
      "INSERT OR REPLACE INTO nodes (name, role, host, process, version, started, spilled, seen)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
      beat.name, beat.role, beat.host, beat.process, beat.version, beat.started, beat.spilled_bytes,
      now);
  database_->execute("DELETE FROM nodes WHERE seen < ?1", now - kForgetNodes);
  return transaction.commit();
}

Result<std::vector<NodeStatus>> SqliteStore::nodes(Time now) {
  Transaction transaction(*database_, Kind::kRead);
  std::vector<NodeStatus> found;
  {
    Query query(*database_,
                "SELECT name, role, host, process, version, started, spilled, seen FROM nodes"
                " WHERE seen >= ?1 ORDER BY name",
                now - kForgetNodes);
    while (query.next()) {
      auto& status = found.emplace_back();
      status.beat = {query.text(0), query.text(1), query.text(2), query.integer(3),
                     query.text(4), query.time(5), query.count(6)};
      status.silent_for = std::max(now - query.time(7), Seconds(0));
    }
  }
  return transaction.commit(std::move(found));
}

Result<std::vector<EarlyLookup>> SqliteStore::lookups_due(Time now, std::size_t limit) {
  std::vector<EarlyLookup> found;
  {
    Transaction looking(*database_, Kind::kRead);
    {
      Query query(*database_,
                  "SELECT id, domain, absent_since FROM windows WHERE lookup <= ?1"
                  " AND state = 'collecting' ORDER BY lookup LIMIT ?2",
                  now, row_limit(limit));
      while (query.next()) {
        found.push_back({query.integer(0), query.text(1), query.optional_time(2)});
      }
    }
    if (auto done = looking.commit(); !done) return std::move(done).error();
  }
  if (found.empty()) return found;
  Transaction transaction(*database_, Kind::kWrite);
  std::erase_if(found, [&](const EarlyLookup& lookup) {
    return database_->execute("UPDATE windows SET lookup = ?2 WHERE id = ?1 AND lookup IS NOT NULL",
                              lookup.window, now + kLookupHeld) == 0;
  });
  return transaction.commit(std::move(found));
}

Result<std::size_t> SqliteStore::note_lookups(std::span<const LookupNote> notes, Time now) {
  Transaction transaction(*database_, Kind::kWrite);
  std::size_t dropped = 0;
  for (const auto& note : notes) {
    if (note.silent_until && drop_silent(note)) {
      ++dropped;
      continue;
    }
    database_->execute(
        "UPDATE windows SET lookup = ?2, absent_since = ?3 WHERE id = ?1 AND state = 'collecting'",
        note.window, note.next, note.absent_since);
  }
  database_->execute(
      "DELETE FROM silent_domains WHERE domain IN"
      " (SELECT domain FROM silent_domains WHERE until <= ?1 ORDER BY until LIMIT ?2)",
      now, kSilencesAtOnce);
  return transaction.commit(dropped);
}

// False: the window is to be kept.
bool SqliteStore::drop_silent(const LookupNote& note) {
  std::uint64_t sessions = 0;
  {
    Query query(*database_,
                "SELECT successful + failed FROM windows WHERE id = ?1 AND state = 'collecting'"
                " AND tlsrpt_record = ''",
                note.window);
    if (!query.next()) return false;
    sessions = query.count(0);
  }
  database_->execute("DELETE FROM windows WHERE id = ?1", note.window);
  database_->execute(
      "INSERT INTO silent_domains (domain, until) VALUES (?1, ?2) ON CONFLICT (domain)"
      " DO UPDATE SET until = max(until, excluded.until)",
      note.domain, note.silent_until);
  add_counters({{"dropped.windows", 1}, {"dropped.sessions", sessions}});
  return true;
}

}  // namespace rapporteur
