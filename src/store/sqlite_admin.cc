// What the administrator sees and does, and what is removed in the end.

#include <algorithm>

#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace rapporteur {

namespace {

using Kind = Transaction::Kind;

// Session ids are removed this many a transaction, so that nobody waits long.

// A call removes so many session ids at most, each page in a transaction of its own.
constexpr std::int64_t kIdsAtOnce = 20'000;
constexpr int kIdPages = 10;

constexpr std::string_view kPartColumns =
    ", p.number, p.parts_total, p.report_id, p.file_name, p.successful, p.failed";

ReportEntry read_report(Database& database, const Query& row) {
  ReportEntry entry;
  entry.window = read_window(database, row);
  entry.assembled = row.time(kWindowColumnCount - 1);
  const int first = kWindowColumnCount;
  entry.part.number = static_cast<int>(row.integer(first));
  entry.part.of = static_cast<int>(row.integer(first + 1));
  entry.part.report_id = row.text(first + 2);
  entry.part.file_name = row.text(first + 3);
  entry.part.successful = row.count(first + 4);
  entry.part.failed = row.count(first + 5);
  return entry;
}

}  // namespace

Result<std::vector<Window>> SqliteStore::windows(const WindowFilter& filter) {
  Transaction transaction(*database_, Kind::kRead);
  Conditions conditions;
  conditions.name("w.domain", filter.domain);
  if (filter.state) conditions.text("w.state = ?", to_string(*filter.state));
  if (filter.due_before) conditions.time("w.due < ?", *filter.due_before);
  if (filter.start) conditions.time("w.starts = ?", *filter.start);
  if (filter.after) conditions.after_window(*filter.after);
  std::vector<Window> found;
  {
    Query query(*database_, "SELECT " + std::string(kWindowColumns) + " FROM windows AS w" +
                                conditions.sql() + "ORDER BY w.due, w.id LIMIT ?");
    conditions.bind_to(query);
    query.bind(row_limit(filter.limit));
    while (query.next()) found.push_back(read_window(*database_, query));
  }
  return transaction.commit(std::move(found));
}

Result<std::map<WindowState, std::uint64_t>> SqliteStore::window_states() {
  Transaction transaction(*database_, Kind::kRead);
  std::map<WindowState, std::uint64_t> states;
  {
    // Triggers keep these numbers: counting rows would take long where there are many.
    Query query(*database_,
                "SELECT substr(name, 9), value FROM state_counts WHERE name GLOB 'windows.*'"
                " AND value > 0");
    while (query.next()) states[read_window_state(*database_, query.text(0))] = query.count(1);
  }
  return transaction.commit(std::move(states));
}

Result<std::string> SqliteStore::deciding_record(WindowId window) {
  Transaction transaction(*database_, Kind::kRead);
  std::string record;
  {
    Query query(*database_, "SELECT record FROM windows WHERE id = ?1", window);
    if (query.next()) record = query.text(0);
  }
  return transaction.commit(std::move(record));
}

Result<std::vector<bool>> SqliteStore::hold(std::span<const WindowId> windows,
                                            const std::string& reason, Time /*now*/) {
  return change_each(windows, [&](WindowId window) {
    return database_->execute(
               "UPDATE windows SET state = 'held', reason = ?2, retry = NULL"
               " WHERE id = ?1 AND state IN ('collecting', 'due', 'blocked')",
               window, reason) == 1;
  });
}

Result<std::vector<bool>> SqliteStore::release(std::span<const WindowId> windows, Time now) {
  return change_each(windows, [&](WindowId window) {
    return database_->execute(
               "UPDATE windows SET state = 'collecting', reason = '', retry = NULL,"
               " first_attempt = NULL, lookup_since = NULL, due = max(due, ?2), send_old = 1"
               " WHERE id = ?1 AND state = 'held'",
               window, now) == 1;
  });
}

Result<std::vector<bool>> SqliteStore::cancel(std::span<const WindowId> windows,
                                              const std::string& reason, Time now) {
  return change_each(windows, [&](WindowId window) { return cancel_one(window, reason, now); });
}

bool SqliteStore::cancel_one(WindowId window, const std::string& reason, Time now) {
  if (database_->execute(
          "UPDATE windows SET state = 'suppressed', reason = ?2, retry = NULL, lookup = NULL,"
          " finished = ?3, cancelled = (supplement = 0)"
          " WHERE id = ?1 AND state IN ('collecting', 'due', 'blocked', 'held')",
          window, reason, now) == 1) {
    return true;
  }
  if (database_->execute("UPDATE windows SET reason = ?2 WHERE id = ?1 AND state = 'assembled'",
                         window, reason) != 1) {
    return false;
  }
  abandon_open(window, reason, now);
  settle_window(window, now);
  return true;
}

// A clock that runs ahead may have counted sessions that are still to come: the window ends after
// them, and waits for its end, because nothing is assembled before. A supplement keeps its window's
// period.
Result<std::vector<bool>> SqliteStore::send_now(std::span<const WindowId> windows, Time now) {
  return change_each(windows, [&](WindowId window) {
    database_->execute(
        "UPDATE windows SET ends = min(ends, max(?2, starts + 1, last_session + 1))"
        " WHERE id = ?1 AND ends > ?2 AND supplement = 0"
        " AND state IN ('collecting', 'due', 'blocked', 'held')",
        window, now);
    return database_->execute(
               "UPDATE windows SET state = 'due', reason = '', first_attempt = NULL,"
               " lookup_since = NULL, lookup = NULL, send_old = 1,"
               " due = max(?2, ends), retry = CASE WHEN ends > ?2 THEN ends END"
               " WHERE id = ?1 AND state IN ('collecting', 'due', 'blocked', 'held')",
               window, now) == 1;
  });
}

Result<std::vector<ReportEntry>> SqliteStore::reports(const std::string& domain,
                                                      std::size_t limit) {
  Transaction transaction(*database_, Kind::kRead);
  Conditions conditions;
  conditions.name("w.domain", domain);
  std::vector<ReportEntry> found;
  {
    Query query(*database_, "SELECT " + std::string(kWindowColumns) + std::string(kPartColumns) +
                                " FROM parts AS p JOIN windows AS w ON w.id = p.window_id" +
                                conditions.sql() + "ORDER BY p.id DESC LIMIT ?");
    conditions.bind_to(query);
    query.bind(row_limit(limit));
    while (query.next()) found.push_back(read_report(*database_, query));
  }
  return transaction.commit(std::move(found));
}

Result<std::optional<ReportEntry>> SqliteStore::report(const std::string& report_id) {
  Transaction transaction(*database_, Kind::kRead);
  std::optional<ReportEntry> found;
  {
    Query query(*database_,
                "SELECT " + std::string(kWindowColumns) + std::string(kPartColumns) +
                    ", p.gz, p.mail_body FROM parts AS p JOIN windows AS w ON w.id = p.window_id"
                    " WHERE p.report_id = ?1",
                report_id);
    if (query.next()) {
      found = read_report(*database_, query);
      found->part.gz = query.text(kWindowColumnCount + 6);
      found->part.mail_body = query.text(kWindowColumnCount + 7);
    }
  }
  return transaction.commit(std::move(found));
}

Result<Pause> SqliteStore::pause() {
  Transaction transaction(*database_, Kind::kRead);
  Pause pause;
  {
    Query query(*database_, "SELECT everything, smtp, https, until FROM pause");
    if (query.next()) {
      pause = {query.flag(0), query.flag(1), query.flag(2), query.optional_time(3)};
    }
  }
  return transaction.commit(pause);
}

void SqliteStore::set_patience(std::chrono::milliseconds patience) {
  database_->set_busy_timeout(patience);
}

Result<void> SqliteStore::set_pause(const Pause& pause) {
  Transaction transaction(*database_, Kind::kWrite);
  database_->execute(
      "INSERT OR REPLACE INTO pause (id, everything, smtp, https, until) VALUES (1, ?1, ?2, ?3, "
      "?4)",
      pause.everything, pause.smtp, pause.https, pause.until);
  return transaction.commit();
}

Result<std::size_t> SqliteStore::prune(Time finished_before, Time ids_before, std::size_t limit) {
  std::size_t windows = 0;
  {
    Transaction transaction(*database_, Kind::kWrite);
    // Until when windows may be missing that were reported: first_part_of() asks.
    database_->execute(
        "INSERT INTO meta (name, value) SELECT 'pruned_ends', max(ends) FROM"
        " (SELECT ends FROM windows WHERE finished < ?1 AND state = 'done' ORDER BY finished"
        " LIMIT ?2) HAVING max(ends) IS NOT NULL"
        " ON CONFLICT (name) DO UPDATE SET value = max(CAST(value AS INTEGER), excluded.value)",
        finished_before, row_limit(limit));
    windows = static_cast<std::size_t>(
        database_->execute("DELETE FROM windows WHERE id IN (SELECT id FROM windows WHERE " +
                               std::string(kPrunedWindows) + " ORDER BY finished LIMIT ?2)",
                           finished_before, row_limit(limit)));
    database_->execute("DELETE FROM suppressions WHERE " + std::string(kPrunedSuppressions),
                       finished_before);
    database_->execute("DELETE FROM flushes WHERE stored < ?1", ids_before);
    if (auto done = transaction.commit(); !done) return std::move(done).error();
  }
  for (int page = 0; page < kIdPages; ++page) {
    Transaction transaction(*database_, Kind::kWrite);
    const auto ids = database_->execute(
        "DELETE FROM session_ids WHERE content_key IN"
        " (SELECT content_key FROM session_ids WHERE counted < ?1 LIMIT ?2)",
        ids_before, kIdsAtOnce);
    if (auto done = transaction.commit(); !done) return std::move(done).error();
    if (ids < kIdsAtOnce) break;
  }
  return windows;
}

}  // namespace rapporteur
