// Reports that others sent: each kept once, with rows for summaries beside it. docs/formats.md has
// the tables.

#include "base/text.h"
#include "store/received_rules.h"
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace rapporteur {

namespace {

using Kind = Transaction::Kind;

std::string free_id(Database& database, const ReceivedAddition& addition, bool first) {
  for (ReceivedIds ids(addition, first);;) {
    auto id = ids.next();
    Query query(database, "SELECT 1 FROM received WHERE id = ?1", id);
    if (!query.next()) return id;
  }
}

std::vector<KeptTwin> twins_of(Database& database, const std::string& key) {
  std::vector<KeptTwin> found;
  Query query(database,
              "SELECT " + std::string(kTwinColumns) +
                  " FROM received WHERE content_key = ?1 ORDER BY number",
              Blob{key});
  while (query.next()) found.push_back(read_twin(database, query, query.text(2)));
  return found;
}

// "('dkim', 'mta')"
std::string trust_list(const std::vector<Trust>& classes) {
  std::vector<std::string> names;
  for (const auto trust : classes) names.push_back("'" + std::string(to_string(trust)) + "'");
  return "(" + join(names, ", ") + ")";
}

// Rows whose report's range starts from `since` on and before `until`.
Conditions started_within(Time since, Time until) {
  Conditions conditions;
  conditions.time("starts >= ?", since);
  conditions.time("starts < ?", until);
  return conditions;
}

}  // namespace

std::int64_t SqliteStore::insert_received(const ReceivedAddition& addition, const std::string& id) {
  const auto& report = addition.report;
  database_->execute(
      "INSERT INTO received (id, content_key, digest, part, organization, contact, report_id,"
      " starts, ends, received, trust, signer, voucher, source, successful, failed, domains,"
      " oddities, new_failures) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
      " ?14, ?15, ?16, ?17, ?18, 0)",
      id, Blob{addition.key}, Blob{addition.digest}, addition.part, report.organization,
      report.contact, report.report_id, report.start, report.end, report.received,
      to_string(report.trust), report.signer, report.voucher, report.source, report.successful,
      report.failed, pack(report.domains), pack(report.oddities));
  const auto number = database_->last_row();
  database_->execute("INSERT INTO received_json (number, gz) VALUES (?1, ?2)", number,
                     Blob{addition.json_gz});
  std::int64_t ordinal = 0;
  for (const auto& policy : addition.policies) {
    database_->execute(
        "INSERT INTO received_policies (number, ordinal, domain, type, starts, organization,"
        " trust, successful, failed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        number, ++ordinal, policy.domain, policy.type, report.start, report.organization,
        to_string(report.trust), policy.successful, policy.failed);
  }
  ordinal = 0;
  for (const auto& failure : addition.failures) {
    database_->execute(
        "INSERT INTO received_failures (number, ordinal, domain, result_type, mx, starts,"
        " received, organization, trust, sessions)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        number, ++ordinal, failure.domain, failure.result_type, failure.mx, report.start,
        report.received, report.organization, to_string(report.trust), failure.sessions);
  }
  return number;
}

// Those of the report's failures that no other counted report tells of.
std::vector<FailureTally> SqliteStore::new_failures(const ReceivedAddition& addition,
                                                    std::int64_t number) {
  std::vector<FailureTally> news;
  if (!is_counted(addition, addition.report.trust)) return news;
  const auto sql =
      "SELECT 1 FROM received_failures WHERE organization = ?1 AND result_type = ?2 AND mx = ?3"
      " AND received >= ?4 AND number <> ?5 AND trust IN " +
      trust_list(addition.counted) + " LIMIT 1";
  for (const auto& failure : addition.failures) {
    Query query(*database_, sql, addition.report.organization, failure.result_type, failure.mx,
                addition.seen_since, number);
    if (!query.next()) news.push_back(failure);
  }
  if (news.empty()) return news;
  database_->execute("UPDATE received SET new_failures = ?2 WHERE number = ?1", number,
                     std::uint64_t{news.size()});
  add_counters({{"received.new-failures", news.size()}});
  return news;
}

ReceivedAdded SqliteStore::add_one_received(const ReceivedAddition& addition) {
  const auto twins = twins_of(*database_, addition.key);
  const auto fate = fate_of(addition, twins);
  ReceivedAdded added;
  added.kind = fate.kind;
  added.same = fate.same;
  added.id = fate.kept ? fate.kept->id : free_id(*database_, addition, twins.empty());
  if (fate.kind == ReceivedAdded::Kind::kDuplicate) {
    add_counters({{"received.duplicate", 1}});
    return added;
  }
  if (fate.kept) {
    // It is stored anew with all that is known of it now, under the id that it had.
    database_->execute("DELETE FROM received WHERE number = ?1", fate.kept->number);
    if (fate.same) return raise_received(addition, *fate.kept);
  }
  const auto number = insert_received(addition, added.id);
  add_counters({{"received.stored." + std::string(to_string(addition.report.trust)), 1}});
  added.new_failures = new_failures(addition, number);
  return added;
}

// What is kept gets the class of the addition. Its news were told already if its own class was
// counted.
ReceivedAdded SqliteStore::raise_received(ReceivedAddition addition, const KeptTwin& kept) {
  ReceivedAdded added;
  added.kind = ReceivedAdded::Kind::kRaised;
  added.id = kept.id;
  addition.report.received = kept.received;
  const auto number = insert_received(addition, kept.id);
  database_->execute("UPDATE received SET new_failures = ?2 WHERE number = ?1", number,
                     kept.new_failures);
  add_counters({{"received.duplicate", 1}});
  if (!is_counted(addition, kept.trust)) added.new_failures = new_failures(addition, number);
  return added;
}

Result<std::vector<ReceivedAdded>> SqliteStore::add_received(
    std::span<const ReceivedAddition> additions) {
  Transaction transaction(*database_, Kind::kWrite);
  std::vector<ReceivedAdded> results;
  for (const auto& addition : additions) {
    if (database_->failed()) break;
    results.push_back(add_one_received(addition));
  }
  return transaction.commit(std::move(results));
}

Result<std::vector<KeptReport>> SqliteStore::received(const ReceivedFilter& filter) {
  Transaction transaction(*database_, Kind::kRead);
  Conditions conditions;
  if (filter.before) conditions.integers("r.number < ?", {*filter.before});
  if (!filter.id.empty()) {
    const bool beginning = is_beginning_of_id(filter.id);
    // Up to what follows the digits: an index can be searched for that.
    conditions.texts(beginning ? "r.id >= ? AND r.id < ?" : "r.id = ? AND r.id = ?",
                     {filter.id, beginning ? filter.id + "g" : filter.id});
  }
  if (!filter.report_id.empty()) conditions.text("r.report_id = ?", filter.report_id);
  conditions.nocase("r.organization", filter.organization);
  if (filter.failed_only) conditions.plain("r.failed > 0");
  if (!filter.domain.empty()) {
    Conditions domain;
    domain.name("p.domain", filter.domain);
    conditions.within("r.number IN (SELECT p.number FROM received_policies AS p", domain, ")");
  }
  std::vector<KeptReport> found;
  {
    Query query(*database_, "SELECT " + std::string(kReceivedColumns) + " FROM received AS r" +
                                conditions.sql() + "ORDER BY r.number DESC LIMIT ?");
    conditions.bind_to(query);
    query.bind(row_limit(filter.limit));
    while (query.next()) found.push_back(read_kept(*database_, query));
  }
  return transaction.commit(std::move(found));
}

Result<std::optional<std::string>> SqliteStore::received_json(std::int64_t number) {
  Transaction transaction(*database_, Kind::kRead);
  std::optional<std::string> gz;
  {
    Query query(*database_, "SELECT gz FROM received_json WHERE number = ?1", number);
    if (query.next()) gz = query.text(0);
  }
  return transaction.commit(std::move(gz));
}

Result<void> SqliteStore::received_policies(const std::string& domain, Time since, Time until,
                                            const std::function<void(const PolicyRow&)>& take) {
  Transaction transaction(*database_, Kind::kRead);
  Conditions conditions = started_within(since, until);
  // Not by the index of domains: it does not hold what is asked for.
  conditions.name("+domain", domain);
  {
    Query query(*database_,
                "SELECT starts, number, domain, type, organization, trust, successful, failed"
                " FROM received_policies" +
                    conditions.sql() + "ORDER BY starts, number");
    conditions.bind_to(query);
    PolicyRow row;
    while (query.next()) {
      row.start = query.time(0);
      row.number = query.integer(1);
      row.tally = {query.text(2), query.text(3), query.count(6), query.count(7)};
      row.organization = query.text(4);
      row.trust = read_trust(*database_, query.text(5));
      take(row);
    }
  }
  return transaction.commit();
}

Result<void> SqliteStore::received_failures(const std::string& domain, Time since, Time until,
                                            const std::function<void(const FailureRow&)>& take) {
  Transaction transaction(*database_, Kind::kRead);
  Conditions conditions = started_within(since, until);
  conditions.name("domain", domain);
  {
    Query query(*database_,
                "SELECT starts, number, domain, result_type, mx, organization, trust, sessions"
                " FROM received_failures" +
                    conditions.sql() + "ORDER BY starts, number");
    conditions.bind_to(query);
    FailureRow row;
    while (query.next()) {
      row.start = query.time(0);
      row.number = query.integer(1);
      row.tally = {query.text(2), query.text(3), query.text(4), query.count(7)};
      row.organization = query.text(5);
      row.trust = read_trust(*database_, query.text(6));
      take(row);
    }
  }
  return transaction.commit();
}

Result<std::size_t> SqliteStore::prune_received(Time before, std::size_t limit) {
  Transaction transaction(*database_, Kind::kWrite);
  const auto removed = static_cast<std::size_t>(database_->execute(
      "DELETE FROM received WHERE number IN"
      " (SELECT number FROM received WHERE received < ?1 ORDER BY received LIMIT ?2)",
      before, row_limit(limit)));
  return transaction.commit(removed);
}

}  // namespace rapporteur
