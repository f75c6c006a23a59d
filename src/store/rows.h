#pragma once
// Between rows of the tables and the words of the model, for every store that speaks SQL.
// `Database` has fail(Fault, text) for stored words that are none of their enumeration: they mark
// it as corrupt; `Row` has integer(), count(), flag(), text(), time() and optional_time() of a
// column.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/counts.h"
#include "model/delivery.h"
#include "model/window.h"
#include "store/values.h"

namespace rapporteur {

// The columns that read_window() expects, from column 0, of table windows as w.
inline constexpr std::string_view kWindowColumns =
    "w.id, w.domain, w.frequency, w.starts, w.ends, w.supplement, w.state, w.reason, w.due, "
    "w.retry,"
    " w.first_attempt, w.tlsrpt_record, w.successful, w.failed, w.first_part, w.send_old,"
    " w.lookup_since, w.assembled";
inline constexpr int kWindowColumnCount = 18;

// The columns that read_delivery() expects, of tables deliveries as d, windows as w, parts as p.
inline constexpr std::string_view kDeliveryColumns =
    "d.id, d.window_id, w.domain, d.part, p.report_id, d.destination, d.envelope_from, d.header,"
    " d.state, d.attempts, d.first_attempt, d.next_attempt, d.last_response, d.ended, d.rank,"
    " d.fallback, d.begun IS NOT NULL, d.destination_key";
inline constexpr int kDeliveryColumnCount = 18;

// Several texts as one that can be taken apart again, whatever they hold: each as its length in
// bytes, ':', itself and ','.
std::string pack(const std::vector<std::string>& texts);
std::optional<std::vector<std::string>> unpack(std::string_view packed);

// The first 16 bytes of the SHA-256 of what makes a row itself.
std::string content_key(std::string_view content);
std::string policy_key(const Policy& policy);
std::string detail_key(const FailureDetail& detail);

// The same failure without the fields that vary.
FailureDetail folded(const FailureDetail& detail);

// Whether sessions are added to a window in this state.
bool takes_counts(std::string_view state);

inline int small_integer(std::int64_t value) {
  return static_cast<int>(std::clamp<std::int64_t>(value, std::numeric_limits<int>::min(),
                                                   std::numeric_limits<int>::max()));
}

template <class Database>
WindowState read_window_state(Database& database, const std::string& text) {
  const auto state = parse_window_state(text);
  if (!state) database.fail(Fault::kCorrupt, "a window has the unknown state '" + text + "'");
  return state.value_or(WindowState::kHeld);
}

// Rows of windows.
template <class Database, class Row>
Window read_window(Database& database, const Row& row) {
  Window window;
  window.id = row.integer(0);
  window.domain = row.text(1);
  const auto frequency = parse_frequency(row.text(2));
  if (!frequency) {
    database.fail(Fault::kCorrupt, "a window has the unknown frequency '" + row.text(2) + "'");
  }
  window.frequency = frequency.value_or(Frequency::kDaily);
  window.period = {row.time(3), row.time(4)};
  window.supplement = small_integer(row.integer(5));
  window.state = read_window_state(database, row.text(6));
  window.reason = row.text(7);
  window.due = row.time(8);
  window.retry = row.optional_time(9);
  window.first_attempt = row.optional_time(10);
  window.tlsrpt_record = row.text(11);
  window.successful = row.count(12);
  window.failed = row.count(13);
  window.first_part = small_integer(row.integer(14));
  window.send_old = row.flag(15);
  window.lookup_since = row.optional_time(16);
  return window;
}

template <class Database, class Row>
Delivery read_delivery(Database& database, const Row& row) {
  Delivery delivery;
  delivery.id = row.text(0);
  delivery.window = row.integer(1);
  delivery.domain = row.text(2);
  delivery.part = small_integer(row.integer(3));
  delivery.report_id = row.text(4);
  delivery.destination = row.text(5);
  delivery.envelope_from = row.text(6);
  delivery.header = row.text(7);
  const auto state = parse_delivery_state(row.text(8));
  if (!state) {
    database.fail(Fault::kCorrupt, "a delivery has the unknown state '" + row.text(8) + "'");
  }
  delivery.state = state.value_or(DeliveryState::kAbandoned);
  delivery.attempts = small_integer(row.integer(9));
  delivery.first_attempt = row.optional_time(10);
  delivery.next_attempt = row.optional_time(11);
  delivery.last_response = row.text(12);
  delivery.ended = row.optional_time(13);
  delivery.rank = small_integer(row.integer(14));
  delivery.fallback = row.flag(15);
  delivery.under_way = row.flag(16);
  delivery.destination_key = row.text(17);
  return delivery;
}

// Rows of policies (id, type, domain, strings, mx_hosts, successful, failed, …) without details.
template <class Database, class Row>
PolicyCounts read_policy(Database& database, const Row& row) {
  PolicyCounts counts;
  const auto type = parse_policy_type(row.text(1));
  auto strings = unpack(row.text(3));
  auto mx_hosts = unpack(row.text(4));
  if (!type || !strings || !mx_hosts) {
    database.fail(Fault::kCorrupt, "policy " + std::to_string(row.integer(0)) + " is unreadable");
    return counts;
  }
  counts.policy = {*type, row.text(2), *std::move(strings), *std::move(mx_hosts)};
  counts.successful = row.count(5);
  counts.failed = row.count(6);
  return counts;
}

// Rows of details (anything, result_type, …, failure_reason_code, sessions).
template <class Database, class Row>
DetailCount read_detail(Database& database, const Row& row) {
  DetailCount count;
  const auto type = parse_result_type(row.text(1));
  if (!type) {
    database.fail(Fault::kCorrupt, "a failure has the unknown result type '" + row.text(1) + "'");
  }
  count.detail = {type.value_or(ResultType::kValidationFailure),
                  row.text(2),
                  row.text(3),
                  row.text(4),
                  row.text(5),
                  row.text(6),
                  row.text(7)};
  count.count = row.count(8);
  return count;
}

}  // namespace rapporteur
