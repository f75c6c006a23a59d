// The rows of a flush through PostgreSQL's COPY: into temporary tables, whose rows one statement
// for each table merges with those that are there.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <libpq-fe.h>

#include "bench/flush_rows.h"

namespace rapporteur::bench {

namespace {

constexpr const char* kTables = R"sql(
CREATE TEMP TABLE new_windows (domain TEXT, id BIGINT, starts BIGINT, ends BIGINT,
  frequency TEXT, state TEXT, reason TEXT, due BIGINT, last_session BIGINT,
  tlsrpt_record TEXT, successful BIGINT, failed BIGINT) ON COMMIT DROP;
CREATE TEMP TABLE new_policies (domain TEXT, window_id BIGINT, content_key BYTEA,
  successful BIGINT, failed BIGINT, details BIGINT, type TEXT, policy_domain TEXT,
  strings TEXT, mx_hosts TEXT) ON COMMIT DROP;
CREATE TEMP TABLE new_details (domain TEXT, window_id BIGINT, policy_key BYTEA, content_key BYTEA,
  sessions BIGINT, result_type TEXT, sending_mta_ip TEXT, receiving_mx_hostname TEXT,
  receiving_mx_helo TEXT, receiving_ip TEXT, additional_information TEXT,
  failure_reason_code TEXT) ON COMMIT DROP;
)sql";

constexpr const char* kMergeWindows =
    "INSERT INTO windows AS w (domain, id, starts, ends, supplement, frequency, state, reason, due,"
    " last_session, record_seen, tlsrpt_record, successful, failed)"
    " SELECT domain, id, starts, ends, 0, frequency, state, reason, due, last_session,"
    " last_session, tlsrpt_record, successful, failed FROM new_windows"
    " ON CONFLICT (domain, starts, supplement) DO UPDATE SET"
    " successful = least(w.successful, 9007199254740991 - excluded.successful)"
    " + excluded.successful,"
    " failed = least(w.failed, 9007199254740991 - excluded.failed) + excluded.failed,"
    " last_session = greatest(w.last_session, excluded.last_session),"
    " tlsrpt_record = CASE WHEN excluded.tlsrpt_record <> '' AND excluded.record_seen >="
    " w.record_seen THEN excluded.tlsrpt_record ELSE w.tlsrpt_record END,"
    " record_seen = CASE WHEN excluded.tlsrpt_record <> ''"
    " THEN greatest(w.record_seen, excluded.record_seen) ELSE w.record_seen END";

constexpr const char* kMergePolicies =
    "INSERT INTO policies AS p (domain, window_id, content_key, successful, failed, details, type,"
    " policy_domain, strings, mx_hosts) SELECT * FROM new_policies"
    " ON CONFLICT (domain, window_id, content_key) DO UPDATE SET"
    " successful = least(p.successful, 9007199254740991 - excluded.successful)"
    " + excluded.successful,"
    " failed = least(p.failed, 9007199254740991 - excluded.failed) + excluded.failed";

constexpr const char* kMergeDetails =
    "INSERT INTO details AS d (domain, window_id, policy_key, content_key, sessions, result_type,"
    " sending_mta_ip, receiving_mx_hostname, receiving_mx_helo, receiving_ip,"
    " additional_information, failure_reason_code) SELECT * FROM new_details"
    " ON CONFLICT (domain, window_id, policy_key, content_key) DO UPDATE SET sessions ="
    " least(d.sessions, 9007199254740991 - excluded.sessions) + excluded.sessions";

class Connection {
 public:
  explicit Connection(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
    PQsetNoticeProcessor(
        connection_, [](void*, const char*) {}, nullptr);
    check(PQstatus(connection_) == CONNECTION_OK);
  }
  ~Connection() { PQfinish(connection_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void run(const char* sql, ExecStatusType expected = PGRES_COMMAND_OK) const {
    auto* const result = PQexec(connection_, sql);
    check(PQresultStatus(result) == expected);
    PQclear(result);
  }
  void send(const std::string& data) const {
    check(PQputCopyData(connection_, data.data(), static_cast<int>(data.size())) == 1);
  }
  void end_copy() const {
    check(PQputCopyEnd(connection_, nullptr) == 1);
    while (auto* const result = PQgetResult(connection_)) {
      check(PQresultStatus(result) == PGRES_COMMAND_OK);
      PQclear(result);
    }
  }

 private:
  void check(bool fine) const {
    if (fine) return;
    std::fprintf(stderr, "PostgreSQL: %s\n", PQerrorMessage(connection_));
    std::exit(2);
  }

  PGconn* connection_;
};

// Lines of COPY's text format, sent by the 64 KiB.
class Lines {
 public:
  explicit Lines(const Connection& connection) : connection_(connection) {}

  template <class... Values>
  void add(const Values&... values) {
    (put(values), ...);
    text_.back() = '\n';
    constexpr std::size_t kPiece = 65'536;
    if (text_.size() >= kPiece) send();
  }
  void end() {
    send();
    connection_.end_copy();
  }
  struct Bytes {
    std::string_view bytes;
  };

 private:
  void send() {
    if (!text_.empty()) connection_.send(text_);
    text_.clear();
  }
  void put(std::int64_t value) {
    text_ += std::to_string(value);
    text_ += '\t';
  }
  void put(std::uint64_t value) { put(static_cast<std::int64_t>(value)); }
  void put(Time time) { put(std::int64_t{time.time_since_epoch().count()}); }
  void put(std::string_view text) {
    for (const char c : text) {
      if (c == '\\' || c == '\n' || c == '\t' || c == '\r') text_ += '\\';
      text_ += c;
    }
    text_ += '\t';
  }
  void put(Bytes bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text_ += "\\\\x";
    for (const char c : bytes.bytes) {
      const auto byte = static_cast<unsigned char>(c);
      text_ += kDigits[byte >> 4];
      text_ += kDigits[byte & 0xf];
    }
    text_ += '\t';
  }

  const Connection& connection_;
  std::string text_;
};

void copy_windows(const Connection& connection, const std::vector<FlushRow>& rows) {
  connection.run("COPY new_windows FROM STDIN", PGRES_COPY_IN);
  Lines lines(connection);
  std::int64_t id = 0;
  for (const auto& row : rows) {
    const auto& delta = *row.delta;
    lines.add(delta.domain, ++id, delta.period.start, delta.period.end, to_string(delta.frequency),
              to_string(delta.state), delta.reason, delta.due, delta.last, delta.tlsrpt_record,
              row.successful, row.failed);
  }
  lines.end();
}

void copy_policies(const Connection& connection, const std::vector<FlushRow>& rows) {
  connection.run("COPY new_policies FROM STDIN", PGRES_COPY_IN);
  Lines lines(connection);
  std::int64_t id = 0;
  for (const auto& row : rows) {
    const auto& counts = row.delta->counts.front();
    lines.add(row.delta->domain, ++id, Lines::Bytes{row.policy_key}, counts.successful,
              counts.failed, std::uint64_t{counts.details.size()}, to_string(counts.policy.type),
              counts.policy.domain, row.strings, row.mx_hosts);
  }
  lines.end();
}

void copy_details(const Connection& connection, const std::vector<FlushRow>& rows) {
  connection.run("COPY new_details FROM STDIN", PGRES_COPY_IN);
  Lines lines(connection);
  std::int64_t id = 0;
  for (const auto& row : rows) {
    ++id;
    if (row.detail_key.empty()) continue;
    const auto& [detail, sessions] = row.delta->counts.front().details.front();
    lines.add(row.delta->domain, id, Lines::Bytes{row.policy_key}, Lines::Bytes{row.detail_key},
              sessions, to_string(detail.result_type), detail.sending_mta_ip,
              detail.receiving_mx_hostname, detail.receiving_mx_helo, detail.receiving_ip,
              detail.additional_information, detail.failure_reason_code);
  }
  lines.end();
}

double copy_and_merge(const Connection& connection, const std::vector<FlushRow>& rows) {
  const auto start = std::chrono::steady_clock::now();
  connection.run("BEGIN");
  connection.run(kTables);
  copy_windows(connection, rows);
  connection.run(kMergeWindows);
  copy_policies(connection, rows);
  connection.run(kMergePolicies);
  copy_details(connection, rows);
  connection.run(kMergeDetails);
  connection.run("COMMIT");
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

FlushSeconds flush_through_copy(const std::string& url, const std::vector<FlushRow>& rows) {
  const Connection connection(url);
  FlushSeconds taken;
  taken.empty = copy_and_merge(connection, rows);
  taken.filled = copy_and_merge(connection, rows);
  return taken;
}

void run_on_postgres(const std::string& url, const std::string& sql) {
  const Connection connection(url);
  connection.run(sql.c_str());
}

}  // namespace rapporteur::bench
