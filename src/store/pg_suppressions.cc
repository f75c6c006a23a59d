// The list of destinations that get no reports, and the failures that lead onto it.

#include <map>

#include "store/pg_conditions.h"
#include "store/pg_store.h"
#include "store/pg_text.h"

namespace rapporteur {

namespace {

constexpr std::string_view kSuppressionColumns =
    "SELECT s.pattern, s.automatic, s.since, s.until, s.reason, s.spells, s.lifted, s.probe,"
    " EXISTS (SELECT 1 FROM deliveries AS d WHERE d.id = s.probe"
    " AND d.state IN ('pending', 'uncertain')) FROM suppressions AS s ";

// When an attempt was made that has ended: what bounces had been accepted before.
constexpr std::string_view kAttemptTime =
    "CASE WHEN state IN ('delivered', 'bounced') THEN coalesce(handed_over, ended) ELSE ended END";
constexpr std::string_view kEnded = " WHERE destination = $1 AND ended IS NOT NULL";
constexpr std::string_view kBlamedFailure = "blamed AND state IN ('failed', 'bounced')";

Suppression read_suppression(const PgRows& row) {
  Suppression found;
  found.pattern = row.text(0);
  found.automatic = row.flag(1);
  found.since = row.time(2);
  found.until = row.optional_time(3);
  found.reason = row.text(4);
  found.spells = small_integer(row.integer(5));
  found.lifted = row.optional_time(6);
  found.probe = row.text(7);
  found.probe_open = row.flag(8);
  return found;
}

struct Ending {
  Time at;
  std::string state;
};

// The latest ending of the destination behind `after` and up to `until` for which `what` holds.
std::optional<Ending> latest(PgDatabase& database, std::string_view what,
                             const std::string& destination, Time after, Time until) {
  const auto at = "(" + std::string(kAttemptTime) + ")";
  auto rows = database.query("SELECT " + at + " AS at, state FROM deliveries" +
                                 std::string(kEnded) + " AND " + at + " > $2 AND " + at +
                                 " <= $3 AND " + std::string(what) + " ORDER BY at DESC LIMIT 1",
                             destination, after, until);
  if (!rows.next()) return std::nullopt;
  return Ending{rows.time(0), rows.text(1)};
}

}  // namespace

Result<std::vector<Suppression>> PgStore::suppressions(std::span<const std::string> patterns) {
  static const auto kSql = std::string(kSuppressionColumns) + "WHERE s.pattern = ANY($1::text[])";
  if (patterns.empty()) return std::vector<Suppression>();
  return database_->read([&] {
    PgArray asked;
    for (const auto& pattern : patterns) asked.add(readable(pattern));
    std::map<std::string, Suppression> by_pattern;
    auto rows = database_->query(kSql, asked);
    while (rows.next()) by_pattern.emplace(rows.text(0), read_suppression(rows));
    std::vector<Suppression> found;
    for (const auto& pattern : patterns) {
      const auto one = by_pattern.find(pattern);
      if (one != by_pattern.end()) found.push_back(one->second);
    }
    return found;
  });
}

Result<std::vector<Suppression>> PgStore::suppression_list(const std::string& after,
                                                           std::size_t limit) {
  static const auto kSql =
      std::string(kSuppressionColumns) + "WHERE s.pattern > $1 ORDER BY s.pattern LIMIT $2";
  return database_->read([&] {
    std::vector<Suppression> found;
    auto rows = database_->query(kSql, readable(after), limit);
    while (rows.next()) found.push_back(read_suppression(rows));
    return found;
  });
}

Result<void> PgStore::put_suppression(const Suppression& suppression) {
  return database_->write([&] {
    database_->execute(
        "INSERT INTO suppressions AS s"
        " (pattern, automatic, since, until, reason, spells, lifted, probe)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (pattern) DO UPDATE SET"
        " automatic = excluded.automatic, since = excluded.since, until = excluded.until,"
        " reason = excluded.reason, spells = excluded.spells, lifted = excluded.lifted,"
        " probe = excluded.probe WHERE NOT excluded.automatic OR excluded.lifted IS NOT NULL"
        " OR s.automatic OR s.until <= excluded.since",
        readable(suppression.pattern), suppression.automatic, suppression.since, suppression.until,
        readable(suppression.reason), suppression.spells, suppression.lifted,
        readable(suppression.probe));
  });
}

Result<bool> PgStore::remove_suppression(const std::string& pattern) {
  return database_->write([&] {
    return database_->execute("DELETE FROM suppressions WHERE pattern = $1", readable(pattern)) ==
           1;
  });
}

// Compares and swaps: of two that find the old probe ended, one becomes the new one.
Result<bool> PgStore::claim_probe(const std::string& pattern, const std::string& delivery) {
  return database_->write([&] {
    std::string probe;
    bool open = false;
    {
      auto rows = database_->query(std::string(kSuppressionColumns) + "WHERE s.pattern = $1",
                                   readable(pattern));
      if (!rows.next()) return false;
      probe = rows.text(7);
      open = rows.flag(8);
    }
    if (open && probe != delivery) return false;
    return database_->execute(
               "UPDATE suppressions SET probe = $2 WHERE pattern = $1 AND probe = $3",
               readable(pattern), delivery, probe) == 1;
  });
}

Result<void> PgStore::forgive(std::span<const std::string> deliveries) {
  if (deliveries.empty()) return {};
  return database_->write([&] {
    const auto keys = delivery_keys(deliveries);
    if (keys.ids.empty()) return;
    database_->execute(
        "UPDATE deliveries AS d SET blamed = FALSE"
        " FROM unnest($1::text[], $2::text[]) AS v(domain, id)"
        " WHERE d.domain = v.domain AND d.id = v.id",
        keys.domains, keys.ids);
  });
}

Result<FailureStreak> PgStore::failure_streak(const std::string& destination, Time since,
                                              Time now) {
  const auto at = "(" + std::string(kAttemptTime) + ")";
  return database_->read([&] {
    FailureStreak streak;
    const auto failed = latest(*database_, kBlamedFailure, destination, since, now);
    if (!failed) return streak;
    // An acceptance behind it is an answer to a refusal, but not to a bounce: it may bounce, too.
    const bool refused = failed->state == "failed";
    if (refused && latest(*database_, "state = 'delivered'", destination, failed->at, now)) {
      return streak;
    }
    const auto success =
        latest(*database_, "state = 'delivered'", destination, since, failed->at - Seconds(1));
    auto rows = database_->query(
        "SELECT count(DISTINCT window_id), min(" + at + ") FROM deliveries" + std::string(kEnded) +
            " AND " + at + " > $2 AND " + at + " <= $3 AND " + std::string(kBlamedFailure),
        destination, success ? success->at : since, now);
    if (!rows.next() || rows.is_null(1)) return streak;
    streak.last = failed->at;
    streak.windows = static_cast<std::size_t>(rows.integer(0));
    streak.first = rows.time(1);
    return streak;
  });
}

}  // namespace rapporteur
