// The state of the store in numbers. Whatever grows with the years is not counted here: the table
// state_counts has its numbers, which triggers keep (sqlite_schema.cc).

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace rapporteur {

namespace {

using Kind = Transaction::Kind;

constexpr std::chrono::minutes kCountIdsEvery{10};

constexpr std::array kWindowStates = {
    WindowState::kCollecting, WindowState::kDue,  WindowState::kAssembled, WindowState::kDone,
    WindowState::kBlocked,    WindowState::kHeld, WindowState::kSuppressed};
constexpr std::array kDeliveryStates = {DeliveryState::kPending,    DeliveryState::kDelivered,
                                        DeliveryState::kBounced,    DeliveryState::kFailed,
                                        DeliveryState::kSuppressed, DeliveryState::kAbandoned,
                                        DeliveryState::kUncertain};

std::map<std::string, std::uint64_t> numbers(Database& database, std::string_view sql) {
  std::map<std::string, std::uint64_t> found;
  Query query(database, sql);
  while (query.next()) found[query.text(0)] = query.count(1);
  return found;
}

template <class... Values>
std::uint64_t number(Database& database, std::string_view sql, const Values&... values) {
  Query query(database, sql, values...);
  return query.next() ? query.count(0) : 0;
}

template <class... Values>
std::optional<Time> first_time(Database& database, std::string_view sql, const Values&... values) {
  Query query(database, sql, values...);
  return query.next() ? query.optional_time(0) : std::nullopt;
}

std::optional<Time> earlier(std::optional<Time> a, std::optional<Time> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

void read_tallies(Database& database, StoreSummary& summary) {
  const auto state_counts = numbers(database, "SELECT name, value FROM state_counts");
  const auto tally = [&](std::string_view kind, std::string_view state) {
    const auto found = state_counts.find(std::string(kind).append(state));
    return found == state_counts.end() ? 0 : found->second;
  };
  for (const auto state : kWindowStates) {
    summary.windows[state] = tally("windows.", to_string(state));
  }
  for (const auto state : kDeliveryStates) {
    summary.deliveries[state] = tally("deliveries.", to_string(state));
    if (is_final(state)) summary.deliveries_ended[state] = tally("ended.", to_string(state));
  }
  for (const auto trust : kTrustClasses) {
    summary.received[trust] = tally("received.", to_string(trust));
  }
}

// What claim_due() moves or returns at this time.
void read_overdue(Database& database, StoreSummary& summary) {
  {
    Query query(database,
                "SELECT count(*), min(due) FROM windows WHERE state = 'collecting' AND due <= ?1",
                summary.now);
    if (query.next()) {
      summary.windows_overdue = query.count(0);
      summary.overdue_since = query.optional_time(1);
    }
  }
  Query query(database,
              "SELECT count(*) FILTER (WHERE coalesce(retry, 0) <= ?1),"
              " min(max(due, coalesce(retry, due))) FILTER (WHERE coalesce(retry, 0) <= ?1),"
              " count(*) FILTER (WHERE retry > ?1) FROM windows WHERE state = 'due' AND due <= ?1",
              summary.now);
  if (!query.next()) return;
  summary.windows_overdue += query.count(0);
  summary.overdue_since = earlier(summary.overdue_since, query.optional_time(1));
  summary.windows_waiting = query.count(2);
}

void read_deliveries(Database& database, StoreSummary& summary) {
  // An attempt that is under way waits no longer.
  constexpr std::string_view kWaitsLongest =
      "SELECT next_attempt FROM deliveries WHERE mail = ?1 AND next_attempt <= ?2"
      " AND begun IS NULL ORDER BY next_attempt LIMIT 1";
  summary.mail_due_since = first_time(database, kWaitsLongest, true, summary.now);
  summary.https_due_since = first_time(database, kWaitsLongest, false, summary.now);
  summary.open_since =
      first_time(database, "SELECT min(assembled) FROM windows WHERE state = 'assembled'");
}

void read_steering(Database& database, StoreSummary& summary) {
  // An automatic one holds back all deliveries but its probe until it is lifted.
  summary.suppressed_automatically =
      number(database, "SELECT count(*) FROM suppressions WHERE automatic AND lifted IS NULL");
  summary.suppressed_by_hand =
      number(database,
             "SELECT count(*) FROM suppressions WHERE NOT automatic AND lifted IS NULL"
             " AND (until IS NULL OR until > ?1)",
             summary.now);
  Query query(database,
              "SELECT everything, smtp, https FROM pause WHERE until IS NULL OR until > ?1",
              summary.now);
  if (!query.next()) return;
  summary.paused_everything = query.flag(0);
  summary.paused_smtp = query.flag(0) || query.flag(1);
  summary.paused_https = query.flag(0) || query.flag(2);
}

void read_sizes(Database& database, StoreSummary& summary) {
  const auto page = number(database, "PRAGMA page_size");
  summary.database_bytes = page * number(database, "PRAGMA page_count");
  summary.free_bytes = page * number(database, "PRAGMA freelist_count");
  summary.schema_version = static_cast<int>(
      number(database, "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'schema_version'"));
  const std::filesystem::path file = database.file();
  if (file.empty()) return;
  std::error_code failure;
  const auto wal = std::filesystem::file_size(file.string() + "-wal", failure);
  if (!failure) summary.wal_bytes = wal;
  const auto space = std::filesystem::space(file.parent_path(), failure);
  if (!failure) summary.disk_free_bytes = space.available;
}

}  // namespace

Result<StoreSummary> SqliteStore::summary(Time now) {
  Transaction transaction(*database_, Kind::kRead);
  StoreSummary summary;
  summary.now = now;
  summary.counters = numbers(*database_, "SELECT name, value FROM counters");
  read_tallies(*database_, summary);
  read_overdue(*database_, summary);
  read_deliveries(*database_, summary);
  read_steering(*database_, summary);
  read_sizes(*database_, summary);
  summary.session_ids = session_id_count();
  return transaction.commit(std::move(summary));
}

// Counting them reads an index of all sessions of a week.
std::uint64_t SqliteStore::session_id_count() {
  const auto now = std::chrono::steady_clock::now();
  if (!session_ids_counted_ || now - *session_ids_counted_ >= kCountIdsEvery) {
    session_ids_ = number(*database_, "SELECT count(*) FROM session_ids");
    session_ids_counted_ = now;
  }
  return session_ids_;
}

}  // namespace rapporteur
