#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/certificate.h"
#include "base/domain.h"
#include "base/file.h"
#include "base/text.h"
#include "config/credentials.h"
#include "config/endpoint.h"
#include "config/loading.h"

namespace rapporteur {

namespace {

// Whether the keys' values may be judged together: none of them was refused.
bool all_sound(const Loading& loading, std::string_view table,
               const std::vector<std::string_view>& keys) {
  return std::ranges::all_of(keys, [&](auto key) { return loading.is_sound(table, key); });
}

// Where the key's value stands, else where `otherwise` stands.
Span span_of(const Loading& loading, std::string_view table, std::string_view key, Span otherwise) {
  const auto* member = loading.member(table, key);
  return member == nullptr ? otherwise : member->value.span;
}

// What only the system knows: users and groups, and how long a socket's name may be (unix(7)).
void check_socket(Loading& loading) {
  constexpr std::size_t kLongestPath = 107;
  if (!loading.config.ingest.datagram) return;
  if (!all_sound(loading, "ingest.datagram", {"path", "owner", "group"})) return;
  const auto& socket = *loading.config.ingest.datagram;
  const auto is_number = [](const std::string& text) {
    return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  };
  if (socket.path.size() > kLongestPath) {
    loading.reporter.error(span_of(loading, "ingest.datagram", "path", {}),
                           "a socket's path may have 107 bytes at most; this one has " +
                               std::to_string(socket.path.size()));
  }
  if (!is_number(socket.owner) && getpwnam(socket.owner.c_str()) == nullptr) {
    loading.reporter.error(span_of(loading, "ingest.datagram", "owner", {}),
                           "there is no user '" + socket.owner + "' on this machine");
  }
  if (!is_number(socket.group) && getgrnam(socket.group.c_str()) == nullptr) {
    loading.reporter.error(span_of(loading, "ingest.datagram", "group", {}),
                           "there is no group '" + socket.group + "' on this machine");
  }
}

void check_transport(Loading& loading) {
  const auto& smtp = loading.config.delivery.smtp;
  if (!all_sound(loading, "delivery.smtp", {"transport", "command", "directory"})) return;
  const auto where = span_of(loading, "delivery.smtp", "transport", {});
  if (smtp.transport == MailTransportKind::kSendmail && trim(smtp.command).empty()) {
    loading.reporter.error(where, "transport = \"sendmail\" needs a command");
  }
  if (smtp.transport == MailTransportKind::kDirectory && smtp.directory.empty()) {
    loading.reporter.error(where, "transport = \"directory\" needs a directory",
                           "name one with directory = \"/path\"");
  }
}

void check_relay(Loading& loading) {
  const auto& smtp = loading.config.delivery.smtp;
  if (!all_sound(loading, "delivery.smtp", {"url", "tls", "username", "passwordFile"})) return;
  const auto url = parse_relay_url(smtp.url);
  if (!url) return;
  if (url->implicit_tls && smtp.tls == RelayTls::kNone) {
    loading.reporter.error(span_of(loading, "delivery.smtp", "tls", {}),
                           "smtps:// begins with TLS, which tls = \"none\" forbids");
  }
  if (smtp.username.empty()) return;
  const auto where = span_of(loading, "delivery.smtp", "username", {});
  if (smtp.tls != RelayTls::kRequired && !url->relay.is_loopback()) {
    loading.reporter.error(where, "a password would be sent to a relay that nobody has verified",
                           "set tls = \"required\"");
  }
  if (smtp.password_file.empty()) {
    loading.reporter.error(where, "username needs a passwordFile");
    return;
  }
  const auto password = read_file(smtp.password_file);
  if (password && trim(*password).empty()) {
    loading.reporter.error(span_of(loading, "delivery.smtp", "passwordFile", where),
                           smtp.password_file + " is empty");
  }
}

// A listener that others than this machine can reach needs the files named.
void check_listener(Loading& loading, std::string_view table, const std::string& listen,
                    const std::vector<std::pair<std::string_view, std::string>>& files) {
  std::vector<std::string_view> keys = {"listen"};
  for (const auto& [key, path] : files) keys.push_back(key);
  if (!all_sound(loading, table, keys)) return;
  const auto where = span_of(loading, table, "listen", {});
  const auto endpoint = parse_endpoint(listen);
  if (endpoint && !endpoint->is_loopback()) {
    std::vector<std::string> missing;
    for (const auto& [key, path] : files) {
      if (path.empty()) missing.emplace_back(key);
    }
    if (!missing.empty()) {
      loading.reporter.error(where,
                             "listening on " + endpoint->text() + " needs " + join(missing, ", "),
                             "only loopback addresses do without");
      return;
    }
  }
  const auto& [certificate, certificate_path] = files.at(0);
  const auto& [key, key_path] = files.at(1);
  if (certificate_path.empty() && key_path.empty()) return;
  if (!certificate_path.empty() && !key_path.empty()) {
    const auto checked = check_certificate(certificate_path, key_path);
    if (checked) return;
    const auto span = span_of(loading, table, certificate, where);
    return loading.reporter.error(span, checked.error().text);
  }
  const auto present = certificate_path.empty() ? key : certificate;
  loading.reporter.error(span_of(loading, table, present, where),
                         "certificate and key belong together; one of them is missing");
}

// What stands in the file of [http] credentials.
void read_credentials(Loading& loading) {
  if (!loading.config.http || !all_sound(loading, "http", {"credentials"})) return;
  constexpr std::size_t kMostBytes = std::size_t{1} << 20;
  auto& http = *loading.config.http;
  if (http.credentials.empty()) return;
  const auto where = span_of(loading, "http", "credentials", {});
  const auto content = read_regular_file(http.credentials, kMostBytes);
  if (!content) return loading.reporter.error(where, content.error().text);
  auto parsed = parse_credentials(*content);
  for (const auto& [line, text, suggestion] : parsed.problems) {
    loading.reporter.error(where, http.credentials + ":" + std::to_string(line) + ": " + text,
                           suggestion);
  }
  if (parsed.entries.empty() && parsed.problems.empty()) {
    loading.reporter.error(where,
                           http.credentials + " names nobody: every request would be refused",
                           "write a line of user:hash; docs/configuration.md tells how");
  }
  http.users = std::move(parsed.entries);
}

void check_listeners(Loading& loading) {
  read_credentials(loading);
  if (const auto& http = loading.config.http) {
    check_listener(loading, "http", http->listen,
                   {{"certificate", http->certificate},
                    {"key", http->key},
                    {"credentials", http->credentials}});
  }
  const auto& received = loading.config.received;
  if (!received.listen.empty()) {
    check_listener(loading, "received", received.listen,
                   {{"certificate", received.certificate}, {"key", received.key}});
  }
}

// The command is run as it stands: no shell looks for it.
void check_new_failure_command(Loading& loading) {
  const auto& command = loading.config.received.on_new_failure;
  if (command.empty() || !all_sound(loading, "received", {"onNewFailure"})) return;
  const auto where = span_of(loading, "received", "onNewFailure", {});
  const auto& program = command.front();
  if (!program.starts_with('/')) {
    return loading.reporter.error(where, "'" + program + "' is no absolute path",
                                  "the first item is the program, the others are its arguments: "
                                  "[\"/usr/local/bin/tell\", \"postmaster\"]");
  }
  if (::access(program.c_str(), X_OK) != 0) {
    loading.reporter.advice(where, system_error("cannot run " + program));
  }
}

// What the settings of one override, or the common ones, are known to give for every domain.
class KnownSettings {
 public:
  KnownSettings(const Loading& loading, std::string pattern)
      : loading_(loading), pattern_(std::move(pattern)) {}

  // The value if it depends on nothing. It falls back to the common rule, as evaluation does.
  std::optional<std::string> text(Setting setting) const {
    if (loading_.broken_settings.contains({pattern_, setting}) ||
        loading_.broken_settings.contains({std::string(), setting})) {
      return std::nullopt;
    }
    const auto& settings = loading_.config.settings;
    const auto* rule = pattern_.empty() ? nullptr : settings.override_rule(setting, pattern_);
    if (rule == nullptr) rule = settings.common(setting);
    if (rule == nullptr || !rule->block.branches.empty()) return std::nullopt;
    const auto* value = rule->settled_result(0);
    if (value == nullptr) return std::nullopt;
    const auto* text = std::get_if<std::string>(value);
    return text == nullptr ? std::nullopt : std::optional(*text);
  }

  // Where this override, or [report.tls], writes the setting.
  std::optional<Span> written(Setting setting) const {
    const auto found = loading_.setting_spans.find({pattern_, setting});
    if (found == loading_.setting_spans.end()) return std::nullopt;
    return found->second;
  }

  bool is_set(Setting setting) const {
    const auto& settings = loading_.config.settings;
    return settings.common(setting) != nullptr ||
           (!pattern_.empty() && settings.override_rule(setting, pattern_) != nullptr);
  }

  std::optional<Span> first_written(std::initializer_list<Setting> settings) const {
    for (const auto setting : settings) {
      if (const auto span = written(setting)) return span;
    }
    return std::nullopt;
  }

 private:
  const Loading& loading_;
  std::string pattern_;
};

void advise_on_submitter(const KnownSettings& known, Reporter& reporter) {
  using enum Setting;
  const auto contact_setting = known.is_set(kContactInfo) ? kContactInfo : kFromAddress;
  const auto where = known.first_written({kOutboundReportSubmitter, contact_setting});
  if (!where || !known.is_set(kOutboundReportSubmitter)) return;
  const auto submitter = known.text(kOutboundReportSubmitter);
  const auto contact = known.text(contact_setting);
  if (!submitter || !contact || domain_of_address(*contact) == *submitter) return;
  reporter.advice(*where,
                  "outboundReportSubmitter is " + *submitter + ", but contactInfo is in " +
                      std::string(domain_of_address(*contact)),
                  "RFC 8460, section 5.3, wants one domain in both");
}

// Whether DMARC may take them for names of one organisation (RFC 7489, section 3.1.1): one stands
// below the other, or both below a name of two labels. Where organisations really begin is not
// known here.
bool are_related(std::string_view one, std::string_view other) {
  if (is_same_or_below(one, other) || is_same_or_below(other, one)) return true;
  const auto last_two = [](std::string_view name) {
    const auto last = name.rfind('.');
    if (last == name.npos || last == 0) return name;
    const auto before = name.rfind('.', last - 1);
    return before == name.npos ? name : name.substr(before + 1);
  };
  const auto parent = last_two(one);
  return parent == last_two(other) && parent.find('.') != parent.npos;
}

void advise_on_alignment(const KnownSettings& known, Reporter& reporter) {
  using enum Setting;
  const auto where = known.first_written({kDkimSignDomain, kFromAddress});
  const auto from = known.text(kFromAddress);
  const auto signer = known.text(kDkimSignDomain);
  if (!where || !from || !signer) return;
  const auto domain = domain_of_address(*from);
  if (are_related(domain, *signer)) return;
  reporter.advice(*where,
                  "reports come from " + std::string(domain) + " but are signed by " + *signer,
                  "DMARC wants a signature of the domain in From");
}

void advise_on_keys(const KnownSettings& known, Span otherwise, bool common, Loading& loading) {
  const auto where = known.written(Setting::kDkimSignDomain);
  const auto signer = known.text(Setting::kDkimSignDomain);
  if (loading.config.delivery.smtp.relay_signs || !signer || (!where && !common)) return;
  if (!loading.dkim_domains_known || loading.dkim_domains.contains(*signer)) return;
  loading.reporter.advice(
      where.value_or(otherwise), "no [[dkim]] key signs for " + *signer + ": reports stay blocked",
      "add a [[dkim]] table with a key of " + *signer + "; or set relaySigns = true");
}

void advise_on_settings(Loading& loading) {
  const auto* domain = loading.member("system", "domain");
  if (domain == nullptr || !loading.is_sound("system", "domain")) return;
  auto patterns = loading.config.settings.patterns();
  patterns.insert(patterns.begin(), std::string());
  for (const auto& pattern : patterns) {
    const KnownSettings known(loading, pattern);
    advise_on_submitter(known, loading.reporter);
    advise_on_alignment(known, loading.reporter);
    advise_on_keys(known, domain->value.span, pattern.empty(), loading);
  }
}

}  // namespace

void check_together(Loading& loading) {
  check_socket(loading);
  check_transport(loading);
  check_relay(loading);
  check_listeners(loading);
  check_new_failure_command(loading);
  advise_on_settings(loading);
}

}  // namespace rapporteur
