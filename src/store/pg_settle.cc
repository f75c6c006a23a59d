#include "store/pg_settle.h"

#include <algorithm>

#include "store/pg_conditions.h"
#include "store/pg_leases.h"
#include "store/pg_text.h"
#include "store/rows.h"

namespace rapporteur {

namespace {

void move_to(DeliveryRow& row, DeliveryState state, EndedCounts& ended) {
  if (row.state != state && is_final(state)) ++ended["ended." + std::string(to_string(state))];
  row.state = state;
  row.changed = true;
}

DeliveryState read_delivery_state(PgDatabase& database, const std::string& text) {
  const auto state = parse_delivery_state(text);
  if (!state) database.fail(Fault::kCorrupt, "a delivery has the unknown state '" + text + "'");
  return state.value_or(DeliveryState::kAbandoned);
}

}  // namespace

DeliveryRow row_of(const Delivery& delivery, EndedCounts& ended) {
  const bool open = !is_final(delivery.state);
  DeliveryRow row;
  row.id = delivery.id;
  row.rank = delivery.rank;
  move_to(row, delivery.state, ended);
  row.fallback = delivery.fallback;
  row.waiting = open && delivery.fallback && !delivery.next_attempt;
  row.attempts = delivery.attempts;
  row.first_attempt = delivery.first_attempt;
  if (open) row.next_attempt = delivery.next_attempt;
  row.ended = delivery.ended;
  if (delivery.state == DeliveryState::kDelivered) row.handed_over = delivery.ended;
  row.last_response = delivery.last_response;
  return row;
}

void settle_part(std::span<DeliveryRow> rows, Time now, EndedCounts& ended) {
  const bool delivered = std::ranges::any_of(
      rows, [](const DeliveryRow& row) { return row.state == DeliveryState::kDelivered; });
  const bool active = std::ranges::any_of(
      rows, [](const DeliveryRow& row) { return !is_final(row.state) && !row.waiting; });
  if (!delivered && active) return;
  DeliveryRow* next = nullptr;
  for (auto& row : rows) {
    if (!row.waiting) continue;
    if (!delivered) {
      if (next == nullptr || row.rank < next->rank) next = &row;
      continue;
    }
    move_to(row, DeliveryState::kAbandoned, ended);
    row.waiting = false;
    row.next_attempt.reset();
    row.ended = now;
    row.last_response = kNotNeeded;
  }
  if (next == nullptr) return;
  next->waiting = false;
  next->next_attempt = now;
  next->changed = true;
}

bool any_open(std::span<const DeliveryRow> rows) {
  return std::ranges::any_of(rows, [](const DeliveryRow& row) { return !is_final(row.state); });
}

// ---- The book

DeliveryBook::DeliveryBook(PgDatabase& database, const std::set<DeliveryPlace>& places,
                           const std::string& node)
    : database_(database), node_(node) {
  lock_windows(places);
  read(places);
}

// Whoever ends deliveries of a window has its row first: of two at once, the second sees what the
// first did, and ends the window.
void DeliveryBook::lock_windows(const std::set<DeliveryPlace>& places) {
  PgArray domains;
  PgArray windows;
  const DeliveryPlace* last = nullptr;
  for (const auto& place : places) {
    if (last != nullptr && last->domain == place.domain && last->window == place.window) continue;
    domains.add(place.domain);
    windows.add(place.window);
    last = &place;
  }
  // A column that is in no index is written, so that the row stays where it is.
  database_.execute(
      "UPDATE windows AS w SET lease_until = w.lease_until"
      " FROM unnest($1::text[], $2::bigint[]) AS v(domain, id)"
      " WHERE w.domain = v.domain AND w.id = v.id",
      domains, windows);
}

void DeliveryBook::read(const std::set<DeliveryPlace>& places) {
  static const auto kSql =
      "SELECT d.domain, d.window_id, d.part, d.id, d.rank, d.state, d.fallback, d.waiting,"
      " d.attempts, d.first_attempt, d.next_attempt, d.ended, d.handed_over, d.blamed,"
      " d.last_response, d.begun IS NOT NULL, NOT " +
      lease_is_free("d", "$4::text") +
      " FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS v(domain, window_id, part)"
      " JOIN deliveries AS d ON d.domain = v.domain AND d.window_id = v.window_id"
      " AND d.part = v.part ORDER BY d.rank, d.id";
  PgArray domains;
  PgArray windows;
  PgArray parts;
  for (const auto& place : places) {
    domains.add(place.domain);
    windows.add(place.window);
    parts.add(place.part);
  }
  auto rows = database_.query(kSql, domains, windows, parts, node_);
  while (rows.next()) {
    auto& row =
        parts_[{rows.text(0), rows.integer(1), small_integer(rows.integer(2))}].emplace_back();
    row.id = rows.text(3);
    row.rank = small_integer(rows.integer(4));
    row.state = read_delivery_state(database_, rows.text(5));
    row.fallback = rows.flag(6);
    row.waiting = rows.flag(7);
    row.attempts = rows.integer(8);
    row.first_attempt = rows.optional_time(9);
    row.next_attempt = rows.optional_time(10);
    row.ended = rows.optional_time(11);
    row.handed_over = rows.optional_time(12);
    row.blamed = rows.flag(13);
    row.last_response = rows.text(14);
    row.begun = rows.flag(15);
    row.foreign = rows.flag(16);
  }
}

DeliveryRow* DeliveryBook::find(const DeliveryPlace& place, std::string_view id) {
  const auto part = parts_.find(place);
  if (part == parts_.end()) return nullptr;
  const auto row = std::ranges::find(part->second, id, &DeliveryRow::id);
  return row == part->second.end() ? nullptr : &*row;
}

void DeliveryBook::move(DeliveryRow& row, DeliveryState state) {
  move_to(row, state, ended_);
}

void DeliveryBook::settle(const DeliveryPlace& place, Time now) {
  const auto part = parts_.find(place);
  if (part == parts_.end()) return;
  settle_part(part->second, now, ended_);
  settled_[{place.domain, place.window}] = now;
}

void DeliveryBook::revive_fallbacks(const DeliveryPlace& place) {
  const auto part = parts_.find(place);
  if (part == parts_.end()) return;
  bool revived = false;
  for (auto& row : part->second) {
    const bool needless =
        row.fallback && row.state == DeliveryState::kAbandoned && row.last_response == kNotNeeded;
    if (!needless) continue;
    move(row, DeliveryState::kPending);
    row.waiting = true;
    row.ended.reset();
    row.last_response.clear();
    revived = true;
  }
  if (revived) reopen(place, false);
}

void DeliveryBook::reopen(const DeliveryPlace& place, bool without_reason) {
  auto& without = reopened_[{place.domain, place.window}];
  without = without || without_reason;
}

EndedCounts DeliveryBook::store() {
  write_rows();
  write_reopened();
  write_done();
  return std::move(ended_);
}

void DeliveryBook::write_rows() {
  PgArray domains, ids, states, waiting, attempts, first, next, ended, handed, blamed, responses,
      begun, held;
  for (const auto& [place, rows] : parts_) {
    for (const auto& row : rows) {
      if (!row.changed) continue;
      domains.add(place.domain);
      ids.add(row.id);
      states.add(to_string(row.state));
      waiting.add(row.waiting);
      attempts.add(row.attempts);
      first.add(row.first_attempt);
      next.add(row.next_attempt);
      ended.add(row.ended);
      handed.add(row.handed_over);
      blamed.add(row.blamed);
      responses.add(readable(row.last_response));
      begun.add(row.begun);
      held.add(row.foreign || row.begun);
    }
  }
  if (ids.empty()) return;
  database_.execute(
      "UPDATE deliveries AS d SET state = v.state, waiting = v.waiting, attempts = v.attempts,"
      " first_attempt = v.first_attempt, next_attempt = v.next_attempt, ended = v.ended,"
      " handed_over = v.handed_over, blamed = v.blamed, last_response = v.last_response,"
      " begun = CASE WHEN v.begun THEN d.begun END,"
      " lease_node = CASE WHEN v.held THEN d.lease_node ELSE '' END,"
      " lease_until = CASE WHEN v.held THEN d.lease_until ELSE 0 END"
      " FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::bigint[], $6::bigint[],"
      " $7::bigint[], $8::bigint[], $9::bigint[], $10::boolean[], $11::text[], $12::boolean[],"
      " $13::boolean[])"
      " AS v(domain, id, state, waiting, attempts, first_attempt, next_attempt, ended, handed_over,"
      " blamed, last_response, begun, held) WHERE d.domain = v.domain AND d.id = v.id",
      domains, ids, states, waiting, attempts, first, next, ended, handed, blamed, responses, begun,
      held);
}

void DeliveryBook::write_reopened() {
  if (reopened_.empty()) return;
  PgArray domains, windows, bare;
  for (const auto& [window, without_reason] : reopened_) {
    domains.add(window.first);
    windows.add(window.second);
    bare.add(without_reason);
  }
  database_.execute(
      "UPDATE windows AS w SET state = 'assembled', finished = NULL,"
      " reason = CASE WHEN v.bare THEN '' ELSE w.reason END"
      " FROM unnest($1::text[], $2::bigint[], $3::boolean[]) AS v(domain, id, bare)"
      " WHERE w.domain = v.domain AND w.id = v.id AND w.state = 'done'",
      domains, windows, bare);
}

void DeliveryBook::write_done() {
  if (settled_.empty()) return;
  PgArray domains, windows, times;
  for (const auto& [window, now] : settled_) {
    domains.add(window.first);
    windows.add(window.second);
    times.add(now);
  }
  database_.execute(
      "UPDATE windows AS w SET state = 'done', finished = v.now"
      " FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS v(domain, id, now)"
      " WHERE w.domain = v.domain AND w.id = v.id AND w.state = 'assembled'"
      " AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.domain = w.domain"
      " AND d.window_id = w.id AND d.state IN ('pending', 'uncertain'))",
      domains, windows, times);
}

}  // namespace rapporteur
