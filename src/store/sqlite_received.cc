// Reports that others sent: each kept once, with rows for summaries beside it. docs/formats.md has
// the tables.

#include <algorithm>

#include "base/domain.h"
#include "base/hash.h"
#include "base/text.h"
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace rapporteur {

// A kept report of the same key.
struct KeptTwin {
  std::int64_t number = 0;
  std::string id;
  std::string digest;
  std::string part;
  std::string signer;
  Trust trust = Trust::kUnverified;
  Time received;
  std::int64_t new_failures = 0;
};

namespace {

using Kind = Transaction::Kind;

constexpr std::size_t kIdBytes = 8;
constexpr std::size_t kLeastIdDigits = 4;

constexpr std::string_view kReceivedColumns =
    "SELECT r.number, r.id, r.organization, r.contact, r.report_id, r.starts, r.ends, r.received,"
    " r.trust, r.signer, r.voucher, r.source, r.successful, r.failed, r.domains, r.oddities,"
    " r.new_failures"
    " FROM received AS r";

Trust read_trust(Database& database, const std::string& text) {
  const auto trust = parse_trust(text);
  if (!trust) database.fail(Fault::kCorrupt, "a report has the unknown class '" + text + "'");
  return trust.value_or(Trust::kUnverified);
}

std::vector<std::string> read_list(Database& database, const std::string& packed) {
  auto list = unpack(packed);
  if (!list) database.fail(Fault::kCorrupt, "a received report is unreadable");
  return list ? *std::move(list) : std::vector<std::string>();
}

KeptReport read_kept(Database& database, const Query& row) {
  KeptReport report;
  report.number = row.integer(0);
  report.id = row.text(1);
  report.organization = row.text(2);
  report.contact = row.text(3);
  report.report_id = row.text(4);
  report.start = row.time(5);
  report.end = row.time(6);
  report.received = row.time(7);
  report.trust = read_trust(database, row.text(8));
  report.signer = row.text(9);
  report.voucher = row.text(10);
  report.source = row.text(11);
  report.successful = row.count(12);
  report.failed = row.count(13);
  report.domains = read_list(database, row.text(14));
  report.oddities = read_list(database, row.text(15));
  report.new_failures = row.count(16);
  return report;
}

// Whether a report that tells something else is another one although their ids are the same: a
// further part, or that of somebody else. Whoever has a domain can sign a report in anybody's name,
// and must not keep out the genuine one.
bool is_another(const KeptTwin& twin, const ReceivedAddition& addition) {
  if (!twin.part.empty() && !addition.part.empty() && twin.part != addition.part) return true;
  // A signed one does not take the place of one that was posted: either may be the genuine.
  if (twin.trust == Trust::kHttps && outranks(addition.report.trust, twin.trust)) return true;
  const auto& signer = addition.report.signer;
  return !twin.signer.empty() && !signer.empty() && !is_same_or_below(twin.signer, signer) &&
         !is_same_or_below(signer, twin.signer);
}

// The first id that no other report has: they are short enough for somebody to make two of them
// collide.
std::string free_id(Database& database, const ReceivedAddition& addition, bool first) {
  auto digest =
      first ? addition.key : sha256(addition.key + addition.part + '\0' + addition.report.signer);
  for (;;) {
    auto id = hex(digest.substr(0, kIdBytes));
    Query query(database, "SELECT 1 FROM received WHERE id = ?1", id);
    if (!query.next()) return id;
    digest = sha256(digest);
  }
}

std::vector<KeptTwin> twins_of(Database& database, const std::string& key) {
  std::vector<KeptTwin> found;
  Query query(database,
              "SELECT number, id, digest, part, signer, trust, received, new_failures FROM "
              "received WHERE content_key = ?1"
              " ORDER BY number",
              Blob{key});
  while (query.next()) {
    found.push_back({query.integer(0), query.text(1), query.text(2), query.text(3), query.text(4),
                     read_trust(database, query.text(5)), query.time(6), query.integer(7)});
  }
  return found;
}

// "('dkim', 'mta')"
std::string trust_list(const std::vector<Trust>& classes) {
  std::vector<std::string> names;
  for (const auto trust : classes) names.push_back("'" + std::string(to_string(trust)) + "'");
  return "(" + join(names, ", ") + ")";
}

bool contains(const std::vector<Trust>& classes, Trust trust) {
  return std::ranges::find(classes, trust) != classes.end();
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
  if (!contains(addition.counted, addition.report.trust)) return news;
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
  ReceivedAdded added;
  const auto twins = twins_of(*database_, addition.key);
  auto known = std::ranges::find(twins, addition.digest, &KeptTwin::digest);
  added.same = known != twins.end();
  if (!added.same) {
    known = std::ranges::find_if_not(
        twins, [&](const KeptTwin& twin) { return is_another(twin, addition); });
  }
  std::int64_t number = 0;
  if (known == twins.end()) {
    added.same = true;
    added.id = free_id(*database_, addition, twins.empty());
    number = insert_received(addition, added.id);
  } else {
    const auto& kept = *known;
    added.id = kept.id;
    if (!outranks(addition.report.trust, kept.trust)) {
      added.kind = ReceivedAdded::Kind::kDuplicate;
      add_counters({{"received.duplicate", 1}});
      return added;
    }
    // It is stored anew with all that is known of it now, under the id that it had.
    database_->execute("DELETE FROM received WHERE number = ?1", kept.number);
    if (added.same) return raise_received(addition, kept);
    added.kind = ReceivedAdded::Kind::kReplaced;
    number = insert_received(addition, added.id);
  }
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
  if (!contains(addition.counted, kept.trust)) added.new_failures = new_failures(addition, number);
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
    const bool prefix = filter.id.size() >= kLeastIdDigits &&
                        filter.id.find_first_not_of("0123456789abcdef") == filter.id.npos;
    // Up to what follows the digits: an index can be searched for that.
    conditions.texts(prefix ? "r.id >= ? AND r.id < ?" : "r.id = ? AND r.id = ?",
                     {filter.id, prefix ? filter.id + "g" : filter.id});
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
    Query query(*database_, std::string(kReceivedColumns) + conditions.sql() +
                                "ORDER BY r.number DESC LIMIT ?");
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
