// Deliveries: how attempts begin and end, and what the administrator sees of them and does. Which
// are due: pg_due.cc. What follows for the part and window: pg_settle.cc.

#include <algorithm>
#include <set>

#include "store/pg_conditions.h"
#include "store/pg_leases.h"
#include "store/pg_settle.h"
#include "store/pg_store.h"
#include "store/pg_text.h"

namespace rapporteur {

namespace {

// Deliveries whose places are remembered.
constexpr std::size_t kMostPlaces = 100'000;

// What happens to the row of the delivery itself. True: it has ended, and its part is to be
// settled.
bool apply(const AttemptRecord& record, DeliveryRow& row, DeliveryBook& book) {
  const bool bounce = record.state == DeliveryState::kBounced;
  const bool delivered = record.state == DeliveryState::kDelivered;
  row.changed = true;
  if ((is_final(row.state) || row.foreign) && !delivered && !bounce) {
    ++row.attempts;
    if (!row.foreign) row.begun = false;
    return false;
  }
  const bool final = is_final(record.state);
  if (!bounce && record.tried) ++row.attempts;
  book.move(row, record.state);
  row.waiting = false;
  if (record.first_attempt) row.first_attempt = record.first_attempt;
  row.next_attempt = final ? std::nullopt : record.next_attempt;
  const bool told = record.tried || record.state == DeliveryState::kSuppressed;
  if (told || row.last_response.empty()) row.last_response = record.last_response;
  row.ended = final ? std::optional(record.now) : std::nullopt;
  if (delivered) row.handed_over = record.now;
  row.begun = false;
  row.foreign = false;
  row.blamed = record.blamed;
  return final;
}

}  // namespace

// ---- Where deliveries are

// Deliveries never move: what was found once stays true.
void PgStore::know_deliveries(std::span<const std::string> ids) {
  if (delivery_places_.size() > kMostPlaces) delivery_places_.clear();
  PgArray unknown;
  for (const auto& id : ids) {
    if (!delivery_places_.contains(id)) unknown.add(readable(id));
  }
  if (unknown.empty()) return;
  auto rows = database_->query(
      "SELECT id, domain, window_id, part FROM deliveries WHERE id = ANY($1::text[])", unknown);
  while (rows.next()) {
    know_delivery(rows.text(0), {rows.text(1), rows.integer(2), small_integer(rows.integer(3))});
  }
}

void PgStore::know_delivery(const std::string& id, DeliveryPlace place) {
  know_domain(place.window, place.domain);
  delivery_places_.insert_or_assign(id, std::move(place));
}

const DeliveryPlace* PgStore::delivery_place(const std::string& id) const {
  const auto found = delivery_places_.find(id);
  return found == delivery_places_.end() ? nullptr : &found->second;
}

std::set<DeliveryPlace> PgStore::places_of(std::span<const std::string> ids) {
  know_deliveries(ids);
  std::set<DeliveryPlace> places;
  for (const auto& id : ids) {
    if (const auto* const place = delivery_place(id)) places.insert(*place);
  }
  return places;
}

// In the order in which rows are locked.
PgStore::DeliveryKeys PgStore::delivery_keys(std::span<const std::string> ids) {
  know_deliveries(ids);
  std::set<std::pair<std::string_view, std::string_view>> ordered;
  for (const auto& id : ids) {
    if (const auto* const place = delivery_place(id)) ordered.emplace(place->domain, id);
  }
  DeliveryKeys keys;
  for (const auto& [domain, id] : ordered) {
    keys.domains.add(domain);
    keys.ids.add(id);
  }
  return keys;
}

// ---- Attempts

// One that nobody holds is taken, as long as none of another node's attempts may be at it: that one
// is uncertain first, which due_deliveries() sees to.
Result<std::vector<bool>> PgStore::begin_attempts(std::span<const std::string> deliveries,
                                                  Time now) {
  static const auto kSql =
      "UPDATE deliveries AS d SET begun = $3, lease_node = $4::text, lease_until = " +
      std::string(kLeaseClock) +
      " + $5::bigint FROM unnest($1::text[], $2::text[]) AS v(domain, id)"
      " WHERE d.domain = v.domain AND d.id = v.id AND d.state IN ('pending', 'uncertain')"
      " AND (d.lease_node = $4::text OR (" +
      lease_is_free("d", "$4::text") +
      " AND d.begun IS NULL AND (d.next_attempt <= $3 OR d.next_attempt > $6::bigint)))"
      " RETURNING d.id";
  if (deliveries.empty()) return std::vector<bool>();
  return database_->write([&] {
    const auto keys = delivery_keys(deliveries);
    std::set<std::string> begun;
    if (!keys.ids.empty()) {
      auto rows = database_->query(kSql, keys.domains, keys.ids, now, options_.node,
                                   options_.lease.count(), now + kFarthestAttempt);
      while (rows.next()) begun.insert(rows.text(0));
    }
    std::vector<bool> told;
    told.reserve(deliveries.size());
    for (const auto& id : deliveries) told.push_back(begun.contains(id));
    return told;
  });
}

Result<void> PgStore::record_attempts(std::span<const AttemptRecord> records) {
  if (records.empty()) return {};
  std::vector<std::string> ids;
  ids.reserve(records.size());
  for (const auto& record : records) ids.push_back(record.delivery);
  return database_->write([&] {
    const auto places = places_of(ids);
    if (places.empty()) return;
    DeliveryBook book(*database_, places, options_.node);
    for (const auto& record : records) {
      const auto* const place = delivery_place(record.delivery);
      auto* const row = place == nullptr ? nullptr : book.find(*place, record.delivery);
      if (row == nullptr) continue;
      const bool ended = apply(record, *row, book);
      if (record.state == DeliveryState::kBounced) book.revive_fallbacks(*place);
      if (ended) book.settle(*place, record.now);
    }
    add_ended(book.store());
  });
}

void PgStore::add_ended(const EndedCounts& ended) {
  if (!ended.empty()) add_counters(ended);
}

Result<std::size_t> PgStore::recover_interrupted(Time now) {
  return database_->write([&] {
    // The second condition is the one of the index.
    const auto recovered = database_->execute(
        "UPDATE deliveries SET state = 'uncertain', next_attempt = $2, begun = NULL,"
        " lease_node = '', lease_until = 0 WHERE lease_node = $1 AND lease_node <> ''"
        " AND begun IS NOT NULL AND state IN ('pending', 'uncertain')",
        options_.node, now);
    database_->execute(
        "UPDATE deliveries SET begun = NULL, lease_node = '', lease_until = 0"
        " WHERE lease_node = $1 AND lease_node <> ''",
        options_.node);
    database_->execute(
        "UPDATE windows SET lease_node = '', lease_until = 0"
        " WHERE state = 'due' AND lease_node = $1 AND lease_node <> ''",
        options_.node);
    return static_cast<std::size_t>(recovered);
  });
}

// A lease that has run out is lengthened, too, as long as nobody else has taken it.
Result<void> PgStore::renew_leases(std::span<const WindowId> windows,
                                   std::span<const std::string> deliveries) {
  static const auto kRenew = " SET lease_until = " + std::string(kLeaseClock) + " + $4::bigint";
  static const auto kWindows =
      "UPDATE windows AS w" + kRenew +
      " FROM unnest($1::text[], $2::bigint[]) AS v(domain, id)"
      " WHERE w.domain = v.domain AND w.id = v.id AND w.lease_node = $3::text"
      " AND w.lease_node <> ''";
  static const auto kDeliveries =
      "UPDATE deliveries AS d" + kRenew +
      " FROM unnest($1::text[], $2::text[]) AS v(domain, id)"
      " WHERE d.domain = v.domain AND d.id = v.id AND d.lease_node = $3::text"
      " AND d.lease_node <> ''";
  if (windows.empty() && deliveries.empty()) return {};
  return database_->write([&] {
    std::set<std::pair<std::string, WindowId>> ordered;
    for (const auto window : windows) ordered.emplace(domain_of(window), window);
    PgArray domains, ids;
    for (const auto& [domain, id] : ordered) {
      domains.add(domain);
      ids.add(id);
    }
    if (!ids.empty()) {
      database_->execute(kWindows, domains, ids, options_.node, options_.lease.count());
    }
    const auto keys = delivery_keys(deliveries);
    if (!keys.ids.empty()) {
      database_->execute(kDeliveries, keys.domains, keys.ids, options_.node,
                         options_.lease.count());
    }
  });
}

// ---- What the administrator sees and does

Result<std::vector<Delivery>> PgStore::deliveries(const DeliveryFilter& filter) {
  return database_->read([&] {
    std::vector<Delivery> found;
    PgConditions conditions;
    conditions.name("d.id", filter.id);
    conditions.name("d.domain", filter.domain);
    if (filter.window) {
      conditions.text("d.domain = ?", domain_of(*filter.window));
      conditions.integers("d.window_id = ?", {*filter.window});
    }
    if (filter.state) conditions.text("d.state = ?", to_string(*filter.state));
    if (!filter.after.empty()) {
      auto place = database_->query(
          "SELECT window_id, part, rank, id FROM deliveries WHERE id = $1", readable(filter.after));
      if (!place.next()) return found;
      conditions.texts("(d.window_id, d.part, d.rank, d.id) > (?, ?, ?, ?)",
                       {place.text(0), place.text(1), place.text(2), place.text(3)});
    }
    auto rows = conditions.query(*database_,
                                 "SELECT " + std::string(kDeliveryColumns) + kDeliveryTables +
                                     conditions.sql() +
                                     "ORDER BY d.window_id, d.part, d.rank, d.id LIMIT ?",
                                 filter.limit);
    while (rows.next()) found.push_back(read_delivery(*database_, rows));
    return found;
  });
}

Result<std::optional<Store::Submission>> PgStore::submission(const std::string& delivery) {
  static const auto kSql = "SELECT " + std::string(kDeliveryColumns) + ", " + kDeliveryBody +
                           kDeliveryTables + "WHERE d.domain = $1 AND d.id = $2";
  return database_->read([&] {
    std::optional<Submission> found;
    know_deliveries(std::span(&delivery, 1));
    const auto* const place = delivery_place(delivery);
    if (place == nullptr) return found;
    auto rows = database_->query(kSql, place->domain, delivery);
    if (rows.next()) found = {read_delivery(*database_, rows), rows.bytes(kDeliveryColumnCount)};
    return found;
  });
}

// True: `change` has changed its row.
Result<std::vector<bool>> PgStore::change_deliveries(
    std::span<const std::string> deliveries,
    const std::function<bool(DeliveryBook& book, const DeliveryPlace& place, DeliveryRow& row)>&
        change) {
  return database_->write([&] {
    std::vector<bool> changed(deliveries.size());
    DeliveryBook book(*database_, places_of(deliveries), options_.node);
    for (std::size_t i = 0; i < deliveries.size(); ++i) {
      const auto* const place = delivery_place(deliveries[i]);
      auto* const row = place == nullptr ? nullptr : book.find(*place, deliveries[i]);
      changed[i] = row != nullptr && change(book, *place, *row);
    }
    add_ended(book.store());
    return changed;
  });
}

Result<std::vector<bool>> PgStore::retry_deliveries(std::span<const std::string> deliveries,
                                                    Time now) {
  return change_deliveries(deliveries,
                           [now](DeliveryBook& book, const DeliveryPlace& place, DeliveryRow& row) {
                             if (row.state == DeliveryState::kDelivered) return false;
                             book.move(row, DeliveryState::kPending);
                             row.waiting = false;
                             row.next_attempt = now;
                             row.first_attempt.reset();
                             row.ended.reset();
                             row.blamed = false;
                             book.reopen(place, true);
                             return true;
                           });
}

Result<std::vector<bool>> PgStore::abandon_deliveries(std::span<const std::string> deliveries,
                                                      const std::string& reason, Time now) {
  return change_deliveries(deliveries,
                           [&](DeliveryBook& book, const DeliveryPlace& place, DeliveryRow& row) {
                             if (is_final(row.state)) return false;
                             book.move(row, DeliveryState::kAbandoned);
                             row.waiting = false;
                             row.next_attempt.reset();
                             row.ended = now;
                             row.last_response = reason;
                             book.settle(place, now);
                             return true;
                           });
}

}  // namespace rapporteur
