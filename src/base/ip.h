#pragma once
// IP addresses: their canonical text, and which of them the world can reach.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rapporteur {

struct IpAddress {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};  // the first four of an IPv4 address

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

// Reads dotted IPv4 (four decimal parts, no leading zeros) or IPv6 (RFC 4291). A zone id ("%eth0")
// is cut, an IPv4-mapped address (::ffff:a.b.c.d) is read as IPv4. Brackets are not accepted.
std::optional<IpAddress> parse_ip(std::string_view text);

// Dotted IPv4, or IPv6 as RFC 5952 writes it.
std::string format_ip(const IpAddress& address);

struct IpNetwork {
  IpAddress address;
  int prefix_length = 0;
};

// "10.1.0.0/16", "2001:db8::/32", or one address. Bits beyond the prefix are ignored.
std::optional<IpNetwork> parse_ip_network(std::string_view text);
bool contains(const IpNetwork& network, const IpAddress& address);

// Whether the IANA special-purpose address registries call the address globally reachable, and it
// is neither multicast, 240.0.0.0/4 nor site-local (fec0::/10). An IPv6 address that embeds an IPv4
// address (compatible, translated, 6to4, NAT64 64:ff9b::/96 and 64:ff9b:1::/48, Teredo) is judged
// by both.
bool is_globally_reachable(const IpAddress& address);

}  // namespace rapporteur
