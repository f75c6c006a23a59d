// [lookup.NAME]: lists for key_exists() and key_get(), and our own domains for is_local_domain().

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/domain.h"
#include "base/file.h"
#include "base/text.h"
#include "config/loading.h"
#include "config/one_form.h"
#include "config/values.h"

namespace rapporteur {

namespace {

constexpr std::string_view kLocal = "local";  // its keys are domains

// Puts a key into a list. Returns what is wrong with it; empty: nothing.
std::string add_entry(const std::string& list, std::string_view key, std::string_view value,
                      expr::Lookup& entries) {
  if (list != kLocal) {
    entries.insert_or_assign(std::string(key), std::string(value));
    return {};
  }
  auto domain = normalise_domain(key);
  if (!domain) return std::move(domain).error().text;
  entries.insert_or_assign(*std::move(domain), std::string(value));
  return {};
}

void read_lookup_keys(const std::string& list, const Node& node, expr::Lookup& entries,
                      Reporter& reporter) {
  const auto name = "lookup." + list + ".keys";
  const auto add = [&](std::string_view key, std::string_view value, Span where) {
    auto problem = add_entry(list, key, value, entries);
    if (!problem.empty()) reporter.error(where, std::move(problem));
  };
  if (node.type == NodeType::kArray) {
    for (const auto& item : node.items) {
      const auto key = read_string("an item of " + name, item, reporter);
      if (key) add(*key, "", item.span);
    }
  } else if (node.type == NodeType::kTable) {
    for (const auto& [key, key_span, value] : node.members) {
      const auto text = read_string("a value of " + name, value, reporter);
      if (text) add(key, *text, key_span);
    }
  } else {
    report_type(name, "an array of strings, or a table of them by keys", node, reporter);
  }
}

// Lines of "key" or "key value"; empty ones and those that begin with '#' do not count.
void read_lookup_file(const std::string& list, const Node& node, expr::Lookup& entries,
                      Reporter& reporter) {
  const auto path = read_string("lookup." + list + ".file", node, reporter);
  if (!path) return;
  constexpr std::size_t kMostBytes = std::size_t{64} << 20;
  const auto content = read_regular_file(*path, kMostBytes);
  if (!content) return reporter.error(node.span, content.error().text);
  std::size_t number = 0;
  for (const auto raw : split(*content, '\n')) {
    ++number;
    const auto line = trim(raw);
    if (line.empty() || line.front() == '#') continue;
    const auto end = std::min(line.find_first_of(" \t"), line.size());
    const auto key = line.substr(0, end);
    const auto value = trim(line.substr(end));
    std::string problem;
    if (!is_valid_utf8(line)) {
      problem = "the line is not UTF-8";
    } else if (!is_one_line(key) || !is_one_line(value)) {
      problem = "the line holds a control character";
    } else {
      problem = add_entry(list, key, value, entries);
    }
    if (!problem.empty()) {
      reporter.error(node.span, *path + ":" + std::to_string(number) + ": " + problem);
      return;
    }
  }
}

void read_one_lookup(const Member& member, expr::Lookups& lookups, Reporter& reporter) {
  const auto name = "lookup." + member.key;
  auto& entries = lookups.by_name[member.key];  // known to expressions, whatever is wrong with it
  if (member.value.type != NodeType::kTable) {
    return report_type(name, "a table", member.value, reporter);
  }
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

using Domains = std::unordered_set<std::string, TextHash, std::equal_to<>>;

// Owns its domains: it may outlive the list, and be copied.
std::function<bool(std::string_view)> membership(const expr::Lookup& local) {
  auto domains = std::make_shared<Domains>();
  domains->reserve(local.size());
  for (const auto& [domain, value] : local) domains->insert(domain);
  return [domains = std::shared_ptr<const Domains>(std::move(domains))](std::string_view text) {
    if (is_normal_domain(text)) return domains->find(text) != domains->end();
    const auto domain = normalise_domain(text);
    return domain && domains->find(std::string_view(*domain)) != domains->end();
  };
}

}  // namespace

void read_lookups(Loading& loading) {
  auto lookups = std::make_shared<expr::Lookups>();
  auto& local = lookups->by_name[std::string(kLocal)];  // empty rather than missing
  const auto table = loading.tables.find("lookup");
  if (table != loading.tables.end()) {
    for (const auto& member : table->second->value.members) {
      read_one_lookup(member, *lookups, loading.reporter);
    }
  }
  lookups->is_local_domain = membership(local);
  loading.config.lookups = std::move(lookups);
}

}  // namespace rapporteur
