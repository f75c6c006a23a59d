#pragma once
// Finds Stalwart's report settings in a file, wherever they stand in it: objects of 0.16 alone, in
// exports, plans and JMAP answers; keys of 0.15 dotted or in tables.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/settings.h"
#include "config/stalwart_source.h"

namespace rapporteur::stalwart {

enum class Generation { kKeys, kObjects };  // 0.15 and before; 0.16

struct FoundSetting {
  std::string name;  // in the source: "fromName", "report.tls.aggregate.from-name"
  Item value;
  bool twice = false;  // the object names it twice
};

struct Found {
  Generation generation = Generation::kObjects;
  std::map<Setting, FoundSetting> settings;
  std::vector<FoundSetting> unknown;  // stand beside the settings and have no counterpart
  // What [system] should say; empty: unknown.
  std::string domain;
  std::string hostname;
};

// Fails with Fault::kInput if there are none, or if several objects could be the one.
Result<Found> find_settings(const Source& source, const std::string& name);

// What stands under a dotted name, however its dots are divided between keys and tables.
std::optional<Item> at_path(const Item& item, std::string_view path);

// The settings that Stalwart has, in the order in which they are shown.
const std::vector<Setting>& known_settings();

// The name of the setting in the generation.
std::string name_in(Generation generation, Setting setting);

}  // namespace rapporteur::stalwart
