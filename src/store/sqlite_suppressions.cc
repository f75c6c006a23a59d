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
      "INSERT OR REPLACE INTO suppressions (pattern, automatic, since, until, reason, spells,"
      " lifted, probe) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
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

Result<FailureStreak> SqliteStore::failure_streak(const std::string& destination, Time since) {
  Transaction transaction(*database_, Kind::kRead);
  FailureStreak streak;
  {
    Query latest(*database_,
                 "SELECT coalesce(handed_over, ended) AS at FROM deliveries WHERE destination = ?1"
                 " AND ended IS NOT NULL AND blamed AND state IN ('failed', 'bounced')"
                 " ORDER BY at DESC LIMIT 1",
                 destination);
    if (latest.next() && latest.time(0) > since) streak.last = latest.time(0);
  }
  if (streak.last > since) {
    Query success(*database_,
                  "SELECT coalesce(handed_over, ended) AS at FROM deliveries WHERE destination = ?1"
                  " AND ended IS NOT NULL AND state = 'delivered' AND at < ?2"
                  " ORDER BY at DESC LIMIT 1",
                  destination, streak.last);
    const auto after = success.next() ? std::max(since, success.time(0)) : since;
    Query failures(*database_,
                   "SELECT count(DISTINCT window_id), min(coalesce(handed_over, ended))"
                   " FROM deliveries WHERE destination = ?1 AND ended IS NOT NULL AND blamed"
                   " AND state IN ('failed', 'bounced') AND coalesce(handed_over, ended) > ?2",
                   destination, after);
    if (failures.next()) {
      streak.windows = static_cast<std::size_t>(failures.integer(0));
      streak.first = failures.time(1);
    }
  }
  return transaction.commit(streak);
}

}  // namespace rapporteur
