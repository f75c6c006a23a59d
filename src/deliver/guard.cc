#include "deliver/guard.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "base/domain.h"
#include "base/text.h"

namespace rapporteur {

namespace {

IpAddress embedded(const IpAddress& address, std::size_t offset, std::uint8_t inverted) {
  IpAddress inner;
  for (std::size_t i = 0; i < 4; ++i) {
    inner.bytes.at(i) = static_cast<std::uint8_t>(address.bytes.at(offset + i) ^ inverted);
  }
  return inner;
}

// The address and the IPv4 addresses that it leads to: IPv4-compatible (RFC 4291), IPv4-translated
// (RFC 2765), 6to4 (RFC 3056), NAT64 (RFC 6052), Teredo's server and client (RFC 4380).
std::vector<IpAddress> reached_by(const IpAddress& address) {
  static const auto kCompatible = *parse_ip_network("::/96");
  static const auto kTranslated = *parse_ip_network("::ffff:0:0:0/96");
  static const auto kNat64 = *parse_ip_network("64:ff9b::/96");
  static const auto kSixToFour = *parse_ip_network("2002::/16");
  static const auto kTeredo = *parse_ip_network("2001::/32");
  std::vector<IpAddress> all = {address};
  if (contains(kCompatible, address) || contains(kTranslated, address) ||
      contains(kNat64, address)) {
    all.push_back(embedded(address, 12, 0));
  }
  if (contains(kSixToFour, address)) all.push_back(embedded(address, 2, 0));
  if (contains(kTeredo, address)) {
    all.push_back(embedded(address, 4, 0));
    all.push_back(embedded(address, 12, 0xff));
  }
  return all;
}

bool is_host_excepted(const GuardExceptions& exceptions, std::string_view host) {
  return std::any_of(exceptions.hosts.begin(), exceptions.hosts.end(),
                     [host](const auto& name) { return equals_ignoring_case(name, host); });
}

std::optional<IpAddress> address_of(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const char* written = nullptr;
  if (address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    written = inet_ntop(AF_INET, &in.sin_addr, text.data(), text.size());
  } else if (address->sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, address, sizeof in);
    written = inet_ntop(AF_INET6, &in.sin6_addr, text.data(), text.size());
  }
  return written == nullptr ? std::nullopt : parse_ip(written);
}

}  // namespace

Result<GuardExceptions> parse_guard_exceptions(std::span<const std::string> allow) {
  GuardExceptions exceptions;
  for (const auto& entry : allow) {
    if (const auto network = parse_ip_network(entry)) {
      exceptions.networks.push_back(*network);
      continue;
    }
    const auto host = normalise_domain(entry);
    const auto last = host ? host->substr(host->rfind('.') + 1) : std::string();
    const bool all_digits =
        std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!host || all_digits) {
      return Error{Fault::kConfig, "'" + without_controls(to_valid_utf8(entry)) +
                                       "' is neither a host name nor an address nor a network"};
    }
    exceptions.hosts.push_back(*host);
  }
  return exceptions;
}

std::optional<std::string> judge_port(int port) {
  constexpr int kHttps = 443;
  constexpr int kFirstUnprivileged = 1024;
  constexpr int kLast = 65535;
  if (port == kHttps || (port >= kFirstUnprivileged && port <= kLast)) return std::nullopt;
  return "port " + std::to_string(port) + " is neither 443 nor in 1024 to 65535";
}

std::optional<std::string> judge_address(const GuardExceptions& exceptions, std::string_view host,
                                         const IpAddress& address,
                                         std::span<const IpAddress> own_addresses) {
  if (is_host_excepted(exceptions, host)) return std::nullopt;
  const bool excepted =
      std::any_of(exceptions.networks.begin(), exceptions.networks.end(),
                  [&](const auto& network) { return contains(network, address); });
  if (excepted) return std::nullopt;
  if (!is_globally_reachable(address)) {
    return format_ip(address) + " is not globally reachable";
  }
  for (const auto& reached : reached_by(address)) {
    const bool own =
        std::find(own_addresses.begin(), own_addresses.end(), reached) != own_addresses.end();
    if (own) return format_ip(address) + " is an address of this host";
  }
  return std::nullopt;
}

std::optional<std::string> judge_name(const GuardExceptions& exceptions, std::string_view host) {
  static constexpr std::array<std::string_view, 7> kPrivate = {
      "localhost", "local", "internal", "invalid", "arpa", "home", "lan"};
  if (is_host_excepted(exceptions, host)) return std::nullopt;
  const auto name = host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
  const auto dot = name.rfind('.');
  const auto last = to_lower(name.substr(dot == name.npos ? 0 : dot + 1));
  const bool is_private = std::find(kPrivate.begin(), kPrivate.end(), last) != kPrivate.end();
  if (dot == name.npos || is_private) {
    return std::string(host) + " is not a name of the public DNS";
  }
  return std::nullopt;
}

std::vector<IpAddress> own_addresses() {
  std::vector<IpAddress> all;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return all;
  for (const auto* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    if (const auto address = address_of(entry->ifa_addr)) all.push_back(*address);
  }
  freeifaddrs(first);
  return all;
}

}  // namespace rapporteur
