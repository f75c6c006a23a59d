// Which deliveries are due. By their time, as long as what has to be skipped is little. Where
// destinations that take no more have very many in front of all others, the keys of the
// destinations are walked by turns: each call begins behind the key at which the last one ended.

#include <algorithm>
#include <unordered_set>

#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace rapporteur {

namespace {

using Kind = Transaction::Kind;

// So many rows are skipped in the order of time before the keys take turns. Each costs one look
// into the table.
constexpr std::size_t kMostSkipped = 256;
// So many keys are visited in one call, with one look into an index each.
constexpr std::size_t kMostKeys = 512;
// So many deliveries of one key are taken at its turn, and so many rows are looked at for them.
constexpr std::size_t kMostOfATurn = 4;
constexpr std::size_t kMostRowsOfATurn = 64;

constexpr std::string_view kByTime =
    "SELECT next_attempt, rowid, id, destination FROM deliveries"
    " WHERE mail = ?1 AND next_attempt > ?2 AND next_attempt <= ?3 ORDER BY next_attempt, rowid";
// The first row of each key that has one, from ?2 on.
constexpr std::string_view kNextKey =
    "SELECT destination_key, next_attempt FROM deliveries"
    " WHERE mail = ?1 AND destination_key >= ?2 AND next_attempt IS NOT NULL"
    " ORDER BY destination_key, next_attempt LIMIT 1";
constexpr std::string_view kOfKey =
    "SELECT next_attempt, rowid, id, destination FROM deliveries"
    " WHERE mail = ?1 AND destination_key = ?4 AND next_attempt > ?2 AND next_attempt <= ?3"
    " ORDER BY next_attempt, rowid";

// When and where a delivery stands among those that are due.
struct DuePlace {
  Time at;
  std::int64_t row = 0;

  friend auto operator<=>(const DuePlace&, const DuePlace&) = default;
};

// Attempts behind `after`, up to `until`.
struct Range {
  Time after;
  Time until;
};

// Looks for the places of due mails, or of due posts.
class DueSearch {
 public:
  DueSearch(Database& database, bool mail, const DueQuery& wanted)
      : database_(database),
        mail_(mail),
        limit_(wanted.limit),
        per_destination_(wanted.per_destination > 0 ? wanted.per_destination : wanted.limit),
        except_(wanted.except.begin(), wanted.except.end()),
        full_(wanted.full.begin(), wanted.full.end()) {}

  // `turn` is where the walk over the keys begins; it is moved on.
  void look_within(const Range& range, std::string& turn) {
    if (!go_by_time(range)) walk(range, turn);
  }

  const std::vector<DuePlace>& places() const { return places_; }

 private:
  enum class Look { kTaken, kSkipped, kLeftOut };

  bool enough() const { return places_.size() >= limit_; }

  // What a row's key is, its destination says: rows of old versions have none.
  Look look_at(const Query& row) {
    if (except_.contains(row.text(2))) return Look::kLeftOut;
    auto key = destination_key(row.text(3));
    if (full_.contains(key)) return Look::kSkipped;
    auto& taken = taken_[std::move(key)];
    if (taken >= per_destination_ || !rows_.insert(row.integer(1)).second) return Look::kSkipped;
    ++taken;
    places_.push_back({row.time(0), row.integer(1)});
    return Look::kTaken;
  }

  // False: too many rows had to be skipped.
  bool go_by_time(const Range& range) {
    Query query(database_, kByTime, mail_, range.after, range.until);
    std::size_t skipped = 0;
    while (!enough() && query.next()) {
      if (look_at(query) == Look::kSkipped && ++skipped > kMostSkipped) return false;
    }
    return true;
  }

  // Once around at the most.
  void walk(const Range& range, std::string& turn) {
    const auto begin = turn;
    bool wrapped = false;
    for (std::size_t visited = 0; visited < kMostKeys && !enough(); ++visited) {
      std::optional<std::string> key;
      bool due = false;
      {
        Query query(database_, kNextKey, mail_, turn);
        if (query.next()) {
          key = query.text(0);
          due = query.time(1) <= range.until;
        }
      }
      if (wrapped && (!key || *key >= begin)) return;
      if (!key) {
        if (database_.failed()) return;
        wrapped = true;
        turn.clear();
        continue;
      }
      if (due && !full_.contains(*key)) take_turn(range, *key);
      turn = *key + '\0';  // what follows it
    }
  }

  void take_turn(const Range& range, const std::string& key) {
    Query query(database_, kOfKey, mail_, range.after, range.until, key);
    std::size_t taken = 0;
    std::size_t skipped = 0;
    while (!enough() && taken < kMostOfATurn && skipped < kMostRowsOfATurn && query.next()) {
      const auto look = look_at(query);
      if (look == Look::kTaken) ++taken;
      if (look == Look::kSkipped) ++skipped;
    }
  }

  Database& database_;
  const bool mail_;
  const std::size_t limit_;
  const std::size_t per_destination_;
  const std::unordered_set<std::string_view> except_;
  const std::unordered_set<std::string_view> full_;
  std::unordered_map<std::string, std::size_t> taken_;  // by key
  std::unordered_set<std::int64_t> rows_;
  std::vector<DuePlace> places_;
};

}  // namespace

Result<std::vector<Store::Submission>> SqliteStore::due_deliveries(const DueQuery& wanted) {
  static const auto kSubmission = submission_sql("d.rowid = ?1");
  Transaction transaction(*database_, Kind::kRead);
  std::vector<DuePlace> places;
  for (const bool mail : {true, false}) {
    if (!(mail ? wanted.mails : wanted.posts)) continue;
    DueSearch search(*database_, mail, wanted);
    auto& turn = turns_.at(mail ? 1 : 0);
    search.look_within({Time::min(), wanted.now}, turn);
    search.look_within({wanted.now + kFarthestAttempt, Time::max()}, turn);  // misplanned
    places.insert(places.end(), search.places().begin(), search.places().end());
  }
  std::ranges::sort(places);
  if (places.size() > wanted.limit) places.resize(wanted.limit);
  std::vector<Submission> due;
  due.reserve(places.size());
  std::size_t bytes = 0;
  for (const auto& place : places) {
    if (bytes >= kMostDueBytes) break;
    Query query(*database_, kSubmission, place.row);
    if (!query.next()) break;
    due.push_back({read_delivery(*database_, query), query.text(kDeliveryColumnCount)});
    bytes += due.back().delivery.header.size() + due.back().body.size();
  }
  return transaction.commit(std::move(due));
}

}  // namespace rapporteur
