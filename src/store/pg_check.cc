// Whether the rows of the store agree with each other, and what is old enough to be removed.

#include <algorithm>
#include <array>
#include <utility>

#include "store/check_rules.h"
#include "store/pg_store.h"
#include "store/rows.h"

namespace rapporteur {

namespace {

// What must not be found: rows of window (id, domain, start), which part of it, and what is wrong.
struct Rule {
  FindingKind kind;
  std::string_view sql;
};

// 9007199254740991 is kMaxCount, at which sums stay.
constexpr std::array<Rule, 15> kRules = {{
    {FindingKind::kImpossible,
     "SELECT w.id, w.domain, w.starts, 'policy', 'it counts ' || p.successful || ' successful and '"
     " || p.failed || ' failed sessions' FROM policies AS p JOIN windows AS w"
     " ON w.domain = p.domain AND w.id = p.window_id"
     " WHERE p.successful NOT BETWEEN 0 AND 9007199254740991"
     " OR p.failed NOT BETWEEN 0 AND 9007199254740991"},
    {FindingKind::kImpossible,
     "SELECT w.id, w.domain, w.starts, 'policy', 'a failure detail counts ' || d.sessions ||"
     " ' sessions' FROM details AS d JOIN windows AS w ON w.domain = d.domain"
     " AND w.id = d.window_id WHERE d.sessions NOT BETWEEN 0 AND 9007199254740991"},
    {FindingKind::kWindowSums,
     "SELECT w.id, w.domain, w.starts, '', 'its sums are ' || w.successful || ' successful and '"
     " || w.failed || ' failed, those of its policies ' || coalesce(p.successful, 0) || ' and ' ||"
     " coalesce(p.failed, 0) FROM windows AS w LEFT JOIN (SELECT domain, window_id,"
     " least(sum(successful), 9007199254740991) AS successful,"
     " least(sum(failed), 9007199254740991) AS failed FROM policies GROUP BY domain, window_id)"
     " AS p ON p.domain = w.domain AND p.window_id = w.id"
     " WHERE w.successful <> coalesce(p.successful, 0) OR w.failed <> coalesce(p.failed, 0)"},
    {FindingKind::kDetailNumber,
     "SELECT w.id, w.domain, w.starts, 'policy', 'it counts ' || p.details ||"
     " ' failure details and has ' || coalesce(d.n, 0) FROM policies AS p JOIN windows AS w"
     " ON w.domain = p.domain AND w.id = p.window_id LEFT JOIN (SELECT domain, window_id,"
     " policy_key, count(*) AS n FROM details GROUP BY domain, window_id, policy_key) AS d"
     " ON d.domain = p.domain AND d.window_id = p.window_id AND d.policy_key = p.content_key"
     " WHERE p.details <> coalesce(d.n, 0)"},
    {FindingKind::kWindowState,
     "SELECT id, domain, starts, '', 'it is ' || state || CASE WHEN assembled IS NULL"
     " THEN ' and was never assembled' ELSE ' and was assembled' END FROM windows"
     " WHERE (assembled IS NOT NULL) <> (state IN ('assembled', 'done'))"},
    {FindingKind::kWindowState,
     "SELECT id, domain, starts, '', 'it is ' || state || CASE WHEN finished IS NULL"
     " THEN ' and never finished' ELSE ' and was finished' END FROM windows"
     " WHERE (finished IS NOT NULL) <> (state IN ('done', 'suppressed'))"},
    {FindingKind::kWindowState,
     "SELECT w.id, w.domain, w.starts, '', 'it is assembled and none of its deliveries is open'"
     " FROM windows AS w WHERE w.state = 'assembled' AND NOT EXISTS (SELECT 1 FROM deliveries AS d"
     " WHERE d.domain = w.domain AND d.window_id = w.id AND d.state IN ('pending', 'uncertain'))"},
    {FindingKind::kWindowState,
     "SELECT w.id, w.domain, w.starts, '', 'it is done and has open deliveries'"
     " FROM windows AS w WHERE w.state = 'done' AND EXISTS (SELECT 1 FROM deliveries AS d"
     " WHERE d.domain = w.domain AND d.window_id = w.id AND d.state IN ('pending', 'uncertain'))"},
    {FindingKind::kWindowState,
     "SELECT w.id, w.domain, w.starts, '', 'it is ' || w.state || ' and has a report'"
     " FROM windows AS w WHERE w.state NOT IN ('assembled', 'done') AND EXISTS (SELECT 1"
     " FROM parts AS p WHERE p.domain = w.domain AND p.window_id = w.id)"},
    {FindingKind::kDeliveryState,
     "SELECT window_id, domain, 0, 'delivery ' || id, 'it is ' || state ||"
     " ' and another attempt is planned' FROM deliveries"
     " WHERE next_attempt IS NOT NULL AND state NOT IN ('pending', 'uncertain')"},
    {FindingKind::kDeliveryState,
     "SELECT w.id, w.domain, w.starts, 'delivery ' || d.id, 'an attempt is planned and its window"
     " is ' || w.state FROM deliveries AS d JOIN windows AS w ON w.domain = d.domain"
     " AND w.id = d.window_id WHERE d.next_attempt IS NOT NULL"
     " AND d.state IN ('pending', 'uncertain') AND w.state NOT IN ('assembled', 'done')"},
    {FindingKind::kDeliveryState,
     "SELECT window_id, domain, 0, 'delivery ' || id, 'it is ' || state ||"
     " ' and no attempt is planned' FROM deliveries"
     " WHERE state IN ('pending', 'uncertain') AND next_attempt IS NULL AND NOT waiting"},
    {FindingKind::kDeliveryState,
     "SELECT window_id, domain, 0, 'delivery ' || id, 'it waits for another one and is ' ||"
     " CASE WHEN next_attempt IS NULL THEN state ELSE 'planned' END FROM deliveries"
     " WHERE waiting AND (next_attempt IS NOT NULL OR state NOT IN ('pending', 'uncertain'))"},
    {FindingKind::kDeliveryState,
     "SELECT window_id, domain, 0, 'delivery ' || id, 'it is ' || state ||"
     " CASE WHEN ended IS NULL THEN ' and never ended' ELSE ' and has ended' END"
     " FROM deliveries WHERE (ended IS NULL) <> (state IN ('pending', 'uncertain'))"},
    {FindingKind::kOverlap,
     "SELECT id, domain, starts, '', 'it ends after the next one has begun' FROM (SELECT id,"
     " domain, starts, ends, lead(starts) OVER (PARTITION BY domain ORDER BY starts) AS following"
     " FROM windows WHERE supplement = 0) AS w WHERE following < ends"},
}};

// Rows that belong to others: the table, its parent, and how they are joined.
struct Belonging {
  std::string_view child;
  std::string_view parent;
  std::string_view join;
};

constexpr std::string_view kOfWindow = "p.domain = c.domain AND p.id = c.window_id";
constexpr std::string_view kOfReceived = "p.number = c.number";
constexpr std::array<Belonging, 8> kBelongings = {{
    {"policies", "windows", kOfWindow},
    {"details", "policies",
     "p.domain = c.domain AND p.window_id = c.window_id AND p.content_key = c.policy_key"},
    {"parts", "windows", kOfWindow},
    {"deliveries", "windows", kOfWindow},
    {"deliveries", "parts",
     "p.domain = c.domain AND p.window_id = c.window_id AND p.number = c.part"},
    {"received_json", "received", kOfReceived},
    {"received_policies", "received", kOfReceived},
    {"received_failures", "received", kOfReceived},
}};

// Of each rule so many findings are told at most.
constexpr std::string_view kMostFindings = " LIMIT 1000";

// Policies whose texts are read at once.
constexpr std::int64_t kPage = 10'000;

std::string window_text(const PgRows& row) {
  const auto start = shown_time(row.time(2));
  auto text = "window " + std::to_string(row.integer(0)) + " of " + row.text(1);
  if (start != Time()) text += " from " + format_rfc3339(start);
  if (const auto part = row.text(3); !part.empty()) text += ", " + part;
  return text;
}

void check_words(PgDatabase& database, const WordRule& rule, std::vector<Finding>& findings) {
  const std::string column(rule.column);
  const std::string table(rule.table);
  auto rows = database.query("SELECT " + column + ", count(*) FROM " + table + " GROUP BY 1");
  while (rows.next()) {
    const auto text = rows.text(0);
    if (rule.known(text)) continue;
    findings.push_back(
        {FindingKind::kUnknownWord, "table " + table,
         rows_text(rows.integer(1)) + " with the unknown " + column + " '" + text + "'"});
  }
}

void check_belonging(PgDatabase& database, const Belonging& belonging,
                     std::vector<Finding>& findings) {
  auto rows =
      database.query("SELECT count(*) FROM " + std::string(belonging.child) +
                     " AS c WHERE NOT EXISTS (SELECT 1 FROM " + std::string(belonging.parent) +
                     " AS p WHERE " + std::string(belonging.join) + ")");
  if (!rows.next() || rows.integer(0) == 0) return;
  findings.push_back({FindingKind::kOrphan, "table " + std::string(belonging.child),
                      rows_text(rows.integer(0)) + " without the row of " +
                          std::string(belonging.parent) + " that they belong to"});
}

// Lists of texts that cannot be taken apart.
void check_texts(PgDatabase& database, std::vector<Finding>& findings) {
  std::string domain;
  std::int64_t window = 0;
  std::string key;
  for (;;) {
    auto rows = database.query(
        "SELECT domain, window_id, content_key, strings, mx_hosts FROM policies"
        " WHERE (domain, window_id, content_key) > ($1, $2, $3)"
        " ORDER BY domain, window_id, content_key LIMIT $4",
        domain, window, Blob{key}, kPage);
    while (rows.next()) {
      domain = rows.text(0);
      window = rows.integer(1);
      key = rows.bytes(2);
      if (unpack(rows.text(3)) && unpack(rows.text(4))) continue;
      findings.push_back({FindingKind::kUnknownWord,
                          "window " + std::to_string(window) + " of " + domain + ", policy",
                          "its strings or MX patterns cannot be read"});
    }
    if (rows.size() < static_cast<std::size_t>(kPage)) return;
  }
}

struct Checked {
  std::vector<Finding> findings;
  CheckedRows rows;
};

Checked check_all(PgDatabase& database) {
  Checked checked;
  for (const auto& belonging : kBelongings) {
    check_belonging(database, belonging, checked.findings);
  }
  for (const auto& word : kCheckedWords) check_words(database, word, checked.findings);
  check_texts(database, checked.findings);
  for (const auto& rule : kRules) {
    auto rows = database.query(std::string(rule.sql) + std::string(kMostFindings));
    while (rows.next()) {
      checked.findings.push_back({rule.kind, window_text(rows), rows.text(4)});
    }
  }
  for (const auto table : kCheckedTables) {
    auto rows = database.query("SELECT count(*) FROM " + std::string(table));
    if (rows.next()) checked.rows[std::string(table)] = rows.count(0);
  }
  return checked;
}

}  // namespace

Result<CheckedRows> PgStore::check(const std::function<void(const Finding&)>& found) {
  auto checked = database_->read([this] { return check_all(*database_); }, true);
  if (!checked) return std::move(checked).error();
  for (const auto& finding : checked->findings) found(finding);
  return std::move(checked->rows);
}

Result<Prunable> PgStore::prunable(const Expiry& expiry) {
  return database_->read(
      [&] {
        constexpr std::string_view kEnded = "finished < $1 AND state IN ('done', 'suppressed')";
        const auto count = [this](const std::string& from, Time before) {
          auto rows = database_->query("SELECT count(*) FROM " + from, before);
          return rows.next() ? rows.count(0) : 0;
        };
        const auto of_ended = [&](const std::string& table) {
          return count(table +
                           " AS c JOIN windows AS w ON w.domain = c.domain"
                           " AND w.id = c.window_id WHERE w.finished < $1"
                           " AND w.state IN ('done', 'suppressed')",
                       expiry.finished_before);
        };
        Prunable prunable;
        prunable.windows = count("windows WHERE " + std::string(kEnded), expiry.finished_before);
        prunable.reports = of_ended("parts");
        prunable.deliveries = of_ended("deliveries");
        prunable.suppressions =
            count("suppressions WHERE lifted < $1 OR (NOT automatic AND until < $1)",
                  expiry.finished_before);
        prunable.session_ids = count("session_ids WHERE counted < $1", expiry.ids_before);
        prunable.flush_ids = count("flushes WHERE stored < $1", expiry.ids_before);
        prunable.received = count("received WHERE received < $1", expiry.received_before);
        return prunable;
      },
      true);
}

}  // namespace rapporteur
