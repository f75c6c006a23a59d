#pragma once
// How a file that has a part of the grammar makes its commands.

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace rapporteur {

// Makes a command below a group: its name, help, example, and what it does.
using AddCommand =
    std::function<CLI::App*(const std::string& name, const std::string& help,
                            const std::string& example, std::function<int()> action)>;

}  // namespace rapporteur
