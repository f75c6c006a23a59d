#include "base/ip.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <span>

#include <arpa/inet.h>

namespace rapporteur {

namespace {

constexpr std::size_t kIpv4Bytes = 4;

std::optional<unsigned> parse_number(std::string_view digits, unsigned most) {
  if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits.front() == '0')) {
    return std::nullopt;
  }
  unsigned value = 0;
  const auto* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || stop != end || value > most) return std::nullopt;
  return value;
}

std::optional<IpAddress> parse_ipv4(std::string_view text) {
  IpAddress address;
  for (std::size_t i = 0; i < kIpv4Bytes; ++i) {
    const auto end = i + 1 < kIpv4Bytes ? text.find('.') : text.size();
    if (end == text.npos) return std::nullopt;
    const auto part = parse_number(text.substr(0, end), 255);
    if (!part) return std::nullopt;
    address.bytes[i] = static_cast<std::uint8_t>(*part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return address;
}

IpAddress ipv4_at(const IpAddress& address, std::size_t offset) {
  IpAddress embedded;
  std::copy_n(address.bytes.begin() + static_cast<std::ptrdiff_t>(offset), kIpv4Bytes,
              embedded.bytes.begin());
  return embedded;
}

bool is_mapped(const IpAddress& address) {
  const auto& bytes = address.bytes;
  return address.v6 &&
         std::all_of(bytes.begin(), bytes.begin() + 10, [](auto b) { return b == 0; }) &&
         bytes[10] == 0xFF && bytes[11] == 0xFF;
}

IpAddress unmapped(const IpAddress& address) {
  return is_mapped(address) ? ipv4_at(address, 12) : address;
}

unsigned group(const IpAddress& address, std::size_t index) {
  return static_cast<unsigned>(address.bytes[2 * index] << 8 | address.bytes[2 * index + 1]);
}

// RFC 5952, section 4: lower case, no leading zeros, "::" for the first longest run of at least two
// zero groups.
std::string format_ipv6(const IpAddress& address) {
  constexpr std::size_t kGroups = 8;
  std::size_t best = kGroups;
  std::size_t best_length = 1;
  for (std::size_t i = 0; i < kGroups; ++i) {
    std::size_t length = 0;
    while (i + length < kGroups && group(address, i + length) == 0) ++length;
    if (length > best_length) {
      best = i;
      best_length = length;
    }
  }
  std::string text;
  for (std::size_t i = 0; i < kGroups;) {
    if (i == best) {
      text += "::";
      i += best_length;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    std::array<char, 4> digits{};
    const auto [end, error] =
        std::to_chars(digits.data(), digits.data() + digits.size(), group(address, i), 16);
    text.append(digits.data(), end);
    ++i;
  }
  return text;
}

IpNetwork network(std::string_view text) {
  return *parse_ip_network(text);
}

// One row of a registry of special-purpose addresses. The most specific row decides.
struct Special {
  IpNetwork network;
  bool reachable;
};

// IANA IPv4 Special-Purpose Address Registry (RFC 6890), and 224.0.0.0/4. "N/A" counts as no.
const std::array special_ipv4 = {
    Special{network("0.0.0.0/8"), false},        // this network
    Special{network("10.0.0.0/8"), false},       // private use
    Special{network("100.64.0.0/10"), false},    // shared address space
    Special{network("127.0.0.0/8"), false},      // loopback
    Special{network("169.254.0.0/16"), false},   // link local
    Special{network("172.16.0.0/12"), false},    // private use
    Special{network("192.0.0.0/24"), false},     // IETF protocol assignments
    Special{network("192.0.0.9/32"), true},      // port control protocol anycast
    Special{network("192.0.0.10/32"), true},     // TURN anycast
    Special{network("192.0.2.0/24"), false},     // documentation
    Special{network("192.88.99.0/24"), false},   // deprecated: 6to4 relay anycast
    Special{network("192.168.0.0/16"), false},   // private use
    Special{network("198.18.0.0/15"), false},    // benchmarking
    Special{network("198.51.100.0/24"), false},  // documentation
    Special{network("203.0.113.0/24"), false},   // documentation
    Special{network("224.0.0.0/4"), false},      // multicast
    Special{network("240.0.0.0/4"), false},      // reserved, and limited broadcast
};

// IANA IPv6 Special-Purpose Address Registry (RFC 6890), and fec0::/10 and ff00::/8. "N/A" counts
// as no, but for 6to4 and Teredo, which are what the IPv4 addresses in them are.
const std::array special_ipv6 = {
    Special{network("::/128"), false},          // unspecified
    Special{network("::1/128"), false},         // loopback
    Special{network("64:ff9b:1::/48"), false},  // IPv4-IPv6 translation, local use
    Special{network("100::/64"), false},        // discard only
    Special{network("100:0:0:1::/64"), false},  // dummy prefix
    Special{network("2001::/23"), false},       // IETF protocol assignments
    Special{network("2001::/32"), true},        // Teredo
    Special{network("2001:1::1/128"), true},    // port control protocol anycast
    Special{network("2001:1::2/128"), true},    // TURN anycast
    Special{network("2001:1::3/128"), true},    // DNS-SD service registration anycast
    Special{network("2001:3::/32"), true},      // AMT
    Special{network("2001:4:112::/48"), true},  // AS112-v6
    Special{network("2001:20::/28"), true},     // ORCHIDv2
    Special{network("2001:30::/28"), true},     // drone remote ID
    Special{network("2001:db8::/32"), false},   // documentation
    Special{network("3fff::/20"), false},       // documentation
    Special{network("5f00::/16"), false},       // segment routing SIDs
    Special{network("fc00::/7"), false},        // unique local
    Special{network("fe80::/10"), false},       // link local
    Special{network("fec0::/10"), false},       // site local (RFC 3879)
    Special{network("ff00::/8"), false},        // multicast
};

bool judged_by(std::span<const Special> registry, const IpAddress& address) {
  const Special* decisive = nullptr;
  for (const auto& row : registry) {
    if (!contains(row.network, address)) continue;
    if (decisive == nullptr || row.network.prefix_length > decisive->network.prefix_length) {
      decisive = &row;
    }
  }
  return decisive == nullptr || decisive->reachable;
}

bool is_reachable_ipv4(const IpAddress& address) {
  return judged_by(special_ipv4, address);
}

// The client address in a Teredo address is written with every bit inverted (RFC 4380, section 4).
IpAddress teredo_client(const IpAddress& address) {
  auto client = ipv4_at(address, 12);
  for (std::size_t i = 0; i < kIpv4Bytes; ++i) {
    client.bytes[i] = static_cast<std::uint8_t>(~client.bytes[i]);
  }
  return client;
}

bool embeds_only_reachable(const IpAddress& address) {
  static const auto compatible = network("::/96");
  static const auto translated = network("::ffff:0:0:0/96");
  static const auto six_to_four = network("2002::/16");
  static const auto nat64 = network("64:ff9b::/96");
  static const auto teredo = network("2001::/32");
  if (contains(compatible, address) || contains(translated, address) || contains(nat64, address)) {
    return is_reachable_ipv4(ipv4_at(address, 12));
  }
  if (contains(six_to_four, address)) return is_reachable_ipv4(ipv4_at(address, 2));
  if (contains(teredo, address)) {
    return is_reachable_ipv4(ipv4_at(address, 4)) && is_reachable_ipv4(teredo_client(address));
  }
  return true;  // 64:ff9b:1::/48 is unreachable whatever it embeds
}

}  // namespace

std::optional<IpAddress> parse_ip(std::string_view text) {
  constexpr std::size_t kLongest = 45;  // six groups and a dotted IPv4 address
  if (text.find(':') == text.npos) return parse_ipv4(text);
  text = text.substr(0, text.find('%'));
  if (text.size() > kLongest || text.find('\0') != text.npos) return std::nullopt;
  IpAddress address;
  address.v6 = true;
  if (inet_pton(AF_INET6, std::string(text).c_str(), address.bytes.data()) != 1) {
    return std::nullopt;
  }
  return unmapped(address);
}

std::string format_ip(const IpAddress& address) {
  const auto plain = unmapped(address);
  if (plain.v6) return format_ipv6(plain);
  std::string text;
  for (std::size_t i = 0; i < kIpv4Bytes; ++i) {
    if (i > 0) text += '.';
    text += std::to_string(plain.bytes[i]);
  }
  return text;
}

std::optional<IpNetwork> parse_ip_network(std::string_view text) {
  if (text.find('%') != text.npos) return std::nullopt;
  const auto slash = text.find('/');
  const auto written = text.substr(0, slash);
  const auto address = parse_ip(written);
  if (!address) return std::nullopt;
  const bool as_ipv6 = written.find(':') != written.npos;
  const unsigned bits = as_ipv6 ? 128 : 32;
  const auto prefix = slash == text.npos ? bits : parse_number(text.substr(slash + 1), bits);
  if (!prefix) return std::nullopt;
  IpNetwork result{*address, static_cast<int>(*prefix)};
  if (as_ipv6 && !address->v6) result.prefix_length -= 96;  // the text of an IPv4-mapped address
  if (result.prefix_length < 0) return std::nullopt;
  return result;
}

bool contains(const IpNetwork& network, const IpAddress& address) {
  const auto plain = unmapped(address);
  if (network.address.v6 != plain.v6) return false;
  const auto whole = static_cast<std::size_t>(network.prefix_length / 8);
  const auto rest = network.prefix_length % 8;
  const auto& wanted = network.address.bytes;
  if (!std::equal(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(whole),
                  plain.bytes.begin())) {
    return false;
  }
  if (rest == 0) return true;
  const unsigned mask = 0xFFU << (8 - rest) & 0xFFU;
  return ((wanted[whole] ^ plain.bytes[whole]) & mask) == 0;
}

bool is_globally_reachable(const IpAddress& address) {
  const auto plain = unmapped(address);
  if (!plain.v6) return is_reachable_ipv4(plain);
  return judged_by(special_ipv6, plain) && embeds_only_reachable(plain);
}

}  // namespace rapporteur
