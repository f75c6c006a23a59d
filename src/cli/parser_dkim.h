#pragma once
// The grammar of `rapporteur dkim`, apart from parser.cc for its length alone.

#include "cli/commands.h"
#include "cli/parser_part.h"

namespace rapporteur {

// `context` and `request` outlive the commands.
void add_dkim_commands(const AddCommand& add, const Context& context, DkimGenerateRequest& request);

}  // namespace rapporteur
