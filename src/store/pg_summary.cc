// The state of the store in numbers. What grows with the years is counted from indexes, and what
// was counted is remembered for a while: StoreOptions::summary_age.

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "store/pg_conditions.h"
#include "store/pg_store.h"
#include "store/pg_summary.h"

namespace rapporteur {

namespace {

constexpr std::chrono::minutes kCountIdsEvery{10};

// How often deliveries have ended, among the counters.
constexpr std::string_view kEnded = "ended.";

constexpr std::array kWindowStates = {
    WindowState::kCollecting, WindowState::kDue,  WindowState::kAssembled, WindowState::kDone,
    WindowState::kBlocked,    WindowState::kHeld, WindowState::kSuppressed};
constexpr std::array kDeliveryStates = {DeliveryState::kPending,    DeliveryState::kDelivered,
                                        DeliveryState::kBounced,    DeliveryState::kFailed,
                                        DeliveryState::kSuppressed, DeliveryState::kAbandoned,
                                        DeliveryState::kUncertain};

using Numbers = std::map<std::string, std::uint64_t>;

Numbers numbers(PgDatabase& database, std::string_view sql) {
  Numbers found;
  auto rows = database.query(sql);
  while (rows.next()) found[rows.text(0)] = rows.count(1);
  return found;
}

std::uint64_t number_of(const Numbers& numbers, std::string_view name) {
  const auto found = numbers.find(std::string(name));
  return found == numbers.end() ? 0 : found->second;
}

std::optional<Time> earlier(std::optional<Time> a, std::optional<Time> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

// States of which there is none are numbered, too.
PgTallies count_states(PgDatabase& database) {
  PgTallies tallies;
  const auto windows = numbers(database, "SELECT state, count(*) FROM windows GROUP BY state");
  for (const auto state : kWindowStates) {
    tallies.windows[state] = number_of(windows, to_string(state));
  }
  const auto deliveries =
      numbers(database, "SELECT state, count(*) FROM deliveries GROUP BY state");
  for (const auto state : kDeliveryStates) {
    tallies.deliveries[state] = number_of(deliveries, to_string(state));
  }
  const auto received = numbers(database, "SELECT trust, count(*) FROM received GROUP BY trust");
  for (const auto trust : kTrustClasses) {
    tallies.received[trust] = number_of(received, to_string(trust));
  }
  return tallies;
}

// What claim_due() gives away at this time, and what waits.
PgBacklog count_backlog(PgDatabase& database, Time now) {
  PgBacklog backlog;
  auto rows = database.query(
      "SELECT c.number, c.since, d.number, d.since, d.waiting, a.since FROM"
      " (SELECT count(*) AS number, min(due) AS since FROM windows"
      " WHERE state = 'collecting' AND due <= $1) AS c,"
      " (SELECT count(*) FILTER (WHERE coalesce(retry, 0) <= $1) AS number,"
      " min(greatest(due, coalesce(retry, due))) FILTER (WHERE coalesce(retry, 0) <= $1) AS since,"
      " count(*) FILTER (WHERE retry > $1) AS waiting"
      " FROM windows WHERE state = 'due' AND due <= $1) AS d,"
      " (SELECT min(assembled) AS since FROM windows WHERE state = 'assembled') AS a",
      now);
  if (!rows.next()) return backlog;
  backlog.overdue = rows.count(0) + rows.count(2);
  backlog.overdue_since = earlier(rows.optional_time(1), rows.optional_time(3));
  backlog.waiting = rows.count(4);
  backlog.open_since = rows.optional_time(5);
  return backlog;
}

// Those that grow with the mail have indexes for it; the others stay small.
void read_current(PgDatabase& database, StoreSummary& summary) {
  {
    // An attempt that is under way waits no longer.
    auto rows = database.query(
        "SELECT (SELECT next_attempt FROM deliveries WHERE mail AND next_attempt <= $1"
        " AND begun IS NULL ORDER BY next_attempt LIMIT 1),"
        " (SELECT next_attempt FROM deliveries WHERE NOT mail AND next_attempt <= $1"
        " AND begun IS NULL ORDER BY next_attempt LIMIT 1)",
        summary.now);
    if (rows.next()) {
      summary.mail_due_since = rows.optional_time(0);
      summary.https_due_since = rows.optional_time(1);
    }
  }
  {
    // An automatic one holds back all deliveries but its probe until it is lifted.
    auto rows = database.query(
        "SELECT count(*) FILTER (WHERE automatic),"
        " count(*) FILTER (WHERE NOT automatic AND (until IS NULL OR until > $1))"
        " FROM suppressions WHERE lifted IS NULL",
        summary.now);
    if (rows.next()) {
      summary.suppressed_automatically = rows.count(0);
      summary.suppressed_by_hand = rows.count(1);
    }
  }
  {
    auto rows = database.query("SELECT value FROM meta WHERE name = 'schema_version'");
    if (rows.next()) summary.schema_version = small_integer(rows.integer(0));
  }
  auto rows = database.query(
      "SELECT everything, smtp, https FROM pause WHERE until IS NULL OR until > $1", summary.now);
  if (!rows.next()) return;
  summary.paused_everything = rows.flag(0);
  summary.paused_smtp = rows.flag(0) || rows.flag(1);
  summary.paused_https = rows.flag(0) || rows.flag(2);
}

// Each node has counted for itself.
void read_counters(PgDatabase& database, StoreSummary& summary) {
  auto all = numbers(database,
                     "SELECT name, least(sum(value), 9007199254740991)::bigint FROM counters"
                     " GROUP BY name");
  for (const auto state : kDeliveryStates) {
    if (!is_final(state)) continue;
    summary.deliveries_ended[state] = number_of(all, std::string(kEnded).append(to_string(state)));
  }
  std::erase_if(all, [](const auto& counter) { return counter.first.starts_with(kEnded); });
  summary.counters = std::move(all);
}

}  // namespace

Result<StoreSummary> PgStore::summary(Time now) {
  auto tallies = tallies_.get(options_.summary_age, [&] {
    return database_->read([&] { return count_states(*database_); });
  });
  if (!tallies) return std::move(tallies).error();
  const auto backlog = backlog_.get(options_.summary_age, [&] {
    return database_->read([&] { return count_backlog(*database_, now); });
  });
  if (!backlog) return backlog.error();
  const auto session_ids = session_ids_.get(kCountIdsEvery, [&] {
    return database_->read([&] {
      auto rows = database_->query("SELECT count(*) FROM session_ids");
      return rows.next() ? rows.count(0) : std::uint64_t{0};
    });
  });
  if (!session_ids) return session_ids.error();
  auto summary = database_->read([&] {
    StoreSummary found;
    found.now = now;
    read_counters(*database_, found);
    read_current(*database_, found);
    return found;
  });
  if (!summary) return summary;
  summary->windows = std::move(tallies->windows);
  summary->deliveries = std::move(tallies->deliveries);
  summary->received = std::move(tallies->received);
  summary->windows_overdue = backlog->overdue;
  summary->overdue_since = backlog->overdue_since;
  summary->windows_waiting = backlog->waiting;
  summary->open_since = backlog->open_since;
  summary->session_ids = *session_ids;
  // Not every database can tell.
  const auto bytes = database_->read([&] {
    auto rows = database_->query("SELECT pg_database_size(current_database())");
    return rows.next() ? rows.count(0) : std::uint64_t{0};
  });
  if (bytes) summary->database_bytes = *bytes;
  return summary;
}

}  // namespace rapporteur
