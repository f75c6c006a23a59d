#pragma once
// The grammar of `rapporteur config`, apart from parser.cc for its length alone.

#include <string>

#include "cli/commands.h"
#include "cli/parser_part.h"

namespace rapporteur {

// `context` and `import_path` outlive the commands.
void add_config_commands(const AddCommand& add, const Context& context, std::string& import_path);

}  // namespace rapporteur
