#include "store/pg_policies.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "store/deltas.h"
#include "store/pg_text.h"
#include "store/rows.h"

namespace rapporteur {

namespace {

// Rows that a statement carries at most.
constexpr std::size_t kRows = 5000;

constexpr std::string_view kAddPolicies =
    "INSERT INTO policies (domain, window_id, content_key, successful, failed, details, type,"
    " policy_domain, strings, mx_hosts) SELECT v.* FROM unnest($1::text[], $2::bigint[],"
    " $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[],"
    " $10::text[]) AS v(domain, window_id, content_key, successful, failed, details, type,"
    " policy_domain, strings, mx_hosts) ON CONFLICT (domain, window_id, content_key) DO UPDATE SET"
    " successful = least(policies.successful, 9007199254740991 - excluded.successful)"
    " + excluded.successful,"
    " failed = least(policies.failed, 9007199254740991 - excluded.failed) + excluded.failed,"
    " details = policies.details + excluded.details";

constexpr std::string_view kAddDetails =
    "INSERT INTO details (domain, window_id, policy_key, content_key, sessions, result_type,"
    " sending_mta_ip, receiving_mx_hostname, receiving_mx_helo, receiving_ip,"
    " additional_information, failure_reason_code) SELECT v.* FROM unnest($1::text[],"
    " $2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[], $6::text[], $7::text[], $8::text[],"
    " $9::text[], $10::text[], $11::text[], $12::text[]) AS v(domain, window_id, policy_key,"
    " content_key, sessions, result_type, sending_mta_ip, receiving_mx_hostname,"
    " receiving_mx_helo, receiving_ip, additional_information, failure_reason_code)"
    " ON CONFLICT (domain, window_id, policy_key, content_key) DO UPDATE SET sessions ="
    " least(details.sessions, 9007199254740991 - excluded.sessions) + excluded.sessions";

struct DetailSum {
  std::string key;
  FailureDetail detail;
  std::uint64_t sessions = 0;
  bool stored = false;  // it has a row already
};

struct PolicySum {
  const std::string* domain = nullptr;
  WindowId window = 0;
  bool made = false;  // with its window, just now
  std::string key;
  const Policy* policy = nullptr;
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;
  std::uint64_t stored_details = 0;  // rows of details that it has
  std::uint64_t made_details = 0;    // and gets
  std::vector<DetailSum> details;    // each once, in the order in which they came
};

// The same policy of a window, and the same detail of a policy, may come with several deltas. A
// statement can change a row only once.
class Sums {
 public:
  void add(const std::string& domain, const PgPlace& place, const PolicyCounts& counts) {
    auto key = policy_key(counts.policy);
    const auto [found, fresh] = places_.try_emplace(with_number(key, place.id), policies_.size());
    if (fresh) {
      PolicySum sum;
      sum.domain = &domain;
      sum.window = place.id;
      sum.made = place.made;
      sum.key = std::move(key);
      sum.policy = &counts.policy;
      policies_.push_back(std::move(sum));
    }
    auto& sum = policies_[found->second];
    sum.made = sum.made && place.made;
    sum.successful = saturating_sum(sum.successful, counts.successful);
    sum.failed = saturating_sum(sum.failed, counts.failed);
    for (const auto& [detail, sessions] : counts.details) {
      add_detail(sum, static_cast<std::int64_t>(found->second), detail, sessions);
    }
  }

  std::deque<PolicySum>& policies() { return policies_; }

 private:
  static std::string with_number(std::string key, std::int64_t number) {
    return std::move(key) + std::to_string(number);
  }

  void add_detail(PolicySum& sum, std::int64_t number, const FailureDetail& detail,
                  std::uint64_t sessions) {
    auto key = detail_key(detail);
    const auto [found, fresh] =
        detail_places_.try_emplace(with_number(key, number), sum.details.size());
    if (fresh) {
      sum.details.push_back({std::move(key), detail, sessions});
    } else {
      auto& known = sum.details[found->second];
      known.sessions = saturating_sum(known.sessions, sessions);
    }
  }

  std::deque<PolicySum> policies_;
  std::unordered_map<std::string, std::size_t> places_;         // by key and window
  std::unordered_map<std::string, std::size_t> detail_places_;  // by key and number of the policy
};

// Collects rows and sends them by the thousand; the next are collected while the database works.
template <std::size_t kColumns>
class Sender {
 public:
  Sender(PgDatabase& database, std::string_view sql) : database_(database), sql_(sql) {}

  template <class... Values>
  void add(const Values&... values) {
    static_assert(sizeof...(Values) == kColumns);
    auto column = columns_.begin();
    ((column++)->add(values), ...);
    if (columns_[0].size() >= kRows) flush();
  }
  void flush() {
    if (columns_[0].empty()) return;
    PgDatabase::Parameters parameters;
    for (const auto& column : columns_) parameters.add(column);
    database_.post(sql_, parameters);
    columns_ = {};
  }

 private:
  PgDatabase& database_;
  std::string_view sql_;
  std::array<PgArray, kColumns> columns_;
};

// Marks the details that have a row.
class Finder {
 public:
  explicit Finder(PgDatabase& database) : database_(database) {}

  void add(const PolicySum& policy, DetailSum& detail) {
    domains_.add(*policy.domain);
    windows_.add(policy.window);
    policies_.add(Blob{policy.key});
    keys_.add(Blob{detail.key});
    details_.push_back(&detail);
    if (details_.size() >= kRows) flush();
  }
  void flush() {
    if (details_.empty()) return;
    auto rows = database_.query(
        "SELECT v.number FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bytea[])"
        " WITH ORDINALITY AS v(domain, window_id, policy_key, content_key, number)"
        " JOIN details AS d ON d.domain = v.domain AND d.window_id = v.window_id"
        " AND d.policy_key = v.policy_key AND d.content_key = v.content_key",
        domains_, windows_, policies_, keys_);
    while (rows.next()) details_[static_cast<std::size_t>(rows.integer(0) - 1)]->stored = true;
    domains_ = windows_ = policies_ = keys_ = {};
    details_.clear();
  }

 private:
  PgDatabase& database_;
  PgArray domains_;
  PgArray windows_;
  PgArray policies_;
  PgArray keys_;
  std::vector<DetailSum*> details_;
};

void count_stored_details(PgDatabase& database, std::deque<PolicySum>& policies) {
  PgArray domains;
  PgArray windows;
  PgArray keys;
  std::vector<PolicySum*> asked;
  for (auto& policy : policies) {
    if (policy.made || policy.details.empty()) continue;
    domains.add(*policy.domain);
    windows.add(policy.window);
    keys.add(Blob{policy.key});
    asked.push_back(&policy);
  }
  if (asked.empty()) return;
  auto rows = database.query(
      "SELECT v.number, p.details FROM unnest($1::text[], $2::bigint[], $3::bytea[])"
      " WITH ORDINALITY AS v(domain, window_id, content_key, number)"
      " JOIN policies AS p ON p.domain = v.domain AND p.window_id = v.window_id"
      " AND p.content_key = v.content_key",
      domains, windows, keys);
  while (rows.next()) {
    asked[static_cast<std::size_t>(rows.integer(0) - 1)]->stored_details = rows.count(1);
  }
}

bool overflows(const PolicySum& policy, std::size_t max_details) {
  const auto fresh = std::ranges::count(policy.details, false, &DetailSum::stored);
  return policy.stored_details + static_cast<std::uint64_t>(fresh) > max_details;
}

// Adds to each policy that has too many details those that the others are folded into, with no
// sessions yet; see fold().
void add_folded(std::deque<PolicySum>& policies, std::size_t max_details, Finder& finder) {
  for (auto& policy : policies) {
    if (!overflows(policy, max_details)) continue;
    std::set<ResultType> types;
    for (const auto& each : policy.details) {
      if (!each.stored) types.insert(each.detail.result_type);
    }
    for (const auto type : types) {
      auto detail = folded(FailureDetail{.result_type = type});
      auto key = detail_key(detail);
      if (std::ranges::find(policy.details, key, &DetailSum::key) != policy.details.end()) continue;
      policy.details.push_back({std::move(key), std::move(detail), 0});
    }
    for (auto& each : policy.details) {
      if (each.sessions == 0 && !policy.made) finder.add(policy, each);
    }
  }
  finder.flush();
}

// Decides which of the new details get rows of their own; the others' sessions move to the folded
// ones. A detail without sessions at the end is none.
void fold(PolicySum& policy, std::size_t max_details) {
  std::unordered_map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < policy.details.size(); ++i) places[policy.details[i].key] = i;
  std::vector<bool> kept(policy.details.size());
  for (std::size_t i = 0; i < policy.details.size(); ++i) {
    auto& each = policy.details[i];
    if (each.stored || kept[i] || each.sessions == 0) continue;
    if (policy.stored_details + policy.made_details < max_details) {
      kept[i] = true;
      ++policy.made_details;
      continue;
    }
    const auto place = places.at(detail_key(folded(each.detail)));
    auto& bare = policy.details[place];
    if (!bare.stored && !kept[place]) {
      kept[place] = true;
      ++policy.made_details;
    }
    if (place == i) continue;
    bare.sessions = saturating_sum(bare.sessions, std::exchange(each.sessions, 0));
  }
}

void fold_details(PgDatabase& database, std::deque<PolicySum>& policies, std::size_t max_details) {
  count_stored_details(database, policies);
  Finder finder(database);
  for (auto& policy : policies) {
    if (policy.made) continue;
    for (auto& each : policy.details) finder.add(policy, each);
  }
  finder.flush();
  if (database.failed()) return;
  add_folded(policies, max_details, finder);
  for (auto& policy : policies) fold(policy, max_details);
}

void send_policies(PgDatabase& database, const std::deque<PolicySum>& policies) {
  Sender<10> sender(database, kAddPolicies);
  for (const auto& sum : policies) {
    sender.add(*sum.domain, sum.window, Blob{sum.key}, sum.successful, sum.failed, sum.made_details,
               to_string(sum.policy->type), storable(sum.policy->domain),
               storable(pack(sum.policy->strings)), storable(pack(sum.policy->mx_hosts)));
  }
  sender.flush();
}

void send_details(PgDatabase& database, const std::deque<PolicySum>& policies) {
  Sender<12> sender(database, kAddDetails);
  for (const auto& policy : policies) {
    for (const auto& [key, detail, sessions, stored] : policy.details) {
      if (sessions == 0) continue;
      sender.add(*policy.domain, policy.window, Blob{policy.key}, Blob{key}, sessions,
                 to_string(detail.result_type), storable(detail.sending_mta_ip),
                 storable(detail.receiving_mx_hostname), storable(detail.receiving_mx_helo),
                 storable(detail.receiving_ip), storable(detail.additional_information),
                 storable(detail.failure_reason_code));
    }
  }
  sender.flush();
}

}  // namespace

void add_policies(PgDatabase& database, std::span<const WindowDelta* const> deltas,
                  std::span<const PgPlace> places, std::size_t max_details) {
  Sums sums;
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    for (const auto& counts : deltas[i]->counts) sums.add(deltas[i]->domain, places[i], counts);
  }
  auto& policies = sums.policies();
  const auto with_details = [](const PolicySum& policy) { return !policy.details.empty(); };
  const bool details = std::ranges::any_of(policies, with_details);
  if (details) fold_details(database, policies, max_details);
  if (database.failed()) return;
  send_policies(database, policies);
  if (details) send_details(database, policies);
}

}  // namespace rapporteur
