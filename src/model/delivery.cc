#include "model/delivery.h"

#include <algorithm>
#include <array>

namespace rapporteur {

namespace {

constexpr std::array<std::string_view, 7> kStates = {
    "pending", "delivered", "bounced", "failed", "suppressed", "abandoned", "uncertain"};

}  // namespace

std::string_view to_string(DeliveryState state) {
  return kStates.at(static_cast<std::size_t>(state));
}

std::optional<DeliveryState> parse_delivery_state(std::string_view text) {
  const auto found = std::ranges::find(kStates, text);
  if (found == kStates.end()) return std::nullopt;
  return static_cast<DeliveryState>(found - kStates.begin());
}

bool is_final(DeliveryState state) {
  return state != DeliveryState::kPending && state != DeliveryState::kUncertain;
}

bool is_mail(std::string_view destination) {
  return destination.starts_with("mailto:");
}

}  // namespace rapporteur
