#pragma once
// The grammar of `rapporteur report`, apart from parser.cc for its length alone.

#include <string>

#include "cli/commands.h"
#include "cli/parser_part.h"

namespace rapporteur {

// What the arguments of its commands are read into.
struct ReportArguments {
  ReportPreviewRequest preview;
  ReportListRequest list;
  std::string id;
  ReportTestRequest test;
};

// `context` and `arguments` outlive the commands.
void add_report_commands(const AddCommand& add, const Context& context, ReportArguments& arguments);

}  // namespace rapporteur
