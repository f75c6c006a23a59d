#include "daemon/rate_limiter.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

namespace rapporteur {

namespace {

constexpr std::chrono::seconds kSweepEvery{60};
// Beyond so many groups that are not full, new ones are refused until some are: a botnet costs no
// memory.
constexpr std::size_t kMostGroups = 100'000;

}  // namespace

std::string client_group(std::string_view address) {
  const std::string text(address.substr(0, address.find('%')));
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return text;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    std::array<char, INET_ADDRSTRLEN> v4{};
    inet_ntop(AF_INET, &v6.s6_addr[12], v4.data(), v4.size());
    return v4.data();
  }
  std::fill(std::begin(v6.s6_addr) + 8, std::end(v6.s6_addr), std::uint8_t{0});
  std::array<char, INET6_ADDRSTRLEN> prefix{};
  inet_ntop(AF_INET6, &v6, prefix.data(), prefix.size());
  return std::string(prefix.data()) + "/64";
}

bool RateLimiter::allow(const std::string& group, Instant now) {
  if (now - swept_ >= kSweepEvery) forget_full(now);
  const auto found = full_at_.find(group);
  if (found == full_at_.end() && full_at_.size() >= kMostGroups) return false;
  const auto before = found == full_at_.end() ? now : std::max(found->second, now);
  const auto after = before + interval_;
  if (after - now > interval_ * static_cast<std::int64_t>(burst_)) return false;
  full_at_[group] = after;
  return true;
}

void RateLimiter::forget_full(Instant now) {
  swept_ = now;
  std::erase_if(full_at_, [now](const auto& entry) { return entry.second <= now; });
}

bool ClientPlaces::has_place(const std::string& client, std::size_t most) const {
  const auto found = taken_.find(client);
  return most == 0 || found == taken_.end() || found->second < most;
}

void ClientPlaces::give_back(const std::string& client) {
  const auto found = taken_.find(client);
  if (--found->second == 0) taken_.erase(found);
}

}  // namespace rapporteur
