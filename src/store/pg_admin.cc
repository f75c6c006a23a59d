// What the administrator sees and does, and what is removed in the end.

#include <algorithm>
#include <array>

#include "store/pg_conditions.h"
#include "store/pg_settle.h"
#include "store/pg_store.h"
#include "store/pg_text.h"

namespace rapporteur {

namespace {

// A call removes so many session ids at most, each page in a transaction of its own.
constexpr std::int64_t kIdsAtOnce = 20'000;
constexpr int kIdPages = 10;

constexpr std::size_t kWindowsAtOnce = 500;

constexpr std::string_view kPartColumns =
    ", p.number, p.parts_total, p.report_id, p.file_name, p.successful, p.failed";

// Orders end leases: a node that is about to conclude the window cannot any more.
constexpr std::string_view kEndLease = ", fence = fence + 1, lease_node = '', lease_until = 0";

constexpr std::string_view kOpen = " AND state IN ('collecting', 'due', 'blocked', 'held')";

// With rows that belong to a window.
constexpr std::array kTablesOfWindows = {"details", "policies", "deliveries", "parts"};

std::string report_columns() {
  return "SELECT " + std::string(kWindowColumns) + std::string(kPartColumns);
}

ReportEntry read_report(PgDatabase& database, const PgRows& row) {
  ReportEntry entry;
  entry.window = read_window(database, row);
  entry.assembled = row.time(kWindowColumnCount - 1);
  const int first = kWindowColumnCount;
  entry.part.number = small_integer(row.integer(first));
  entry.part.of = small_integer(row.integer(first + 1));
  entry.part.report_id = row.text(first + 2);
  entry.part.file_name = row.text(first + 3);
  entry.part.successful = row.count(first + 4);
  entry.part.failed = row.count(first + 5);
  return entry;
}

// Removes a page of session ids that were counted before this. Whether there may be more.
bool prune_ids(PgDatabase& database, Time before) {
  std::optional<Time> last;  // a page ends with the second of its last one
  {
    auto rows = database.query(
        "SELECT counted FROM session_ids WHERE counted < $1 ORDER BY counted OFFSET $2 LIMIT 1",
        before, kIdsAtOnce - 1);
    if (rows.next()) last = rows.time(0);
  }
  database.execute("DELETE FROM session_ids WHERE counted < $1",
                   last ? *last + Seconds(1) : before);
  return last.has_value();
}

}  // namespace

Result<std::vector<Window>> PgStore::windows(const WindowFilter& filter) {
  PgConditions conditions;
  conditions.name("w.domain", filter.domain);
  if (filter.state) conditions.text("w.state = ?", to_string(*filter.state));
  if (filter.due_before) conditions.time("w.due < ?", *filter.due_before);
  if (filter.start) conditions.time("w.starts = ?", *filter.start);
  if (filter.after) conditions.after_window(*filter.after);
  return database_->read([&] {
    std::vector<Window> found;
    auto rows = conditions.query(*database_,
                                 "SELECT " + std::string(kWindowColumns) + " FROM windows AS w" +
                                     conditions.sql() + "ORDER BY w.due, w.id LIMIT ?",
                                 saturated(filter.limit));
    while (rows.next()) {
      found.push_back(read_window(*database_, rows));
      know_domain(found.back().id, found.back().domain);
    }
    return found;
  });
}

Result<std::map<WindowState, std::uint64_t>> PgStore::window_states() {
  return database_->read([&] {
    std::map<WindowState, std::uint64_t> states;
    auto rows = database_->query("SELECT state, count(*) FROM windows GROUP BY state");
    while (rows.next()) states[read_window_state(*database_, rows.text(0))] = rows.count(1);
    return states;
  });
}

Result<std::string> PgStore::deciding_record(WindowId window) {
  return database_->read([&] {
    const auto domain = domain_of(window);
    if (domain.empty()) return std::string();
    auto rows = database_->query("SELECT record FROM windows WHERE domain = $1 AND id = $2", domain,
                                 window);
    return rows.next() ? rows.text(0) : std::string();
  });
}

Result<std::vector<bool>> PgStore::change_windows(
    std::span<const WindowId> windows,
    const std::function<bool(const std::string& domain, WindowId window)>& change) {
  return database_->write([&] {
    std::vector<std::pair<std::string, std::size_t>> ordered;
    ordered.reserve(windows.size());
    for (std::size_t i = 0; i < windows.size(); ++i) ordered.emplace_back(domain_of(windows[i]), i);
    std::ranges::sort(ordered);
    std::vector<bool> changed(windows.size());
    for (const auto& [domain, i] : ordered) {
      changed[i] = !domain.empty() && change(domain, windows[i]);
    }
    return changed;
  });
}

Result<std::vector<bool>> PgStore::hold(std::span<const WindowId> windows,
                                        const std::string& reason, Time /*now*/) {
  static const auto kSql = "UPDATE windows SET state = 'held', reason = $3, retry = NULL" +
                           std::string(kEndLease) +
                           " WHERE domain = $1 AND id = $2"
                           " AND state IN ('collecting', 'due', 'blocked')";
  const auto why = readable(reason);
  return change_windows(windows, [&](const std::string& domain, WindowId window) {
    return database_->execute(kSql, domain, window, why) == 1;
  });
}

Result<std::vector<bool>> PgStore::release(std::span<const WindowId> windows, Time now) {
  return change_windows(windows, [&](const std::string& domain, WindowId window) {
    return database_->execute(
               "UPDATE windows SET state = 'collecting', reason = '', retry = NULL,"
               " first_attempt = NULL, lookup_since = NULL, due = greatest(due, $3),"
               " send_old = TRUE WHERE domain = $1 AND id = $2 AND state = 'held'",
               domain, window, now) == 1;
  });
}

Result<std::vector<bool>> PgStore::cancel(std::span<const WindowId> windows,
                                          const std::string& reason, Time now) {
  const auto why = readable(reason);
  return change_windows(windows, [&](const std::string& domain, WindowId window) {
    return cancel_one(domain, window, why, now);
  });
}

bool PgStore::cancel_one(const std::string& domain, WindowId window, const std::string& why,
                         Time now) {
  if (database_->execute(
          "UPDATE windows SET state = 'suppressed', reason = $3, retry = NULL, lookup = NULL,"
          " finished = $4, cancelled = (supplement = 0)" +
              std::string(kEndLease) + " WHERE domain = $1 AND id = $2" + std::string(kOpen),
          domain, window, why, now) == 1) {
    return true;
  }
  // What is open of it ends in the same transaction.
  if (database_->execute("UPDATE windows SET state = 'done', reason = $3, finished = $4"
                         " WHERE domain = $1 AND id = $2 AND state = 'assembled'",
                         domain, window, why, now) != 1) {
    return false;
  }
  const auto abandoned = database_->execute(
      "UPDATE deliveries SET state = 'abandoned', waiting = FALSE, next_attempt = NULL,"
      " ended = $4, last_response = $3 WHERE domain = $1 AND window_id = $2"
      " AND state IN ('pending', 'uncertain')",
      domain, window, why, now);
  // No bounce brings these back.
  database_->execute(
      "UPDATE deliveries SET last_response = $3 WHERE domain = $1 AND window_id = $2"
      " AND state = 'abandoned' AND last_response = $4",
      domain, window, why, kNotNeeded);
  if (abandoned > 0) {
    add_counters({{"ended.abandoned", static_cast<std::uint64_t>(abandoned)}});
  }
  return true;
}

// A clock that runs ahead may have counted sessions that are still to come: the window ends after
// them, and waits for its end, because nothing is assembled before. A supplement keeps its window's
// period.
Result<std::vector<bool>> PgStore::send_now(std::span<const WindowId> windows, Time now) {
  const std::string ends =
      "(CASE WHEN ends > $3 AND supplement = 0"
      " THEN least(ends, greatest($3, starts + 1, last_session + 1)) ELSE ends END)";
  const std::string sql =
      "UPDATE windows SET state = 'due', reason = '', first_attempt = NULL,"
      " lookup_since = NULL, lookup = NULL, send_old = TRUE, ends = " +
      ends + ", due = greatest($3, " + ends + "), retry = CASE WHEN " + ends + " > $3 THEN " +
      ends + " END" + std::string(kEndLease) + " WHERE domain = $1 AND id = $2" +
      std::string(kOpen);
  return change_windows(windows, [&](const std::string& domain, WindowId window) {
    return database_->execute(sql, domain, window, now) == 1;
  });
}

// Each window has a part at least, so that the newest windows have the newest parts. Not all are
// joined to find them.
Result<std::vector<ReportEntry>> PgStore::reports(const std::string& domain, std::size_t limit) {
  PgConditions conditions;
  conditions.plain("w.assembled IS NOT NULL");
  conditions.name("w.domain", domain);
  const auto sql = report_columns() + " FROM (SELECT * FROM windows AS w" + conditions.sql() +
                   "ORDER BY w.assembled DESC, w.id DESC LIMIT ?) AS w"
                   " JOIN parts AS p ON p.domain = w.domain AND p.window_id = w.id"
                   " ORDER BY w.assembled DESC, w.id DESC, p.number DESC LIMIT ?";
  return database_->read([&] {
    std::vector<ReportEntry> found;
    auto rows = conditions.query(*database_, sql, saturated(limit), saturated(limit));
    while (rows.next()) found.push_back(read_report(*database_, rows));
    return found;
  });
}

Result<std::optional<ReportEntry>> PgStore::report(const std::string& report_id) {
  return database_->read([&] {
    std::optional<ReportEntry> found;
    auto rows = database_->query(report_columns() +
                                     ", p.gz, p.mail_body FROM parts AS p"
                                     " JOIN windows AS w ON w.domain = p.domain"
                                     " AND w.id = p.window_id WHERE p.report_id = $1",
                                 readable(report_id));
    if (rows.next()) {
      found = read_report(*database_, rows);
      found->part.gz = rows.bytes(kWindowColumnCount + 6);
      found->part.mail_body = rows.bytes(kWindowColumnCount + 7);
    }
    return found;
  });
}

Result<Pause> PgStore::pause() {
  return database_->read([&] {
    Pause pause;
    auto rows = database_->query("SELECT everything, smtp, https, until FROM pause");
    if (rows.next()) pause = {rows.flag(0), rows.flag(1), rows.flag(2), rows.optional_time(3)};
    return pause;
  });
}

Result<void> PgStore::set_pause(const Pause& pause) {
  return database_->write([&] {
    database_->execute(
        "INSERT INTO pause (id, everything, smtp, https, until) VALUES (1, $1, $2, $3, $4)"
        " ON CONFLICT (id) DO UPDATE SET everything = excluded.everything, smtp = excluded.smtp,"
        " https = excluded.https, until = excluded.until",
        pause.everything, pause.smtp, pause.https, pause.until);
  });
}

// ---- Keeping

Result<std::size_t> PgStore::prune(Time finished_before, Time ids_before, std::size_t limit) {
  std::size_t windows = 0;
  // Other nodes may remove what was found: then it is looked again, for something else.
  for (bool more = true; more && windows < limit;) {
    const auto page = std::min(kWindowsAtOnce, limit - windows);
    auto removed = database_->write([&] { return prune_windows(finished_before, page); });
    if (!removed) return std::move(removed).error();
    more = removed->first == page;
    windows += removed->second;
  }
  auto rest = database_->write([&] {
    database_->execute(
        "DELETE FROM suppressions WHERE lifted < $1 OR (NOT automatic AND until < $1)",
        finished_before);
    database_->execute("DELETE FROM flushes WHERE stored < $1", ids_before);
  });
  if (!rest) return std::move(rest).error();
  for (int page = 0; page < kIdPages; ++page) {
    const auto more = database_->write([&] { return prune_ids(*database_, ids_before); });
    if (!more) return more.error();
    if (!*more) break;
  }
  return windows;
}

std::pair<std::size_t, std::size_t> PgStore::prune_windows(Time finished_before,
                                                           std::size_t limit) {
  std::vector<std::pair<std::string, WindowId>> found;
  {
    auto rows = database_->query(
        "SELECT domain, id FROM windows WHERE finished < $1 AND state IN ('done', 'suppressed')"
        " ORDER BY finished, id LIMIT $2",
        finished_before, saturated(limit));
    while (rows.next()) found.emplace_back(rows.text(0), rows.integer(1));
  }
  if (found.empty()) return {};
  std::ranges::sort(found);
  PgArray domains;
  PgArray ids;
  for (const auto& [domain, id] : found) {
    domains.add(domain);
    ids.add(id);
  }
  PgArray gone_domains;
  PgArray gone_ids;
  std::optional<Time> reported;  // until when windows may be missing that were reported
  {
    auto rows = database_->query(
        "DELETE FROM windows AS w USING unnest($1::text[], $2::bigint[]) AS v (domain, id)"
        " WHERE w.domain = v.domain AND w.id = v.id AND w.finished < $3"
        " AND w.state IN ('done', 'suppressed') RETURNING w.domain, w.id, w.state, w.ends",
        domains, ids, finished_before);
    while (rows.next()) {
      gone_domains.add(rows.text(0));
      gone_ids.add(rows.integer(1));
      if (rows.text(2) == "done") reported = std::max(reported, std::optional(rows.time(3)));
    }
  }
  if (!gone_ids.empty()) remove_rows_of(gone_domains, gone_ids);
  if (reported) {
    database_->execute(
        "INSERT INTO meta (name, value) VALUES ('pruned_ends', $1) ON CONFLICT (name)"
        " DO UPDATE SET value = greatest(meta.value::bigint, excluded.value::bigint)::text",
        *reported);
  }
  return {found.size(), gone_ids.size()};
}

void PgStore::remove_rows_of(const PgArray& domains, const PgArray& windows) {
  for (const auto* const table : kTablesOfWindows) {
    database_->execute("DELETE FROM " + std::string(table) +
                           " AS c USING unnest($1::text[], $2::bigint[]) AS v (domain, id)"
                           " WHERE c.domain = v.domain AND c.window_id = v.id",
                       domains, windows);
  }
}

}  // namespace rapporteur
