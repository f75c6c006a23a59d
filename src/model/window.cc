#include "model/window.h"

#include <algorithm>
#include <array>

namespace rapporteur {

namespace {

constexpr std::array<std::string_view, 4> kFrequencies = {"hourly", "daily", "weekly", "never"};
constexpr std::array<std::string_view, 7> kStates = {"collecting", "due",  "assembled", "done",
                                                     "blocked",    "held", "suppressed"};

}  // namespace

std::string_view to_string(Frequency frequency) {
  return kFrequencies.at(static_cast<std::size_t>(frequency));
}

std::optional<Frequency> parse_frequency(std::string_view text) {
  if (text == "disable") return Frequency::kNever;
  const auto found = std::ranges::find(kFrequencies, text);
  if (found == kFrequencies.end()) return std::nullopt;
  return static_cast<Frequency>(found - kFrequencies.begin());
}

std::string_view to_string(WindowState state) {
  return kStates.at(static_cast<std::size_t>(state));
}

std::optional<WindowState> parse_window_state(std::string_view text) {
  const auto found = std::ranges::find(kStates, text);
  if (found == kStates.end()) return std::nullopt;
  return static_cast<WindowState>(found - kStates.begin());
}

}  // namespace rapporteur
