// Reports that others sent: each kept once, with rows for summaries beside it. docs/formats.md has
// the tables.

#include <algorithm>
#include <map>
#include <tuple>

#include "store/pg_conditions.h"
#include "store/pg_store.h"
#include "store/pg_text.h"
#include "store/received_rules.h"

namespace rapporteur {

namespace {

// Rows for summaries are read so many at a time, reports removed so many in a transaction.
constexpr std::size_t kRowsAtOnce = 2000;
constexpr std::size_t kRemovedAtOnce = 500;

std::string packed(const std::vector<std::string>& texts) {
  std::vector<std::string> stored;
  for (const auto& text : texts) stored.push_back(readable(text));
  return pack(stored);
}

void remove_received(PgDatabase& database, const PgArray& numbers) {
  for (const auto* const table : {"received_json", "received_policies", "received_failures"}) {
    database.execute("DELETE FROM " + std::string(table) + " WHERE number = ANY($1::bigint[])",
                     numbers);
  }
}

// Keeps reports within one transaction. Whoever keeps reports locks the row of their numbers first:
// one after the other, so that each sees what the one before has kept.
class Keeper {
 public:
  explicit Keeper(PgDatabase& database) : database_(database) {
    auto rows =
        database_.query("UPDATE sequences SET next = next WHERE name = 'received' RETURNING next");
    if (rows.next()) {
      next_ = rows.integer(0);
    } else {
      database_.fail(Fault::kCorrupt, "it does not tell the next number of a received report");
    }
    first_ = next_;
  }

  ReceivedAdded add(const ReceivedAddition& addition);
  void finish() {
    if (next_ == first_) return;
    database_.execute("UPDATE sequences SET next = $1 WHERE name = 'received'", next_);
  }

  const std::map<std::string, std::uint64_t>& counters() const { return counters_; }

 private:
  std::vector<KeptTwin> twins_of(const std::string& key);
  std::string free_id(const ReceivedAddition& addition, bool first);
  void remove(std::int64_t number);
  std::vector<FailureTally> news_of(const ReceivedAddition& addition);
  std::int64_t insert(const ReceivedAddition& addition, const std::string& id, Time received,
                      std::int64_t new_failures);
  void insert_policies(const ReceivedAddition& addition, std::int64_t number);
  void insert_failures(const ReceivedAddition& addition, std::int64_t number, Time received);

  PgDatabase& database_;
  std::int64_t first_ = 0;
  std::int64_t next_ = 0;
  std::map<std::string, std::uint64_t> counters_;
};

std::vector<KeptTwin> Keeper::twins_of(const std::string& key) {
  std::vector<KeptTwin> found;
  auto rows = database_.query("SELECT " + std::string(kTwinColumns) +
                                  " FROM received WHERE content_key = $1::bytea ORDER BY number",
                              Blob{key});
  while (rows.next()) found.push_back(read_twin(database_, rows, rows.bytes(2)));
  return found;
}

std::string Keeper::free_id(const ReceivedAddition& addition, bool first) {
  for (ReceivedIds ids(addition, first);;) {
    auto id = ids.next();
    if (!database_.query("SELECT 1 FROM received WHERE id = $1", id).next()) return id;
  }
}

void Keeper::remove(std::int64_t number) {
  database_.execute("DELETE FROM received WHERE number = $1", number);
  PgArray numbers;
  numbers.add(number);
  remove_received(database_, numbers);
}

// Those of the report's failures that no other counted report tells of. Its own rows are not there
// yet.
std::vector<FailureTally> Keeper::news_of(const ReceivedAddition& addition) {
  std::vector<FailureTally> news;
  if (addition.failures.empty()) return news;
  PgArray places;
  PgArray types;
  PgArray hosts;
  for (const auto& failure : addition.failures) {
    places.add(std::uint64_t{places.size()});
    types.add(readable(failure.result_type));
    hosts.add(readable(failure.mx));
  }
  PgArray classes;
  for (const auto trust : addition.counted) classes.add(to_string(trust));
  auto rows = database_.query(
      "SELECT v.place FROM unnest($1::bigint[], $2::text[], $3::text[])"
      " AS v (place, result_type, mx) WHERE NOT EXISTS (SELECT 1 FROM received_failures AS f"
      " WHERE f.organization = $4 AND f.result_type = v.result_type AND f.mx = v.mx"
      " AND f.received >= $5 AND f.trust = ANY($6::text[])) ORDER BY v.place",
      places, types, hosts, readable(addition.report.organization), addition.seen_since, classes);
  while (rows.next()) news.push_back(addition.failures.at(rows.count(0)));
  if (!news.empty()) counters_["received.new-failures"] += news.size();
  return news;
}

std::int64_t Keeper::insert(const ReceivedAddition& addition, const std::string& id, Time received,
                            std::int64_t new_failures) {
  const auto number = next_++;
  const auto& report = addition.report;
  database_.execute(
      "INSERT INTO received (number, id, content_key, digest, part, organization, contact,"
      " report_id, starts, ends, received, trust, signer, voucher, source, successful, failed,"
      " domains, oddities, new_failures) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
      " $13, $14, $15, $16, $17, $18, $19, $20)",
      number, id, Blob{addition.key}, Blob{addition.digest}, readable(addition.part),
      readable(report.organization), readable(report.contact), readable(report.report_id),
      report.start, report.end, received, to_string(report.trust), readable(report.signer),
      readable(report.voucher), readable(report.source), report.successful, report.failed,
      packed(report.domains), packed(report.oddities), new_failures);
  database_.execute("INSERT INTO received_json (number, gz) VALUES ($1, $2)", number,
                    Blob{addition.json_gz});
  insert_policies(addition, number);
  insert_failures(addition, number, received);
  return number;
}

void Keeper::insert_policies(const ReceivedAddition& addition, std::int64_t number) {
  if (addition.policies.empty()) return;
  PgArray ordinals;
  PgArray domains;
  PgArray types;
  PgArray successful;
  PgArray failed;
  for (const auto& policy : addition.policies) {
    ordinals.add(std::uint64_t{ordinals.size() + 1});
    domains.add(readable(policy.domain));
    types.add(readable(policy.type));
    successful.add(policy.successful);
    failed.add(policy.failed);
  }
  const auto& report = addition.report;
  database_.execute(
      "INSERT INTO received_policies (number, ordinal, domain, type, starts, organization, trust,"
      " successful, failed) SELECT $1::bigint, v.ordinal, v.domain, v.type, $2::bigint, $3::text,"
      " $4::text, v.successful, v.failed"
      " FROM unnest($5::bigint[], $6::text[], $7::text[], $8::bigint[], $9::bigint[])"
      " AS v (ordinal, domain, type, successful, failed)",
      number, report.start, readable(report.organization), to_string(report.trust), ordinals,
      domains, types, successful, failed);
}

void Keeper::insert_failures(const ReceivedAddition& addition, std::int64_t number, Time received) {
  if (addition.failures.empty()) return;
  PgArray ordinals;
  PgArray domains;
  PgArray types;
  PgArray hosts;
  PgArray sessions;
  for (const auto& failure : addition.failures) {
    ordinals.add(std::uint64_t{ordinals.size() + 1});
    domains.add(readable(failure.domain));
    types.add(readable(failure.result_type));
    hosts.add(readable(failure.mx));
    sessions.add(failure.sessions);
  }
  const auto& report = addition.report;
  database_.execute(
      "INSERT INTO received_failures (number, ordinal, domain, result_type, mx, starts, received,"
      " organization, trust, sessions) SELECT $1::bigint, v.ordinal, v.domain, v.result_type, v.mx,"
      " $2::bigint, $3::bigint, $4::text, $5::text, v.sessions"
      " FROM unnest($6::bigint[], $7::text[], $8::text[], $9::text[], $10::bigint[])"
      " AS v (ordinal, domain, result_type, mx, sessions)",
      number, report.start, received, readable(report.organization), to_string(report.trust),
      ordinals, domains, types, hosts, sessions);
}

ReceivedAdded Keeper::add(const ReceivedAddition& addition) {
  using Kind = ReceivedAdded::Kind;
  const auto twins = twins_of(addition.key);
  const auto fate = fate_of(addition, twins);
  ReceivedAdded added;
  added.kind = fate.kind;
  added.same = fate.same;
  added.id = fate.kept ? fate.kept->id : free_id(addition, twins.empty());
  if (fate.kind == Kind::kDuplicate) {
    ++counters_["received.duplicate"];
    return added;
  }
  // It is stored anew with all that is known of it now, under the id that it had.
  if (fate.kept) remove(fate.kept->number);
  const auto own = addition.report.trust;
  // The news of what gets another class were told already if its own class was counted.
  const bool told = fate.kind == Kind::kRaised && is_counted(addition, fate.kept->trust);
  if (is_counted(addition, own) && !told) added.new_failures = news_of(addition);
  auto news = static_cast<std::int64_t>(added.new_failures.size());
  auto received = addition.report.received;
  if (fate.kind == Kind::kRaised) {
    received = fate.kept->received;
    if (added.new_failures.empty()) news = fate.kept->new_failures;
    ++counters_["received.duplicate"];
  } else {
    ++counters_["received.stored." + std::string(to_string(own))];
  }
  insert(addition, added.id, received, news);
  return added;
}

// Rows of reports that start in [since, until), behind the last one that was read.
PgConditions page_of(const std::string& domain, Time since, Time until,
                     const std::tuple<Time, std::int64_t, std::int64_t>& behind) {
  PgConditions conditions;
  conditions.time("starts >= ?", since);
  conditions.time("starts < ?", until);
  const auto& [start, number, ordinal] = behind;
  conditions.integers("(starts, number, ordinal) > (?, ?, ?)",
                      {start.time_since_epoch().count(), number, ordinal});
  conditions.name("domain", domain);
  return conditions;
}

// Reads what `read` makes of the rows of `sql` page by page, so that memory stays small, and hands
// each to `take` when its page is over: a page may be read several times. Columns 0 to 2 are
// (starts, number, ordinal).
template <class Row>
Result<void> read_pages(PgDatabase& database, const std::string& sql, const std::string& domain,
                        Time since, Time until, const std::function<Row(const PgRows&)>& read,
                        const std::function<void(const Row&)>& take) {
  using Place = std::tuple<Time, std::int64_t, std::int64_t>;
  Place behind{since, 0, 0};
  for (;;) {
    auto page = database.read([&] {
      std::pair<std::vector<Row>, Place> found{{}, behind};
      const auto conditions = page_of(domain, since, until, behind);
      auto rows = conditions.query(
          database, sql + conditions.sql() + "ORDER BY starts, number, ordinal LIMIT ?",
          std::uint64_t{kRowsAtOnce});
      while (rows.next()) {
        found.second = {rows.time(0), rows.integer(1), rows.integer(2)};
        found.first.push_back(read(rows));
      }
      return found;
    });
    if (!page) return std::move(page).error();
    for (const auto& row : page->first) take(row);
    if (page->first.size() < kRowsAtOnce) return {};
    behind = page->second;
  }
}

}  // namespace

Result<std::vector<ReceivedAdded>> PgStore::add_received(
    std::span<const ReceivedAddition> additions) {
  if (additions.empty()) return std::vector<ReceivedAdded>();
  return database_->write([&] {
    std::vector<ReceivedAdded> results;
    Keeper keeper(*database_);
    for (const auto& addition : additions) {
      if (database_->failed()) break;
      results.push_back(keeper.add(addition));
    }
    keeper.finish();
    add_counters(keeper.counters());
    return results;
  });
}

Result<std::vector<KeptReport>> PgStore::received(const ReceivedFilter& filter) {
  PgConditions conditions;
  if (filter.before) conditions.integers("r.number < ?", {*filter.before});
  if (is_beginning_of_id(filter.id)) {
    // Up to what follows the digits: an index can be searched for that.
    conditions.texts("r.id >= ? AND r.id < ?", {filter.id, filter.id + "g"});
  } else if (!filter.id.empty()) {
    conditions.text("r.id = ?", filter.id);
  }
  if (!filter.report_id.empty()) conditions.text("r.report_id = ?", filter.report_id);
  conditions.nocase("r.organization", filter.organization);
  if (filter.failed_only) conditions.plain("r.failed > 0");
  if (!filter.domain.empty()) {
    PgConditions domain;
    domain.name("p.domain", filter.domain);
    conditions.within("r.number IN (SELECT p.number FROM received_policies AS p", domain, ")");
  }
  return database_->read([&] {
    std::vector<KeptReport> found;
    auto rows = conditions.query(*database_,
                                 "SELECT " + std::string(kReceivedColumns) + " FROM received AS r" +
                                     conditions.sql() + "ORDER BY r.number DESC LIMIT ?",
                                 saturated(filter.limit));
    while (rows.next()) found.push_back(read_kept(*database_, rows));
    return found;
  });
}

Result<std::optional<std::string>> PgStore::received_json(std::int64_t number) {
  return database_->read([&] {
    std::optional<std::string> gz;
    auto rows = database_->query("SELECT gz FROM received_json WHERE number = $1", number);
    if (rows.next()) gz = rows.bytes(0);
    return gz;
  });
}

Result<void> PgStore::received_policies(const std::string& domain, Time since, Time until,
                                        const std::function<void(const PolicyRow&)>& take) {
  return read_pages<PolicyRow>(
      *database_,
      "SELECT starts, number, ordinal, domain, type, organization, trust, successful, failed"
      " FROM received_policies",
      domain, since, until,
      [this](const PgRows& rows) {
        PolicyRow row;
        row.start = rows.time(0);
        row.number = rows.integer(1);
        row.tally = {rows.text(3), rows.text(4), rows.count(7), rows.count(8)};
        row.organization = rows.text(5);
        row.trust = read_trust(*database_, rows.text(6));
        return row;
      },
      take);
}

Result<void> PgStore::received_failures(const std::string& domain, Time since, Time until,
                                        const std::function<void(const FailureRow&)>& take) {
  return read_pages<FailureRow>(
      *database_,
      "SELECT starts, number, ordinal, domain, result_type, mx, organization, trust, sessions"
      " FROM received_failures",
      domain, since, until,
      [this](const PgRows& rows) {
        FailureRow row;
        row.start = rows.time(0);
        row.number = rows.integer(1);
        row.tally = {rows.text(3), rows.text(4), rows.text(5), rows.count(8)};
        row.organization = rows.text(6);
        row.trust = read_trust(*database_, rows.text(7));
        return row;
      },
      take);
}

Result<std::size_t> PgStore::prune_received(Time before, std::size_t limit) {
  std::size_t removed = 0;
  while (removed < limit) {
    const auto page = std::min(kRemovedAtOnce, limit - removed);
    auto done = database_->write([&] {
      PgArray numbers;
      auto rows = database_->query(
          "SELECT number FROM received WHERE received < $1 ORDER BY received, number LIMIT $2",
          before, std::uint64_t{page});
      while (rows.next()) numbers.add(rows.integer(0));
      if (numbers.empty()) return std::pair<std::size_t, std::size_t>();
      const auto gone = database_->execute(
          "DELETE FROM received WHERE number = ANY($1::bigint[]) AND received < $2", numbers,
          before);
      remove_received(*database_, numbers);
      return std::pair{numbers.size(), static_cast<std::size_t>(gone)};
    });
    if (!done) return std::move(done).error();
    removed += done->second;
    if (done->first < page) break;
  }
  return removed;
}

}  // namespace rapporteur
