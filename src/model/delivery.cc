#include "model/delivery.h"

#include <algorithm>
#include <array>

#include "base/domain.h"
#include "base/text.h"

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

namespace {

constexpr std::string_view kMailto = "mailto:";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string mail_address(std::string_view destination) {
  if (is_mail(destination)) destination.remove_prefix(kMailto.size());
  std::string address;
  for (std::size_t i = 0; i < destination.size(); ++i) {
    const bool escape = destination[i] == '%' && i + 2 < destination.size();
    const int high = escape ? hex_digit(destination[i + 1]) : -1;
    const int low = escape ? hex_digit(destination[i + 2]) : -1;
    if (high < 0 || low < 0) {
      address += destination[i];
    } else {
      address += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return address;
}

std::string destination_key(std::string_view destination) {
  if (starts_with_ignoring_case(destination, kMailto)) {
    return std::string(kMailto) + to_lower(domain_of_address(destination));
  }
  constexpr std::string_view kDefaultPort = ":443";
  const auto scheme = destination.find("://");
  if (scheme == destination.npos) return to_lower(destination);
  const auto end = destination.find_first_of("/?#", scheme + 3);
  auto key = to_lower(destination.substr(0, end));
  if (key.ends_with(kDefaultPort)) key.resize(key.size() - kDefaultPort.size());
  return key;
}

bool is_mail(std::string_view destination) {
  return destination.starts_with(kMailto);
}

}  // namespace rapporteur
