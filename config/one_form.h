#pragma once
// Whether a text has the one form that conform() gives already. What has the form is
// told without allocating; what is refused may still be brought into it.

#include <string_view>

namespace rapporteur {

// UTF-8 without control characters.
bool is_one_line(std::string_view text);

// What normalise_domain() would return unchanged.
bool is_normal_domain(std::string_view text);

// What normalise_address() would return unchanged.
bool is_normal_address(std::string_view text);

// A mailto: or https: URI of one line.
bool is_report_uri(std::string_view text);

}  // namespace rapporteur
