// Which deliveries are due. By their time, as long as what has to be skipped is little. Where
// destinations that take no more have very many in front of all others, the keys of the
// destinations are walked by turns: each call begins behind the key at which the last one ended.

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "store/pg_leases.h"
#include "store/pg_settle.h"
#include "store/pg_store.h"
#include "store/rows.h"

namespace rapporteur {

namespace {

// So many rows beyond those that are wanted are looked at in the order of time, before the keys
// take turns. The database skips them by itself.
constexpr std::size_t kMostSkipped = 512;
// The walk over the keys reads so many pages of so many rows in one call. A key that has more than
// a page is left after it.
constexpr std::size_t kMostPages = 16;
constexpr std::size_t kRowsOfAPage = 128;
// So many deliveries of one key are taken at its turn.
constexpr std::size_t kMostOfATurn = 4;
// What one call returns is read in pieces.
constexpr std::size_t kSubmissionsAtOnce = 32;

// A delivery that could be had, with the lease that its row showed.
struct Candidate {
  Time at;
  std::string id;
  std::string domain;
  std::string key;
  std::string lease_node;
  std::int64_t lease_until = 0;
};

// Whether a row of table d may be had: $3 are the ids and $4 the keys to be left out, $5 is the
// node.
std::string may_be_had() {
  return lease_is_free("d", "$5::text") +
         " AND d.id <> ALL ($3::text[]) AND d.destination_key <> ALL ($4::text[])";
}

// The first rows by time, at most $6 of those that are due at $1 and as many of those that are
// planned too far ahead, behind $2. Of rows that may not be had, only that they are there.
std::string by_time_sql(std::string_view mail) {
  const auto had = may_be_had();
  std::string columns = "SELECT d.next_attempt";
  for (const std::string column :
       {"id", "domain", "destination_key", "lease_node", "lease_until"}) {
    columns += ", CASE WHEN " + had + " THEN d." + column + " END";
  }
  const auto rows = columns + " FROM deliveries AS d WHERE d.mail = " + std::string(mail);
  const std::string order = " ORDER BY d.next_attempt, d.id LIMIT $6";
  return "(" + rows + " AND d.next_attempt <= $1" + order + ") UNION ALL (" + rows +
         " AND d.next_attempt > $2" + order + ")";
}

// A page of the rows behind key $6, up to key $7 if it is told, that are due or planned too far
// ahead.
std::string by_key_sql(std::string_view mail) {
  return "SELECT d.next_attempt, d.id, d.domain, d.destination_key, d.lease_node, d.lease_until,"
         " (d.next_attempt <= $1 OR d.next_attempt > $2) AND " +
         may_be_had() + " FROM deliveries AS d WHERE d.mail = " + std::string(mail) +
         " AND d.next_attempt IS NOT NULL AND d.destination_key > $6"
         " AND ($7::text IS NULL OR d.destination_key <= $7)"
         " ORDER BY d.destination_key, d.next_attempt, d.id LIMIT $8";
}

Candidate read_candidate(const PgRows& row) {
  return {row.time(0), row.text(1), row.text(2), row.text(3), row.text(4), row.integer(5)};
}

// Looks for due mails, or for due posts.
class DueSearch {
 public:
  DueSearch(PgDatabase& database, bool mail, const DueQuery& wanted, std::size_t enough,
            const std::string& node)
      : database_(database),
        mail_(mail),
        now_(wanted.now),
        enough_(enough),
        per_destination_(wanted.per_destination),
        node_(node) {
    for (const auto& id : wanted.except) except_.add(id);
    for (const auto& key : wanted.full) full_.add(key);
  }

  // `turn` is where the walk over the keys begins; it is moved on.
  void look(std::string& turn) {
    if (!go_by_time()) walk(turn);
  }

  std::vector<Candidate>& found() { return found_; }

 private:
  bool enough() const { return found_.size() >= enough_; }

  void take(Candidate candidate) {
    auto& taken = taken_[candidate.key];
    if (per_destination_ != 0 && taken == per_destination_) return;
    if (!ids_.insert(candidate.id).second) return;
    ++taken;
    found_.push_back(std::move(candidate));
  }

  // False: too many rows had to be skipped.
  bool go_by_time() {
    static const std::array kSql = {by_time_sql("FALSE"), by_time_sql("TRUE")};
    const auto most = enough_ + except_.size() + kMostSkipped;
    auto rows = database_.query(kSql.at(mail_ ? 1 : 0), now_, now_ + kFarthestAttempt, except_,
                                full_, node_, most);
    std::size_t due = 0;
    while (!enough() && rows.next()) {
      if (rows.time(0) <= now_) ++due;
      if (!rows.is_null(1)) take(read_candidate(rows));
    }
    return enough() || (due < most && rows.size() - due < most);
  }

  // Once around at the most.
  void walk(std::string& turn) {
    const std::optional<std::string> begin = turn;
    bool wrapped = false;
    for (std::size_t pages = 0; pages < kMostPages && !enough() && !database_.failed(); ++pages) {
      if (read_page(turn, wrapped ? begin : std::nullopt)) continue;
      if (wrapped || begin->empty()) {
        turn.clear();
        return;
      }
      wrapped = true;
      turn.clear();
    }
  }

  // False: there is no key behind those of this page.
  bool read_page(std::string& turn, const std::optional<std::string>& last) {
    static const std::array kSql = {by_key_sql("FALSE"), by_key_sql("TRUE")};
    PgDatabase::Parameters parameters;
    parameters.add(now_);
    parameters.add(now_ + kFarthestAttempt);
    parameters.add(except_);
    parameters.add(full_);
    parameters.add(node_);
    parameters.add(turn);
    parameters.values.push_back({last});
    parameters.add(kRowsOfAPage);
    auto rows = database_.query_with(kSql.at(mail_ ? 1 : 0), parameters);
    std::size_t taken = 0;  // of the key
    while (!enough() && rows.next()) {
      if (auto key = rows.text(3); key != turn) {
        turn = std::move(key);
        taken = 0;
      }
      if (!rows.flag(6) || taken == kMostOfATurn) continue;
      take(read_candidate(rows));
      ++taken;
    }
    return rows.size() == kRowsOfAPage;
  }

  PgDatabase& database_;
  const bool mail_;
  const Time now_;
  const std::size_t enough_;
  const std::size_t per_destination_;  // 0: as many as there are
  const std::string& node_;
  PgArray except_;
  PgArray full_;
  std::unordered_set<std::string> ids_;
  std::unordered_map<std::string, std::size_t> taken_;  // by key
  std::vector<Candidate> found_;
};

bool earlier(const Candidate& a, const Candidate& b) {
  return std::tie(a.at, a.id) < std::tie(b.at, b.id);
}

// Compares and swaps: what another node has leased since is left to it. An attempt that had begun
// on a node that is not this one, and lost its lease, may have been a success.
const std::string& lease_sql() {
  static const auto kSql =
      "UPDATE deliveries AS d SET lease_node = $5::text, lease_until = " +
      std::string(kLeaseClock) +
      " + $6::bigint,"
      " state = CASE WHEN d.begun IS NOT NULL AND d.lease_node <> $5::text THEN 'uncertain'"
      " ELSE d.state END,"
      " begun = CASE WHEN d.lease_node = $5::text THEN d.begun END"
      " FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])"
      " AS v(domain, id, lease_node, lease_until)"
      " WHERE d.domain = v.domain AND d.id = v.id AND d.lease_node = v.lease_node"
      " AND d.lease_until = v.lease_until AND d.next_attempt IS NOT NULL"
      " AND d.state IN ('pending', 'uncertain') RETURNING d.id";
  return kSql;
}

// Within a transaction. Removes those that were not to be had.
void lease(PgDatabase& database, std::vector<Candidate>& wanted, const std::string& node,
           Seconds length) {
  std::ranges::sort(wanted, [](const Candidate& a, const Candidate& b) {
    return std::tie(a.domain, a.id) < std::tie(b.domain, b.id);  // as rows are locked everywhere
  });
  PgArray domains, ids, nodes, untils;
  for (const auto& candidate : wanted) {
    domains.add(candidate.domain);
    ids.add(candidate.id);
    nodes.add(candidate.lease_node);
    untils.add(candidate.lease_until);
  }
  std::unordered_set<std::string> leased;
  auto rows = database.query(lease_sql(), domains, ids, nodes, untils, node, length.count());
  while (rows.next()) leased.insert(rows.text(0));
  std::erase_if(wanted, [&](const Candidate& one) { return !leased.contains(one.id); });
}

}  // namespace

Result<std::vector<Store::Submission>> PgStore::due_deliveries(const DueQuery& wanted) {
  if (wanted.limit == 0 || !(wanted.mails || wanted.posts)) return std::vector<Submission>();
  auto candidates = database_->read([&] {
    const Share share(live_nodes(), options_.node);
    std::vector<Candidate> found;
    for (const bool mail : {true, false}) {
      if (!(mail ? wanted.mails : wanted.posts)) continue;
      DueSearch search(*database_, mail, wanted, wanted.limit * share.nodes(), options_.node);
      search.look(turns_.at(mail ? 1 : 0));
      std::ranges::move(search.found(), std::back_inserter(found));
    }
    std::ranges::sort(found, earlier);
    std::ranges::stable_partition(found, [&](const Candidate& one) {
      return one.lease_node == options_.node || share.has(one.domain);
    });
    return found;
  });
  if (!candidates) return std::move(candidates).error();
  if (candidates->empty()) return std::vector<Submission>();
  auto leased = database_->write([&] {
    std::vector<Candidate> had;
    for (std::size_t next = 0; next < candidates->size() && had.size() < wanted.limit;) {
      const auto size = std::min(wanted.limit - had.size(), candidates->size() - next);
      const auto first = candidates->begin() + static_cast<std::ptrdiff_t>(next);
      std::vector<Candidate> some(first, first + static_cast<std::ptrdiff_t>(size));
      lease(*database_, some, options_.node, options_.lease);
      std::ranges::move(some, std::back_inserter(had));
      next += size;
      if (database_->failed()) break;
    }
    std::ranges::sort(had, earlier);
    return had;
  });
  if (!leased) return std::move(leased).error();
  std::vector<DeliveryKey> keys;
  keys.reserve(leased->size());
  for (auto& one : *leased) keys.emplace_back(std::move(one.domain), std::move(one.id));
  return submissions(keys);
}

// In the order of the keys. What is not reached is found by the next query: it is this node's.
Result<std::vector<Store::Submission>> PgStore::submissions(std::span<const DeliveryKey> keys) {
  static const auto kSql =
      "SELECT " + std::string(kDeliveryColumns) + ", " + kDeliveryBody + kDeliveryTables +
      "JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS v(domain, id, place)"
      " ON d.domain = v.domain AND d.id = v.id ORDER BY v.place";
  return database_->read([&] {
    std::vector<Submission> found;
    std::size_t bytes = 0;
    for (std::size_t next = 0; next < keys.size() && bytes < kMostDueBytes;
         next += kSubmissionsAtOnce) {
      PgArray domains, ids, places;
      for (const auto& [domain, id] :
           keys.subspan(next, std::min(kSubmissionsAtOnce, keys.size() - next))) {
        domains.add(domain);
        ids.add(id);
        places.add(static_cast<std::int64_t>(places.size()));
      }
      auto rows = database_->query(kSql, domains, ids, places);
      while (rows.next()) {
        auto& one =
            found.emplace_back(read_delivery(*database_, rows), rows.bytes(kDeliveryColumnCount));
        bytes += one.delivery.header.size() + one.body.size();
        know_delivery(one.delivery.id,
                      {one.delivery.domain, one.delivery.window, one.delivery.part});
      }
      if (database_->failed()) break;
    }
    return found;
  });
}

}  // namespace rapporteur
