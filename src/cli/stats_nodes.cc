// rapporteur stats --nodes: the daemons that work on the store.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "schedule/keeping.h"

namespace rapporteur {

int stats_nodes(const Context& context) {
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  const auto nodes = opened.store->nodes(context.now());
  if (!nodes) return fail(context, nodes.error());
  auto notice = pause_notice(context, *opened.store);
  if (!notice) return fail(context, notice.error());
  const auto limit = silence_of_the_dead(opened.config->store.lease);

  if (context.json) {
    auto result = Json::object();
    if (*notice) result.set("paused", std::move((*notice)->json));
    auto list = Json::array();
    for (const auto& [beat, silent_for, windows, deliveries] : *nodes) {
      list.add(Json::object()
                   .set("name", beat.name)
                   .set("role", beat.role)
                   .set("host", beat.host)
                   .set("process", beat.process)
                   .set("version", beat.version)
                   .set("started", beat.started)
                   .set("silent-seconds", silent_for.count())
                   .set("alive", silent_for <= limit)
                   .set("windows", windows)
                   .set("deliveries", deliveries)
                   .set("spilled-bytes", beat.spilled_bytes));
    }
    context.print(result.set("nodes", std::move(list)));
    return kExitDone;
  }
  auto& out = context.world.out;
  if (*notice) out << (*notice)->text << '\n';
  Table table({"name", "state", "role", "host", "process", "version", "up since", "last beat",
               "windows", "deliveries", "spilled bytes"});
  for (const auto& [beat, silent_for, windows, deliveries] : *nodes) {
    table.add({beat.name, silent_for <= limit ? "alive" : "silent", beat.role, beat.host,
               std::to_string(beat.process), beat.version, format_rfc3339(beat.started),
               format_duration(silent_for) + " ago", std::to_string(windows),
               std::to_string(deliveries), std::to_string(beat.spilled_bytes)});
  }
  if (table.empty()) {
    out << "no daemon has worked on this store for a week\n";
  } else {
    Screen screen(context.world);
    table.print(screen);
  }
  return kExitDone;
}

}  // namespace rapporteur
