// The list of destinations that get no reports, and the failures that lead onto it.

#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace rapporteur {

namespace {

using Kind = Transaction::Kind;

constexpr std::string_view kSuppressionColumns =
    "SELECT pattern, automatic, since, until, reason, spells, lifted, probe,"
    " EXISTS (SELECT 1 FROM deliveries WHERE id = probe AND state IN ('pending', 'uncertain'))"
    " FROM suppressions ";

// When an attempt was made that has ended: what bounces had been accepted before.
constexpr std::string_view kAttemptTime =
    "CASE WHEN state IN ('delivered', 'bounced') THEN coalesce(handed_over, ended) ELSE ended END";
constexpr std::string_view kEnded = " WHERE destination = ?1 AND ended IS NOT NULL";
constexpr std::string_view kBlamedFailure = "blamed AND state IN ('failed', 'bounced')";

Suppression read_suppression(const Query& row) {
  Suppression found;
  found.pattern = row.text(0);
  found.automatic = row.flag(1);
  found.since = row.time(2);
  found.until = row.optional_time(3);
  found.reason = row.text(4);
  found.spells = static_cast<int>(row.integer(5));
  found.lifted = row.optional_time(6);
  found.probe = row.text(7);
  found.probe_open = row.flag(8);
  return found;
}

}  // namespace

Result<std::vector<Suppression>> SqliteStore::suppressions(std::span<const std::string> patterns) {
  Transaction transaction(*database_, Kind::kRead);
  std::vector<Suppression> found;
  for (const auto& pattern : patterns) {
    Query query(*database_, std::string(kSuppressionColumns) + "WHERE pattern = ?1", pattern);
    if (query.next()) found.push_back(read_suppression(query));
  }
  return transaction.commit(std::move(found));
}

Result<std::vector<Suppression>> SqliteStore::suppression_list(const std::string& after,
                                                               std::size_t limit) {
  Transaction transaction(*database_, Kind::kRead);
  std::vector<Suppression> found;
  {
    Query query(*database_,
                std::string(kSuppressionColumns) + "WHERE pattern > ?1 ORDER BY pattern LIMIT ?2",
                after, row_limit(limit));
    while (query.next()) found.push_back(read_suppression(query));
  }
  return transaction.commit(std::move(found));
}

Result<void> SqliteStore::put_suppression(const Suppression& suppression) {
  Transaction transaction(*database_, Kind::kWrite);
  database_->execute(
      "INSERT INTO suppressions (pattern, automatic, since, until, reason, spells, lifted, probe)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (pattern) DO UPDATE SET"
      " automatic = ?2, since = ?3, until = ?4, reason = ?5, spells = ?6, lifted = ?7, probe = ?8"
      " WHERE NOT ?2 OR ?7 IS NOT NULL OR automatic OR until <= ?3",
      suppression.pattern, suppression.automatic, suppression.since, suppression.until,
      suppression.reason, suppression.spells, suppression.lifted, suppression.probe);
  return transaction.commit();
}

Result<bool> SqliteStore::remove_suppression(const std::string& pattern) {
  Transaction transaction(*database_, Kind::kWrite);
  const bool removed =
      database_->execute("DELETE FROM suppressions WHERE pattern = ?1", pattern) == 1;
  return transaction.commit(removed);
}

Result<bool> SqliteStore::claim_probe(const std::string& pattern, const std::string& delivery) {
  Transaction transaction(*database_, Kind::kWrite);
  const bool claimed =
      database_->execute(
          "UPDATE suppressions SET probe = ?2 WHERE pattern = ?1 AND (probe = ?2 OR NOT EXISTS"
          " (SELECT 1 FROM deliveries WHERE id = probe AND state IN ('pending', 'uncertain')))",
          pattern, delivery) == 1;
  return transaction.commit(claimed);
}

Result<void> SqliteStore::forgive(std::span<const std::string> deliveries) {
  Transaction transaction(*database_, Kind::kWrite);
  for (const auto& id : deliveries) {
    database_->execute("UPDATE deliveries SET blamed = 0 WHERE id = ?1", id);
  }
  return transaction.commit();
}

Result<FailureStreak> SqliteStore::failure_streak(const std::string& destination, Time since,
                                                  Time now) {
  Transaction transaction(*database_, Kind::kRead);
  FailureStreak streak;
  const auto find = [&](std::string_view what, Time after, Time until) {
    return Query(*database_,
                 "SELECT " + std::string(kAttemptTime) + " AS at, state FROM deliveries" +
                     std::string(kEnded) + " AND at > ?2 AND at <= ?3 AND " + std::string(what) +
                     " ORDER BY at DESC LIMIT 1",
                 destination, after, until);
  };
  {
    auto latest = find(kBlamedFailure, since, now);
    const bool failed = latest.next();
    if (failed) streak.last = latest.time(0);
    // An acceptance behind it is an answer to a refusal, but not to a bounce: it may bounce, too.
    const bool refused = failed && latest.text(1) == "failed";
    auto behind = find("state = 'delivered'", streak.last, now);
    if (!failed || (refused && behind.next())) return transaction.commit(FailureStreak());
  }
  {
    auto success = find("state = 'delivered'", since, streak.last - Seconds(1));
    const auto after = success.next() ? success.time(0) : since;
    Query failures(*database_,
                   "SELECT count(DISTINCT window_id), min(" + std::string(kAttemptTime) +
                       ") FROM deliveries" + std::string(kEnded) + " AND " +
                       std::string(kAttemptTime) + " > ?2 AND " + std::string(kAttemptTime) +
                       " <= ?3 AND " + std::string(kBlamedFailure),
                   destination, after, now);
    if (failures.next()) {
      streak.windows = static_cast<std::size_t>(failures.integer(0));
      streak.first = failures.time(1);
    }
  }
  return transaction.commit(streak);
}

}  // namespace rapporteur
