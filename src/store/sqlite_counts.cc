// A window's counts as its report tells them: small ones in memory, large ones sorted by SQLite in
// temporary tables, so that memory does not grow with the number of details.

#include <algorithm>
#include <map>
#include <set>

#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace rapporteur {

namespace {

using Kind = Transaction::Kind;
using Heading = CountsSource::Heading;

// Windows with more details than this are sorted on disk.
constexpr std::uint64_t kHeldDetails = 20'000;

// Sums of counts stay here; no policy has so many failures.
constexpr std::uint64_t kMostCovered = std::uint64_t{1} << 62;

constexpr std::string_view kTemporaryTables = R"sql(
CREATE TEMP TABLE IF NOT EXISTS shown_addresses (
  counted TEXT PRIMARY KEY,
  shown   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS told_details (
  place                  INTEGER PRIMARY KEY,
  result_type            TEXT NOT NULL,
  sending_mta_ip         TEXT NOT NULL,
  receiving_mx_hostname  TEXT NOT NULL,
  receiving_mx_helo      TEXT NOT NULL,
  receiving_ip           TEXT NOT NULL,
  additional_information TEXT NOT NULL,
  failure_reason_code    TEXT NOT NULL,
  sessions               INTEGER NOT NULL
) STRICT;
DELETE FROM temp.shown_addresses;
DELETE FROM temp.told_details;
)sql";

// Equal details become one; then the largest count first, equal counts by content.
void merge(std::vector<DetailCount>& details, const AddressShown& shown) {
  for (auto& detail : details) {
    detail.detail.sending_mta_ip = shown(detail.detail.sending_mta_ip);
  }
  std::ranges::sort(details, {}, &DetailCount::detail);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < details.size(); ++i) {
    if (kept > 0 && details[kept - 1].detail == details[i].detail) {
      details[kept - 1].count = std::min(kMaxCount, details[kept - 1].count + details[i].count);
    } else {
      if (kept != i) details[kept] = std::move(details[i]);
      ++kept;
    }
  }
  details.resize(kept);
  std::ranges::stable_sort(details, std::ranges::greater(), &DetailCount::count);
}

std::uint64_t sum_of(const std::vector<DetailCount>& details) {
  std::uint64_t sum = 0;
  // At most 20,000 times kMaxCount would not fit.
  for (const auto& detail : details) sum = std::min(kMostCovered, sum + detail.count);
  return sum;
}

class HeldCounts final : public CountsSource {
 public:
  HeldCounts(WindowCounts counts, const AddressShown& shown) : counts_(std::move(counts)) {
    for (auto& policy : counts_) {
      merge(policy.details, shown);
      headings_.push_back({policy.policy, policy.successful, policy.failed, policy.details.size(),
                           sum_of(policy.details)});
    }
  }

  const std::vector<Heading>& policies() const override { return headings_; }
  Result<void> details(std::size_t index, std::uint64_t first,
                       const std::function<bool(const DetailCount&)>& visit) override {
    const auto& details = counts_[index].details;
    for (auto i = first; i < details.size() && visit(details[i]); ++i) {
    }
    return {};
  }

 private:
  WindowCounts counts_;
  std::vector<Heading> headings_;
};

// Reads the temporary tables as they were filled for it.
class SortedCounts final : public CountsSource {
 public:
  SortedCounts(Database& database, const std::uint64_t& generation)
      : database_(database), generation_(generation), made_in_(generation) {}

  // The next policy, whose details begin at `place` in the table.
  void add(Heading heading, std::int64_t place) {
    headings_.push_back(std::move(heading));
    places_.push_back(place);
  }

  const std::vector<Heading>& policies() const override { return headings_; }
  Result<void> details(std::size_t index, std::uint64_t first,
                       const std::function<bool(const DetailCount&)>& visit) override {
    if (generation_ != made_in_) {
      return Error{Fault::kPermanent, "the counts of another window have been read since"};
    }
    Transaction transaction(database_, Kind::kRead);
    {
      const auto& heading = headings_[index];
      Query query(database_,
                  "SELECT place, result_type, sending_mta_ip, receiving_mx_hostname,"
                  " receiving_mx_helo, receiving_ip, additional_information, failure_reason_code,"
                  " sessions FROM temp.told_details WHERE place >= ?1 AND place < ?2"
                  " ORDER BY place",
                  places_[index] + saturated(first), places_[index] + saturated(heading.details));
      while (query.next() && visit(read_detail(database_, query))) {
      }
    }
    return transaction.commit();
  }

 private:
  Database& database_;
  const std::uint64_t& generation_;
  const std::uint64_t made_in_;
  std::vector<Heading> headings_;
  std::vector<std::int64_t> places_;
};

struct PolicyRow {
  std::int64_t id = 0;
  std::uint64_t details = 0;
  PolicyCounts counts;  // without details
};

std::vector<PolicyRow> policy_rows(Database& database, WindowId window) {
  std::vector<PolicyRow> rows;
  Query query(database,
              "SELECT id, type, domain, strings, mx_hosts, successful, failed, details"
              " FROM policies WHERE window_id = ?1",
              window);
  while (query.next()) {
    rows.push_back({query.integer(0), query.count(7), read_policy(database, query)});
  }
  std::ranges::sort(rows, {},
                    [](const PolicyRow& row) -> const Policy& { return row.counts.policy; });
  return rows;
}

void show_addresses(Database& database, const std::vector<PolicyRow>& policies,
                    const AddressShown& shown) {
  std::set<std::string> counted;
  for (const auto& policy : policies) {
    Query query(database, "SELECT DISTINCT sending_mta_ip FROM details WHERE policy_id = ?1",
                policy.id);
    while (query.next()) counted.insert(query.text(0));
  }
  for (const auto& address : counted) {
    database.execute("INSERT INTO temp.shown_addresses (counted, shown) VALUES (?1, ?2)", address,
                     shown(address));
  }
}

// Copies a policy's details to the end of the table, in their order.
Heading sort_details(Database& database, const PolicyRow& policy, std::int64_t place) {
  Heading heading{policy.counts.policy, policy.counts.successful, policy.counts.failed, 0, 0};
  const auto copied = database.execute(
      "INSERT INTO temp.told_details (result_type, sending_mta_ip, receiving_mx_hostname,"
      " receiving_mx_helo, receiving_ip, additional_information, failure_reason_code, sessions)"
      " SELECT d.result_type, s.shown, d.receiving_mx_hostname, d.receiving_mx_helo,"
      " d.receiving_ip, d.additional_information, d.failure_reason_code, "
      "CAST(min(total(d.sessions), 9007199254740991) AS INTEGER)"
      " AS n"
      " FROM details AS d JOIN temp.shown_addresses AS s ON s.counted = d.sending_mta_ip"
      " WHERE d.policy_id = ?1 GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY n DESC, 1, 2, 3, 4, 5, 6, 7",
      policy.id);
  heading.details = static_cast<std::uint64_t>(copied);
  Query query(database,
              "SELECT CAST(min(total(sessions), 9e18) AS INTEGER) FROM temp.told_details"
              " WHERE place >= ?1",
              place);
  if (query.next()) heading.covered = query.count(0);
  return heading;
}

}  // namespace

Result<WindowCounts> SqliteStore::counts(WindowId window) {
  Transaction transaction(*database_, Kind::kRead);
  auto counts = all_counts(window);
  return transaction.commit(std::move(counts));
}

WindowCounts SqliteStore::all_counts(WindowId window) {
  WindowCounts counts;
  for (auto& row : policy_rows(*database_, window)) {
    auto& policy = counts.emplace_back(std::move(row.counts));
    Query details(*database_,
                  "SELECT policy_id, result_type, sending_mta_ip, receiving_mx_hostname,"
                  " receiving_mx_helo, receiving_ip, additional_information,"
                  " failure_reason_code, sessions FROM details WHERE policy_id = ?1",
                  row.id);
    while (details.next()) policy.details.push_back(read_detail(*database_, details));
    std::ranges::sort(policy.details);
  }
  return counts;
}

Result<WindowCounts> SqliteStore::outline(WindowId window) {
  Transaction transaction(*database_, Kind::kRead);
  WindowCounts counts;
  for (auto& row : policy_rows(*database_, window)) {
    auto& policy = counts.emplace_back(std::move(row.counts));
    Query sums(*database_,
               "SELECT policy_id, result_type, '', '', '', '', '', '', "
               " CAST(min(total(sessions), 9007199254740991) AS INTEGER) FROM details"
               " WHERE policy_id = ?1 GROUP BY result_type",
               row.id);
    while (sums.next()) policy.details.push_back(read_detail(*database_, sums));
    std::ranges::sort(policy.details);
  }
  return transaction.commit(std::move(counts));
}

Result<std::unique_ptr<CountsSource>> SqliteStore::read_counts(WindowId window,
                                                               const AddressShown& shown) {
  Transaction transaction(*database_, Kind::kRead);
  const auto policies = policy_rows(*database_, window);
  std::uint64_t details = 0;
  for (const auto& policy : policies) details += policy.details;
  std::unique_ptr<CountsSource> source;
  if (details <= kHeldDetails) {
    source = std::make_unique<HeldCounts>(all_counts(window), shown);
  } else {
    ++counts_generation_;
    auto sorted = std::make_unique<SortedCounts>(*database_, counts_generation_);
    database_->run_script(std::string(kTemporaryTables));
    show_addresses(*database_, policies, shown);
    std::int64_t place = 1;
    for (const auto& policy : policies) {
      auto heading = sort_details(*database_, policy, place);
      const auto next = place + saturated(heading.details);
      sorted->add(std::move(heading), place);
      place = next;
    }
    source = std::move(sorted);
  }
  return transaction.commit(std::move(source));
}

}  // namespace rapporteur
