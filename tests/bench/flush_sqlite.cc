// The rows of a flush through SQLite alone: prepared statements in a loop.

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <sqlite3.h>

#include "bench/flush_rows.h"

namespace rapporteur::bench {

namespace {

constexpr const char* kInsertWindow =
    "INSERT INTO windows (domain, starts, ends, supplement, frequency, state, reason, due, retry,"
    " send_old, last_session, record_seen, tlsrpt_record, successful, failed, first_part, lookup)"
    " VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, NULL, 0, ?8, ?8, ?9, ?10, ?11, 1, NULL)";
constexpr const char* kUpdateWindow =
    "UPDATE windows SET successful = min(successful, 9007199254740991 - ?2) + ?2,"
    " failed = min(failed, 9007199254740991 - ?3) + ?3,"
    " last_session = max(last_session, ?4),"
    " tlsrpt_record = CASE WHEN ?5 <> '' AND ?4 >= record_seen THEN ?5 ELSE tlsrpt_record END,"
    " record_seen = CASE WHEN ?5 <> '' THEN max(record_seen, ?4) ELSE record_seen END"
    " WHERE id = ?1";
constexpr const char* kInsertPolicy =
    "INSERT INTO policies (window_id, content_key, successful, failed, type, domain, strings,"
    " mx_hosts, details) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
constexpr const char* kUpdatePolicy =
    "UPDATE policies SET successful = min(successful, 9007199254740991 - ?4) + ?4,"
    " failed = min(failed, 9007199254740991 - ?5) + ?5"
    " WHERE id = ?1 AND window_id = ?2 AND content_key = ?3";
constexpr const char* kInsertDetail =
    "INSERT INTO details (policy_id, content_key, sessions, result_type, sending_mta_ip,"
    " receiving_mx_hostname, receiving_mx_helo, receiving_ip, additional_information,"
    " failure_reason_code) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
constexpr const char* kUpdateDetail =
    "UPDATE details SET sessions = min(sessions, 9007199254740991 - ?3) + ?3"
    " WHERE policy_id = ?1 AND content_key = ?2";

class Plain {
 public:
  explicit Plain(const std::string& path) {
    check(sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                          nullptr));
    run("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16000;"
        "PRAGMA temp_store = FILE; PRAGMA journal_size_limit = 67108864;");
  }
  ~Plain() { sqlite3_close(handle_); }
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;

  void check(int code) const {
    if (code == SQLITE_OK || code == SQLITE_DONE) return;
    std::fprintf(stderr, "SQLite: %s\n", sqlite3_errmsg(handle_));
    std::exit(2);
  }
  void run(const char* sql) const { check(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr)); }
  sqlite3* handle() const { return handle_; }

 private:
  sqlite3* handle_ = nullptr;
};

class Statement {
 public:
  Statement(const Plain& plain, const char* sql) : plain_(plain) {
    plain_.check(sqlite3_prepare_v2(plain_.handle(), sql, -1, &statement_, nullptr));
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  template <class... Values>
  std::int64_t run(const Values&... values) {
    int place = 0;
    (bind(++place, values), ...);
    plain_.check(sqlite3_step(statement_));
    plain_.check(sqlite3_reset(statement_));
    return sqlite3_last_insert_rowid(plain_.handle());
  }
  struct Bytes {
    std::string_view bytes;
  };

 private:
  void bind(int place, std::int64_t value) const { sqlite3_bind_int64(statement_, place, value); }
  void bind(int place, std::uint64_t value) const { bind(place, static_cast<std::int64_t>(value)); }
  void bind(int place, Time time) const { bind(place, time.time_since_epoch().count()); }
  void bind(int place, std::string_view text) const {
    sqlite3_bind_text64(statement_, place, text.empty() ? "" : text.data(), text.size(),
                        SQLITE_STATIC, SQLITE_UTF8);
  }
  void bind(int place, Bytes bytes) const {
    sqlite3_bind_blob64(statement_, place, bytes.bytes.data(), bytes.bytes.size(), SQLITE_STATIC);
  }

  const Plain& plain_;
  sqlite3_stmt* statement_ = nullptr;
};

struct RowIds {
  std::int64_t window = 0;
  std::int64_t policy = 0;
};

void insert(const Plain& plain, const std::vector<FlushRow>& rows, std::vector<RowIds>& ids) {
  Statement windows(plain, kInsertWindow);
  Statement policies(plain, kInsertPolicy);
  Statement details(plain, kInsertDetail);
  for (const auto& row : rows) {
    const auto& delta = *row.delta;
    const auto& counts = delta.counts.front();
    RowIds made;
    made.window =
        windows.run(delta.domain, delta.period.start, delta.period.end, to_string(delta.frequency),
                    to_string(delta.state), delta.reason, delta.due, delta.last,
                    delta.tlsrpt_record, row.successful, row.failed);
    made.policy = policies.run(made.window, Statement::Bytes{row.policy_key}, counts.successful,
                               counts.failed, to_string(counts.policy.type), counts.policy.domain,
                               row.strings, row.mx_hosts, std::uint64_t{counts.details.size()});
    ids.push_back(made);
    if (counts.details.empty()) continue;
    const auto& [detail, sessions] = counts.details.front();
    details.run(made.policy, Statement::Bytes{row.detail_key}, sessions,
                to_string(detail.result_type), detail.sending_mta_ip, detail.receiving_mx_hostname,
                detail.receiving_mx_helo, detail.receiving_ip, detail.additional_information,
                detail.failure_reason_code);
  }
}

void update(const Plain& plain, const std::vector<FlushRow>& rows, const std::vector<RowIds>& ids) {
  Statement windows(plain, kUpdateWindow);
  Statement policies(plain, kUpdatePolicy);
  Statement details(plain, kUpdateDetail);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& row = rows[i];
    const auto& counts = row.delta->counts.front();
    windows.run(ids[i].window, row.successful, row.failed, row.delta->last,
                row.delta->tlsrpt_record);
    policies.run(ids[i].policy, ids[i].window, Statement::Bytes{row.policy_key}, counts.successful,
                 counts.failed);
    if (counts.details.empty()) continue;
    details.run(ids[i].policy, Statement::Bytes{row.detail_key}, counts.details.front().count);
  }
}

template <class Work>
double seconds_of(const Plain& plain, Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  plain.run("BEGIN IMMEDIATE");
  work();
  plain.run("COMMIT");
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

FlushSeconds flush_through_sqlite(const std::string& path, const std::vector<FlushRow>& rows) {
  const Plain plain(path);
  std::vector<RowIds> ids;
  ids.reserve(rows.size());
  FlushSeconds taken;
  taken.empty = seconds_of(plain, [&] { insert(plain, rows, ids); });
  taken.filled = seconds_of(plain, [&] { update(plain, rows, ids); });
  return taken;
}

}  // namespace rapporteur::bench
