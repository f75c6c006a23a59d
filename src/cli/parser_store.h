#pragma once
// The grammar of `rapporteur store`, apart from parser.cc for its length alone.

#include <string>

#include "cli/commands.h"
#include "cli/parser_part.h"

namespace rapporteur {

// What the arguments of its commands are read into.
struct StoreArguments {
  std::string file;
  std::string from;  // URLs
  std::string to;
  bool dry_run = false;
};

// `context` and `arguments` outlive the commands.
void add_store_commands(const AddCommand& add, const Context& context, StoreArguments& arguments);

}  // namespace rapporteur
