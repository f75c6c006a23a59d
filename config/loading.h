#pragma once
// One configuration file while it is read: what load.cc, tables.cc and checks.cc share.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "config/config.h"
#include "config/document.h"
#include "config/reporter.h"
#include "config/schema.h"

namespace rapporteur {

struct Loading {
  const Node& root;
  Reporter& reporter;
  Config config = {};
  std::map<const KeySpec*, const Member*> found = {};  // the keys of plain tables
  std::set<const KeySpec*> broken = {};                // those whose values were refused
  // Tables with readers of their own, by their names in table_specs().
  std::map<std::string, const Member*, std::less<>> tables = {};
  // The values of settings; the pattern is empty for [report] and [report.tls].
  std::map<std::pair<std::string, Setting>, Span> setting_spans = {};
  std::set<std::pair<std::string, Setting>> broken_settings = {};
  std::set<std::string> dkim_domains = {};  // of all [[dkim]] tables, usable or not
  bool dkim_domains_known = true;           // none of them was refused

  // Whether the key's value is known: it was not refused.
  bool is_sound(std::string_view table, std::string_view key) const;
  // Null if the key is absent.
  const Member* member(std::string_view table, std::string_view key) const;
};

// The three tables whose keys are not a fixed list. Each reports what is wrong.
void read_dkim(Loading& loading);
void read_lookups(Loading& loading);
void read_settings(Loading& loading);

// What several values mean together: config/checks.cc.
void check_together(Loading& loading);

// Reports the members that are not in `known`, with the nearest that is.
void report_unknown_keys(const std::string& table, const Node& node,
                         const std::vector<std::string_view>& known, Reporter& reporter);

}  // namespace rapporteur
