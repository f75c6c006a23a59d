#include <algorithm>
#include <utility>

#include "base/domain.h"
#include "base/file.h"
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

using Entries = std::map<std::string, std::string>;

// Puts a key into a list; the keys of [lookup.local] are domains.
bool add_entry(const std::string& list, std::string_view key, std::string_view value,
               Entries& entries, std::string& problem) {
  if (list != "local") {
    entries.insert_or_assign(std::string(key), std::string(value));
    return true;
  }
  auto domain = normalise_domain(key);
  if (!domain) {
    problem = domain.error().text;
    return false;
  }
  entries.insert_or_assign(*std::move(domain), std::string(value));
  return true;
}

void read_lookup_keys(const std::string& list, const Node& node, Entries& entries,
                      Reporter& reporter) {
  const auto name = "lookup." + list + ".keys";
  std::string problem;
  if (node.type == NodeType::kArray) {
    for (const auto& item : node.items) {
      const auto key = read_string("an item of " + name, item, reporter);
      if (key && !add_entry(list, *key, "", entries, problem)) reporter.error(item.span, problem);
    }
  } else if (node.type == NodeType::kTable) {
    for (const auto& [key, key_span, value] : node.members) {
      const auto text = read_string("a value of " + name, value, reporter);
      if (text && !add_entry(list, key, *text, entries, problem)) reporter.error(key_span, problem);
    }
  } else {
    report_type(name, "an array of strings, or a table of them by keys", node, reporter);
  }
}

// Lines of "key" or "key value"; empty ones and those that begin with '#' do not count.
void read_lookup_file(const std::string& list, const Node& node, Entries& entries,
                      Reporter& reporter) {
  const auto path = read_string("lookup." + list + ".file", node, reporter);
  if (!path) return;
  const auto content = read_file(*path);
  if (!content) return reporter.error(node.span, content.error().text);
  std::size_t number = 0;
  for (const auto raw : split(*content, '\n')) {
    ++number;
    const auto line = trim(raw);
    if (line.empty() || line.front() == '#') continue;
    const auto end = std::min(line.find_first_of(" \t"), line.size());
    std::string problem;
    if (!is_valid_utf8(line)) problem = "the line is not UTF-8";
    if (problem.empty())
      add_entry(list, line.substr(0, end), trim(line.substr(end)), entries, problem);
    if (!problem.empty()) {
      reporter.error(node.span, *path + ":" + std::to_string(number) + ": " + problem);
      return;
    }
  }
}

void read_one_lookup(const Member& member, Loading& loading) {
  auto& reporter = loading.reporter;
  const auto name = "lookup." + member.key;
  if (member.value.type != NodeType::kTable) {
    return report_type(name, "a table", member.value, reporter);
  }
  auto& entries = loading.config.lookups[member.key];
  report_unknown_keys("[" + name + "]", member.value, keys_of("lookup"), reporter);
  const auto* keys = member.value.find("keys");
  const auto* file = member.value.find("file");
  if (keys != nullptr && file != nullptr) {
    return reporter.error(file->key_span, name + " has both keys and a file");
  }
  if (keys == nullptr && file == nullptr) {
    return reporter.error(member.key_span, name + " needs keys or a file");
  }
  if (keys != nullptr) read_lookup_keys(member.key, keys->value, entries, reporter);
  if (file != nullptr) read_lookup_file(member.key, file->value, entries, reporter);
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
    if (auto rule = reader.read(setting, member->value, table)) {
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
  const auto origin = "report.tls.domain." + toml_string(pattern);
  loading.config.settings.add_override(pattern);
  for (const auto& entry : member.value.members) {
    const auto setting = setting_named(entry.key);
    if (!setting) {
      report_unknown_setting(entry, loading.reporter);
      continue;
    }
    loading.setting_spans.emplace(std::pair(pattern, *setting), entry.value.span);
    if (auto rule = reader.read(*setting, entry.value, origin)) {
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

void read_lookups(Loading& loading) {
  loading.config.lookups["local"];  // is_local_domain() finds it empty rather than missing
  const auto table = loading.tables.find("lookup");
  if (table == loading.tables.end()) return;
  for (const auto& member : table->second->value.members) read_one_lookup(member, loading);
}

void read_settings(Loading& loading) {
  auto domain = loading.config.domain;
  // Was refused or is missing, which is reported. Expressions are checked all the same.
  if (domain.empty()) domain = "example.invalid";
  const std::map<std::string, std::string> system = {{"domain", domain},
                                                     {"hostname", loading.config.hostname}};
  ExpressionReader reader(system, loading.reporter);
  read_common_settings(reader, loading);
  read_overrides(reader, loading);
}

}  // namespace rapporteur
