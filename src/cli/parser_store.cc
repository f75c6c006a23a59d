#include "cli/parser_store.h"

#include <CLI/CLI.hpp>

namespace rapporteur {

void add_store_commands(const AddCommand& add, const Context& context, StoreArguments& arguments) {
  add("backup", "copy an SQLite store into a new file while the daemon works",
      "store backup /var/backups/rapporteur-2026-11-20.db",
      [&] { return store_backup(context, arguments.file); })
      ->add_option("FILE", arguments.file, "the new file; nothing is overwritten")
      ->required();
  add("check", "look for rows that contradict each other", "store check",
      [&] { return store_check(context); });
  auto* const copy =
      add("copy", "copy an SQLite store, whose daemon is stopped, to a PostgreSQL database",
          "store copy sqlite:/var/lib/rapporteur/rapporteur.db postgresql://rapporteur@db/tlsrpt",
          [&] { return store_copy(context, arguments.from, arguments.to); });
  copy->add_option("FROM", arguments.from, "sqlite:PATH")->required();
  copy->add_option("TO", arguments.to, "postgresql://…: an empty database, or one half copied")
      ->required();
  add("prune", "remove now what is older than [store] keepReports and [received] keep",
      "store prune --dry-run", [&] { return store_prune(context, arguments.dry_run); })
      ->add_flag("--dry-run", arguments.dry_run, "tell what would be removed, change nothing");
}

}  // namespace rapporteur
