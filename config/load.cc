#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <utility>

#include "base/domain.h"
#include "base/file.h"
#include "base/text.h"
#include "config/loading.h"
#include "config/values.h"

namespace rapporteur {

namespace {

// "localhost" on a machine whose name is no host name.
std::string name_of_this_host() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  auto domain = normalise_domain(name.data());
  return domain ? *std::move(domain) : "localhost";
}

std::string joined(std::string_view table, std::string_view key) {
  return table.empty() ? std::string(key) : std::string(table) + "." + std::string(key);
}

// The keys and the names of tables that may stand in a table.
std::vector<std::string_view> names_in(std::string_view table) {
  auto names = table.empty() ? std::vector<std::string_view>() : keys_of(table);
  for (const auto& spec : table_specs()) {
    const auto dot = spec.name.rfind('.');
    const auto parent = dot == spec.name.npos ? std::string_view() : spec.name.substr(0, dot);
    if (parent == table)
      names.push_back(dot == spec.name.npos ? spec.name : spec.name.substr(dot + 1));
  }
  return names;
}

// "level stands in [log]", if the key is one of exactly one other table.
std::string other_place_of(std::string_view key) {
  const KeySpec* only = nullptr;
  for (const auto& spec : key_specs()) {
    if (spec.key != key) continue;
    if (only != nullptr) return {};
    only = &spec;
  }
  if (only == nullptr) return {};
  return std::string(key) + " stands in [" + std::string(only->table) + "]";
}

void report_unknown(const std::string& table, const Member& member, Reporter& reporter) {
  const auto suggest = [&] {
    auto suggestion = other_place_of(member.key);
    return suggestion.empty() ? did_you_mean(member.key, names_in(table)) : suggestion;
  };
  if (table.empty() && member.value.type != NodeType::kTable) {
    reporter.error(member.key_span, "unknown key " + quoted(member.key) + " outside of any table",
                   suggest());
  } else if (table.empty()) {
    reporter.error(member.key_span, "unknown table " + quoted(member.key), suggest());
  } else {
    reporter.error(member.key_span, "unknown key " + quoted(member.key) + " in [" + table + "]",
                   suggest());
  }
}

// Finds what stands where, and reports what is not known.
void walk(const std::string& table, const Node& node, Loading& loading) {
  for (const auto& member : node.members) {
    if (const auto* key = find_key_spec(table, member.key)) {
      loading.found.emplace(key, &member);
      continue;
    }
    const auto name = joined(table, member.key);
    const auto* spec = find_table_spec(name);
    if (spec == nullptr) {
      report_unknown(table, member, loading.reporter);
      continue;
    }
    if (spec->kind != TableKind::kArray && member.value.type != NodeType::kTable) {
      report_type(name, "a table", member.value, loading.reporter);
      continue;
    }
    loading.tables.emplace(name, &member);
    if (spec->kind == TableKind::kPlain || spec->kind == TableKind::kOptional) {
      walk(name, member.value, loading);
    }
  }
}

bool has_table(const Loading& loading, std::string_view table) {
  return find_table_spec(table)->kind != TableKind::kOptional || loading.tables.contains(table);
}

void read_plain_keys(Loading& loading) {
  auto& config = loading.config;
  if (has_table(loading, "ingest.datagram")) config.ingest.datagram.emplace();
  if (has_table(loading, "http")) config.http.emplace();
  for (const auto& spec : key_specs()) {
    if (std::holds_alternative<std::monostate>(spec.slot) || !has_table(loading, spec.table)) {
      continue;
    }
    set_default(spec, config);
    const auto found = loading.found.find(&spec);
    if (found == loading.found.end()) continue;
    const auto errors = loading.reporter.errors();
    read_value(spec, found->second->value, config, loading.reporter);
    if (loading.reporter.errors() > errors) loading.broken.insert(&spec);
  }
  if (config.hostname.empty()) config.hostname = name_of_this_host();
  if (config.store.node.empty()) config.store.node = name_of_this_host();
}

void check_required(Loading& loading) {
  if (loading.member("system", "domain") != nullptr) return;
  constexpr std::string_view kHint =
      "name the domain that the reports come from: domain = "
      "\"example.org\"";
  const auto table = loading.tables.find("system");
  if (table == loading.tables.end()) {
    loading.reporter.error_in_file("system.domain is missing",
                                   "begin the file with [system], and " + std::string(kHint));
  } else {
    loading.reporter.error(table->second->key_span, "system.domain is missing", std::string(kHint));
  }
}

LoadedConfig finish(Reporter& reporter, Config&& config) {
  LoadedConfig loaded;
  if (reporter.errors() == 0) loaded.config = std::make_shared<const Config>(std::move(config));
  loaded.diagnostics = reporter.take();
  return loaded;
}

}  // namespace

bool Loading::is_sound(std::string_view table, std::string_view key) const {
  return !broken.contains(find_key_spec(table, key));
}

const Member* Loading::member(std::string_view table, std::string_view key) const {
  const auto at = found.find(find_key_spec(table, key));
  return at == found.end() ? nullptr : at->second;
}

void report_unknown_keys(const std::string& table, const Node& node,
                         const std::vector<std::string_view>& known, Reporter& reporter) {
  for (const auto& member : node.members) {
    if (std::ranges::find(known, member.key) != known.end()) continue;
    reporter.error(member.key_span, "unknown key " + quoted(member.key) + " in " + table,
                   did_you_mean(member.key, known));
  }
}

LoadedConfig parse_config(std::string_view text, const std::string& path) {
  const SourceText source(text);
  Reporter reporter(path, source);
  auto document = parse_document(source);
  if (!document.root) {
    reporter.error(document.where, std::move(document.problem), std::move(document.suggestion));
    return finish(reporter, {});
  }
  Loading loading{*document.root, reporter};
  loading.config.path = path;
  walk("", loading.root, loading);
  read_plain_keys(loading);
  check_required(loading);
  read_dkim(loading);
  read_lookups(loading);
  read_settings(loading);
  check_together(loading);
  return finish(reporter, std::move(loading.config));
}

LoadedConfig load_config(const std::string& path) {
  const auto text = read_file(path, std::size_t{16} << 20U);
  if (text) return parse_config(*text, path);
  const SourceText nothing("");
  Reporter reporter(path, nothing);
  reporter.error_in_file(text.error().text);
  return finish(reporter, {});
}

}  // namespace rapporteur
