#include "store/sqlite_rows.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/hash.h"
#include "base/text.h"

namespace rapporteur {

namespace {

bool is_glob(std::string_view text) {
  return text.find_first_of("*?") != text.npos;
}

// SQLite's GLOB gives '[' a meaning that our patterns do not have.
std::string sqlite_glob(std::string_view pattern) {
  std::string glob;
  for (const char c : pattern) {
    if (c == '[') {
      glob += "[[]";
    } else {
      glob += c;
    }
  }
  return glob;
}

int small_integer(std::int64_t value) {
  return static_cast<int>(std::clamp<std::int64_t>(value, std::numeric_limits<int>::min(),
                                                   std::numeric_limits<int>::max()));
}

}  // namespace

const std::string_view kWindowColumns =
    "w.id, w.domain, w.frequency, w.starts, w.ends, w.supplement, w.state, w.reason, w.due, "
    "w.retry,"
    " w.first_attempt, w.tlsrpt_record, w.successful, w.failed, w.first_part, w.send_old,"
    " w.lookup_since, w.assembled";

const std::string_view kDeliveryColumns =
    "d.id, d.window_id, w.domain, d.part, p.report_id, d.destination, d.envelope_from, d.header,"
    " d.state, d.attempts, d.first_attempt, d.next_attempt, d.last_response, d.ended, d.rank,"
    " d.fallback, d.begun IS NOT NULL, d.destination_key";

const std::string_view kDeliveryTables =
    " FROM deliveries AS d JOIN windows AS w ON w.id = d.window_id"
    " JOIN parts AS p ON p.window_id = d.window_id AND p.number = d.part ";

std::string submission_sql(std::string_view condition) {
  return "SELECT " + std::string(kDeliveryColumns) +
         ", CASE WHEN d.mail THEN p.mail_body ELSE p.gz END" + std::string(kDeliveryTables) +
         "WHERE " + std::string(condition);
}

PolicyCounts read_policy(Database& database, const Query& row) {
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

DetailCount read_detail(Database& database, const Query& row) {
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

WindowState read_window_state(Database& database, const std::string& text) {
  const auto state = parse_window_state(text);
  if (!state) database.fail(Fault::kCorrupt, "a window has the unknown state '" + text + "'");
  return state.value_or(WindowState::kHeld);
}

Window read_window(Database& database, const Query& row) {
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

Delivery read_delivery(Database& database, const Query& row) {
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

std::string pack(const std::vector<std::string>& texts) {
  std::string packed;
  for (const auto& text : texts) packed += std::to_string(text.size()) + ":" + text + ",";
  return packed;
}

std::optional<std::vector<std::string>> unpack(std::string_view packed) {
  std::vector<std::string> texts;
  while (!packed.empty()) {
    std::size_t size = 0;
    const char* const end = packed.data() + packed.size();
    const auto [stop, error] = std::from_chars(packed.data(), end, size);
    if (error != std::errc() || stop == end || *stop != ':') return std::nullopt;
    packed.remove_prefix(static_cast<std::size_t>(stop - packed.data()) + 1);
    if (packed.size() <= size || packed[size] != ',') return std::nullopt;
    texts.emplace_back(packed.substr(0, size));
    packed.remove_prefix(size + 1);
  }
  return texts;
}

std::string content_key(std::string_view content) {
  return sha256(content).substr(0, 16);
}

void Conditions::name(std::string_view column, std::string_view name_or_glob) {
  if (name_or_glob.empty()) return;
  const auto lower = to_lower(name_or_glob);
  if (is_glob(lower)) {
    text(std::string(column) + " GLOB ?", sqlite_glob(lower));
  } else {
    text(std::string(column) + " = ?", lower);
  }
}

void Conditions::integers(std::string_view condition, std::initializer_list<std::int64_t> values) {
  conditions_.emplace_back(condition);
  for (const auto value : values) values_.push_back({false, value, {}});
}

void Conditions::time(std::string_view condition, Time value) {
  integers(condition, {value.time_since_epoch().count()});
}

void Conditions::after_window(const std::pair<Time, WindowId>& place) {
  // The first condition is the one that SQLite can search an index by.
  time("w.due >= ?", place.first);
  const auto due = place.first.time_since_epoch().count();
  integers("(w.due > ? OR w.id > ?)", {due, place.second});
}

void Conditions::text(std::string_view condition, std::string_view value) {
  conditions_.emplace_back(condition);
  values_.push_back({true, 0, std::string(value)});
}

void Conditions::texts(std::string_view condition, std::initializer_list<std::string> values) {
  conditions_.emplace_back(condition);
  for (const auto& value : values) values_.push_back({true, 0, value});
}

void Conditions::nocase(std::string_view column, std::string_view name_or_glob) {
  if (is_glob(name_or_glob)) return name("lower(" + std::string(column) + ")", name_or_glob);
  if (!name_or_glob.empty()) text(std::string(column) + " = ? COLLATE NOCASE", name_or_glob);
}

void Conditions::within(std::string_view before, const Conditions& inner, std::string_view after) {
  conditions_.push_back(std::string(before) + inner.sql() + std::string(after));
  values_.insert(values_.end(), inner.values_.begin(), inner.values_.end());
}

void Conditions::plain(std::string_view condition) {
  conditions_.emplace_back(condition);
}

std::string Conditions::sql() const {
  return conditions_.empty() ? std::string(" ") : " WHERE " + join(conditions_, " AND ") + " ";
}

void Conditions::bind_to(Query& query) const {
  for (const auto& value : values_) {
    if (value.is_text) {
      query.bind(value.text);
    } else {
      query.bind(value.integer);
    }
  }
}

std::int64_t row_limit(std::size_t limit) {
  return saturated(limit);
}

}  // namespace rapporteur
