#include "store/pg.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <thread>

#include <libpq-fe.h>

#include "base/text.h"
#include "base/url.h"

namespace rapporteur {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kFirstPause{5};
constexpr std::chrono::milliseconds kLongestPause{500};

struct ResultDeleter {
  void operator()(PGresult* result) const { PQclear(result); }
};
using OwnedResult = std::unique_ptr<PGresult, ResultDeleter>;

// SQLSTATEs that pass when the transaction is tried again: serialisation failure, deadlock; on the
// way the connection's (class 08), the server's shutdown (57P0x) and its lack of something (53).
bool passes(std::string_view state) {
  return state == "40001" || state == "40P01" || state == "40003" || state.starts_with("08") ||
         state.starts_with("57P0") || state == "55P03";
}

Fault fault_of(std::string_view state) {
  if (passes(state) || state.starts_with("53") || state.starts_with("57") ||
      state.starts_with("58") || state == "25006") {
    return Fault::kTransient;  // also: no room, cancelled, input or output, read-only standby
  }
  if (state.starts_with("28") || state == "3D000" || state == "42501") return Fault::kConfig;
  return Fault::kCorrupt;  // a table is missing, a value cannot be
}

std::string one_line(const char* message) {
  std::string text;
  for (const auto line : split(trim(message == nullptr ? "" : message), '\n')) {
    text.append(text.empty() ? "" : "; ").append(trim(line));
  }
  return without_controls(to_valid_utf8(text));
}

// Whether a password seems to hold what ends one. libpq would take what follows for the host or the
// port, and tell it to everybody.
bool has_stray_at(const std::string& url) {
  const auto scheme = url.find("://");
  if (scheme == url.npos) return false;
  const auto rest = std::string_view(url).substr(scheme + 3);
  const auto slash = rest.find('/');
  const auto first = rest.find('@');
  if (first < slash) return rest.find('@', first + 1) < rest.find_first_of("/?", first);
  return first < rest.find('?') && rest.find(':') < slash;
}

std::int64_t changed_rows(PGresult* result) {
  const std::string_view rows = PQcmdTuples(result);
  std::int64_t changed = 0;
  std::from_chars(rows.data(), rows.data() + rows.size(), changed);
  return changed;
}

}  // namespace

// ---- Values

void PgArray::separate() {
  text_ += text_.empty() ? '{' : ',';
  ++size_;
}

void PgArray::add(std::string_view text) {
  separate();
  text_ += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') text_ += '\\';
    text_ += c;
  }
  text_ += '"';
}

void PgArray::add(Blob bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  separate();
  text_ += "\"\\\\x";
  for (const char c : bytes.bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text_ += kDigits[byte >> 4];
    text_ += kDigits[byte & 0xf];
  }
  text_ += '"';
}

void PgArray::add(std::int64_t value) {
  separate();
  text_ += std::to_string(value);
}

void PgArray::add(bool value) {
  separate();
  text_ += value ? 't' : 'f';
}

void PgArray::add(std::optional<Time> time) {
  if (time) {
    add(*time);
  } else {
    add_null();
  }
}

void PgArray::add_null() {
  separate();
  text_ += "NULL";
}

// ---- Rows

PgRows::~PgRows() {
  PQclear(result_);
}

std::size_t PgRows::size() const {
  return result_ == nullptr ? 0 : static_cast<std::size_t>(PQntuples(result_));
}

bool PgRows::next() {
  if (result_ == nullptr || row_ + 1 >= PQntuples(result_)) return false;
  ++row_;
  return true;
}

std::int64_t PgRows::integer(int column) const {
  const char* const text = PQgetvalue(result_, row_, column);
  std::int64_t value = 0;
  std::from_chars(text, text + PQgetlength(result_, row_, column), value);
  return value;
}

std::uint64_t PgRows::count(int column) const {
  const auto value = integer(column);
  return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}

bool PgRows::flag(int column) const {
  return *PQgetvalue(result_, row_, column) == 't';
}

std::string PgRows::text(int column) const {
  return {PQgetvalue(result_, row_, column),
          static_cast<std::size_t>(PQgetlength(result_, row_, column))};
}

std::string PgRows::bytes(int column) const {
  if (is_null(column)) return {};
  std::size_t length = 0;
  const auto* const escaped =
      reinterpret_cast<const unsigned char*>(PQgetvalue(result_, row_, column));
  const std::unique_ptr<unsigned char, decltype(&PQfreemem)> plain(
      PQunescapeBytea(escaped, &length), &PQfreemem);
  return plain ? std::string(reinterpret_cast<const char*>(plain.get()), length) : std::string();
}

std::optional<Time> PgRows::optional_time(int column) const {
  if (is_null(column)) return std::nullopt;
  return time(column);
}

bool PgRows::is_null(int column) const {
  return PQgetisnull(result_, row_, column) != 0;
}

// ---- The connection

Result<std::unique_ptr<PgDatabase>> PgDatabase::make(const std::string& url,
                                                     const std::string& source,
                                                     std::chrono::milliseconds patience) {
  char* problem = nullptr;
  PQconninfoOption* const options =
      has_stray_at(url) ? nullptr : PQconninfoParse(url.c_str(), &problem);
  if (options == nullptr) {
    // What libpq says quotes what it could not read, which may belong to a password.
    const bool secret = without_password(url) != url;
    const auto why = secret ? "what is special in its password has to be written as %40 for @, %2F "
                              "for /, and so on"
                            : one_line(problem);
    PQfreemem(problem);
    return Error{Fault::kConfig, "the store's URL cannot be read: " + why};
  }
  PQconninfoFree(options);
  return std::unique_ptr<PgDatabase>(new PgDatabase(url, source, patience));
}

Result<std::unique_ptr<PgDatabase>> PgDatabase::open(const std::string& url,
                                                     const std::string& source,
                                                     std::chrono::milliseconds patience) {
  auto made = make(url, source, patience);
  if (!made) return made;
  auto& database = **made;
  const auto end = SteadyClock::now() + patience;
  for (auto pause = kFirstPause; !database.connect(); pause = std::min(2 * pause, kLongestPause)) {
    if (!database.again_ || SteadyClock::now() + pause >= end) return *std::move(database.error_);
    std::this_thread::sleep_for(pause);
  }
  return made;
}

PgDatabase::~PgDatabase() {
  disconnect();
}

void PgDatabase::disconnect() {
  PQfinish(std::exchange(connection_, nullptr));
  prepared_.clear();
}

// False: not, with error_ and again_ set.
bool PgDatabase::connect() {
  error_.reset();
  again_ = false;
  if (connection_ != nullptr && PQstatus(connection_) == CONNECTION_OK) return true;
  disconnect();
  // Of what is said twice the last counts: the URL may say otherwise, but for the encoding.
  constexpr std::array kKeywords = {"fallback_application_name",
                                    "connect_timeout",
                                    "keepalives_idle",
                                    "tcp_user_timeout",
                                    "dbname",
                                    "client_encoding",
                                    static_cast<const char*>(nullptr)};
  const std::array kValues = {
      "rapporteur", "5", "10", "15000", url_.c_str(), "UTF8", static_cast<const char*>(nullptr)};
  connection_ = PQconnectdbParams(kKeywords.data(), kValues.data(), 1);
  if (PQstatus(connection_) == CONNECTION_OK) {
    PQsetNoticeProcessor(
        connection_, [](void*, const char*) {}, nullptr);
    return true;
  }
  const auto why = one_line(PQerrorMessage(connection_));
  // libpq tells no SQLSTATE here. Who is refused for what he is will be refused again.
  const bool refused = why.find("authentication failed") != why.npos ||
                       why.find("no password supplied") != why.npos ||
                       why.find("does not exist") != why.npos ||
                       why.find("no pg_hba.conf entry") != why.npos;
  error_ = Error{refused ? Fault::kConfig : Fault::kTransient,
                 "the store's database cannot be reached: " + why};
  again_ = !refused;
  disconnect();
  return false;
}

Result<void> PgDatabase::reach() {
  if (!connect()) return *std::exchange(error_, std::nullopt);
  const auto failure = prepare();
  return failure ? Result<void>(*failure) : Result<void>();
}

void PgDatabase::fail(Fault fault, std::string_view what) {
  if (error_) return;
  error_ = Error{fault, "the store: " + std::string(what)};
  again_ = false;
}

void PgDatabase::fail_with(const PGresult* result) {
  if (error_) return;
  const char* const field =
      result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view state = field == nullptr ? "" : field;
  const bool lost = PQstatus(connection_) != CONNECTION_OK;
  const auto* const message = state.empty() ? PQerrorMessage(connection_)
                                            : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const auto fault = lost || state.empty() ? Fault::kTransient : fault_of(state);
  error_ = Error{fault, "the store: " + one_line(message)};
  // Two who make the same row or table at once: the second finds it when it looks again.
  const bool raced = state == "23505" || state == "42P07" || state == "42710";
  again_ = lost || passes(state) || raced;
}

// The name under which the statement is prepared; null: it failed.
const std::string* PgDatabase::name_of(std::string_view sql) {
  if (const auto found = prepared_.find(sql); found != prepared_.end()) return &found->second;
  const auto name = "s" + std::to_string(prepared_.size());
  const std::string text(sql);
  const OwnedResult made(PQprepare(connection_, name.c_str(), text.c_str(), 0, nullptr));
  if (PQresultStatus(made.get()) != PGRES_COMMAND_OK) {
    fail_with(made.get());
    return nullptr;
  }
  return &prepared_.emplace(text, name).first->second;
}

void PgDatabase::post(std::string_view sql, const Parameters& parameters) {
  if (!settle()) return;
  const auto* const name = name_of(sql);
  if (name == nullptr) return;
  std::vector<const char*> values;
  std::vector<int> lengths;
  std::vector<int> formats;
  for (const auto& value : parameters.values) {
    values.push_back(value.text ? value.text->c_str() : nullptr);
    lengths.push_back(value.text ? static_cast<int>(value.text->size()) : 0);
    formats.push_back(value.binary ? 1 : 0);
  }
  posted_ = PQsendQueryPrepared(connection_, name->c_str(), static_cast<int>(values.size()),
                                values.data(), lengths.data(), formats.data(), 0) == 1;
  if (!posted_) fail_with(nullptr);
}

// What was posted; null: nothing, or it failed.
pg_result* PgDatabase::await() {
  if (!std::exchange(posted_, false)) return nullptr;
  OwnedResult last;
  while (auto* const result = PQgetResult(connection_)) last.reset(result);
  const auto status = PQresultStatus(last.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return last.release();
  fail_with(last.get());
  return nullptr;
}

// Waits for what was posted. False: the transaction has failed.
bool PgDatabase::settle() {
  PQclear(await());
  return !failed();
}

pg_result* PgDatabase::send(std::string_view sql, const Parameters& parameters) {
  post(sql, parameters);
  return await();
}

std::int64_t PgDatabase::change(std::string_view sql, const Parameters& parameters) {
  const OwnedResult result(send(sql, parameters));
  return result ? changed_rows(result.get()) : 0;
}

std::int64_t PgDatabase::run_script(const std::string& sql) {
  if (!settle()) return 0;
  const OwnedResult result(PQexec(connection_, sql.c_str()));
  const auto status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return changed_rows(result.get());
  fail_with(result.get());
  return 0;
}

// ---- Transactions

// Why what comes before all others cannot be done; nullopt: it was done.
std::optional<Error> PgDatabase::prepare() {
  if (!prepare_) return std::nullopt;
  auto prepare = std::exchange(prepare_, nullptr);
  const auto done = prepare();
  if (done) return std::nullopt;
  prepare_ = std::move(prepare);
  return done.error();
}

// Why it failed; nullopt: it was done.
std::optional<Error> PgDatabase::attempt(Kind kind, const std::function<void()>& work) {
  if (auto failure = prepare()) return failure;
  if (kind == Kind::kWrite) ++number_;
  in_doubt_ = false;
  const auto end = SteadyClock::now() + patience_;
  for (auto pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    switch (attempt_once(kind, work)) {
      case End::kDone:
        return std::nullopt;
      case End::kFailed:
        return std::exchange(error_, std::nullopt);
      case End::kAgain:
        break;
    }
    if (SteadyClock::now() + pause >= end) {
      auto error = *std::exchange(error_, std::nullopt);
      if (in_doubt_) error.fault = Fault::kUnknown;
      return error;
    }
    std::this_thread::sleep_for(pause);
  }
}

PgDatabase::End PgDatabase::attempt_once(Kind kind, const std::function<void()>& work) {
  const auto outcome = [this] { return again_ ? End::kAgain : End::kFailed; };
  if (!connect()) return outcome();
  rolling_back_ = false;
  repeated_ = false;
  if (!begin(kind)) {
    if (PQstatus(connection_) == CONNECTION_OK) PQclear(PQexec(connection_, "ROLLBACK"));
    // The number has been taken: the end that was not heard of was a good one.
    return repeated_ ? End::kDone : outcome();
  }
  work();
  return end_transaction(kind);
}

bool PgDatabase::begin(Kind kind) {
  if (kind == Kind::kRead) return true;
  if (kind == Kind::kWrite) return begin_numbered();
  const bool whole = kind == Kind::kSnapshot;
  run_script(whole ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN");
  return !failed();
}

// Takes the lock on the row of our numbers, behind whoever of us may still be at it.
bool PgDatabase::begin_numbered() {
  const auto number = std::to_string(number_);
  const auto now = std::chrono::floor<Seconds>(std::chrono::system_clock::now());
  const auto stored = std::to_string(now.time_since_epoch().count());
  // In one message: each takes the way to the database and back.
  const auto taken =
      run_script("BEGIN; UPDATE flushes SET number = " + number + ", stored = " + stored +
                 " WHERE source = '" + source_ + "' AND number < " + number);
  if (taken == 1 || failed()) return !failed();
  // There is no row of ours yet, or it has this number.
  const auto made =
      run_script("INSERT INTO flushes (source, number, stored) VALUES ('" + source_ + "', " +
                 number + ", " + stored + ") ON CONFLICT (source) DO NOTHING");
  repeated_ = made == 0 && !failed();
  return made == 1;
}

PgDatabase::End PgDatabase::end_transaction(Kind kind) {
  settle();
  if (failed() || rolling_back_) {
    const bool again = failed() && again_;
    if (kind != Kind::kRead && PQstatus(connection_) == CONNECTION_OK) {
      PQclear(PQexec(connection_, "ROLLBACK"));
    }
    if (!failed()) return End::kDone;
    return again ? End::kAgain : End::kFailed;
  }
  if (kind == Kind::kRead) return End::kDone;
  run_script("COMMIT");
  if (!failed()) return End::kDone;
  // A refusal is heard of; silence is not.
  if (kind == Kind::kWrite && PQstatus(connection_) != CONNECTION_OK) in_doubt_ = true;
  return again_ ? End::kAgain : End::kFailed;
}

}  // namespace rapporteur
