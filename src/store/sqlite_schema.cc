#include "store/sqlite_schema.h"

#include <array>
#include <cstddef>

#include "store/schema_version.h"

namespace rapporteur {

namespace {

// "RPRT": tells file(1), and us, whose database this is.
constexpr std::int64_t kApplicationId = 0x52505254;

// Element n leads from version n to version n + 1. Elements are appended, never changed.
constexpr std::array<const char*, 5> kMigrations = {R"sql(
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE windows (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  domain        TEXT NOT NULL,
  starts        INTEGER NOT NULL,
  ends          INTEGER NOT NULL CHECK (ends > starts),
  supplement    INTEGER NOT NULL,
  frequency     TEXT NOT NULL,
  state         TEXT NOT NULL,
  reason        TEXT NOT NULL DEFAULT '',
  due           INTEGER NOT NULL,
  retry         INTEGER,
  first_attempt INTEGER,
  lookup_since  INTEGER,
  assembled     INTEGER,
  finished      INTEGER,
  successful    INTEGER NOT NULL DEFAULT 0,
  failed        INTEGER NOT NULL DEFAULT 0,
  first_part    INTEGER NOT NULL DEFAULT 1,
  send_old      INTEGER NOT NULL DEFAULT 0,
  superseded    INTEGER NOT NULL DEFAULT 0,
  cancelled     INTEGER NOT NULL DEFAULT 0,
  last_session  INTEGER NOT NULL,
  record_seen   INTEGER NOT NULL,
  tlsrpt_record TEXT NOT NULL DEFAULT '',
  fingerprint   TEXT NOT NULL DEFAULT '',
  record        TEXT NOT NULL DEFAULT '',
  UNIQUE (domain, starts, supplement)
) STRICT;
CREATE INDEX windows_by_due ON windows (due);
CREATE INDEX windows_by_state ON windows (state, due);
CREATE INDEX windows_by_finished ON windows (finished) WHERE finished IS NOT NULL;

CREATE TABLE policies (
  id          INTEGER PRIMARY KEY,
  window_id   INTEGER NOT NULL REFERENCES windows (id) ON DELETE CASCADE,
  content_key BLOB NOT NULL,
  successful  INTEGER NOT NULL DEFAULT 0,
  failed      INTEGER NOT NULL DEFAULT 0,
  details     INTEGER NOT NULL DEFAULT 0,
  type        TEXT NOT NULL,
  domain      TEXT NOT NULL,
  strings     TEXT NOT NULL,
  mx_hosts    TEXT NOT NULL,
  UNIQUE (window_id, content_key)
) STRICT;

CREATE TABLE details (
  policy_id              INTEGER NOT NULL REFERENCES policies (id) ON DELETE CASCADE,
  content_key            BLOB NOT NULL,
  sessions               INTEGER NOT NULL,
  result_type            TEXT NOT NULL,
  sending_mta_ip         TEXT NOT NULL,
  receiving_mx_hostname  TEXT NOT NULL,
  receiving_mx_helo      TEXT NOT NULL,
  receiving_ip           TEXT NOT NULL,
  additional_information TEXT NOT NULL,
  failure_reason_code    TEXT NOT NULL,
  PRIMARY KEY (policy_id, content_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE parts (
  id          INTEGER PRIMARY KEY,
  window_id   INTEGER NOT NULL REFERENCES windows (id) ON DELETE CASCADE,
  number      INTEGER NOT NULL,
  parts_total INTEGER NOT NULL,
  report_id   TEXT NOT NULL UNIQUE,
  file_name   TEXT NOT NULL,
  successful  INTEGER NOT NULL,
  failed      INTEGER NOT NULL,
  gz          BLOB NOT NULL,
  mail_body   BLOB NOT NULL,
  UNIQUE (window_id, number)
) STRICT;

CREATE TABLE deliveries (
  id            TEXT NOT NULL UNIQUE,
  window_id     INTEGER NOT NULL REFERENCES windows (id) ON DELETE CASCADE,
  part          INTEGER NOT NULL,
  rank          INTEGER NOT NULL,
  state         TEXT NOT NULL,
  mail          INTEGER NOT NULL,
  fallback      INTEGER NOT NULL,
  waiting       INTEGER NOT NULL,
  attempts      INTEGER NOT NULL,
  first_attempt INTEGER,
  next_attempt  INTEGER,
  begun         INTEGER,
  ended         INTEGER,
  handed_over   INTEGER,
  mail_domain   TEXT,
  destination   TEXT NOT NULL,
  envelope_from TEXT NOT NULL,
  last_response TEXT NOT NULL,
  header        TEXT NOT NULL,
  FOREIGN KEY (window_id, part) REFERENCES parts (window_id, number) ON DELETE CASCADE
) STRICT;
CREATE INDEX deliveries_by_window ON deliveries (window_id, part, rank);
CREATE INDEX deliveries_by_attempt ON deliveries (mail, next_attempt)
  WHERE next_attempt IS NOT NULL;
CREATE INDEX deliveries_under_way ON deliveries (begun) WHERE begun IS NOT NULL;
CREATE INDEX deliveries_by_recipient ON deliveries (mail_domain, handed_over)
  WHERE handed_over IS NOT NULL;

CREATE TABLE session_ids (
  content_key BLOB PRIMARY KEY,
  counted     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_ids_by_time ON session_ids (counted);

CREATE TABLE files (
  sha256   TEXT PRIMARY KEY,
  name     TEXT NOT NULL,
  position INTEGER NOT NULL,
  finished INTEGER NOT NULL,
  accepted INTEGER NOT NULL,
  updated  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pause (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  everything INTEGER NOT NULL,
  smtp       INTEGER NOT NULL,
  https      INTEGER NOT NULL,
  until      INTEGER
) STRICT;
)sql",
                                                    R"sql(
ALTER TABLE deliveries ADD COLUMN blamed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_by_destination ON deliveries (destination,
    CASE WHEN state IN ('delivered', 'bounced') THEN coalesce(handed_over, ended) ELSE ended END)
  WHERE ended IS NOT NULL;

CREATE TABLE suppressions (
  pattern   TEXT PRIMARY KEY,
  automatic INTEGER NOT NULL,
  since     INTEGER NOT NULL,
  until     INTEGER,
  reason    TEXT NOT NULL,
  spells    INTEGER NOT NULL,
  lifted    INTEGER,
  probe     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
                                                    R"sql(
CREATE TABLE state_counts (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO state_counts (name, value) VALUES
  ('windows.collecting', 0), ('windows.due', 0), ('windows.assembled', 0), ('windows.done', 0),
  ('windows.blocked', 0), ('windows.held', 0), ('windows.suppressed', 0),
  ('deliveries.pending', 0), ('deliveries.delivered', 0), ('deliveries.bounced', 0),
  ('deliveries.failed', 0), ('deliveries.suppressed', 0), ('deliveries.abandoned', 0),
  ('deliveries.uncertain', 0),
  ('ended.delivered', 0), ('ended.bounced', 0), ('ended.failed', 0), ('ended.suppressed', 0),
  ('ended.abandoned', 0);
UPDATE state_counts SET value =
  (SELECT count(*) FROM windows WHERE 'windows.' || state = state_counts.name)
  WHERE name GLOB 'windows.*';
UPDATE state_counts SET value = counted.rows
  FROM (SELECT state, count(*) AS rows FROM deliveries GROUP BY state) AS counted
  WHERE name IN ('deliveries.' || counted.state, 'ended.' || counted.state);

CREATE TRIGGER windows_made AFTER INSERT ON windows BEGIN
  UPDATE state_counts SET value = value + 1 WHERE name = 'windows.' || new.state;
END;
CREATE TRIGGER windows_moved AFTER UPDATE OF state ON windows WHEN new.state <> old.state BEGIN
  UPDATE state_counts SET value = value - 1 WHERE name = 'windows.' || old.state;
  UPDATE state_counts SET value = value + 1 WHERE name = 'windows.' || new.state;
END;
CREATE TRIGGER windows_removed AFTER DELETE ON windows BEGIN
  UPDATE state_counts SET value = value - 1 WHERE name = 'windows.' || old.state;
END;
CREATE TRIGGER deliveries_made AFTER INSERT ON deliveries BEGIN
  UPDATE state_counts SET value = value + 1
    WHERE name IN ('deliveries.' || new.state, 'ended.' || new.state);
END;
CREATE TRIGGER deliveries_moved AFTER UPDATE OF state ON deliveries
    WHEN new.state <> old.state BEGIN
  UPDATE state_counts SET value = value - 1 WHERE name = 'deliveries.' || old.state;
  UPDATE state_counts SET value = value + 1
    WHERE name IN ('deliveries.' || new.state, 'ended.' || new.state);
END;
CREATE TRIGGER deliveries_removed AFTER DELETE ON deliveries BEGIN
  UPDATE state_counts SET value = value - 1 WHERE name = 'deliveries.' || old.state;
END;

CREATE TABLE journal (
  id    INTEGER PRIMARY KEY,
  piece BLOB NOT NULL
) STRICT;
)sql",
                                                    R"sql(
CREATE TABLE received (
  number       INTEGER PRIMARY KEY AUTOINCREMENT,
  id           TEXT NOT NULL UNIQUE,
  content_key  BLOB NOT NULL,
  digest       BLOB NOT NULL,
  part         TEXT NOT NULL,
  organization TEXT NOT NULL,
  contact      TEXT NOT NULL,
  report_id    TEXT NOT NULL,
  starts       INTEGER NOT NULL,
  ends         INTEGER NOT NULL,
  received     INTEGER NOT NULL,
  trust        TEXT NOT NULL,
  signer       TEXT NOT NULL,
  voucher      TEXT NOT NULL,
  source       TEXT NOT NULL,
  successful   INTEGER NOT NULL,
  failed       INTEGER NOT NULL,
  domains      TEXT NOT NULL,
  oddities     TEXT NOT NULL,
  new_failures INTEGER NOT NULL
) STRICT;
CREATE INDEX received_by_key ON received (content_key);
CREATE INDEX received_by_report_id ON received (report_id);
CREATE INDEX received_by_time ON received (received);
CREATE INDEX received_by_organization ON received (organization COLLATE NOCASE, number);
CREATE INDEX received_failed ON received (number) WHERE failed > 0;

CREATE TABLE received_json (
  number INTEGER PRIMARY KEY REFERENCES received (number) ON DELETE CASCADE,
  gz     BLOB NOT NULL
) STRICT;

CREATE TABLE received_policies (
  number       INTEGER NOT NULL REFERENCES received (number) ON DELETE CASCADE,
  ordinal      INTEGER NOT NULL,
  domain       TEXT NOT NULL,
  type         TEXT NOT NULL,
  starts       INTEGER NOT NULL,
  organization TEXT NOT NULL,
  trust        TEXT NOT NULL,
  successful   INTEGER NOT NULL,
  failed       INTEGER NOT NULL,
  PRIMARY KEY (number, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX received_policies_by_start ON received_policies
  (starts, number, domain, type, organization, trust, successful, failed);
CREATE INDEX received_policies_by_domain ON received_policies (domain, number);

CREATE TABLE received_failures (
  number       INTEGER NOT NULL REFERENCES received (number) ON DELETE CASCADE,
  ordinal      INTEGER NOT NULL,
  domain       TEXT NOT NULL,
  result_type  TEXT NOT NULL,
  mx           TEXT NOT NULL,
  starts       INTEGER NOT NULL,
  received     INTEGER NOT NULL,
  organization TEXT NOT NULL,
  trust        TEXT NOT NULL,
  sessions     INTEGER NOT NULL,
  PRIMARY KEY (number, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX received_failures_by_start ON received_failures
  (starts, number, domain, result_type, mx, organization, trust, sessions);
CREATE INDEX received_failures_by_kind ON received_failures
  (organization, result_type, mx, received, trust, number);

INSERT INTO state_counts (name, value) VALUES ('received.dkim', 0), ('received.mta', 0),
  ('received.local', 0), ('received.https', 0), ('received.unverified', 0);
CREATE TRIGGER received_made AFTER INSERT ON received BEGIN
  UPDATE state_counts SET value = value + 1 WHERE name = 'received.' || new.trust;
END;
CREATE TRIGGER received_raised AFTER UPDATE OF trust ON received WHEN new.trust <> old.trust BEGIN
  UPDATE state_counts SET value = value - 1 WHERE name = 'received.' || old.trust;
  UPDATE state_counts SET value = value + 1 WHERE name = 'received.' || new.trust;
END;
CREATE TRIGGER received_removed AFTER DELETE ON received BEGIN
  UPDATE state_counts SET value = value - 1 WHERE name = 'received.' || old.trust;
END;
)sql",
                                                    R"sql(
ALTER TABLE windows ADD COLUMN lookup INTEGER;
ALTER TABLE windows ADD COLUMN absent_since INTEGER;
CREATE INDEX windows_by_lookup ON windows (lookup)
  WHERE lookup IS NOT NULL AND state = 'collecting';

ALTER TABLE deliveries ADD COLUMN destination_key TEXT NOT NULL DEFAULT '';
UPDATE deliveries SET destination_key = 'mailto:' || mail_domain WHERE mail_domain IS NOT NULL;
CREATE INDEX deliveries_by_key ON deliveries (mail, destination_key, next_attempt)
  WHERE next_attempt IS NOT NULL;

CREATE TABLE silent_domains (
  domain TEXT PRIMARY KEY,
  until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX silent_domains_by_time ON silent_domains (until);

CREATE TABLE flushes (
  source TEXT PRIMARY KEY,
  number INTEGER NOT NULL,
  stored INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE nodes (
  name    TEXT PRIMARY KEY,
  role    TEXT NOT NULL,
  host    TEXT NOT NULL,
  process INTEGER NOT NULL,
  version TEXT NOT NULL,
  started INTEGER NOT NULL,
  spilled INTEGER NOT NULL,
  seen    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql"};

constexpr std::int64_t kNewest = kMigrations.size();

std::int64_t number_of(Database& database, std::string_view sql) {
  Query query(database, sql);
  return query.next() ? query.integer(0) : 0;
}

std::string meta_value(Database& database, std::string_view name) {
  Query query(database, "SELECT value FROM meta WHERE name = ?1", name);
  return query.next() ? query.text(0) : std::string();
}

// The version of the tables that are there; 0 for an empty file.
std::int64_t stored_version(Database& database) {
  const auto owner = number_of(database, "PRAGMA application_id");
  const auto tables = number_of(database, "SELECT count(*) FROM sqlite_master");
  if (database.failed() || (owner == 0 && tables == 0)) return 0;
  if (owner != kApplicationId) {
    database.fail(Fault::kCorrupt, "the database belongs to another program");
    return 0;
  }
  const auto version =
      number_of(database, "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'schema_version'");
  if (database.failed()) return 0;
  if (version < 1) database.fail(Fault::kCorrupt, "it does not tell the version of its tables");
  if (version > kNewest) {
    database.fail(Fault::kCorrupt, "its tables have version " + std::to_string(version) +
                                       ", this program knows versions up to " +
                                       std::to_string(kNewest) + ": it needs a newer program");
  }
  return version;
}

void migrate(Database& database, std::int64_t from, Random& random) {
  for (auto version = from; version < kNewest; ++version) {
    database.run_script(kMigrations.at(static_cast<std::size_t>(version)));
  }
  database.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('schema_version', ?1)",
                   std::to_string(kNewest));
  if (from < 2) {
    database.execute("INSERT INTO meta (name, value) VALUES ('secret', ?1)",
                     random_token(random, kSecretLength));
  }
  if (from > 0) return;
  database.run_script("PRAGMA application_id = " + std::to_string(kApplicationId));
  database.execute("INSERT INTO meta (name, value) VALUES ('token', ?1)",
                   random_token(random, kTokenLength));
}

}  // namespace

std::int64_t sqlite_application_id() {
  return kApplicationId;
}

std::int64_t newest_sqlite_schema() {
  return kNewest;
}

Result<void> check_owner(Database& database) {
  Transaction reading(database, Transaction::Kind::kRead);
  stored_version(database);
  return reading.commit();
}

Result<StoreIdentity> prepare_schema(Database& database, Random& random) {
  std::int64_t version = 0;
  StoreIdentity identity;
  const auto read = [&] {
    identity = {meta_value(database, "token"), meta_value(database, "secret")};
  };
  {
    Transaction reading(database, Transaction::Kind::kRead);
    version = stored_version(database);
    if (version == kNewest) read();
    if (auto done = reading.commit(); !done) return std::move(done).error();
  }
  if (version < kNewest) {
    Transaction writing(database, Transaction::Kind::kWrite);
    // Another process may have been here since.
    version = stored_version(database);
    if (!database.failed() && version < kNewest) migrate(database, version, random);
    read();
    if (auto done = writing.commit(); !done) return std::move(done).error();
  }
  if (identity.token.size() != kTokenLength || identity.secret.size() != kSecretLength) {
    database.fail(Fault::kCorrupt, "it has no token");
    return *database.take_error();
  }
  return identity;
}

}  // namespace rapporteur
