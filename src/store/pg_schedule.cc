// Windows and their run: what falls due, and what the run asks about earlier reports. What a run
// comes to: pg_conclude.cc.

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "store/pg_conditions.h"
#include "store/pg_leases.h"
#include "store/pg_store.h"

namespace rapporteur {

namespace {

// Where so many or fewer are left beyond those that are wanted, they fall due, too.
constexpr std::size_t kFewLeft = 64;

// Candidates of one state. $1 is now, ($2, $3) the place behind which they are, $4 what no retry is
// put off further than, $5 this node, $6 how many.
std::string due_in(std::string_view state, std::string_view condition) {
  return "(SELECT w.due, w.id, w.domain, w.state, w.fence FROM windows AS w WHERE w.state = '" +
         std::string(state) + "' AND (w.due, w.id) > ($2, $3) AND " + std::string(condition) +
         " AND " + lease_is_free("w", "$5::text") + " ORDER BY w.due, w.id LIMIT $6)";
}

// A window that is blocked is not tried before its own time has come either.
std::string candidates_sql() {
  const std::string misplanned = "w.retry > greatest($1, w.ends) + $4";
  return due_in("collecting", "w.due <= $1") + " UNION ALL " +
         due_in("blocked",
                "w.due <= $1 AND (coalesce(w.retry, w.due) <= $1 OR " + misplanned + ")") +
         " UNION ALL " + due_in("due", "(w.retry IS NULL OR w.retry <= $1 OR " + misplanned + ")");
}

// The fence makes it a compare-and-swap: of two nodes that found the same window, one has it. That
// another has let it fall due meanwhile is no matter.
std::string lease_sql() {
  return "UPDATE windows AS w SET state = 'due', lookup = NULL,"
         " retry = CASE WHEN w.state = 'blocked' THEN NULL ELSE w.retry END,"
         " fence = CASE WHEN v.leased THEN w.fence + 1 ELSE w.fence END,"
         " lease_node = CASE WHEN v.leased THEN $6::text ELSE w.lease_node END,"
         " lease_until = CASE WHEN v.leased THEN " +
         std::string(kLeaseClock) +
         " + $7::bigint ELSE w.lease_until END"
         " FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::boolean[])"
         " AS v(domain, id, state, fence, leased)"
         " WHERE w.domain = v.domain AND w.id = v.id AND w.fence = v.fence"
         " AND (w.state = v.state OR (w.state = 'due' AND w.retry IS NULL)) AND " +
         lease_is_free("w", "$6::text") + " RETURNING " + std::string(kWindowColumns) +
         ", w.fence, v.leased";
}

}  // namespace

// By (due, id), those first that this node's share has: the first `limit` are to be leased.
std::vector<PgStore::DueWindow> PgStore::find_due_windows(
    Time now, std::size_t limit, const std::optional<std::pair<Time, WindowId>>& after) {
  static const auto kSql = candidates_sql();
  const Share share(live_nodes(), options_.node);
  const auto [due, id] = after.value_or(std::pair(Time::min(), WindowId{0}));
  const auto most = limit * share.nodes() + kFewLeft;
  std::vector<DueWindow> found;
  {
    auto rows = database_->query(kSql, now, due, id, kFarthestRetry.count(), options_.node, most);
    while (rows.next()) {
      found.push_back({rows.time(0), rows.integer(1), rows.text(2), rows.text(3), rows.integer(4)});
    }
  }
  std::ranges::sort(found, [](const DueWindow& a, const DueWindow& b) {
    return std::tie(a.due, a.id) < std::tie(b.due, b.id);
  });
  std::ranges::stable_partition(found, [&](const DueWindow& one) { return share.has(one.domain); });
  return found;
}

void PgStore::lease_windows(std::span<DueWindow> windows, std::vector<Window>& leased) {
  static const auto kSql = lease_sql();
  std::ranges::sort(windows, [](const DueWindow& a, const DueWindow& b) {
    return std::tie(a.domain, a.id) < std::tie(b.domain, b.id);  // as rows are locked everywhere
  });
  PgArray domains, ids, states, fences, leases;
  for (const auto& window : windows) {
    if (!window.leased && window.state == "due") continue;
    domains.add(window.domain);
    ids.add(window.id);
    states.add(window.state);
    fences.add(window.fence);
    leases.add(window.leased);
  }
  auto rows = database_->query(kSql, domains, ids, states, fences, leases, options_.node,
                               options_.lease.count());
  while (rows.next()) {
    auto window = read_window(*database_, rows);
    window.fence = rows.integer(kWindowColumnCount);
    know_domain(window.id, window.domain);
    if (rows.flag(kWindowColumnCount + 1)) leased.push_back(std::move(window));
  }
}

// What falls due and is not wanted yet stays as it is where there is much of it: at midnight a
// million windows do so at once. It takes counts until it is claimed.
Result<std::vector<Window>> PgStore::claim_due(Time now, std::size_t limit,
                                               std::optional<std::pair<Time, WindowId>> after) {
  const auto candidates = database_->read([&] { return find_due_windows(now, limit, after); });
  if (!candidates) return candidates.error();
  if (candidates->empty()) return std::vector<Window>();
  return database_->write([&] {
    auto waiting = *candidates;
    std::vector<Window> claimed;
    std::size_t next = 0;
    while (next < waiting.size() && claimed.size() < limit && !database_->failed()) {
      const auto left = waiting.size() - next;
      auto size = std::min(limit - claimed.size(), left);
      if (left - size <= kFewLeft) {
        for (auto i = next + size; i < waiting.size(); ++i) waiting[i].leased = false;
        size = left;
      }
      lease_windows(std::span(waiting).subspan(next, size), claimed);
      next += size;
    }
    std::ranges::sort(claimed, [](const Window& a, const Window& b) {
      return std::tie(a.due, a.id) < std::tie(b.due, b.id);
    });
    return claimed;
  });
}

Result<void> PgStore::retry_now(bool temporary, Time now) {
  return database_->write([&] {
    // Never before the window's end.
    database_->execute(
        "UPDATE windows SET retry = greatest($1, ends) WHERE state = 'blocked'"
        " AND coalesce(retry, due) > greatest($1, ends)",
        now);
    if (temporary) {
      database_->execute(
          "UPDATE windows SET retry = greatest($1, ends) WHERE state = 'due'"
          " AND retry > greatest($1, ends)",
          now);
    }
  });
}

Result<bool> PgStore::unblock(WindowId window, Time now) {
  return database_->write([&] {
    return database_->execute(
               "UPDATE windows SET state = 'collecting', reason = '', retry = NULL,"
               " first_attempt = NULL WHERE domain = $1 AND id = $2 AND state = 'blocked'"
               " AND ends > $3",
               domain_of(window), window, now) == 1;
  });
}

Result<bool> PgStore::reported_like(const std::string& domain, const std::string& fingerprint,
                                    Time since) {
  return database_->read([&] {
    auto rows = database_->query(
        "SELECT 1 FROM windows WHERE domain = $1 AND fingerprint = $2 AND assembled >= $3 LIMIT 1",
        domain, fingerprint, since);
    return rows.next();
  });
}

}  // namespace rapporteur
