#include "cli/parser_config.h"

#include <CLI/CLI.hpp>

namespace rapporteur {

void add_config_commands(const AddCommand& add, const Context& context, std::string& import_path) {
  add("check", "tell everything that is wrong with it", "config check --config ./rapporteur.toml",
      [&] { return config_check(context); });
  add("show", "the whole configuration, defaults included", "config show",
      [&] { return config_show(context); });
  add("import-stalwart", "Stalwart's report settings as [report] and [report.tls]",
      "config import-stalwart tls-report-settings.json",
      [&] { return config_import_stalwart(context, import_path); })
      ->add_option("FILE", import_path,
                   "JSON of Stalwart 0.16 or TOML of 0.15; - is standard input")
      ->required();
}

}  // namespace rapporteur
