// rapporteur stats: how many windows are in which state, and what intake has counted.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/print.h"

namespace rapporteur {

int stats(const Context& context) {
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  const auto states = opened.store->window_states();
  if (!states) return fail(context, states.error());
  const auto counters = opened.store->counters();
  if (!counters) return fail(context, counters.error());
  auto notice = pause_notice(context, *opened.store);
  if (!notice) return fail(context, notice.error());

  if (context.json) {
    auto result = Json::object();
    if (*notice) result.set("paused", std::move((*notice)->json));
    auto windows = Json::object();
    for (const auto& [state, count] : *states) windows.set(to_string(state), count);
    auto sessions = Json::object();
    for (const auto& [name, count] : *counters) sessions.set(name, count);
    result.set("windows", std::move(windows)).set("sessions", std::move(sessions));
    context.print(result);
    return kExitDone;
  }
  auto& out = context.world.out;
  if (*notice) out << (*notice)->text << '\n';
  out << "windows\n";
  for (const auto& [state, count] : *states) {
    out << fmt::format("  {:<36} {:>12}\n", to_string(state), count);
  }
  out << "sessions since the store was made\n";
  for (const auto& [name, count] : *counters) out << fmt::format("  {:<36} {:>12}\n", name, count);
  return kExitDone;
}

}  // namespace rapporteur
