// A window's counts, and how its report tells them.

#include <algorithm>

#include "store/held_counts.h"
#include "store/sorted_counts.h"
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace rapporteur {

namespace {

using Kind = Transaction::Kind;

std::vector<StoredPolicy> policy_rows(Database& database, WindowId window) {
  std::vector<StoredPolicy> rows;
  Query query(database,
              "SELECT id, type, domain, strings, mx_hosts, successful, failed, details"
              " FROM policies WHERE window_id = ?1",
              window);
  while (query.next()) {
    rows.push_back({query.integer(0), query.count(7), read_policy(database, query)});
  }
  sort_by_policy(rows);
  return rows;
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
    source = sort_counts(*database_, counts_generation_, policies, shown);
  }
  return transaction.commit(std::move(source));
}

}  // namespace rapporteur
