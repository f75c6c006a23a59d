#pragma once
// The grammar of `rapporteur received`, apart from parser.cc for its length alone.

#include <functional>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace CLI {
class App;
}

namespace rapporteur {

// What the arguments of its commands are read into.
struct ReceivedArguments {
  std::vector<std::string> paths;
  ReceivedListRequest list;
  std::string id;
  ReceivedSummaryRequest summary;
};

// Makes a command below `received`: its name, help, example, and what it does.
using AddReceivedCommand =
    std::function<CLI::App*(const std::string& name, const std::string& help,
                            const std::string& example, std::function<int()> action)>;

// `context` and `arguments` outlive the commands.
void add_received_commands(const AddReceivedCommand& add, const Context& context,
                           ReceivedArguments& arguments);

}  // namespace rapporteur
