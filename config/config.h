#pragma once
// The configuration: what stands in rapporteur.toml, checked and typed. docs/configuration.md
// describes every key. Nothing here asks the network.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/log.h"
#include "base/private_key.h"
#include "base/time.h"
#include "config/settings.h"

namespace rapporteur {

struct DkimKey {
  std::string domain;    // A-labels
  std::string selector;  // A-labels
  std::string path;
  PrivateKey key;
};

struct StoreConfig {
  std::string url;
  Seconds flush_every;
  Seconds keep_reports;
  std::string node;
  Seconds lease;
  std::string spill;
  std::int64_t spill_max_bytes;
};

struct DatagramConfig {
  std::string path;
  unsigned mode;
  std::string owner;  // empty: unchanged
  std::string group;
};

struct IngestConfig {
  Seconds max_age;
  std::size_t details_per_policy;
  std::map<std::string, std::string> sending_ip;  // canonical address to canonical address
  std::optional<DatagramConfig> datagram;
};

// Who may use the HTTP server: one line of [http] credentials.
struct HttpCredential {
  std::string name;
  bool bearer = false;  // `hash` is the SHA-256 of a token; else of crypt(5), of a password
  std::string hash;
};

struct HttpConfig {
  std::string listen;
  std::string certificate;
  std::string key;
  std::string credentials;            // the file
  std::vector<HttpCredential> users;  // what stands in it
  std::int64_t max_body_bytes;
  int max_connections;
};

struct ScheduleConfig {
  Seconds grace;
  Seconds spread_hourly;
  Seconds spread_daily;
  Seconds spread_weekly;
  Seconds give_up_after;
  int own_report_slack;
};

struct DnsConfig {
  std::vector<std::string> servers;  // "127.0.0.1:53", "[::1]:53"; empty: /etc/resolv.conf
  Seconds timeout;
  int concurrency;
  std::string trust_anchor;
};

enum class MailTransportKind { kSmtp, kSendmail, kDirectory };
enum class RelayTls { kNone, kOpportunistic, kRequired };

struct SmtpConfig {
  MailTransportKind transport;
  std::string url;
  RelayTls tls;
  bool relay_signs;
  std::vector<std::string> bounce_maildirs;
  Seconds connect_timeout;
  Seconds reply_timeout;
  Seconds final_timeout;
  std::string ca_file;
  std::string username;
  std::string password_file;
  std::string command;
  std::string directory;
};

struct HttpsConfig {
  bool verify;
  std::string ca_file;
  Seconds timeout;
  std::string proxy;
  std::vector<std::string> allow;  // host names in A-labels, or networks
};

struct DeliveryConfig {
  bool first_only;  // deliverTo = "first"
  Seconds retry_for;
  Seconds first_retry;
  int concurrency;
  int per_destination;
  int max_destinations;
  int rate;  // a minute and destination; 0: no limit
  Seconds suppress_after;
  Seconds stop_grace;
  SmtpConfig smtp;
  HttpsConfig https;
};

struct ReceivedConfig {
  Seconds keep;
  std::vector<std::string> domains;
  std::vector<std::string> count;
  std::vector<std::string> trust_authserv;
  std::vector<std::string> maildir;
  std::string listen;
  std::string certificate;
  std::string key;
  std::vector<std::string> on_new_failure;
};

struct LogConfig {
  LogLevel level;
  LogFormat format;
};

struct Config {
  std::string path;      // of the file
  std::string domain;    // system('domain')
  std::string hostname;  // system('hostname')
  SettingTable settings;
  std::vector<DkimKey> dkim;
  StoreConfig store;
  IngestConfig ingest;
  std::optional<HttpConfig> http;
  ScheduleConfig schedule;
  DnsConfig dns;
  DeliveryConfig delivery;
  ReceivedConfig received;
  std::shared_ptr<const expr::Lookups> lookups;  // [lookup.NAME]; never null after loading
  LogConfig log;
};

// Something to tell the administrator about a file.
struct ConfigDiagnostic {
  expr::Severity severity = expr::Severity::kError;
  Location where;          // line 0: about the file as a whole
  std::size_t length = 1;  // characters to underline
  std::string line;        // the text of the line; of a very long one what surrounds the place
  int line_column = 1;     // the column of its first character
  std::string message;
  std::string suggestion;

  // "file:line:column: error: message", the line, a caret under the place, and the suggestion.
  std::string text() const;
};

struct LoadedConfig {
  std::shared_ptr<const Config> config;  // null if any diagnostic is an error
  // In the order of the file. At most 1,000 errors and 1,000 pieces of advice; the last ones count
  // those that are left out.
  std::vector<ConfigDiagnostic> diagnostics;
};

// Reads and checks the file and the files that it names (keys, lookups, passwords). Never throws.
LoadedConfig load_config(const std::string& path);

// The same for a text; `path` is what diagnostics call it.
LoadedConfig parse_config(std::string_view text, const std::string& path);

// The whole effective configuration, defaults included, as TOML that load_config() accepts.
// Passwords and keys are shown as the names of their files.
std::string config_text(const Config& config);

}  // namespace rapporteur
