// Intake: what was seen before, and the counts of a batch.

#include <algorithm>
#include <utility>

#include "store/deltas.h"
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace rapporteur {

namespace {

using Kind = Transaction::Kind;

// Beyond this many the memory of row ids starts anew (about 60 bytes a window, 80 a policy).
constexpr std::size_t kMaxKnown = 300'000;

// 9007199254740991 is kMaxCount. A sum beyond it would silently become a floating-point number.
constexpr std::string_view kAddToWindow =
    "UPDATE windows SET successful = min(successful, 9007199254740991 - ?2) + ?2,"
    " failed = min(failed, 9007199254740991 - ?3) + ?3,"
    " last_session = max(last_session, ?4),"
    " tlsrpt_record = CASE WHEN ?5 <> '' AND ?4 >= record_seen THEN ?5 ELSE tlsrpt_record END,"
    " record_seen = CASE WHEN ?5 <> '' THEN max(record_seen, ?4) ELSE record_seen END"
    " WHERE id = ?1";

bool add_to_detail(Database& database, std::int64_t policy, const std::string& key,
                   std::uint64_t sessions) {
  return database.execute(
             "UPDATE details SET sessions = min(sessions, 9007199254740991 - ?3) + ?3"
             " WHERE policy_id = ?1 AND content_key = ?2",
             policy, Blob{key}, sessions) == 1;
}

void insert_detail(Database& database, std::int64_t policy, const std::string& key,
                   const FailureDetail& detail, std::uint64_t sessions) {
  database.execute(
      "INSERT INTO details (policy_id, content_key, sessions, result_type, sending_mta_ip,"
      " receiving_mx_hostname, receiving_mx_helo, receiving_ip, additional_information,"
      " failure_reason_code) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
      policy, Blob{key}, sessions, to_string(detail.result_type), detail.sending_mta_ip,
      detail.receiving_mx_hostname, detail.receiving_mx_helo, detail.receiving_ip,
      detail.additional_information, detail.failure_reason_code);
}

// Windows of a domain do not overlap, supplements apart: from the newest back, the first that ended
// in time is the last to look at. A supplement that outlived its window stands for it.
std::vector<Period> periods_of(Database& database, const std::string& domain, Time since) {
  std::vector<Period> found;
  Query query(database,
              "SELECT starts, ends FROM windows WHERE domain = ?1"
              " ORDER BY starts DESC, supplement ASC",
              domain);
  while (query.next()) {
    const Period period{query.time(0), query.time(1)};
    if (!found.empty() && found.back().start == period.start) continue;
    if (period.end <= since) break;
    found.push_back(period);
  }
  std::ranges::reverse(found);
  return found;
}

// What a policy of a window is remembered by.
Hash128 memory_key(WindowId window, const Policy& policy) {
  std::string content;
  const auto append_number = [&](std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) content += static_cast<char>(number >> shift);
  };
  const auto append_text = [&](const std::string& text) {
    append_number(text.size());
    content += text;
  };
  append_number(static_cast<std::uint64_t>(window));
  append_number(static_cast<std::uint64_t>(policy.type));
  append_text(policy.domain);
  for (const auto* lines : {&policy.strings, &policy.mx_hosts}) {
    append_number(lines->size());
    for (const auto& line : *lines) append_text(line);
  }
  return fast_hash128(content);
}

}  // namespace

Result<std::vector<DomainPlaces>> SqliteStore::places(std::span<const std::string> domains,
                                                      Time since, Time now) {
  Transaction transaction(*database_, Kind::kRead);
  std::vector<DomainPlaces> found;
  found.reserve(domains.size());
  for (const auto& domain : domains) {
    auto& places = found.emplace_back();
    places.periods = periods_of(*database_, domain, since);
    Query query(*database_, "SELECT until FROM silent_domains WHERE domain = ?1 AND until > ?2",
                domain, now);
    if (query.next()) places.silent_until = query.time(0);
  }
  return transaction.commit(std::move(found));
}

Result<std::vector<bool>> SqliteStore::seen(std::span<const std::string> session_ids) {
  Transaction transaction(*database_, Kind::kRead);
  std::vector<bool> known;
  known.reserve(session_ids.size());
  for (const auto& id : session_ids) {
    Query query(*database_, "SELECT 1 FROM session_ids WHERE content_key = ?1",
                Blob{content_key(id)});
    known.push_back(query.next());
  }
  return transaction.commit(std::move(known));
}

Result<std::optional<FileProgress>> SqliteStore::file(const std::string& sha256) {
  Transaction transaction(*database_, Kind::kRead);
  std::optional<FileProgress> progress;
  {
    Query query(*database_,
                "SELECT name, position, finished, accepted FROM files WHERE sha256 = ?1", sha256);
    if (query.next()) {
      progress = FileProgress{sha256, query.text(0), query.count(1), query.flag(2), query.count(3)};
    }
  }
  return transaction.commit(std::move(progress));
}

Result<void> SqliteStore::forget_file(const std::string& sha256) {
  Transaction transaction(*database_, Kind::kWrite);
  database_->execute("DELETE FROM files WHERE sha256 = ?1", sha256);
  return transaction.commit();
}

Result<Flushed> SqliteStore::add(const CountBatch& batch) {
  Transaction transaction(*database_, Kind::kWrite);
  Flushed flushed;
  if (batch.flush && !claim_flush(*batch.flush, batch.now)) {
    flushed.repeated = true;
    return transaction.commit(std::move(flushed));
  }
  flushed.seen = remember_ids(batch.session_ids, batch.now);
  std::vector<std::size_t> late;
  if (!database_->failed() && flushed.seen.empty()) flushed.misplaced = add_windows(batch, late);
  if (!database_->failed() && !flushed.stored()) {
    forget_rows();
    return flushed;  // the transaction rolls back
  }
  if (batch.file) advance_file(*batch.file, batch.now);
  if (batch.journalled) {
    database_->execute("DELETE FROM journal WHERE id <= ?1", *batch.journalled);
  }
  add_counters(batch.counters);
  if (batch.late_counters && !late.empty()) add_counters(batch.late_counters(late));
  auto done = transaction.commit();
  if (!done) {
    forget_rows();
    return std::move(done).error();
  }
  return flushed;
}

Result<JournalNumber> SqliteStore::append_journal(std::string_view piece) {
  Transaction transaction(*database_, Kind::kWrite);
  database_->execute("INSERT INTO journal (piece) VALUES (?1)", Blob{piece});
  const auto number = database_->last_row();
  return transaction.commit(number);
}

Result<Store::Journal> SqliteStore::journal() {
  Transaction transaction(*database_, Kind::kRead);
  Journal journal;
  {
    Query query(*database_, "SELECT id, piece FROM journal ORDER BY id");
    while (query.next()) {
      journal.last = query.integer(0);
      journal.pieces.push_back(query.text(1));
    }
  }
  return transaction.commit(std::move(journal));
}

Result<std::map<std::string, std::uint64_t>> SqliteStore::counters() {
  Transaction transaction(*database_, Kind::kRead);
  std::map<std::string, std::uint64_t> values;
  {
    Query query(*database_, "SELECT name, value FROM counters");
    while (query.next()) values[query.text(0)] = query.count(1);
  }
  return transaction.commit(std::move(values));
}

void SqliteStore::add_counters(const std::map<std::string, std::uint64_t>& counters) {
  for (const auto& [name, value] : counters) {
    database_->execute(
        "INSERT INTO counters (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE"
        " SET value = min(value, 9007199254740991 - ?2) + ?2",
        name, value);
  }
}

// False: it was stored before.
bool SqliteStore::claim_flush(const FlushId& flush, Time now) {
  return database_->execute(
             "INSERT INTO flushes (source, number, stored) VALUES (?1, ?2, ?3) ON CONFLICT (source)"
             " DO UPDATE SET number = excluded.number, stored = excluded.stored"
             " WHERE number < excluded.number",
             flush.source, flush.number, now) == 1 ||
         database_->failed();
}

// Returns those that were known before.
std::vector<std::string> SqliteStore::remember_ids(std::span<const std::string> session_ids,
                                                   Time now) {
  std::vector<std::string> known;
  for (const auto& id : session_ids) {
    const auto key = content_key(id);
    const auto added = database_->execute(
        "INSERT INTO session_ids (content_key, counted) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        Blob{key}, now);
    if (database_->failed()) return {};
    if (added == 0) known.push_back(id);
  }
  return known;
}

// Two processes that take the same file at once would count it twice: a batch that does not begin
// where the stored ones end is refused.
void SqliteStore::advance_file(const FileProgress& progress, Time now) {
  {
    Query query(*database_, "SELECT position FROM files WHERE sha256 = ?1", progress.sha256);
    const auto position = query.next() ? query.count(0) : 0;
    if (position != progress.begin) {
      database_->fail(Fault::kTransient, "another process takes the same file: '" + progress.name +
                                             "' has come to byte " + std::to_string(position));
      return;
    }
  }
  database_->execute(
      "INSERT INTO files (sha256, name, position, finished, accepted, updated)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (sha256) DO UPDATE SET name = excluded.name,"
      " position = excluded.position, finished = excluded.finished, accepted = excluded.accepted,"
      " updated = excluded.updated",
      progress.sha256, progress.name, progress.offset, progress.finished, progress.accepted, now);
}

// Adds all deltas that have a place and returns the others. `late` gets those that were counted in
// supplements.
std::vector<std::size_t> SqliteStore::add_windows(const CountBatch& batch,
                                                  std::vector<std::size_t>& late) {
  Progress progress{batch, 0, {}, late, {}};
  add_chunk(batch.windows, progress);
  std::vector<WindowDelta> deltas;
  std::size_t first = 0;
  for (bool more = batch.more != nullptr; more && !database_->failed(); first += deltas.size()) {
    deltas.clear();
    more = batch.more(first, deltas);
    add_chunk(deltas, progress);
  }
  return std::move(progress.misplaced);
}

// Rows are visited in the order of their ids, which is the order of the file's pages; those of
// domains whose windows are not known, by their names.
void SqliteStore::add_chunk(std::span<const WindowDelta> deltas, Progress& progress) {
  std::vector<std::pair<WindowPlace, const WindowDelta*>> order;
  order.reserve(deltas.size());
  for (const auto* const delta : by_domain(deltas)) {
    const auto known = known_windows_.find(place_key(*delta));
    order.emplace_back(known == known_windows_.end() ? WindowPlace{} : known->second, delta);
  }
  std::ranges::stable_sort(order, {}, [](const auto& each) { return each.first; });
  for (auto [place, in_order] : order) {
    const auto& delta = *in_order;
    const auto index = static_cast<std::size_t>(in_order - deltas.data());
    if (place.id == 0 || !add_to_known(place.id, delta)) {
      place = place_for(delta, progress);
      if (database_->failed()) return;
      if (place.id == 0) {
        progress.misplaced.push_back(progress.done + index);
        continue;
      }
      const bool made = std::exchange(place.made, false);
      if (!made) add_to(place.id, delta);
      if (known_windows_.size() >= kMaxKnown) known_windows_.clear();
      known_windows_[place_key(delta)] = place;
    }
    if (place.supplement) progress.late.push_back(progress.done + index);
    if (progress.misplaced.empty()) add_policies(place.id, delta, progress.batch.max_details);
  }
  progress.done += deltas.size();
  std::ranges::sort(progress.misplaced);
}

SqliteStore::WindowPlace SqliteStore::place_for(const WindowDelta& delta, Progress& progress) {
  std::optional<Sibling> sibling;
  WindowId cancelled = 0;
  {
    // Only windows with the latest start at or before the sessions can cover them.
    Query query(*database_,
                "SELECT id, starts, ends, supplement, state, frequency, first_part, cancelled"
                " FROM windows"
                " WHERE domain = ?1 AND starts <= ?2 ORDER BY starts DESC, supplement DESC",
                delta.domain, delta.first);
    std::optional<Time> start;
    std::int64_t newest = 0;
    while (query.next()) {
      if (start && *start != query.time(1)) break;
      if (!start) newest = query.integer(3);
      start = query.time(1);
      if (query.time(2) <= delta.last) continue;
      if (takes_counts(query.text(4))) return {query.integer(0), query.integer(3) > 0};
      if (query.flag(7)) cancelled = query.integer(0);
      if (!sibling) {
        sibling = Sibling{{query.time(1), query.time(2)}, query.text(5), query.integer(6), newest};
      }
    }
  }
  if (cancelled != 0) return {cancelled};
  if (sibling) return {make_supplement(delta, *sibling, progress.batch), true};
  const bool inside = delta.period.covers(delta.first) && delta.period.covers(delta.last);
  if (!inside || delta.due == Time{} || overlaps_stored(delta)) return {};
  return {make_window(delta, progress), false, true};
}

bool SqliteStore::overlaps_stored(const WindowDelta& delta) {
  Query query(*database_,
              "SELECT starts, ends FROM windows WHERE domain = ?1 AND starts < ?2"
              " ORDER BY starts DESC, supplement ASC",
              delta.domain, delta.period.end);
  std::optional<Time> start;
  while (query.next()) {
    if (start && *start != query.time(0)) return false;
    start = query.time(0);
    if (query.time(1) > delta.period.start) return true;
  }
  return false;
}

int SqliteStore::first_part(const Period& period, Progress& progress) {
  if (!progress.pruned) {
    Query query(*database_, "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'pruned_ends'");
    progress.pruned = query.next() ? query.time(0) : Time::min();
  }
  return first_part_of(period, *progress.pruned, progress.batch.now);
}

WindowId SqliteStore::make_window(const WindowDelta& delta, Progress& progress) {
  std::optional<Time> retry;
  if (delta.state == WindowState::kBlocked) retry = delta.due;
  const auto [successful, failed] = sums_of(delta);
  const auto record_seen = delta.tlsrpt_record.empty() ? delta.period.start : delta.last;
  database_->execute(
      "INSERT INTO windows (domain, starts, ends, supplement, frequency, state, reason, due, retry,"
      " send_old, last_session, record_seen, tlsrpt_record, successful, failed, first_part, lookup)"
      " VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
      delta.domain, delta.period.start, delta.period.end, to_string(delta.frequency),
      to_string(delta.state), delta.reason, delta.due, retry, delta.send_old, delta.last,
      record_seen, delta.tlsrpt_record, successful, failed, first_part(delta.period, progress),
      delta.lookup);
  return database_->last_row();
}

WindowId SqliteStore::make_supplement(const WindowDelta& delta, const Sibling& sibling,
                                      const CountBatch& batch) {
  const auto due = delta.supplement_due ? *delta.supplement_due
                                        : batch.supplement_due(delta.domain, sibling.period);
  std::optional<Time> retry;
  if (delta.state == WindowState::kBlocked) retry = due;
  database_->execute("UPDATE windows SET superseded = 1 WHERE domain = ?1 AND starts = ?2",
                     delta.domain, sibling.period.start);
  database_->execute(
      "INSERT INTO windows (domain, starts, ends, supplement, frequency, state, reason, due, retry,"
      " send_old, last_session, record_seen, first_part)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?2, ?12)",
      delta.domain, sibling.period.start, sibling.period.end, sibling.supplement + 1,
      sibling.frequency, to_string(delta.state), delta.reason, due, retry, delta.send_old,
      delta.last, sibling.first_part);
  const auto window = database_->last_row();
  database_->execute(
      "UPDATE windows SET first_part = max(first_part, (SELECT coalesce(max(p.number), 0) + 1"
      " FROM windows AS s JOIN parts AS p ON p.window_id = s.id"
      " WHERE s.domain = ?2 AND s.starts = ?3)) WHERE id = ?1",
      window, delta.domain, sibling.period.start);
  return window;
}

void SqliteStore::add_to(WindowId window, const WindowDelta& delta) {
  const auto [successful, failed] = sums_of(delta);
  database_->execute(kAddToWindow, window, successful, failed, delta.last, delta.tlsrpt_record);
}

// As add_to(), if the remembered row is still the place that place_for() would find.
bool SqliteStore::add_to_known(WindowId window, const WindowDelta& delta) {
  static const auto kAddIfInPlace =
      std::string(kAddToWindow) +
      " AND domain = ?6 AND starts <= ?7 AND ends > ?4 AND superseded = 0"
      // For IN of three SQLite would fill a table at each run.
      " AND (cancelled = 1 OR state = 'collecting' OR state = 'held' OR state = 'blocked')";
  const auto [successful, failed] = sums_of(delta);
  return database_->execute(kAddIfInPlace, window, successful, failed, delta.last,
                            delta.tlsrpt_record, delta.domain, delta.first) == 1;
}

void SqliteStore::add_policies(WindowId window, const WindowDelta& delta, std::size_t max_details) {
  for (const auto& counts : delta.counts) {
    const auto policy = add_policy(window, counts);
    if (database_->failed()) return;
    add_details(policy, counts, max_details);
  }
}

bool SqliteStore::add_to_policy(const PolicyPlace& place, WindowId window,
                                const PolicyCounts& counts) {
  return database_->execute(
             "UPDATE policies SET successful = min(successful, 9007199254740991 - ?4) + ?4,"
             " failed = min(failed, 9007199254740991 - ?5) + ?5"
             " WHERE id = ?1 AND window_id = ?2 AND content_key = ?3",
             place.id, window, Blob{{place.content_key.data(), place.content_key.size()}},
             counts.successful, counts.failed) == 1;
}

std::int64_t SqliteStore::add_policy(WindowId window, const PolicyCounts& counts) {
  const auto memory = memory_key(window, counts.policy);
  const auto known = known_policies_.find(memory);
  if (known != known_policies_.end() && add_to_policy(known->second, window, counts)) {
    return known->second.id;
  }
  PolicyPlace place;
  const auto key = policy_key(counts.policy);
  std::ranges::copy(key, place.content_key.begin());
  {
    Query query(*database_, "SELECT id FROM policies WHERE window_id = ?1 AND content_key = ?2",
                window, Blob{key});
    if (query.next()) place.id = query.integer(0);
  }
  if (place.id == 0 || !add_to_policy(place, window, counts)) {
    database_->execute(
        "INSERT INTO policies (window_id, content_key, successful, failed, type, domain, strings,"
        " mx_hosts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        window, Blob{key}, counts.successful, counts.failed, to_string(counts.policy.type),
        counts.policy.domain, pack(counts.policy.strings), pack(counts.policy.mx_hosts));
    place.id = database_->last_row();
  }
  if (known_policies_.size() >= kMaxKnown) known_policies_.clear();
  known_policies_[memory] = place;
  return place.id;
}

void SqliteStore::add_details(std::int64_t policy, const PolicyCounts& counts,
                              std::size_t max_details) {
  std::optional<std::uint64_t> stored;  // how many there are; read when the first new one comes
  std::uint64_t made = 0;
  for (const auto& [detail, sessions] : counts.details) {
    const auto key = detail_key(detail);
    if (add_to_detail(*database_, policy, key, sessions)) continue;
    if (!stored) {
      Query query(*database_, "SELECT details FROM policies WHERE id = ?1", policy);
      stored = query.next() ? query.count(0) : 0;
    }
    if (database_->failed()) return;
    if (*stored + made < max_details) {
      insert_detail(*database_, policy, key, detail, sessions);
      ++made;
      continue;
    }
    const auto bare = folded(detail);
    const auto folded_key = detail_key(bare);
    if (add_to_detail(*database_, policy, folded_key, sessions)) continue;
    insert_detail(*database_, policy, folded_key, bare, sessions);
    ++made;
  }
  if (made > 0) {
    database_->execute("UPDATE policies SET details = details + ?2 WHERE id = ?1", policy, made);
  }
}

void SqliteStore::forget_rows() {
  known_windows_.clear();
  known_policies_.clear();
}

}  // namespace rapporteur
