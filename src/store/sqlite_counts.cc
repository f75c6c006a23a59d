// A window's counts, and how its report tells them.

#include <algorithm>
#include <string_view>
#include <utility>

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

constexpr std::string_view kDetails =
    "SELECT policy_id, result_type, sending_mta_ip, receiving_mx_hostname, receiving_mx_helo,"
    " receiving_ip, additional_information, failure_reason_code, sessions FROM details"
    " WHERE policy_id = ?1";

constexpr std::string_view kSumsOfDetails =
    "SELECT policy_id, result_type, '', '', '', '', '', '',"
    " CAST(min(total(sessions), 9007199254740991) AS INTEGER) FROM details WHERE policy_id = ?1"
    " GROUP BY result_type";

// The policies with what `sql` finds of each.
WindowCounts with_details(Database& database, std::vector<StoredPolicy> rows,
                          std::string_view sql) {
  WindowCounts counts;
  for (auto& row : rows) {
    auto& policy = counts.emplace_back(std::move(row.counts));
    if (row.details == 0) continue;
    Query details(database, sql, row.id);
    while (details.next()) policy.details.push_back(read_detail(database, details));
    std::ranges::sort(policy.details);
  }
  return counts;
}

std::uint64_t details_of(const std::vector<StoredPolicy>& rows) {
  std::uint64_t details = 0;
  for (const auto& row : rows) details += row.details;
  return details;
}

// Windows that wait carry the number after the parts of those that were assembled before, even when
// these are gone; parts tell it where only assembled ones are left.
int first_part_of(Database& database, const DossierQuestion& question) {
  Query query(database,
              "SELECT max(coalesce(p.number + 1, w.first_part)) FROM windows AS w"
              " LEFT JOIN parts AS p ON p.window_id = w.id WHERE w.domain = ?1 AND w.starts = ?2",
              question.domain, question.period.start);
  return query.next() && !query.is_null(0) ? small_integer(query.integer(0)) : 1;
}

std::uint64_t mails_of(Database& database, const DossierQuestion& question) {
  Query query(database,
              "SELECT count(*) FROM deliveries WHERE mail_domain = ?1 AND handed_over >= ?2"
              " AND handed_over < ?3",
              question.domain, question.mails_within.start, question.mails_within.end);
  return query.next() ? query.count(0) : 0;
}

}  // namespace

Result<WindowCounts> SqliteStore::counts(WindowId window) {
  Transaction transaction(*database_, Kind::kRead);
  auto counts = with_details(*database_, policy_rows(*database_, window), kDetails);
  return transaction.commit(std::move(counts));
}

Result<WindowCounts> SqliteStore::outline(WindowId window) {
  Transaction transaction(*database_, Kind::kRead);
  auto counts = with_details(*database_, policy_rows(*database_, window), kSumsOfDetails);
  return transaction.commit(std::move(counts));
}

Result<std::vector<Dossier>> SqliteStore::dossiers(std::span<const DossierQuestion> questions) {
  Transaction transaction(*database_, Kind::kRead);
  std::vector<Dossier> dossiers(questions.size());
  auto left = kHeldDetailsOfDossiers;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    auto& dossier = dossiers[i];
    auto rows = policy_rows(*database_, questions[i].window);
    if (const auto details = details_of(rows); details <= left) {
      left -= details;
      dossier.counts = with_details(*database_, std::move(rows), kDetails);
      dossier.outline = outline_of(*dossier.counts);
    } else {
      dossier.outline = with_details(*database_, std::move(rows), kSumsOfDetails);
    }
    dossier.first_part = first_part_of(*database_, questions[i]);
    dossier.mails = mails_of(*database_, questions[i]);
  }
  return transaction.commit(std::move(dossiers));
}

Result<std::unique_ptr<CountsSource>> SqliteStore::read_counts(WindowId window,
                                                               const AddressShown& shown) {
  Transaction transaction(*database_, Kind::kRead);
  auto policies = policy_rows(*database_, window);
  std::unique_ptr<CountsSource> source;
  if (details_of(policies) <= kHeldDetails) {
    source = std::make_unique<HeldCounts>(with_details(*database_, std::move(policies), kDetails),
                                          shown);
  } else {
    ++counts_generation_;
    source = sort_counts(*database_, counts_generation_, policies, shown);
  }
  return transaction.commit(std::move(source));
}

}  // namespace rapporteur
