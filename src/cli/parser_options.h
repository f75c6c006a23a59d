#pragma once
// Options that several files of the grammar give to their commands.

#include <cstddef>
#include <optional>
#include <string>

#include "base/time.h"

namespace CLI {
class App;
}

namespace rapporteur {

// Each adds an option whose value `target` takes; `app` and `target` outlive the parsing.

// A time, as docs/operations.md says that times are written.
void add_time(CLI::App* app, const std::string& name, std::optional<Time>& target,
              const std::string& help);
// --domain GLOB
void add_domain_filter(CLI::App* app, std::string& target);
// --limit N
void add_limit(CLI::App* app, std::size_t& target);
// A number from `least` to a million.
void add_number(CLI::App* app, const std::string& name, int least, std::optional<int>& target,
                const std::string& help);

}  // namespace rapporteur
