// Whether the rows of the store agree with each other, and what is old enough to be removed.

#include <algorithm>
#include <array>
#include <utility>

#include "store/check_rules.h"
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace rapporteur {

namespace {

using Kind = Transaction::Kind;

// What must not be found: rows of window (id, domain, start), which part of it, and what is wrong.
struct Rule {
  FindingKind kind;
  std::string_view sql;
};

// 9007199254740991 is kMaxCount, at which sums stay.
constexpr std::array<Rule, 15> kRules = {{
    {FindingKind::kImpossible,
     "SELECT w.id, w.domain, w.starts, 'policy ' || p.id, 'it counts ' || p.successful ||"
     " ' successful and ' || p.failed || ' failed sessions' FROM policies AS p"
     " JOIN windows AS w ON w.id = p.window_id WHERE p.successful NOT BETWEEN 0 AND "
     "9007199254740991 OR p.failed NOT BETWEEN 0 AND 9007199254740991"},
    {FindingKind::kImpossible,
     "SELECT w.id, w.domain, w.starts, 'policy ' || p.id, 'a failure detail counts ' || "
     "d.sessions || ' sessions' FROM details AS d JOIN policies AS p ON p.id = d.policy_id"
     " JOIN windows AS w ON w.id = p.window_id"
     " WHERE d.sessions NOT BETWEEN 0 AND 9007199254740991"},
    {FindingKind::kWindowSums,
     "SELECT w.id, w.domain, w.starts, '', 'its sums are ' || w.successful || ' successful and ' "
     "|| w.failed || ' failed, those of its policies ' ||"
     " CAST(min(total(p.successful), 9007199254740991) AS INTEGER) || ' and ' ||"
     " CAST(min(total(p.failed), 9007199254740991) AS INTEGER)"
     " FROM windows AS w LEFT JOIN policies AS p ON p.window_id = w.id GROUP BY w.id"
     " HAVING w.successful <> CAST(min(total(p.successful), 9007199254740991) AS INTEGER)"
     " OR w.failed <> CAST(min(total(p.failed), 9007199254740991) AS INTEGER)"},
    {FindingKind::kDetailNumber,
     "SELECT w.id, w.domain, w.starts, 'policy ' || p.id, 'it counts ' || p.details ||"
     " ' failure details and has ' || count(d.policy_id) FROM policies AS p"
     " JOIN windows AS w ON w.id = p.window_id LEFT JOIN details AS d ON d.policy_id = p.id"
     " GROUP BY p.id HAVING p.details <> count(d.policy_id)"},
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
     " FROM windows AS w WHERE w.state = 'assembled' AND NOT EXISTS (SELECT 1 FROM deliveries"
     " WHERE window_id = w.id AND state IN ('pending', 'uncertain'))"},
    {FindingKind::kWindowState,
     "SELECT w.id, w.domain, w.starts, '', 'it is done and has open deliveries'"
     " FROM windows AS w WHERE w.state = 'done' AND EXISTS (SELECT 1 FROM deliveries"
     " WHERE window_id = w.id AND state IN ('pending', 'uncertain'))"},
    {FindingKind::kWindowState,
     "SELECT w.id, w.domain, w.starts, '', 'it is ' || w.state || ' and has a report'"
     " FROM windows AS w WHERE w.state NOT IN ('assembled', 'done')"
     " AND EXISTS (SELECT 1 FROM parts WHERE window_id = w.id)"},
    {FindingKind::kDeliveryState,
     "SELECT w.id, w.domain, w.starts, 'delivery ' || d.id, 'it is ' || d.state ||"
     " ' and another attempt is planned' FROM deliveries AS d JOIN windows AS w ON w.id = "
     "d.window_id WHERE d.next_attempt IS NOT NULL AND d.state NOT IN ('pending', 'uncertain')"},
    {FindingKind::kDeliveryState,
     "SELECT w.id, w.domain, w.starts, 'delivery ' || d.id, 'an attempt is planned and its window"
     " is ' || w.state FROM deliveries AS d JOIN windows AS w ON w.id = d.window_id WHERE"
     " d.next_attempt IS NOT NULL AND d.state IN ('pending', 'uncertain')"
     " AND w.state NOT IN ('assembled', 'done')"},
    {FindingKind::kDeliveryState,
     "SELECT w.id, w.domain, w.starts, 'delivery ' || d.id, 'it is ' || d.state ||"
     " ' and no attempt is planned' FROM deliveries AS d JOIN windows AS w ON w.id = d.window_id"
     " WHERE d.state IN ('pending', 'uncertain') AND d.next_attempt IS NULL AND d.waiting = 0"},
    {FindingKind::kDeliveryState,
     "SELECT w.id, w.domain, w.starts, 'delivery ' || d.id, 'it waits for another one and is ' "
     "|| CASE WHEN d.next_attempt IS NULL THEN d.state ELSE 'planned' END FROM deliveries AS d"
     " JOIN windows AS w ON w.id = d.window_id WHERE d.waiting <> 0 AND (d.next_attempt IS NOT "
     "NULL OR d.state NOT IN ('pending', 'uncertain'))"},
    {FindingKind::kDeliveryState,
     "SELECT w.id, w.domain, w.starts, 'delivery ' || d.id, 'it is ' || d.state ||"
     " CASE WHEN d.ended IS NULL THEN ' and never ended' ELSE ' and has ended' END"
     " FROM deliveries AS d JOIN windows AS w ON w.id = d.window_id"
     " WHERE (d.ended IS NULL) <> (d.state IN ('pending', 'uncertain'))"},
    {FindingKind::kOverlap,
     "SELECT id, domain, starts, '', 'it ends after the next one has begun, at '"
     " || strftime('%Y-%m-%dT%H:%M:%SZ', following, 'unixepoch') FROM (SELECT id, domain, starts,"
     " ends, lead(starts) OVER (PARTITION BY domain ORDER BY starts) AS following FROM windows"
     " WHERE supplement = 0) WHERE following < ends"},
}};

// Numbers of rows in a state that triggers keep, by the beginning of their name.
struct Tally {
  std::string_view prefix;
  std::string_view sql;
};
constexpr std::array<Tally, 3> kTallies = {{
    {"windows.", "SELECT state, count(*) FROM windows GROUP BY state"},
    {"deliveries.", "SELECT state, count(*) FROM deliveries GROUP BY state"},
    {"received.", "SELECT trust, count(*) FROM received GROUP BY trust"},
}};

// One check, inside a transaction.
class Checker {
 public:
  Checker(Database& database, const std::function<void(const Finding&)>& found)
      : database_(database), found_(found) {}

  // The first failure that is no damage; then the rest was not looked at.
  std::optional<Error> run() {
    look([this] { check_file(); });
    look([this] { check_orphans(); });
    for (const auto& word : kCheckedWords) {
      look([&] { check_words(word); });
    }
    look([this] { check_texts(); });
    for (const auto& rule : kRules) {
      look([&] { check_rule(rule); });
    }
    for (const auto& tally : kTallies) {
      look([&] { check_tally(tally); });
    }
    look([this] { check_ends(); });
    for (const auto table : kCheckedTables) {
      look([&] { count_rows(table); });
    }
    return failure_;
  }

  CheckedRows take_rows() { return std::move(rows_); }

 private:
  template <class Look>
  void look(const Look& how) {
    if (failure_) return;
    how();
    auto error = database_.take_error();
    if (!error) return;
    if (error->fault == Fault::kCorrupt) return find(FindingKind::kDatabase, "store", error->text);
    failure_ = *std::move(error);
  }

  void find(FindingKind kind, std::string where, std::string what) {
    found_({kind, std::move(where), std::move(what)});
  }

  void check_file() {
    Query query(database_, "PRAGMA integrity_check(100)");
    while (query.next()) {
      auto what = query.text(0);
      if (what != "ok") find(FindingKind::kDatabase, "database file", std::move(what));
    }
  }

  void check_orphans() {
    Query query(database_,
                "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check"
                " GROUP BY 1, 2 ORDER BY 1, 2");
    while (query.next()) {
      find(FindingKind::kOrphan, "table " + query.text(0),
           rows_text(query.integer(2)) + " without the row of " + query.text(1) +
               " that they belong to");
    }
  }

  void check_words(const WordRule& rule) {
    const std::string column(rule.column);
    const std::string table(rule.table);
    Query query(database_, "SELECT " + column + ", count(*) FROM " + table + " GROUP BY 1");
    while (query.next()) {
      const auto text = query.text(0);
      if (rule.known(text)) continue;
      find(FindingKind::kUnknownWord, "table " + table,
           rows_text(query.integer(1)) + " with the unknown " + column + " '" + text + "'");
    }
  }

  // Lists of texts that cannot be taken apart.
  void check_texts() {
    Query query(database_, "SELECT id, strings, mx_hosts FROM policies");
    while (query.next()) {
      if (unpack(query.text(1)) && unpack(query.text(2))) continue;
      find(FindingKind::kUnknownWord, "policy " + std::to_string(query.integer(0)),
           "its strings or MX patterns cannot be read");
    }
  }

  void check_rule(const Rule& rule) {
    Query query(database_, rule.sql);
    while (query.next()) {
      auto where = "window " + std::to_string(query.integer(0)) + " of " + query.text(1) +
                   " from " + format_rfc3339(shown_time(query.time(2)));
      if (const auto part = query.text(3); !part.empty()) where += ", " + part;
      find(rule.kind, std::move(where), query.text(4));
    }
  }

  void check_tally(const Tally& tally) {
    std::map<std::string, std::pair<std::int64_t, std::int64_t>> numbers;  // kept, there
    {
      Query query(database_, "SELECT name, value FROM state_counts WHERE name GLOB ?1",
                  std::string(tally.prefix) + "*");
      while (query.next()) {
        numbers[query.text(0).substr(tally.prefix.size())].first = query.integer(1);
      }
    }
    Query query(database_, tally.sql);
    while (query.next()) numbers[query.text(0)].second = query.integer(1);
    for (const auto& [state, number] : numbers) {
      if (number.first == number.second) continue;
      find(FindingKind::kStateCount, std::string(tally.prefix) + state,
           "it says " + std::to_string(number.first) + ", the rows are " +
               std::to_string(number.second));
    }
  }

  // Each delivery that has ended was counted then.
  void check_ends() {
    Query query(database_,
                "SELECT s.name, s.value, count(*) FROM deliveries AS d JOIN state_counts AS s"
                " ON s.name = 'ended.' || d.state GROUP BY s.name HAVING s.value < count(*)");
    while (query.next()) {
      find(FindingKind::kStateCount, query.text(0),
           "it says " + std::to_string(query.integer(1)) + ", the rows are " +
               std::to_string(query.integer(2)));
    }
  }

  void count_rows(std::string_view table) {
    Query query(database_, "SELECT count(*) FROM " + std::string(table));
    if (query.next()) rows_[std::string(table)] = query.count(0);
  }

  Database& database_;
  const std::function<void(const Finding&)>& found_;
  CheckedRows rows_;
  std::optional<Error> failure_;
};

}  // namespace

Result<CheckedRows> SqliteStore::check(const std::function<void(const Finding&)>& found) {
  Transaction transaction(*database_, Kind::kRead);
  if (auto error = database_->take_error()) return *std::move(error);
  Checker checker(*database_, found);
  if (auto error = checker.run()) return *std::move(error);
  return transaction.commit(checker.take_rows());
}

Result<Prunable> SqliteStore::prunable(const Expiry& expiry) {
  Transaction transaction(*database_, Kind::kRead);
  Prunable prunable;
  const auto count = [this](std::string_view from, Time before) {
    Query query(*database_, "SELECT count(*) FROM " + std::string(from), before);
    return query.next() ? query.count(0) : 0;
  };
  const std::string windows(kPrunedWindows);
  prunable.windows = count("windows WHERE " + windows, expiry.finished_before);
  prunable.reports =
      count("parts WHERE window_id IN (SELECT id FROM windows WHERE " + windows + ")",
            expiry.finished_before);
  prunable.deliveries =
      count("deliveries WHERE window_id IN (SELECT id FROM windows WHERE " + windows + ")",
            expiry.finished_before);
  prunable.suppressions =
      count("suppressions WHERE " + std::string(kPrunedSuppressions), expiry.finished_before);
  prunable.session_ids = count("session_ids WHERE counted < ?1", expiry.ids_before);
  prunable.flush_ids = count("flushes WHERE stored < ?1", expiry.ids_before);
  prunable.received = count("received WHERE received < ?1", expiry.received_before);
  return transaction.commit(prunable);
}

}  // namespace rapporteur
