// What the runs of windows come to: many at once, with a number of statements that does not grow
// with theirs.

#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/domain.h"
#include "store/pg_conditions.h"
#include "store/pg_settle.h"
#include "store/pg_store.h"
#include "store/pg_text.h"

namespace rapporteur {

namespace {

// Parts beyond so many bytes are sent one by one, as they are; what is sent in an array is twice as
// large.
constexpr std::size_t kLargePart = std::size_t{64} << 10;
constexpr std::size_t kMostInArrays = std::size_t{4} << 20;

WindowId window_of(const Conclusion& conclusion) {
  return std::visit([](const auto& one) { return one.window; }, conclusion);
}

struct Bounds {
  int first = 0;  // 0: there are no parts
  int last = 0;
};

Bounds bounds_of(const Assembly& assembly) {
  Bounds bounds;
  for (const auto& part : assembly.parts) {
    bounds.first = bounds.first == 0 ? part.number : std::min(bounds.first, part.number);
    bounds.last = std::max(bounds.last, part.number);
  }
  return bounds;
}

// The tables do not see to it.
bool holds_together(const Assembly& assembly) {
  std::set<int> numbers;
  std::set<std::string_view> reports;
  std::set<std::string_view> ids;
  for (const auto& part : assembly.parts) {
    if (!numbers.insert(part.number).second || !reports.insert(part.report_id).second) return false;
  }
  return std::ranges::all_of(assembly.deliveries, [&](const Delivery& delivery) {
    return numbers.contains(delivery.part) && ids.insert(delivery.id).second;
  });
}

// One assembly with the rows of its deliveries, settled as if each part's end had been recorded.
struct Draft {
  const Assembly* assembly = nullptr;
  std::string domain;
  std::vector<DeliveryRow> rows;            // in the order of `deliveries`
  std::vector<const Delivery*> deliveries;  // by part
  EndedCounts ended;
  bool open = false;
};

Draft draft_of(const Assembly& assembly, std::string domain) {
  Draft draft{&assembly, std::move(domain), {}, {}, {}, false};
  for (const auto& delivery : assembly.deliveries) draft.deliveries.push_back(&delivery);
  std::ranges::stable_sort(draft.deliveries, {}, &Delivery::part);
  for (const auto* const delivery : draft.deliveries) {
    draft.rows.push_back(row_of(*delivery, draft.ended));
  }
  for (std::size_t begin = 0; begin < draft.rows.size();) {
    auto end = begin + 1;
    while (end < draft.rows.size() &&
           draft.deliveries[end]->part == draft.deliveries[begin]->part) {
      ++end;
    }
    settle_part(std::span(draft.rows).subspan(begin, end - begin), assembly.now, draft.ended);
    begin = end;
  }
  draft.open = any_open(draft.rows);
  return draft;
}

constexpr std::string_view kInsertParts =
    "INSERT INTO parts (domain, window_id, number, parts_total, report_id, file_name, successful,"
    " failed, gz, mail_body) ";

// Collects parts, and writes them when there are enough of them.
class PartWriter {
 public:
  explicit PartWriter(PgDatabase& database) : database_(database) {}

  void add(const std::string& domain, WindowId window, const Part& part) {
    const auto size = part.gz.size() + part.mail_body.size();
    if (size > kLargePart) return write_one(domain, window, part);
    domains_.add(domain);
    windows_.add(window);
    numbers_.add(part.number);
    totals_.add(part.of);
    reports_.add(readable(part.report_id));
    files_.add(readable(part.file_name));
    successful_.add(part.successful);
    failed_.add(part.failed);
    gz_.add(Blob{part.gz});
    mails_.add(Blob{part.mail_body});
    bytes_ += size;
    if (bytes_ > kMostInArrays) finish();
  }

  void finish() {
    if (domains_.empty()) return;
    static const auto kSql =
        std::string(kInsertParts) +
        "SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[],"
        " $6::text[], $7::bigint[], $8::bigint[], $9::bytea[], $10::bytea[])";
    database_.execute(kSql, domains_, windows_, numbers_, totals_, reports_, files_, successful_,
                      failed_, gz_, mails_);
    for (auto* const column : {&domains_, &windows_, &numbers_, &totals_, &reports_, &files_,
                               &successful_, &failed_, &gz_, &mails_}) {
      *column = {};
    }
    bytes_ = 0;
  }

 private:
  void write_one(const std::string& domain, WindowId window, const Part& part) {
    static const auto kSql =
        std::string(kInsertParts) + "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    database_.execute(kSql, domain, window, part.number, part.of, readable(part.report_id),
                      readable(part.file_name), part.successful, part.failed, Blob{part.gz},
                      Blob{part.mail_body});
  }

  PgDatabase& database_;
  PgArray domains_, windows_, numbers_, totals_, reports_, files_, successful_, failed_, gz_,
      mails_;
  std::size_t bytes_ = 0;
};

// What loading a part failed of.
std::optional<Error> insert_parts(PgDatabase& database, const std::vector<Draft>& drafts) {
  PartWriter writer(database);
  for (const auto& draft : drafts) {
    const auto& [window, parts, load] =
        std::tie(draft.assembly->window, draft.assembly->parts, draft.assembly->load);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (!load) {
        writer.add(draft.domain, window, parts[i]);
        continue;
      }
      auto part = parts[i];
      if (auto loaded = load(i, part); !loaded) return std::move(loaded).error();
      writer.add(draft.domain, window, part);
    }
  }
  writer.finish();
  return std::nullopt;
}

void insert_deliveries(PgDatabase& database, const std::vector<Draft>& drafts) {
  static constexpr std::string_view kSql =
      "INSERT INTO deliveries (domain, id, window_id, part, rank, state, mail, fallback, waiting,"
      " attempts, first_attempt, next_attempt, ended, handed_over, mail_domain, destination,"
      " destination_key, envelope_from, last_response, header)"
      " SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[],"
      " $6::text[], $7::boolean[], $8::boolean[], $9::boolean[], $10::bigint[], $11::bigint[],"
      " $12::bigint[], $13::bigint[], $14::bigint[], $15::text[], $16::text[], $17::text[],"
      " $18::text[], $19::text[], $20::text[])";
  PgArray domains, ids, windows, parts, ranks, states, mails, fallbacks, waiting, attempts, first,
      next, ended, handed, mail_domains, destinations, keys, senders, responses, headers;
  for (const auto& draft : drafts) {
    for (std::size_t i = 0; i < draft.rows.size(); ++i) {
      const auto& row = draft.rows[i];
      const auto& delivery = *draft.deliveries[i];
      const bool mail = is_mail(delivery.destination);
      const auto mail_domain = mail ? domain_of_address(delivery.destination) : std::string_view();
      domains.add(draft.domain);
      ids.add(row.id);
      windows.add(draft.assembly->window);
      parts.add(delivery.part);
      ranks.add(row.rank);
      states.add(to_string(row.state));
      mails.add(mail);
      fallbacks.add(row.fallback);
      waiting.add(row.waiting);
      attempts.add(row.attempts);
      first.add(row.first_attempt);
      next.add(row.next_attempt);
      ended.add(row.ended);
      handed.add(row.handed_over);
      if (mail_domain.empty()) {
        mail_domains.add_null();
      } else {
        mail_domains.add(readable(mail_domain));
      }
      destinations.add(readable(delivery.destination));
      keys.add(readable(delivery.destination_key));
      senders.add(readable(delivery.envelope_from));
      responses.add(readable(row.last_response));
      headers.add(readable(delivery.header));
    }
  }
  if (ids.empty()) return;
  database.execute(kSql, domains, ids, windows, parts, ranks, states, mails, fallbacks, waiting,
                   attempts, first, next, ended, handed, mail_domains, destinations, keys, senders,
                   responses, headers);
}

// Windows that were moved, with the begin of their period.
using Moved = std::map<WindowId, Time>;

// Compares and swaps: those that are no longer due, or another's, or have taken counts, stay.
Moved move_assembled(PgDatabase& database, const std::vector<Draft>& drafts) {
  static constexpr std::string_view kSql =
      "UPDATE windows AS w SET state = CASE WHEN v.open THEN 'assembled' ELSE 'done' END,"
      " finished = CASE WHEN v.open THEN NULL ELSE v.now END, assembled = v.now,"
      " fingerprint = v.fingerprint, record = v.record, reason = '', retry = NULL,"
      " first_part = CASE WHEN v.first > 0 THEN v.first ELSE w.first_part END,"
      " lease_node = '', lease_until = 0"
      " FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[],"
      " $7::bigint[], $8::boolean[], $9::boolean[], $10::bigint[], $11::bigint[])"
      " AS v(domain, id, fence, now, fingerprint, record, first, open, counted, successful, failed)"
      " WHERE w.domain = v.domain AND w.id = v.id AND w.state = 'due'"
      " AND (v.fence = 0 OR w.fence = v.fence)"
      " AND (NOT v.counted OR (w.successful = v.successful AND w.failed = v.failed))"
      " RETURNING w.id, w.starts";
  Moved moved;
  if (drafts.empty()) return moved;
  PgArray domains, ids, fences, times, fingerprints, records, firsts, open, counted, successful,
      failed;
  for (const auto& draft : drafts) {
    const auto& assembly = *draft.assembly;
    const auto sums = assembly.counted.value_or(Assembly::Counted());
    domains.add(draft.domain);
    ids.add(assembly.window);
    fences.add(assembly.fence);
    times.add(assembly.now);
    fingerprints.add(readable(assembly.fingerprint));
    records.add(readable(assembly.record));
    firsts.add(bounds_of(assembly).first);
    open.add(draft.open);
    counted.add(assembly.counted.has_value());
    successful.add(sums.successful);
    failed.add(sums.failed);
  }
  auto rows = database.query(kSql, domains, ids, fences, times, fingerprints, records, firsts, open,
                             counted, successful, failed);
  while (rows.next()) moved.emplace(rows.integer(0), rows.time(1));
  return moved;
}

// Supplements of the same period number their parts on after the last of these.
void number_siblings_on(PgDatabase& database, const std::vector<Draft>& drafts,
                        const Moved& moved) {
  std::map<std::pair<std::string_view, Time>, int> last;
  for (const auto& draft : drafts) {
    auto& number = last[{draft.domain, moved.at(draft.assembly->window)}];
    number = std::max(number, bounds_of(*draft.assembly).last);
  }
  PgArray domains, starts, numbers;
  for (const auto& [period, number] : last) {
    domains.add(period.first);
    starts.add(period.second);
    numbers.add(number);
  }
  database.execute(
      "UPDATE windows AS w SET first_part = v.last + 1"
      " FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS v(domain, starts, last)"
      " WHERE w.domain = v.domain AND w.starts = v.starts AND w.first_part <= v.last"
      " AND w.state NOT IN ('assembled', 'done')",
      domains, starts, numbers);
}

}  // namespace

// A window may be told of once in a call; what comes again is taken for itself, after the others.
Result<std::vector<bool>> PgStore::conclude(std::span<const Conclusion> conclusions) {
  if (conclusions.empty()) return std::vector<bool>();
  auto done = database_->write([&] {
    Concluded concluded;
    std::size_t begin = 0;
    while (begin < conclusions.size() && !concluded.problem && !database_->failed()) {
      std::unordered_set<WindowId> met;
      auto end = begin;
      while (end < conclusions.size() && met.insert(window_of(conclusions[end])).second) ++end;
      conclude_some(conclusions.subspan(begin, end - begin), concluded);
      begin = end;
    }
    if (concluded.problem) database_->roll_back();
    return concluded;
  });
  if (!done) return std::move(done).error();
  if (done->problem) return *std::move(done->problem);
  return std::move(done->written);
}

void PgStore::conclude_some(std::span<const Conclusion> conclusions, Concluded& concluded) {
  std::vector<Draft> drafts;
  std::vector<const Postponement*> postponements;
  for (const auto& conclusion : conclusions) {
    if (const auto* const assembly = std::get_if<Assembly>(&conclusion)) {
      if (!holds_together(*assembly)) {
        database_->fail(Fault::kCorrupt, "the parts and deliveries of an assembly contradict");
      }
      drafts.push_back(draft_of(*assembly, domain_of(assembly->window)));
    } else {
      postponements.push_back(&std::get<Postponement>(conclusion));
    }
  }
  std::ranges::sort(drafts, [](const Draft& a, const Draft& b) {
    return std::tie(a.domain, a.assembly->window) < std::tie(b.domain, b.assembly->window);
  });
  auto written = postpone(postponements);
  const auto moved = move_assembled(*database_, drafts);
  std::erase_if(drafts,
                [&](const Draft& draft) { return !moved.contains(draft.assembly->window); });
  for (const auto& [window, starts] : moved) written.insert(window);
  if (!drafts.empty()) {
    number_siblings_on(*database_, drafts, moved);
    concluded.problem = insert_parts(*database_, drafts);
    if (concluded.problem) return;
    insert_deliveries(*database_, drafts);
    EndedCounts ended;
    for (const auto& draft : drafts) {
      for (const auto& [name, count] : draft.ended) ended[name] += count;
    }
    add_ended(ended);
  }
  for (const auto& conclusion : conclusions) {
    concluded.written.push_back(written.contains(window_of(conclusion)));
  }
}

std::unordered_set<WindowId> PgStore::postpone(std::span<const Postponement* const> postponements) {
  std::unordered_set<WindowId> written;
  if (postponements.empty()) return written;
  static constexpr std::string_view kSql =
      "UPDATE windows AS w SET state = v.state, reason = v.reason, retry = v.retry,"
      " finished = v.finished, first_attempt = least(coalesce(w.first_attempt, v.now), v.now),"
      " lookup_since = CASE WHEN v.state = 'due'"
      " THEN least(coalesce(w.lookup_since, v.now), v.now) END,"
      " lease_node = '', lease_until = 0"
      " FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[],"
      " $7::bigint[], $8::bigint[])"
      " AS v(domain, id, fence, state, reason, retry, finished, now)"
      " WHERE w.domain = v.domain AND w.id = v.id AND w.state = 'due'"
      " AND (v.fence = 0 OR w.fence = v.fence) RETURNING w.id";
  std::vector<std::pair<std::string, const Postponement*>> ordered;
  for (const auto* const one : postponements) ordered.emplace_back(domain_of(one->window), one);
  std::ranges::sort(ordered, [](const auto& a, const auto& b) {
    return std::tie(a.first, a.second->window) < std::tie(b.first, b.second->window);
  });
  PgArray domains, ids, fences, states, reasons, retries, finished, times;
  for (const auto& [domain, one] : ordered) {
    const bool ends = one->to == WindowState::kSuppressed;
    domains.add(domain);
    ids.add(one->window);
    fences.add(one->fence);
    states.add(to_string(one->to));
    reasons.add(readable(one->reason));
    retries.add(ends ? std::nullopt : one->retry);
    finished.add(ends ? std::optional(one->now) : std::nullopt);
    times.add(one->now);
  }
  auto rows =
      database_->query(kSql, domains, ids, fences, states, reasons, retries, finished, times);
  while (rows.next()) written.insert(rows.integer(0));
  return written;
}

}  // namespace rapporteur
