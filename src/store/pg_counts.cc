// A window's counts, and how its report tells them.

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "store/held_counts.h"
#include "store/pg_store.h"
#include "store/pg_text.h"
#include "store/rows.h"
#include "store/sorted_counts.h"
#include "store/sqlite.h"

namespace rapporteur {

namespace {

// Details that are read at once where there are many.
constexpr std::int64_t kPage = 5000;

constexpr std::string_view kDetailColumns =
    "policy_key, result_type, sending_mta_ip, receiving_mx_hostname, receiving_mx_helo,"
    " receiving_ip, additional_information, failure_reason_code, sessions, content_key";

// As the tables of an SQLite store, for store/sorted_counts.h.
constexpr std::string_view kTemporaryDetails = R"sql(
CREATE TEMP TABLE IF NOT EXISTS details (
  policy_id              INTEGER NOT NULL,
  result_type            TEXT NOT NULL,
  sending_mta_ip         TEXT NOT NULL,
  receiving_mx_hostname  TEXT NOT NULL,
  receiving_mx_helo      TEXT NOT NULL,
  receiving_ip           TEXT NOT NULL,
  additional_information TEXT NOT NULL,
  failure_reason_code    TEXT NOT NULL,
  sessions               INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS temp.details_by_policy ON details (policy_id);
DELETE FROM temp.details;
)sql";

// Where a window's rows are.
struct WindowKey {
  std::string domain;
  WindowId id = 0;
};

struct Policies {
  std::vector<StoredPolicy> rows;                       // sorted; numbered by their place
  std::unordered_map<std::string, std::size_t> places;  // by key
};

// The rows of a window's policies as they come: (0, type, policy_domain, strings, mx_hosts,
// successful, failed, details, content_key, …).
class PolicyRows {
 public:
  void add(PgDatabase& database, const PgRows& rows, const RestoredRow& row) {
    found_.rows.push_back(
        {static_cast<std::int64_t>(keys_.size()), rows.count(7), read_policy(database, row)});
    keys_.push_back(rows.bytes(8));
  }

  Policies sorted() && {
    sort_by_policy(found_.rows);
    for (std::size_t i = 0; i < found_.rows.size(); ++i) {
      const auto number = std::exchange(found_.rows[i].id, static_cast<std::int64_t>(i));
      found_.places[keys_[static_cast<std::size_t>(number)]] = i;
    }
    return std::move(found_);
  }

 private:
  Policies found_;
  std::vector<std::string> keys_;
};

Policies policies_of(PgDatabase& database, const WindowKey& window) {
  PolicyRows policies;
  auto rows = database.query(
      "SELECT 0, type, policy_domain, strings, mx_hosts, successful, failed, details,"
      " content_key FROM policies WHERE domain = $1 AND window_id = $2",
      window.domain, window.id);
  const RestoredRow row(rows);
  while (rows.next()) policies.add(database, rows, row);
  return std::move(policies).sorted();
}

// The policies with what `rows` tell of their details.
WindowCounts with_details(PgDatabase& database, Policies policies, PgRows rows) {
  WindowCounts counts;
  for (auto& row : policies.rows) counts.push_back(std::move(row.counts));
  const RestoredRow row(rows);
  while (rows.next()) {
    const auto place = policies.places.find(rows.bytes(0));
    if (place == policies.places.end()) continue;
    counts[place->second].details.push_back(read_detail(database, row));
  }
  for (auto& policy : counts) std::ranges::sort(policy.details);
  return counts;
}

WindowCounts counts_of(PgDatabase& database, const WindowKey& window, Policies policies) {
  auto rows = database.query("SELECT " + std::string(kDetailColumns) +
                                 " FROM details WHERE domain = $1 AND window_id = $2",
                             window.domain, window.id);
  return with_details(database, std::move(policies), std::move(rows));
}

// Copies the window's details, page by page, into the temporary table.
void copy_details(PgDatabase& database, const WindowKey& window, const Policies& policies,
                  Database& sorting) {
  const auto sql = "SELECT " + std::string(kDetailColumns) +
                   " FROM details WHERE domain = $1 AND window_id = $2"
                   " AND (policy_key, content_key) > ($3::bytea, $4::bytea)"
                   " ORDER BY policy_key, content_key LIMIT $5::bigint";
  std::string policy_key;
  std::string content_key;
  for (bool more = true; more && !database.failed() && !sorting.failed();) {
    auto rows =
        database.query(sql, window.domain, window.id, Blob{policy_key}, Blob{content_key}, kPage);
    more = rows.size() == static_cast<std::size_t>(kPage);
    const RestoredRow row(rows);
    while (rows.next()) {
      policy_key = rows.bytes(0);
      content_key = rows.bytes(9);
      const auto place = policies.places.find(policy_key);
      if (place == policies.places.end()) continue;
      sorting.execute(
          "INSERT INTO temp.details (policy_id, result_type, sending_mta_ip,"
          " receiving_mx_hostname, receiving_mx_helo, receiving_ip, additional_information,"
          " failure_reason_code, sessions) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
          place->second, row.text(1), row.text(2), row.text(3), row.text(4), row.text(5),
          row.text(6), row.text(7), row.integer(8));
    }
  }
}

// What dossiers() are made of, one for each question in their order.
class Dossiers {
 public:
  Dossiers(PgDatabase& database, std::span<const DossierQuestion> questions)
      : database_(database), dossiers_(questions.size()), policies_(questions.size()) {
    for (const auto& question : questions) {
      domains_.add(question.domain);
      windows_.add(question.window);
      starts_.add(question.period.start);
      mails_from_.add(question.mails_within.start);
      mails_until_.add(question.mails_within.end);
    }
  }

  std::vector<Dossier> read() {
    read_policies();
    read_counts();
    for (std::size_t i = 0; i < dossiers_.size(); ++i) {
      if (dossiers_[i].counts) dossiers_[i].outline = outline_of(*dossiers_[i].counts);
    }
    read_first_parts();
    read_mails();
    return std::move(dossiers_);
  }

 private:
  static std::size_t place_of(const PgRows& rows, int column) {
    return static_cast<std::size_t>(rows.integer(column) - 1);
  }

  // What is read of the details goes there.
  static WindowCounts& filled(Dossier& dossier) {
    return dossier.counts ? *dossier.counts : dossier.outline;
  }

  void read_policies() {
    std::vector<PolicyRows> found(dossiers_.size());
    auto rows = database_.query(
        "SELECT 0, p.type, p.policy_domain, p.strings, p.mx_hosts, p.successful, p.failed,"
        " p.details, p.content_key, v.number FROM unnest($1::text[], $2::bigint[])"
        " WITH ORDINALITY AS v(domain, window_id, number)"
        " JOIN policies AS p ON p.domain = v.domain AND p.window_id = v.window_id",
        domains_, windows_);
    const RestoredRow row(rows);
    while (rows.next()) found.at(place_of(rows, 9)).add(database_, rows, row);
    for (std::size_t i = 0; i < found.size(); ++i) policies_[i] = std::move(found[i]).sorted();
  }

  // Of windows with few details whole, of the others what an outline needs.
  void read_counts() {
    PgArray held;
    PgArray outlined;
    auto left = kHeldDetailsOfDossiers;
    for (std::size_t i = 0; i < policies_.size(); ++i) {
      auto& policies = policies_[i];
      std::uint64_t details = 0;
      for (const auto& policy : policies.rows) details += policy.details;
      const bool fits = details <= left;
      if (fits) left -= details;
      (fits ? held : outlined).add(static_cast<std::int64_t>(i + 1));
      auto& dossier = dossiers_[i];
      auto& counts = fits ? dossier.counts.emplace() : dossier.outline;
      for (auto& row : policies.rows) counts.push_back(std::move(row.counts));
    }
    constexpr std::string_view kFrom =
        " FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS v(domain, window_id, number)"
        " JOIN details AS d ON d.domain = v.domain AND d.window_id = v.window_id"
        " WHERE v.number = ANY ($3::bigint[])";
    add_details("SELECT " + std::string(kDetailColumns) + ", v.number" + std::string(kFrom), held);
    add_details(
        "SELECT policy_key, result_type, '', '', '', '', '', '',"
        " least(sum(sessions), 9007199254740991)::bigint, '', v.number" +
            std::string(kFrom) + " GROUP BY v.number, policy_key, result_type",
        outlined);
    for (auto& dossier : dossiers_) {
      for (auto& policy : filled(dossier)) std::ranges::sort(policy.details);
    }
  }

  void add_details(const std::string& sql, const PgArray& numbers) {
    if (numbers.empty()) return;
    auto rows = database_.query(sql, domains_, windows_, numbers);
    const RestoredRow row(rows);
    while (rows.next()) {
      const auto index = place_of(rows, 10);
      const auto place = policies_.at(index).places.find(rows.bytes(0));
      if (place == policies_[index].places.end()) continue;
      filled(dossiers_[index])[place->second].details.push_back(read_detail(database_, row));
    }
  }

  // Windows that wait carry the number after the parts of those that were assembled before, even
  // when these are gone; parts tell it where only assembled ones are left.
  void read_first_parts() {
    auto rows = database_.query(
        "SELECT v.number, max(coalesce(p.number + 1, w.first_part))"
        " FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS v(domain, starts, number)"
        " JOIN windows AS w ON w.domain = v.domain AND w.starts = v.starts"
        " LEFT JOIN parts AS p ON p.domain = w.domain AND p.window_id = w.id GROUP BY v.number",
        domains_, starts_);
    while (rows.next()) {
      dossiers_.at(place_of(rows, 0)).first_part = small_integer(rows.integer(1));
    }
  }

  void read_mails() {
    auto rows = database_.query(
        "SELECT v.number, count(*) FROM unnest($1::text[], $2::bigint[], $3::bigint[])"
        " WITH ORDINALITY AS v(domain, low, high, number)"
        " JOIN deliveries AS d ON d.mail_domain = v.domain AND d.handed_over >= v.low"
        " AND d.handed_over < v.high GROUP BY v.number",
        domains_, mails_from_, mails_until_);
    while (rows.next()) dossiers_.at(place_of(rows, 0)).mails = rows.count(1);
  }

  PgDatabase& database_;
  std::vector<Dossier> dossiers_;
  std::vector<Policies> policies_;
  PgArray domains_;
  PgArray windows_;
  PgArray starts_;
  PgArray mails_from_;
  PgArray mails_until_;
};

}  // namespace

Result<WindowCounts> PgStore::counts(WindowId window) {
  return database_->read(
      [&] {
        const WindowKey key{domain_of(window), window};
        return counts_of(*database_, key, policies_of(*database_, key));
      },
      true);
}

Result<WindowCounts> PgStore::outline(WindowId window) {
  return database_->read(
      [&] {
        const WindowKey key{domain_of(window), window};
        auto policies = policies_of(*database_, key);
        auto rows = database_->query(
            "SELECT policy_key, result_type, '', '', '', '', '', '',"
            " least(sum(sessions), 9007199254740991)::bigint FROM details"
            " WHERE domain = $1 AND window_id = $2 GROUP BY policy_key, result_type",
            key.domain, key.id);
        return with_details(*database_, std::move(policies), std::move(rows));
      },
      true);
}

Result<std::vector<Dossier>> PgStore::dossiers(std::span<const DossierQuestion> questions) {
  if (questions.empty()) return std::vector<Dossier>();
  return database_->read([&] { return Dossiers(*database_, questions).read(); }, true);
}

Result<std::unique_ptr<CountsSource>> PgStore::read_counts(WindowId window,
                                                           const AddressShown& shown) {
  if (!sorting_) {
    auto opened = Database::open(":memory:", std::chrono::seconds(1));
    if (!opened) return std::move(opened).error();
    sorting_ = *std::move(opened);
  }
  return database_->read(
      [&]() -> std::unique_ptr<CountsSource> {
        const WindowKey key{domain_of(window), window};
        auto policies = policies_of(*database_, key);
        std::uint64_t details = 0;
        for (const auto& policy : policies.rows) details += policy.details;
        if (details <= kHeldDetails) {
          return std::make_unique<HeldCounts>(counts_of(*database_, key, std::move(policies)),
                                              shown);
        }
        // A private database whose temporary tables are on disk.
        ++counts_generation_;
        Transaction transaction(*sorting_, Transaction::Kind::kWrite);
        sorting_->run_script(std::string(kTemporaryDetails));
        copy_details(*database_, key, policies, *sorting_);
        auto sorted = sort_counts(*sorting_, counts_generation_, policies.rows, shown);
        sorting_->run_script("DELETE FROM temp.details");
        if (auto done = transaction.commit(); !done) {
          database_->fail(done.error().fault, done.error().text);
        }
        return sorted;
      },
      true);
}

}  // namespace rapporteur
