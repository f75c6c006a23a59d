#pragma once
// The grammar of `rapporteur received`, apart from parser.cc for its length alone.

#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/parser_part.h"

namespace rapporteur {

// What the arguments of its commands are read into.
struct ReceivedArguments {
  std::vector<std::string> paths;
  ReceivedListRequest list;
  std::string id;
  ReceivedSummaryRequest summary;
};

// `context` and `arguments` outlive the commands.
void add_received_commands(const AddCommand& add, const Context& context,
                           ReceivedArguments& arguments);

}  // namespace rapporteur
