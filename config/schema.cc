#include "config/schema.h"

#include <algorithm>
#include <array>
#include <optional>
#include <type_traits>

#include "base/text.h"

namespace rapporteur {

namespace {

template <class T>
T& inside(T& object) {
  return object;
}
template <class T>
T& inside(std::optional<T>& object) {
  return *object;
}
template <class T>
const T& inside(const std::optional<T>& object) {
  return *object;
}

template <auto First, auto... Rest, class Object>
auto& reach(Object& object) {
  if constexpr (sizeof...(Rest) == 0) {
    return object.*First;
  } else {
    return reach<Rest...>(inside(object.*First));
  }
}

// The member at the end of a path of members.
template <auto... Path>
auto& at(Config& config) {
  return reach<Path...>(config);
}

template <auto... Path>
constexpr ChoiceSlot choice() {
  return {[](const Config& config) { return static_cast<std::size_t>(reach<Path...>(config)); },
          [](Config& config, std::size_t index) {
            auto& member = reach<Path...>(config);
            member = static_cast<std::remove_reference_t<decltype(member)>>(index);
          }};
}

constexpr std::array kTables = {TableSpec{"system"},
                                TableSpec{"report"},
                                TableSpec{"report.tls"},
                                TableSpec{"report.tls.domain", TableKind::kOverrides},
                                TableSpec{"dkim", TableKind::kArray},
                                TableSpec{"store"},
                                TableSpec{"ingest"},
                                TableSpec{"ingest.datagram", TableKind::kOptional},
                                TableSpec{"http", TableKind::kOptional},
                                TableSpec{"schedule"},
                                TableSpec{"schedule.spread"},
                                TableSpec{"dns"},
                                TableSpec{"delivery"},
                                TableSpec{"delivery.smtp"},
                                TableSpec{"delivery.https"},
                                TableSpec{"received"},
                                TableSpec{"lookup", TableKind::kNamed},
                                TableSpec{"log"}};

constexpr std::int64_t kMostThings = 100'000;
constexpr std::int64_t kNoMost = std::numeric_limits<std::int64_t>::max();
constexpr std::string_view kTrustClasses = "dkim,mta,local,https,unverified";
constexpr std::string_view kCountedClasses = "dkim,mta,local,https";

using C = Config;
using S = StoreConfig;
using I = IngestConfig;
using G = DatagramConfig;
using H = HttpConfig;
using P = ScheduleConfig;
using N = DnsConfig;
using D = DeliveryConfig;
using M = SmtpConfig;
using W = HttpsConfig;
using R = ReceivedConfig;
using L = LogConfig;

// Not constexpr: g++ 12 takes no addresses of member paths there through a variant.
const std::array kKeys = {
    KeySpec{.table = "system",
            .key = "domain",
            .form = Form::kMailDomain,
            .slot = &at<&C::domain>,
            .required = true},
    KeySpec{"system", "hostname", Form::kDomain, &at<&C::hostname>},

    KeySpec{"report", "outboundReportSubmitter", Form::kExpression},
    KeySpec{"report.tls", "fromName", Form::kExpression, {}, "'Report Subsystem'"},
    KeySpec{
        "report.tls", "fromAddress", Form::kExpression, {}, "'noreply-tls@' + system('domain')"},
    KeySpec{"report.tls", "envelopeFrom", Form::kExpression},
    KeySpec{"report.tls", "subject", Form::kExpression, {}, "'TLS Aggregate Report'"},
    KeySpec{"report.tls", "orgName", Form::kExpression, {}, "system('domain')"},
    KeySpec{"report.tls", "contactInfo", Form::kExpression},
    KeySpec{"report.tls", "sendFrequency", Form::kExpression, {}, "daily"},
    KeySpec{"report.tls", "maxReportSize", Form::kExpression, {}, "5242880"},
    KeySpec{"report.tls", "dkimSignDomain", Form::kExpression, {}, "system('domain')"},
    KeySpec{"report.tls", "sendWhen", Form::kExpression, {}, "true"},
    KeySpec{"report.tls", "reportTo", Form::kExpression, {}, "rua"},

    KeySpec{.table = "dkim", .key = "domain", .form = Form::kDomain, .required = true},
    KeySpec{.table = "dkim", .key = "selector", .form = Form::kDomain, .required = true},
    KeySpec{.table = "dkim", .key = "key", .form = Form::kPath, .required = true},

    KeySpec{"store", "url", Form::kStoreUrl, &at<&C::store, &S::url>,
            "sqlite:/var/lib/rapporteur/rapporteur.db"},
    KeySpec{"store", "flushEvery", Form::kDuration, &at<&C::store, &S::flush_every>, "1s", 1},
    KeySpec{"store", "keepReports", Form::kDuration, &at<&C::store, &S::keep_reports>, "30d", 1},
    KeySpec{"store", "node", Form::kText, &at<&C::store, &S::node>, ""},
    KeySpec{"store", "lease", Form::kDuration, &at<&C::store, &S::lease>, "60s", 1},
    KeySpec{"store", "spill", Form::kPath, &at<&C::store, &S::spill>, "/var/lib/rapporteur/spill"},
    KeySpec{"store", "spillMax", Form::kSize, &at<&C::store, &S::spill_max_bytes>, "1gb"},

    KeySpec{"ingest", "maxAge", Form::kDuration, &at<&C::ingest, &I::max_age>, "7d", 1},
    KeySpec{"ingest", "detailsPerPolicy", Form::kNumber, &at<&C::ingest, &I::details_per_policy>,
            "10000", 1, 10'000'000},
    KeySpec{"ingest", "sendingIp", Form::kAddresses, &at<&C::ingest, &I::sending_ip>},
    KeySpec{"ingest.datagram", "path", Form::kPath, &at<&C::ingest, &I::datagram, &G::path>,
            "/run/rapporteur/tlsrpt.sock"},
    KeySpec{"ingest.datagram", "mode", Form::kMode, &at<&C::ingest, &I::datagram, &G::mode>,
            "0660"},
    KeySpec{"ingest.datagram", "owner", Form::kText, &at<&C::ingest, &I::datagram, &G::owner>},
    KeySpec{"ingest.datagram", "group", Form::kText, &at<&C::ingest, &I::datagram, &G::group>},

    KeySpec{"http", "listen", Form::kListen, &at<&C::http, &H::listen>, "127.0.0.1:8460"},
    KeySpec{"http", "certificate", Form::kReadable, &at<&C::http, &H::certificate>},
    KeySpec{"http", "key", Form::kSecret, &at<&C::http, &H::key>},
    KeySpec{"http", "credentials", Form::kSecret, &at<&C::http, &H::credentials>},
    KeySpec{"http", "maxBody", Form::kSize, &at<&C::http, &H::max_body_bytes>, "100mb", 1024},
    KeySpec{"http", "maxConnections", Form::kNumber, &at<&C::http, &H::max_connections>, "256", 1,
            kMostThings},

    KeySpec{"schedule", "grace", Form::kDuration, &at<&C::schedule, &P::grace>, "60s"},
    KeySpec{"schedule.spread", "hourly", Form::kDuration, &at<&C::schedule, &P::spread_hourly>,
            "10m"},
    KeySpec{"schedule.spread", "daily", Form::kDuration, &at<&C::schedule, &P::spread_daily>, "4h"},
    KeySpec{"schedule.spread", "weekly", Form::kDuration, &at<&C::schedule, &P::spread_weekly>,
            "4h"},
    KeySpec{"schedule", "giveUpAfter", Form::kDuration, &at<&C::schedule, &P::give_up_after>, "7d",
            1},
    KeySpec{"schedule", "ownReportSlack", Form::kNumber, &at<&C::schedule, &P::own_report_slack>,
            "1", 0, 1000},

    KeySpec{"dns", "servers", Form::kServers, &at<&C::dns, &N::servers>},
    KeySpec{"dns", "timeout", Form::kDuration, &at<&C::dns, &N::timeout>, "10s", 1},
    KeySpec{"dns", "concurrency", Form::kNumber, &at<&C::dns, &N::concurrency>, "200", 1, 10'000},
    KeySpec{"dns", "trustAnchor", Form::kReadable, &at<&C::dns, &N::trust_anchor>},

    KeySpec{"delivery", "deliverTo", Form::kChoice, choice<&C::delivery, &D::first_only>(), "all",
            0, kNoMost, "all,first"},
    KeySpec{"delivery", "retryFor", Form::kDuration, &at<&C::delivery, &D::retry_for>, "24h", 1},
    KeySpec{"delivery", "firstRetry", Form::kDuration, &at<&C::delivery, &D::first_retry>, "5m", 1},
    KeySpec{"delivery", "concurrency", Form::kNumber, &at<&C::delivery, &D::concurrency>, "16", 1,
            kMostThings},
    KeySpec{"delivery", "perDestination", Form::kNumber, &at<&C::delivery, &D::per_destination>,
            "2", 1, kMostThings},
    KeySpec{"delivery", "maxDestinations", Form::kNumber, &at<&C::delivery, &D::max_destinations>,
            "10", 1, 1000},
    KeySpec{"delivery", "rate", Form::kNumber, &at<&C::delivery, &D::rate>, "0", 0, 1'000'000},
    KeySpec{"delivery", "suppressAfter", Form::kDuration, &at<&C::delivery, &D::suppress_after>,
            "72h", 1},
    KeySpec{"delivery", "stopGrace", Form::kDuration, &at<&C::delivery, &D::stop_grace>, "30s"},

    KeySpec{"delivery.smtp", "transport", Form::kChoice,
            choice<&C::delivery, &D::smtp, &M::transport>(), "smtp", 0, kNoMost,
            "smtp,sendmail,directory"},
    KeySpec{"delivery.smtp", "url", Form::kRelayUrl, &at<&C::delivery, &D::smtp, &M::url>,
            "smtp://127.0.0.1:25"},
    KeySpec{"delivery.smtp", "tls", Form::kChoice, choice<&C::delivery, &D::smtp, &M::tls>(),
            "opportunistic", 0, kNoMost, "none,opportunistic,required"},
    KeySpec{"delivery.smtp", "relaySigns", Form::kTruth,
            &at<&C::delivery, &D::smtp, &M::relay_signs>, "false"},
    KeySpec{"delivery.smtp", "bounceMaildir", Form::kTexts,
            &at<&C::delivery, &D::smtp, &M::bounce_maildirs>},
    KeySpec{"delivery.smtp", "connectTimeout", Form::kDuration,
            &at<&C::delivery, &D::smtp, &M::connect_timeout>, "30s", 1},
    KeySpec{"delivery.smtp", "replyTimeout", Form::kDuration,
            &at<&C::delivery, &D::smtp, &M::reply_timeout>, "5m", 1},
    KeySpec{"delivery.smtp", "finalTimeout", Form::kDuration,
            &at<&C::delivery, &D::smtp, &M::final_timeout>, "10m", 1},
    KeySpec{"delivery.smtp", "caFile", Form::kReadable, &at<&C::delivery, &D::smtp, &M::ca_file>},
    KeySpec{"delivery.smtp", "username", Form::kText, &at<&C::delivery, &D::smtp, &M::username>},
    KeySpec{"delivery.smtp", "passwordFile", Form::kSecret,
            &at<&C::delivery, &D::smtp, &M::password_file>},
    KeySpec{"delivery.smtp", "command", Form::kText, &at<&C::delivery, &D::smtp, &M::command>,
            "/usr/sbin/sendmail -i"},
    KeySpec{"delivery.smtp", "directory", Form::kText, &at<&C::delivery, &D::smtp, &M::directory>},

    KeySpec{"delivery.https", "verify", Form::kTruth, &at<&C::delivery, &D::https, &W::verify>,
            "true"},
    KeySpec{"delivery.https", "caFile", Form::kReadable, &at<&C::delivery, &D::https, &W::ca_file>},
    KeySpec{"delivery.https", "timeout", Form::kDuration, &at<&C::delivery, &D::https, &W::timeout>,
            "60s", 1},
    KeySpec{"delivery.https", "proxy", Form::kProxyUrl, &at<&C::delivery, &D::https, &W::proxy>},
    KeySpec{"delivery.https", "allow", Form::kAllowed, &at<&C::delivery, &D::https, &W::allow>},

    KeySpec{"received", "keep", Form::kDuration, &at<&C::received, &R::keep>, "90d", 1},
    KeySpec{"received", "domains", Form::kDomains, &at<&C::received, &R::domains>},
    KeySpec{"received", "count", Form::kChoices, &at<&C::received, &R::count>, kCountedClasses, 0,
            kNoMost, kTrustClasses},
    KeySpec{"received", "trustAuthserv", Form::kTexts, &at<&C::received, &R::trust_authserv>},
    KeySpec{"received", "maildir", Form::kTexts, &at<&C::received, &R::maildir>},
    KeySpec{"received", "listen", Form::kListen, &at<&C::received, &R::listen>},
    KeySpec{"received", "certificate", Form::kReadable, &at<&C::received, &R::certificate>},
    KeySpec{"received", "key", Form::kSecret, &at<&C::received, &R::key>},
    KeySpec{"received", "onNewFailure", Form::kTexts, &at<&C::received, &R::on_new_failure>},

    KeySpec{"lookup", "keys", Form::kTexts},
    KeySpec{"lookup", "file", Form::kReadable},

    KeySpec{"log", "level", Form::kChoice, choice<&C::log, &L::level>(), "info", 0, kNoMost,
            "debug,info,warning,error"},
    KeySpec{"log", "format", Form::kChoice, choice<&C::log, &L::format>(), "text", 0, kNoMost,
            "text,json"},
};

std::string array_as_toml(std::string_view items) {
  if (items.empty()) return "[]";
  std::vector<std::string> texts;
  for (const auto item : split(items, ',')) texts.push_back(toml_string(item));
  return "[" + join(texts, ", ") + "]";
}

}  // namespace

std::span<const TableSpec> table_specs() {
  return kTables;
}

std::span<const KeySpec> key_specs() {
  return kKeys;
}

const KeySpec* find_key_spec(std::string_view table, std::string_view key) {
  const auto found = std::ranges::find_if(
      kKeys, [&](const KeySpec& spec) { return spec.table == table && spec.key == key; });
  return found == kKeys.end() ? nullptr : &*found;
}

const TableSpec* find_table_spec(std::string_view name) {
  const auto found = std::ranges::find(kTables, name, &TableSpec::name);
  return found == kTables.end() ? nullptr : &*found;
}

std::vector<std::string_view> keys_of(std::string_view table) {
  std::vector<std::string_view> keys;
  for (const auto& spec : kKeys) {
    if (spec.table == table) keys.push_back(spec.key);
  }
  return keys;
}

std::string full_name(const KeySpec& spec) {
  return std::string(spec.table) + "." + std::string(spec.key);
}

std::string default_as_toml(const KeySpec& spec) {
  if (spec.table == "lookup") return {};  // a list has one of its keys
  switch (spec.form) {
    case Form::kNumber:
    case Form::kTruth:
      return std::string(spec.fallback);
    case Form::kTexts:
    case Form::kDomains:
    case Form::kChoices:
    case Form::kServers:
    case Form::kAllowed:
      return array_as_toml(spec.fallback);
    case Form::kAddresses:
      return "{}";
    default:
      break;
  }
  const bool none_to_write =
      spec.fallback.empty() &&
      (spec.required || spec.form == Form::kExpression || spec.key == "hostname");
  return none_to_write ? std::string() : toml_string(spec.fallback);
}

std::string toml_string(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += std::string("\\u00") + kHex[byte >> 4U] + kHex[byte & 0xFU];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace rapporteur
