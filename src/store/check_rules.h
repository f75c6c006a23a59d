#pragma once
// What a check looks for in whichever database the store lives.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/received.h"
#include "store/store.h"

namespace rapporteur {

// Words of an enumeration, and where rows keep them.
struct WordRule {
  std::string_view table;
  std::string_view column;
  bool (*known)(std::string_view text);
};

inline constexpr std::array<WordRule, 6> kCheckedWords = {{
    {"windows", "state",
     [](std::string_view text) { return parse_window_state(text).has_value(); }},
    {"windows", "frequency",
     [](std::string_view text) { return parse_frequency(text).has_value(); }},
    {"policies", "type", [](std::string_view text) { return parse_policy_type(text).has_value(); }},
    {"details", "result_type",
     [](std::string_view text) { return parse_result_type(text).has_value(); }},
    {"deliveries", "state",
     [](std::string_view text) { return parse_delivery_state(text).has_value(); }},
    {"received", "trust", [](std::string_view text) { return parse_trust(text).has_value(); }},
}};

// Tables whose rows are looked at.
inline constexpr std::array<std::string_view, 9> kCheckedTables = {
    "windows",       "policies",          "details",          "parts", "deliveries", "received",
    "received_json", "received_policies", "received_failures"};

inline std::string rows_text(std::int64_t rows) {
  return rows == 1 ? "1 row" : std::to_string(rows) + " rows";
}

// Years of four digits only, whatever was stored.
inline Time shown_time(Time time) {
  return std::clamp(time, Time(), Time(Seconds(253'402'300'799)));
}

}  // namespace rapporteur
