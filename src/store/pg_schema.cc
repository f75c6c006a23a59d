#include "store/pg_schema.h"

#include <array>
#include <string>
#include <string_view>

#include "store/schema_version.h"

namespace rapporteur {

namespace {

// Element n leads from version n to version n + 1. Elements are appended, never changed. Only what
// PostgreSQL, Citus, YugabyteDB and CockroachDB share: no triggers, no sequences, no foreign keys,
// no extensions. The recipient domain leads the keys of all that grows with the mail, so that the
// tables can be distributed by it (docs/scaling.md).
constexpr std::array<const char*, 1> kMigrations = {R"sql(
CREATE TABLE sequences (
  name TEXT PRIMARY KEY,
  next BIGINT NOT NULL
);
INSERT INTO sequences (name, next) VALUES ('windows', 1), ('received', 1);

CREATE TABLE windows (
  domain        TEXT NOT NULL,
  id            BIGINT NOT NULL,
  starts        BIGINT NOT NULL,
  ends          BIGINT NOT NULL CHECK (ends > starts),
  supplement    BIGINT NOT NULL,
  frequency     TEXT NOT NULL,
  state         TEXT NOT NULL,
  reason        TEXT NOT NULL DEFAULT '',
  due           BIGINT NOT NULL,
  retry         BIGINT,
  first_attempt BIGINT,
  lookup_since  BIGINT,
  lookup        BIGINT,
  absent_since  BIGINT,
  assembled     BIGINT,
  finished      BIGINT,
  successful    BIGINT NOT NULL DEFAULT 0,
  failed        BIGINT NOT NULL DEFAULT 0,
  first_part    BIGINT NOT NULL DEFAULT 1,
  send_old      BOOLEAN NOT NULL DEFAULT FALSE,
  superseded    BOOLEAN NOT NULL DEFAULT FALSE,
  cancelled     BOOLEAN NOT NULL DEFAULT FALSE,
  last_session  BIGINT NOT NULL,
  record_seen   BIGINT NOT NULL,
  tlsrpt_record TEXT NOT NULL DEFAULT '',
  fingerprint   TEXT NOT NULL DEFAULT '',
  record        TEXT NOT NULL DEFAULT '',
  fence         BIGINT NOT NULL DEFAULT 0,
  lease_node    TEXT NOT NULL DEFAULT '',
  lease_until   BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (domain, id),
  UNIQUE (domain, starts, supplement)
);
CREATE INDEX windows_by_id ON windows (id);
CREATE INDEX windows_by_due ON windows (due, id);
CREATE INDEX windows_by_state ON windows (state, due, id);
CREATE INDEX windows_by_lookup ON windows (lookup) WHERE lookup IS NOT NULL;
CREATE INDEX windows_by_finished ON windows (finished) WHERE finished IS NOT NULL;
CREATE INDEX windows_by_assembly ON windows (assembled, id) WHERE assembled IS NOT NULL;

CREATE TABLE policies (
  domain        TEXT NOT NULL,
  window_id     BIGINT NOT NULL,
  content_key   BYTEA NOT NULL,
  successful    BIGINT NOT NULL,
  failed        BIGINT NOT NULL,
  details       BIGINT NOT NULL DEFAULT 0,
  type          TEXT NOT NULL,
  policy_domain TEXT NOT NULL,
  strings       TEXT NOT NULL,
  mx_hosts      TEXT NOT NULL,
  PRIMARY KEY (domain, window_id, content_key)
);

CREATE TABLE details (
  domain                 TEXT NOT NULL,
  window_id              BIGINT NOT NULL,
  policy_key             BYTEA NOT NULL,
  content_key            BYTEA NOT NULL,
  sessions               BIGINT NOT NULL,
  result_type            TEXT NOT NULL,
  sending_mta_ip         TEXT NOT NULL,
  receiving_mx_hostname  TEXT NOT NULL,
  receiving_mx_helo      TEXT NOT NULL,
  receiving_ip           TEXT NOT NULL,
  additional_information TEXT NOT NULL,
  failure_reason_code    TEXT NOT NULL,
  PRIMARY KEY (domain, window_id, policy_key, content_key)
);

CREATE TABLE parts (
  domain      TEXT NOT NULL,
  window_id   BIGINT NOT NULL,
  number      BIGINT NOT NULL,
  parts_total BIGINT NOT NULL,
  report_id   TEXT NOT NULL,
  file_name   TEXT NOT NULL,
  successful  BIGINT NOT NULL,
  failed      BIGINT NOT NULL,
  gz          BYTEA NOT NULL,
  mail_body   BYTEA NOT NULL,
  PRIMARY KEY (domain, window_id, number)
);
CREATE INDEX parts_by_report_id ON parts (report_id);

CREATE TABLE deliveries (
  domain          TEXT NOT NULL,
  id              TEXT NOT NULL,
  window_id       BIGINT NOT NULL,
  part            BIGINT NOT NULL,
  rank            BIGINT NOT NULL,
  state           TEXT NOT NULL,
  mail            BOOLEAN NOT NULL,
  fallback        BOOLEAN NOT NULL,
  waiting         BOOLEAN NOT NULL,
  attempts        BIGINT NOT NULL,
  first_attempt   BIGINT,
  next_attempt    BIGINT,
  begun           BIGINT,
  ended           BIGINT,
  handed_over     BIGINT,
  blamed          BOOLEAN NOT NULL DEFAULT FALSE,
  mail_domain     TEXT,
  destination     TEXT NOT NULL,
  destination_key TEXT NOT NULL,
  envelope_from   TEXT NOT NULL,
  last_response   TEXT NOT NULL,
  header          TEXT NOT NULL,
  lease_node      TEXT NOT NULL DEFAULT '',
  lease_until     BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (domain, id)
);
CREATE INDEX deliveries_by_id ON deliveries (id);
CREATE INDEX deliveries_by_window ON deliveries (domain, window_id, part, rank);
CREATE INDEX deliveries_by_order ON deliveries (window_id, part, rank, id);
CREATE INDEX deliveries_by_state ON deliveries (state, window_id);
CREATE INDEX deliveries_by_attempt ON deliveries (mail, next_attempt, id)
  WHERE next_attempt IS NOT NULL;
CREATE INDEX deliveries_by_key ON deliveries (mail, destination_key, next_attempt, id)
  WHERE next_attempt IS NOT NULL;
CREATE INDEX deliveries_under_way ON deliveries (lease_node) WHERE lease_node <> '';
CREATE INDEX deliveries_by_recipient ON deliveries (mail_domain, handed_over)
  WHERE handed_over IS NOT NULL;
CREATE INDEX deliveries_by_destination ON deliveries (destination, ended) WHERE ended IS NOT NULL;

CREATE TABLE session_ids (
  content_key BYTEA PRIMARY KEY,
  counted     BIGINT NOT NULL
);
CREATE INDEX session_ids_by_time ON session_ids (counted);

CREATE TABLE silent_domains (
  domain TEXT PRIMARY KEY,
  until  BIGINT NOT NULL
);
CREATE INDEX silent_domains_by_time ON silent_domains (until);

CREATE TABLE files (
  sha256   TEXT PRIMARY KEY,
  name     TEXT NOT NULL,
  position BIGINT NOT NULL,
  finished BOOLEAN NOT NULL,
  accepted BIGINT NOT NULL,
  updated  BIGINT NOT NULL
);

CREATE TABLE counters (
  name  TEXT NOT NULL,
  node  TEXT NOT NULL,
  value BIGINT NOT NULL,
  PRIMARY KEY (name, node)
);

CREATE TABLE pause (
  id         BIGINT PRIMARY KEY CHECK (id = 1),
  everything BOOLEAN NOT NULL,
  smtp       BOOLEAN NOT NULL,
  https      BOOLEAN NOT NULL,
  until      BIGINT
);

CREATE TABLE suppressions (
  pattern   TEXT PRIMARY KEY,
  automatic BOOLEAN NOT NULL,
  since     BIGINT NOT NULL,
  until     BIGINT,
  reason    TEXT NOT NULL,
  spells    BIGINT NOT NULL,
  lifted    BIGINT,
  probe     TEXT NOT NULL
);

CREATE TABLE flushes (
  source TEXT PRIMARY KEY,
  number BIGINT NOT NULL,
  stored BIGINT NOT NULL
);

CREATE TABLE nodes (
  name    TEXT PRIMARY KEY,
  role    TEXT NOT NULL,
  host    TEXT NOT NULL,
  process BIGINT NOT NULL,
  version TEXT NOT NULL,
  started BIGINT NOT NULL,
  spilled BIGINT NOT NULL,
  seen    BIGINT NOT NULL
);

CREATE TABLE received (
  number       BIGINT PRIMARY KEY,
  id           TEXT NOT NULL UNIQUE,
  content_key  BYTEA NOT NULL,
  digest       BYTEA NOT NULL,
  part         TEXT NOT NULL,
  organization TEXT NOT NULL,
  contact      TEXT NOT NULL,
  report_id    TEXT NOT NULL,
  starts       BIGINT NOT NULL,
  ends         BIGINT NOT NULL,
  received     BIGINT NOT NULL,
  trust        TEXT NOT NULL,
  signer       TEXT NOT NULL,
  voucher      TEXT NOT NULL,
  source       TEXT NOT NULL,
  successful   BIGINT NOT NULL,
  failed       BIGINT NOT NULL,
  domains      TEXT NOT NULL,
  oddities     TEXT NOT NULL,
  new_failures BIGINT NOT NULL
);
CREATE INDEX received_by_key ON received (content_key);
CREATE INDEX received_by_report_id ON received (report_id);
CREATE INDEX received_by_time ON received (received);
CREATE INDEX received_by_organization ON received (lower(organization), number);
CREATE INDEX received_by_trust ON received (trust);
CREATE INDEX received_failed ON received (number) WHERE failed > 0;

CREATE TABLE received_json (
  number BIGINT PRIMARY KEY,
  gz     BYTEA NOT NULL
);

CREATE TABLE received_policies (
  number       BIGINT NOT NULL,
  ordinal      BIGINT NOT NULL,
  domain       TEXT NOT NULL,
  type         TEXT NOT NULL,
  starts       BIGINT NOT NULL,
  organization TEXT NOT NULL,
  trust        TEXT NOT NULL,
  successful   BIGINT NOT NULL,
  failed       BIGINT NOT NULL,
  PRIMARY KEY (number, ordinal)
);
CREATE INDEX received_policies_by_start ON received_policies (starts, number);
CREATE INDEX received_policies_by_domain ON received_policies (domain, number);

CREATE TABLE received_failures (
  number       BIGINT NOT NULL,
  ordinal      BIGINT NOT NULL,
  domain       TEXT NOT NULL,
  result_type  TEXT NOT NULL,
  mx           TEXT NOT NULL,
  starts       BIGINT NOT NULL,
  received     BIGINT NOT NULL,
  organization TEXT NOT NULL,
  trust        TEXT NOT NULL,
  sessions     BIGINT NOT NULL,
  PRIMARY KEY (number, ordinal)
);
CREATE INDEX received_failures_by_start ON received_failures (starts, number);
CREATE INDEX received_failures_by_kind ON received_failures
  (organization, result_type, mx, received);
)sql"};

constexpr std::int64_t kNewest = kMigrations.size();

std::string meta_value(PgDatabase& database, std::string_view name) {
  auto rows = database.query("SELECT value FROM meta WHERE name = $1", name);
  return rows.next() ? rows.text(0) : std::string();
}

void set_meta(PgDatabase& database, std::string_view name, std::string_view value) {
  database.execute(
      "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE"
      " SET value = excluded.value",
      name, value);
}

std::int64_t version_of(const std::string& text) {
  const bool number = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  return number ? std::stoll(text) : -1;
}

void migrate(PgDatabase& database, std::int64_t from, Random& random) {
  for (auto version = from; version < kNewest; ++version) {
    database.run_script(kMigrations.at(static_cast<std::size_t>(version)));
  }
  set_meta(database, "schema_version", std::to_string(kNewest));
  if (from > 0) return;
  set_meta(database, "token", random_token(random, kTokenLength));
  set_meta(database, "secret", random_token(random, kSecretLength));
}

}  // namespace

std::int64_t newest_pg_schema() {
  return kNewest;
}

Result<StoreIdentity> prepare_schema(PgDatabase& database, Random& random) {
  // The row is the lock of whoever makes the tables.
  auto ready = database.set_up([&] {
    database.run_script(
        "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)");
    database.execute(
        "INSERT INTO meta (name, value) VALUES ('schema_version', '0')"
        " ON CONFLICT (name) DO NOTHING");
  });
  if (!ready) return std::move(ready).error();
  auto identity = database.set_up([&] {
    std::int64_t version = -1;
    {
      auto rows = database.query("SELECT value FROM meta WHERE name = 'schema_version' FOR UPDATE");
      if (rows.next()) version = version_of(rows.text(0));
    }
    if (version < 0) database.fail(Fault::kCorrupt, "it does not tell the version of its tables");
    if (version > kNewest) {
      database.fail(Fault::kCorrupt, "its tables have version " + std::to_string(version) +
                                         ", this program knows versions up to " +
                                         std::to_string(kNewest) + ": it needs a newer program");
    }
    if (!database.failed() && version < kNewest) migrate(database, version, random);
    StoreIdentity found{meta_value(database, "token"), meta_value(database, "secret")};
    if (found.token.size() != kTokenLength || found.secret.size() != kSecretLength) {
      database.fail(Fault::kCorrupt, "it has no token");
    }
    return found;
  });
  return identity;
}

}  // namespace rapporteur
