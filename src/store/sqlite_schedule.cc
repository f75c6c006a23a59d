// Windows and their run: what falls due, what assembling it makes, and what the run asks about
// earlier reports.

#include <algorithm>

#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace rapporteur {

namespace {

using Kind = Transaction::Kind;

// So many more than are wanted fall due.
constexpr std::size_t kFewLeft = 64;

// A window that is blocked is not tried before its own time has come either. ?2 is what no retry is
// put off further than.
constexpr std::string_view kAnyToMove =
    "SELECT EXISTS (SELECT 1 FROM windows WHERE state = 'collecting' AND due <= ?1)"
    " OR EXISTS (SELECT 1 FROM windows WHERE state = 'blocked' AND due <= ?1"
    " AND (coalesce(retry, due) <= ?1 OR retry > max(?2, ends + ?2 - ?1)))";

bool any_to_move(Database& database, Time now) {
  Query query(database, kAnyToMove, now, now + kFarthestRetry);
  return query.next() && query.flag(0);
}

// The earliest ones, so many of each state.
void move_due(Database& database, Time now, std::size_t limit) {
  database.execute(
      "UPDATE windows SET state = 'due', lookup = NULL WHERE id IN (SELECT id FROM windows"
      " WHERE state = 'collecting' AND due <= ?1 ORDER BY due, id LIMIT ?2)",
      now, row_limit(limit));
  database.execute(
      "UPDATE windows SET state = 'due', retry = NULL WHERE id IN (SELECT id FROM windows"
      " WHERE state = 'blocked' AND due <= ?1"
      " AND (coalesce(retry, due) <= ?1 OR retry > max(?2, ends + ?2 - ?1))"
      " ORDER BY due, id LIMIT ?3)",
      now, now + kFarthestRetry, row_limit(limit));
}

void insert_part(Database& database, WindowId window, const Part& part) {
  database.execute(
      "INSERT INTO parts (window_id, number, parts_total, report_id, file_name, successful, failed,"
      " gz, mail_body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
      window, part.number, part.of, part.report_id, part.file_name, part.successful, part.failed,
      Blob{part.gz}, Blob{part.mail_body});
}

// Supplements of the same period number their parts on after `last_part`.
void number_siblings_on(Database& database, WindowId window, int last_part) {
  database.execute(
      "UPDATE windows SET first_part = max(first_part, ?2 + 1) WHERE id <> ?1"
      " AND state NOT IN ('assembled', 'done')"
      " AND (domain, starts) = (SELECT domain, starts FROM windows WHERE id = ?1)",
      window, last_part);
}

// Every delivery has its time: no window or part that has such deliveries is settled.
bool all_planned(const std::vector<Delivery>& deliveries) {
  return !deliveries.empty() && std::ranges::all_of(deliveries, [](const Delivery& delivery) {
    return delivery.state == DeliveryState::kPending && delivery.next_attempt;
  });
}

}  // namespace

// At midnight a million windows may fall due at once: those that are not wanted yet wait as they
// are.
Result<std::vector<Window>> SqliteStore::claim_due(Time now, std::size_t limit,
                                                   std::optional<std::pair<Time, WindowId>> after) {
  bool moving = false;
  {
    Transaction looking(*database_, Kind::kRead);
    moving = any_to_move(*database_, now);
    if (auto done = looking.commit(); !done) return std::move(done).error();
  }
  Transaction transaction(*database_, moving ? Kind::kWrite : Kind::kRead);
  if (moving) move_due(*database_, now, limit + kFewLeft);
  std::vector<Window> due;
  {
    Conditions conditions;
    conditions.plain("w.state = 'due'");
    const auto at = now.time_since_epoch().count();
    const auto farthest = kFarthestRetry.count();
    conditions.integers("(w.retry IS NULL OR w.retry <= ? OR w.retry > max(?, w.ends) + ?)",
                        {at, at, farthest});
    if (after) conditions.after_window(*after);
    Query query(*database_, "SELECT " + std::string(kWindowColumns) + " FROM windows AS w" +
                                conditions.sql() + "ORDER BY w.due, w.id LIMIT ?");
    conditions.bind_to(query);
    query.bind(row_limit(limit));
    while (query.next()) due.push_back(read_window(*database_, query));
  }
  return transaction.commit(std::move(due));
}

Result<std::vector<bool>> SqliteStore::conclude(std::span<const Conclusion> conclusions) {
  Transaction transaction(*database_, Kind::kWrite);
  std::vector<bool> written;
  written.reserve(conclusions.size());
  for (const auto& conclusion : conclusions) {
    auto done = std::visit([this](const auto& one) { return write(one); }, conclusion);
    if (!done) return std::move(done).error();
    written.push_back(*done);
  }
  return transaction.commit(std::move(written));
}

// Nobody else works on the store.
Result<void> SqliteStore::renew_leases(std::span<const WindowId> /*windows*/,
                                       std::span<const std::string> /*deliveries*/) {
  return {};
}

Result<bool> SqliteStore::write(const Assembly& assembly) {
  int first = 0;
  int last = 0;
  for (const auto& part : assembly.parts) {
    first = first == 0 ? part.number : std::min(first, part.number);
    last = std::max(last, part.number);
  }
  const auto counted = assembly.counted.value_or(Assembly::Counted());
  const bool moved =
      database_->execute(
          "UPDATE windows SET state = 'assembled', assembled = ?2, fingerprint = ?3, record = ?4,"
          " reason = '', retry = NULL,"
          " first_part = CASE WHEN ?5 > 0 THEN ?5 ELSE first_part END"
          " WHERE id = ?1 AND state = 'due' AND (NOT ?6 OR (successful = ?7 AND failed = ?8))",
          assembly.window, assembly.now, assembly.fingerprint, assembly.record, first,
          assembly.counted.has_value(), counted.successful, counted.failed) == 1;
  if (!moved) return false;
  for (std::size_t i = 0; i < assembly.parts.size(); ++i) {
    if (!assembly.load) {
      insert_part(*database_, assembly.window, assembly.parts[i]);
      continue;
    }
    auto part = assembly.parts[i];
    if (auto loaded = assembly.load(i, part); !loaded) return std::move(loaded).error();
    insert_part(*database_, assembly.window, part);
  }
  number_siblings_on(*database_, assembly.window, last);
  for (const auto& delivery : assembly.deliveries) insert_delivery(delivery, assembly.window);
  if (all_planned(assembly.deliveries)) return true;
  for (const auto& part : assembly.parts) {
    settle_part(assembly.window, part.number, assembly.now);
  }
  settle_window(assembly.window, assembly.now);
  return true;
}

Result<bool> SqliteStore::write(const Postponement& postponement) {
  auto retry = postponement.retry;
  std::optional<Time> finished;
  if (postponement.to == WindowState::kSuppressed) {
    finished = postponement.now;
    retry.reset();
  }
  return database_->execute(
             "UPDATE windows SET state = ?2, reason = ?3, retry = ?4, finished = ?5,"
             " first_attempt = min(coalesce(first_attempt, ?6), ?6), lookup_since ="
             " CASE WHEN ?2 = 'due' THEN min(coalesce(lookup_since, ?6), ?6) END "
             "WHERE id = ?1 AND state = 'due'",
             postponement.window, to_string(postponement.to), postponement.reason, retry, finished,
             postponement.now) == 1;
}

Result<void> SqliteStore::retry_now(bool temporary, Time now) {
  Transaction transaction(*database_, Kind::kWrite);
  // Never before the window's end.
  database_->execute(
      "UPDATE windows SET retry = max(?1, ends) WHERE state = 'blocked'"
      " AND coalesce(retry, due) > max(?1, ends)",
      now);
  if (temporary) {
    database_->execute(
        "UPDATE windows SET retry = max(?1, ends) WHERE state = 'due' AND retry > max(?1, ends)",
        now);
  }
  return transaction.commit();
}

Result<bool> SqliteStore::unblock(WindowId window, Time now) {
  Transaction transaction(*database_, Kind::kWrite);
  const bool moved =
      database_->execute(
          "UPDATE windows SET state = 'collecting', reason = '', retry = NULL, first_attempt = NULL"
          " WHERE id = ?1 AND state = 'blocked' AND ends > ?2",
          window, now) == 1;
  return transaction.commit(moved);
}

Result<bool> SqliteStore::reported_like(const std::string& domain, const std::string& fingerprint,
                                        Time since) {
  Transaction transaction(*database_, Kind::kRead);
  bool found = false;
  {
    Query query(*database_,
                "SELECT 1 FROM windows WHERE domain = ?1 AND fingerprint = ?2 AND assembled >= ?3"
                " LIMIT 1",
                domain, fingerprint, since);
    found = query.next();
  }
  return transaction.commit(found);
}

}  // namespace rapporteur
