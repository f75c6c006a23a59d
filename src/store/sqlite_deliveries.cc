// Deliveries: how an attempt ended, and what follows from that for the part and window. Which are
// due: sqlite_due.cc.

#include "base/domain.h"
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace rapporteur {

namespace {

using Kind = Transaction::Kind;

// Why the fallbacks of a part were abandoned: the only reason that a bounce takes back.
constexpr std::string_view kNotNeeded = "not needed: another destination has accepted the report";

// What record_attempt() and the administrator's orders need to know of a delivery.
struct Standing {
  WindowId window = 0;
  int part = 1;
  DeliveryState state = DeliveryState::kPending;
};

std::optional<Standing> standing_of(Database& database, const std::string& delivery) {
  Query query(database, "SELECT window_id, part, state FROM deliveries WHERE id = ?1", delivery);
  if (!query.next()) return std::nullopt;
  const auto state = parse_delivery_state(query.text(2));
  if (!state) {
    database.fail(Fault::kCorrupt, "a delivery has the unknown state '" + query.text(2) + "'");
    return std::nullopt;
  }
  return Standing{query.integer(0), static_cast<int>(query.integer(1)), *state};
}

}  // namespace

void SqliteStore::insert_delivery(const Delivery& delivery, WindowId window) {
  const bool mail = is_mail(delivery.destination);
  const bool open = !is_final(delivery.state);
  const bool waiting = open && delivery.fallback && !delivery.next_attempt;
  const bool delivered = delivery.state == DeliveryState::kDelivered;
  database_->execute(
      "INSERT INTO deliveries (id, window_id, part, rank, state, mail, fallback, waiting, attempts,"
      " first_attempt, next_attempt, ended, handed_over, mail_domain, destination, envelope_from,"
      " last_response, header, destination_key)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, nullif(?14, ''), ?15, ?16,"
      " ?17, ?18, ?19)",
      delivery.id, window, delivery.part, delivery.rank, to_string(delivery.state), mail,
      delivery.fallback, waiting, delivery.attempts, delivery.first_attempt,
      open ? delivery.next_attempt : std::nullopt, delivery.ended,
      delivered ? delivery.ended : std::nullopt,
      mail ? domain_of_address(delivery.destination) : std::string_view(), delivery.destination,
      delivery.envelope_from, delivery.last_response, delivery.header, delivery.destination_key);
}

// Once a destination has accepted the part, its waiting fallbacks are not needed. While none has
// and none is being tried, the next of them begins.
void SqliteStore::settle_part(WindowId window, int part, Time now) {
  bool delivered = false;
  bool active = false;
  bool waiting = false;
  {
    Query query(*database_,
                "SELECT state, waiting FROM deliveries WHERE window_id = ?1 AND part = ?2", window,
                part);
    while (query.next()) {
      const auto state = query.text(0);
      delivered = delivered || state == "delivered";
      active = active || ((state == "pending" || state == "uncertain") && !query.flag(1));
      waiting = waiting || query.flag(1);
    }
  }
  if (!waiting) return;
  if (delivered) {
    database_->execute(
        "UPDATE deliveries SET state = 'abandoned', waiting = 0, next_attempt = NULL, ended = ?3,"
        " last_response = ?4 WHERE window_id = ?1 AND part = ?2 AND waiting = 1",
        window, part, now, kNotNeeded);
  } else if (!active) {
    database_->execute(
        "UPDATE deliveries SET waiting = 0, next_attempt = ?3 WHERE rowid ="
        " (SELECT rowid FROM deliveries WHERE window_id = ?1 AND part = ?2 AND waiting = 1"
        " ORDER BY rank LIMIT 1)",
        window, part, now);
  }
}

// The success for which they were abandoned was none.
void SqliteStore::revive_fallbacks(WindowId window, int part) {
  const auto revived = database_->execute(
      "UPDATE deliveries SET state = 'pending', waiting = 1, ended = NULL, last_response = ''"
      " WHERE window_id = ?1 AND part = ?2 AND fallback AND state = 'abandoned'"
      " AND last_response = ?3",
      window, part, kNotNeeded);
  if (revived == 0) return;
  database_->execute(
      "UPDATE windows SET state = 'assembled', finished = NULL WHERE id = ?1 AND state = 'done'",
      window);
}

void SqliteStore::settle_window(WindowId window, Time now) {
  database_->execute(
      "UPDATE windows SET state = 'done', finished = ?2 WHERE id = ?1 AND state = 'assembled'"
      " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE window_id = ?1"
      " AND state IN ('pending', 'uncertain'))",
      window, now);
}

void SqliteStore::abandon_open(WindowId window, const std::string& reason, Time now) {
  database_->execute(
      "UPDATE deliveries SET state = 'abandoned', waiting = 0, next_attempt = NULL, ended = ?2,"
      " last_response = ?3 WHERE window_id = ?1 AND state IN ('pending', 'uncertain')",
      window, now, reason);
  // No bounce brings these back.
  database_->execute(
      "UPDATE deliveries SET last_response = ?2 WHERE window_id = ?1 AND state = 'abandoned'"
      " AND last_response = ?3",
      window, reason, kNotNeeded);
}

Result<std::vector<bool>> SqliteStore::begin_attempts(std::span<const std::string> deliveries,
                                                      Time now) {
  Transaction transaction(*database_, Kind::kWrite);
  std::vector<bool> begun;
  begun.reserve(deliveries.size());
  for (const auto& delivery : deliveries) {
    begun.push_back(
        database_->execute(
            "UPDATE deliveries SET begun = ?2 WHERE id = ?1 AND state IN ('pending', 'uncertain')",
            delivery, now) == 1);
  }
  return transaction.commit(std::move(begun));
}

Result<void> SqliteStore::record_attempts(std::span<const AttemptRecord> records) {
  Transaction transaction(*database_, Kind::kWrite);
  for (const auto& record : records) record_one(record);
  return transaction.commit();
}

void SqliteStore::record_one(const AttemptRecord& record) {
  const auto standing = standing_of(*database_, record.delivery);
  if (!standing) return;
  const bool bounce = record.state == DeliveryState::kBounced;
  const bool delivered = record.state == DeliveryState::kDelivered;
  if (is_final(standing->state) && !delivered && !bounce) {
    database_->execute("UPDATE deliveries SET attempts = attempts + 1, begun = NULL WHERE id = ?1",
                       record.delivery);
    return;
  }
  const bool final = is_final(record.state);
  const std::optional<Time> ended = final ? std::optional(record.now) : std::nullopt;
  database_->execute(
      "UPDATE deliveries SET state = ?2, attempts = attempts + ?3, waiting = 0,"
      " first_attempt = coalesce(?4, first_attempt), next_attempt = ?5,"
      " last_response = CASE WHEN ?9 OR last_response = '' THEN ?6 ELSE last_response END,"
      " ended = ?7, handed_over = coalesce(?8, handed_over), begun = NULL, blamed = ?10"
      " WHERE id = ?1",
      record.delivery, to_string(record.state), bounce || !record.tried ? 0 : 1,
      record.first_attempt, final ? std::nullopt : record.next_attempt, record.last_response, ended,
      delivered ? ended : std::nullopt, record.tried || record.state == DeliveryState::kSuppressed,
      record.blamed);
  if (bounce) revive_fallbacks(standing->window, standing->part);
  if (final) {
    settle_part(standing->window, standing->part, record.now);
    settle_window(standing->window, record.now);
  }
}

Result<std::size_t> SqliteStore::recover_interrupted(Time now) {
  Transaction transaction(*database_, Kind::kWrite);
  const auto recovered = database_->execute(
      "UPDATE deliveries SET state = 'uncertain', next_attempt = ?1, begun = NULL"
      " WHERE begun IS NOT NULL AND state IN ('pending', 'uncertain')",
      now);
  database_->execute("UPDATE deliveries SET begun = NULL WHERE begun IS NOT NULL");
  return transaction.commit(static_cast<std::size_t>(recovered));
}

Result<std::vector<Delivery>> SqliteStore::deliveries(const DeliveryFilter& filter) {
  Transaction transaction(*database_, Kind::kRead);
  Conditions conditions;
  conditions.name("d.id", filter.id);
  conditions.name("w.domain", filter.domain);
  if (filter.window) conditions.integers("d.window_id = ?", {*filter.window});
  if (filter.state) conditions.text("d.state = ?", to_string(*filter.state));
  if (!filter.after.empty()) {
    conditions.text(
        "(d.window_id, d.part, d.rank, d.rowid) >"
        " (SELECT window_id, part, rank, rowid FROM deliveries WHERE id = ?)",
        filter.after);
  }
  std::vector<Delivery> found;
  {
    Query query(*database_, "SELECT " + std::string(kDeliveryColumns) +
                                std::string(kDeliveryTables) + conditions.sql() +
                                "ORDER BY d.window_id, d.part, d.rank, d.rowid LIMIT ?");
    conditions.bind_to(query);
    query.bind(row_limit(filter.limit));
    while (query.next()) found.push_back(read_delivery(*database_, query));
  }
  return transaction.commit(std::move(found));
}

Result<std::optional<Store::Submission>> SqliteStore::submission(const std::string& delivery) {
  Transaction transaction(*database_, Kind::kRead);
  std::optional<Submission> found;
  {
    Query query(*database_, submission_sql("d.id = ?1"), delivery);
    if (query.next()) {
      found = Submission{read_delivery(*database_, query), query.text(kDeliveryColumnCount)};
    }
  }
  return transaction.commit(std::move(found));
}

Result<std::vector<bool>> SqliteStore::retry_deliveries(std::span<const std::string> deliveries,
                                                        Time now) {
  return change_each(deliveries, [&](const std::string& delivery) {
    const auto standing = standing_of(*database_, delivery);
    if (!standing || standing->state == DeliveryState::kDelivered) return false;
    database_->execute(
        "UPDATE deliveries SET state = 'pending', waiting = 0, next_attempt = ?2,"
        " first_attempt = NULL, ended = NULL, blamed = 0 WHERE id = ?1",
        delivery, now);
    database_->execute(
        "UPDATE windows SET state = 'assembled', finished = NULL, reason = ''"
        " WHERE id = ?1 AND state = 'done'",
        standing->window);
    return true;
  });
}

Result<std::vector<bool>> SqliteStore::abandon_deliveries(std::span<const std::string> deliveries,
                                                          const std::string& reason, Time now) {
  return change_each(deliveries, [&](const std::string& delivery) {
    const auto standing = standing_of(*database_, delivery);
    if (!standing || is_final(standing->state)) return false;
    database_->execute(
        "UPDATE deliveries SET state = 'abandoned', waiting = 0, next_attempt = NULL, ended = ?2,"
        " last_response = ?3 WHERE id = ?1",
        delivery, now, reason);
    settle_part(standing->window, standing->part, now);
    settle_window(standing->window, now);
    return true;
  });
}

}  // namespace rapporteur
