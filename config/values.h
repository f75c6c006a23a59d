#pragma once
// One plain value of the file: its type, its form and its bounds. What several values mean together
// is judged in config/checks.h.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/document.h"
#include "config/reporter.h"
#include "config/schema.h"

namespace rapporteur {

// Puts the value where `spec` says. Reports what is wrong with it, and leaves the place alone then.
// The optional table that holds the place exists.
void read_value(const KeySpec& spec, const Node& node, Config& config, Reporter& reporter);

// Puts the default of `spec` where it belongs, if there is one.
void set_default(const KeySpec& spec, Config& config);

// For the readers of tables with places of their own. Each reports what is wrong.
std::optional<std::string> read_string(const std::string& name, const Node& node,
                                       Reporter& reporter);
std::optional<std::string> read_domain(const std::string& name, const Node& node,
                                       Reporter& reporter);
// "name must be a string, not an integer"
void report_type(const std::string& name, std::string_view wanted, const Node& node,
                 Reporter& reporter, std::string suggestion = {});

// The number of a branch where `match` is a table by decimal numbers, as Stalwart writes it.
std::optional<std::uint64_t> branch_number(std::string_view key);

}  // namespace rapporteur
