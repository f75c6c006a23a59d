// rapporteur config check and show.

#include <algorithm>

#include "cli/commands.h"

namespace rapporteur {

int config_check(const Context& context) {
  const auto loaded = load_config(context.config_path);
  if (context.json) {
    auto list = Json::array();
    for (const auto& diagnostic : loaded.diagnostics) list.add(diagnostic_json(diagnostic));
    context.print(list);
  } else {
    for (const auto& diagnostic : loaded.diagnostics) {
      context.world.err << diagnostic.text() << '\n';
    }
    if (loaded.config) context.world.out << context.config_path << " is valid\n";
  }
  return loaded.config ? kExitDone : kExitConfig;
}

int config_show(const Context& context) {
  const auto config = load(context);
  if (!config) return kExitConfig;
  const auto text = config_text(*config);
  if (context.json) {
    context.print(Json::object().set("path", config->path).set("toml", text));
  } else {
    context.world.out << text;
  }
  return kExitDone;
}

}  // namespace rapporteur
