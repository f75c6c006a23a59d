// rapporteur store backup: a copy of the store, made while the daemon works.

#include <fmt/format.h>

#include "cli/commands.h"
#include "store/backup.h"

namespace rapporteur {

int store_backup(const Context& context, const std::string& file) {
  const auto config = load(context);
  if (!config) return kExitConfig;
  const auto backup = back_up(config->store.url, file);
  if (!backup) return fail(context, backup.error());
  if (context.json) {
    context.print(Json::object().set("file", file).set("bytes", backup->bytes));
  } else {
    context.world.out << fmt::format("{} holds the store, {} bytes\n", file, backup->bytes);
  }
  return kExitDone;
}

}  // namespace rapporteur
