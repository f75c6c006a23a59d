#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <type_traits>
#include <utility>

#include "base/text.h"
#include "base/time.h"
#include "base/url.h"
#include "config/schema.h"

namespace rapporteur {

namespace {

std::string size_as_toml(std::int64_t bytes) {
  for (const auto& [unit, shift] : {std::pair{"gb", 30}, {"mb", 20}, {"kb", 10}}) {
    const auto size = std::int64_t{1} << shift;
    if (bytes >= size && bytes % size == 0)
      return "\"" + std::to_string(bytes / size) + unit + "\"";
  }
  return std::to_string(bytes);
}

std::string value_as_toml(const KeySpec& spec, Config& config) {
  return std::visit(
      [&](const auto& slot) -> std::string {
        using T = std::decay_t<decltype(slot)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return {};
        } else if constexpr (std::is_same_v<T, ChoiceSlot>) {
          return toml_string(split(spec.choices, ',').at(slot.get(config)));
        } else {
          const auto& value = slot(config);
          using V = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<V, std::string>) {
            return toml_string(without_password(value));
          } else if constexpr (std::is_same_v<V, Seconds>) {
            return "\"" + format_duration(value) + "\"";
          } else if constexpr (std::is_same_v<V, bool>) {
            return value ? "true" : "false";
          } else if constexpr (std::is_same_v<V, unsigned>) {
            char text[16];
            std::snprintf(text, sizeof text, "\"%04o\"", value);
            return text;
          } else if constexpr (std::is_same_v<V, std::vector<std::string>>) {
            std::vector<std::string> items;
            for (const auto& item : value) items.push_back(toml_string(item));
            return "[" + join(items, ", ") + "]";
          } else if constexpr (std::is_same_v<V, std::map<std::string, std::string>>) {
            std::vector<std::string> items;
            for (const auto& [from, to] : value) {
              items.push_back(toml_string(from) + " = " + toml_string(to));
            }
            return items.empty() ? "{}" : "{ " + join(items, ", ") + " }";
          } else if constexpr (std::is_same_v<V, std::int64_t>) {
            return size_as_toml(value);
          } else {
            return std::to_string(value);
          }
        }
      },
      spec.slot);
}

// A key as it stands in a header or before '='.
std::string toml_key(std::string_view key) {
  const auto is_bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  const bool bare = !key.empty() && std::ranges::all_of(key, is_bare);
  return bare ? std::string(key) : toml_string(key);
}

std::string rule_as_toml(const Rule& rule) {
  const auto source = [](const expr::Program& program) { return toml_string(program.source()); };
  if (rule.block.branches.empty()) return source(rule.block.otherwise);
  std::string text = "[\n";
  for (const auto& [condition, result] : rule.block.branches) {
    text += "  { if = " + source(condition) + ", then = " + source(result) + " },\n";
  }
  return text + "  { else = " + source(rule.block.otherwise) + " },\n]";
}

std::string line(std::string_view key, const std::string& value) {
  return std::string(key) + " = " + value + "\n";
}

std::string setting_lines(const SettingTable& settings, std::string_view table) {
  std::string text;
  for (const auto setting : kSettings) {
    if (find_key_spec(table, to_string(setting)) == nullptr) continue;
    if (const auto* rule = settings.common(setting)) {
      text += line(to_string(setting), rule_as_toml(*rule));
    }
  }
  return text;
}

std::string overrides(const SettingTable& settings) {
  std::string text;
  for (const auto& pattern : settings.patterns()) {
    text += "[report.tls.domain." + toml_string(pattern) + "]\n";
    for (const auto setting : kSettings) {
      const auto* rule = settings.override_rule(setting, pattern);
      if (rule != nullptr) text += line(to_string(setting), rule_as_toml(*rule));
    }
    text += "\n";
  }
  return text;
}

std::string dkim_tables(const std::vector<DkimKey>& keys) {
  std::string text;
  for (const auto& key : keys) {
    text += "[[dkim]]\n" + line("domain", toml_string(key.domain)) +
            line("selector", toml_string(key.selector)) + line("key", toml_string(key.path)) + "\n";
  }
  return text;
}

std::string lookup_tables(const Config& config) {
  std::string text;
  if (config.lookups == nullptr) return text;
  for (const auto& [name, entries] : config.lookups->by_name) {
    const bool plain =
        std::ranges::all_of(entries, [](const auto& entry) { return entry.second.empty(); });
    std::vector<std::string> items;
    for (const auto& [key, value] : entries) {
      items.push_back(plain ? toml_string(key) : toml_string(key) + " = " + toml_string(value));
    }
    const auto list = join(items, ", ");
    text += "[lookup." + toml_key(name) + "]\n" +
            line("keys", plain ? "[" + list + "]" : "{ " + list + " }") + "\n";
  }
  return text;
}

bool is_present(const TableSpec& table, const Config& config) {
  if (table.kind != TableKind::kOptional) return true;
  return table.name == "http" ? config.http.has_value() : config.ingest.datagram.has_value();
}

std::string plain_table(const TableSpec& table, Config& config) {
  std::string lines = setting_lines(config.settings, table.name);
  for (const auto& spec : key_specs()) {
    if (spec.table != table.name || std::holds_alternative<std::monostate>(spec.slot)) continue;
    lines += line(spec.key, value_as_toml(spec, config));
  }
  if (lines.empty()) return {};
  return "[" + std::string(table.name) + "]\n" + lines + "\n";
}

}  // namespace

std::string config_text(const Config& config) {
  std::string text;
  Config copy = config;  // the places that key_specs() knows are not const
  for (const auto& table : table_specs()) {
    switch (table.kind) {
      case TableKind::kOverrides:
        text += overrides(config.settings);
        break;
      case TableKind::kArray:
        text += dkim_tables(config.dkim);
        break;
      case TableKind::kNamed:
        text += lookup_tables(config);
        break;
      case TableKind::kPlain:
      case TableKind::kOptional:
        if (is_present(table, config)) text += plain_table(table, copy);
        break;
    }
  }
  if (text.ends_with("\n\n")) text.pop_back();
  return text;
}

}  // namespace rapporteur
