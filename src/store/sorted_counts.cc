#include "store/sorted_counts.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "store/rows.h"

namespace rapporteur {

namespace {

using Kind = Transaction::Kind;
using Heading = CountsSource::Heading;

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

void show_addresses(Database& database, std::span<const StoredPolicy> policies,
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
Heading sort_details(Database& database, const StoredPolicy& policy, std::int64_t place) {
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

void sort_by_policy(std::vector<StoredPolicy>& rows) {
  std::ranges::sort(rows, {},
                    [](const StoredPolicy& row) -> const Policy& { return row.counts.policy; });
}

std::unique_ptr<CountsSource> sort_counts(Database& database, const std::uint64_t& generation,
                                          std::span<const StoredPolicy> policies,
                                          const AddressShown& shown) {
  auto sorted = std::make_unique<SortedCounts>(database, generation);
  database.run_script(std::string(kTemporaryTables));
  show_addresses(database, policies, shown);
  std::int64_t place = 1;
  for (const auto& policy : policies) {
    auto heading = sort_details(database, policy, place);
    const auto next = place + saturated(heading.details);
    sorted->add(std::move(heading), place);
    place = next;
  }
  return sorted;
}

}  // namespace rapporteur
