#include <algorithm>
#include <utility>

#include "base/domain.h"
#include "base/text.h"
#include "config/expressions.h"
#include "config/loading.h"
#include "config/values.h"

namespace rapporteur {

namespace {

constexpr int kAdvisedRsaBits = 2048;  // RFC 8301, section 3.2

// The value of a required key of one [[dkim]] table; null after reporting that it is missing.
const Node* required(const Node& table, std::string_view key, Reporter& reporter) {
  const auto* member = table.find(key);
  if (member != nullptr) return &member->value;
  reporter.error(table.span, "dkim." + std::string(key) + " is missing");
  return nullptr;
}

std::optional<PrivateKey> read_key(const std::string& path, const Node& node, Reporter& reporter) {
  auto key = PrivateKey::from_file(path);
  if (!key) {
    const auto& text = key.error().text;
    const bool names_file = text.find(path) != text.npos;
    reporter.error(node.span, names_file ? text : path + ": " + text);
    return std::nullopt;
  }
  if (key->type() == PrivateKey::Type::kRsa && key->bits() < kAdvisedRsaBits) {
    reporter.advice(
        node.span,
        "an RSA key of " + std::to_string(key->bits()) + " bits; RFC 8301 advises 2048 at least",
        "make a new one with: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048");
  }
  return *std::move(key);
}

void read_one_dkim(const Node& table, Loading& loading) {
  auto& reporter = loading.reporter;
  report_unknown_keys("[[dkim]]", table, keys_of("dkim"), reporter);
  const auto* domain_node = required(table, "domain", reporter);
  const auto* selector_node = required(table, "selector", reporter);
  const auto* key_node = required(table, "key", reporter);
  std::optional<std::string> domain, selector, path;
  std::optional<PrivateKey> key;
  if (domain_node != nullptr) domain = read_domain("dkim.domain", *domain_node, reporter);
  if (domain) {
    loading.dkim_domains.insert(*domain);
  } else {
    loading.dkim_domains_known = false;
  }
  if (selector_node != nullptr) selector = read_domain("dkim.selector", *selector_node, reporter);
  if (key_node != nullptr) path = read_string("dkim.key", *key_node, reporter);
  if (path) key = read_key(*path, *key_node, reporter);
  if (domain && selector) {
    const bool twice = std::ranges::any_of(loading.config.dkim, [&](const DkimKey& other) {
      return other.domain == *domain && other.selector == *selector;
    });
    if (twice) {
      reporter.error(selector_node->span,
                     "a second key " + quoted(*selector) + " of " + quoted(*domain));
    }
  }
  if (!domain || !selector || !key) return;
  loading.config.dkim.push_back(
      {*std::move(domain), *std::move(selector), *std::move(path), *std::move(key)});
}

std::optional<Setting> setting_named(std::string_view name) {
  const auto found = std::ranges::find(kSettings, name, [](Setting s) { return to_string(s); });
  if (found == kSettings.end()) return std::nullopt;
  return *found;
}

void read_common_settings(ExpressionReader& reader, Loading& loading) {
  const auto* domain = loading.member("system", "domain");
  for (const auto setting : kSettings) {
    const bool in_report = setting == Setting::kOutboundReportSubmitter;
    const std::string table = in_report ? "report" : "report.tls";
    const auto* spec = find_key_spec(table, to_string(setting));
    if (!spec->fallback.empty()) {
      auto rule =
          reader.built_in(setting, spec->fallback, domain == nullptr ? Span{} : domain->value.span);
      if (rule) loading.config.settings.set(setting, *std::move(rule));
    }
    const auto* member = loading.member(table, to_string(setting));
    if (member == nullptr) continue;
    loading.setting_spans.emplace(std::pair(std::string(), setting), member->value.span);
    if (auto rule = reader.read(setting, member->value, {table, "example.com"})) {
      loading.config.settings.set(setting, *std::move(rule));
    } else {
      loading.broken_settings.emplace(std::string(), setting);
    }
  }
}

void report_unknown_setting(const Member& member, Reporter& reporter) {
  if (member.value.type == NodeType::kTable) {
    return reporter.error(member.key_span, "unknown setting " + quoted(member.key),
                          "a domain stands in quotes: [report.tls.domain.\"example.org\"]");
  }
  std::vector<std::string_view> names;
  for (const auto setting : kSettings) names.push_back(to_string(setting));
  reporter.error(member.key_span, "unknown setting " + quoted(member.key),
                 did_you_mean(member.key, names));
}

void read_override(const Member& member, const std::string& pattern, ExpressionReader& reader,
                   Loading& loading) {
  const ExpressionReader::Scope scope = {
      "report.tls.domain." + toml_string(pattern),
      pattern.starts_with("*.") ? "mail" + pattern.substr(1) : pattern};
  loading.config.settings.add_override(pattern);
  for (const auto& entry : member.value.members) {
    const auto setting = setting_named(entry.key);
    if (!setting) {
      report_unknown_setting(entry, loading.reporter);
      continue;
    }
    loading.setting_spans.emplace(std::pair(pattern, *setting), entry.value.span);
    if (auto rule = reader.read(*setting, entry.value, scope)) {
      loading.config.settings.set(*setting, pattern, *std::move(rule));
    } else {
      loading.broken_settings.emplace(pattern, *setting);
    }
  }
}

void read_overrides(ExpressionReader& reader, Loading& loading) {
  const auto table = loading.tables.find("report.tls.domain");
  if (table == loading.tables.end()) return;
  std::map<std::string, const Member*> seen;
  for (const auto& member : table->second->value.members) {
    if (member.value.type != NodeType::kTable) {
      report_type("report.tls.domain." + member.key, "a table of settings", member.value,
                  loading.reporter);
      continue;
    }
    const auto pattern = normalise_mx_pattern(member.key);
    if (!pattern) {
      loading.reporter.error(member.key_span, pattern.error().text,
                             member.key == "*" ? "[report.tls] holds for every domain" : "");
      continue;
    }
    const auto [first, fresh] = seen.emplace(*pattern, &member);
    if (!fresh) {
      const auto line = loading.reporter.location(first->second->key_span.begin).line;
      loading.reporter.error(member.key_span, quoted(member.key) + " is the same domain as " +
                                                  quoted(first->second->key) + " in line " +
                                                  std::to_string(line));
      continue;
    }
    read_override(member, *pattern, reader, loading);
  }
}

}  // namespace

void read_dkim(Loading& loading) {
  const auto table = loading.tables.find("dkim");
  if (table == loading.tables.end()) return;
  const auto& value = table->second->value;
  if (value.type != NodeType::kArray) {
    return report_type("dkim", "an array of tables", value, loading.reporter,
                       "write one [[dkim]] for each key");
  }
  for (const auto& item : value.items) {
    if (item.type == NodeType::kTable) {
      read_one_dkim(item, loading);
    } else {
      report_type("an item of dkim", "a table", item, loading.reporter);
    }
  }
}

void read_settings(Loading& loading) {
  auto domain = loading.config.domain;
  // Was refused or is missing, which is reported. Expressions are checked all the same.
  if (domain.empty()) domain = "example.invalid";
  const std::map<std::string, std::string> system = {{"domain", domain},
                                                     {"hostname", loading.config.hostname}};
  ExpressionReader reader(system, loading.config.lookups, loading.reporter);
  read_common_settings(reader, loading);
  read_overrides(reader, loading);
}

}  // namespace rapporteur
