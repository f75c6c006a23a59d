#pragma once
// Which hosts an https destination may lead to: destinations come from strangers' DNS records.
// docs/design.md, "Mail, DKIM, delivery". The decision is pure; own_addresses() asks the system.
//
// The address is judged when the socket is about to connect, so that what was judged is what is
// connected to. With a proxy the connection goes to the proxy, which the administrator chose, and
// the proxy looks the name up: then only the text of the URL is judged (an address in it as an
// address, a name by judge_name()), and refusing names that lead to private addresses is up to
// the proxy.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace rapporteur {

// Exceptions: these may be reached although the world cannot reach them. Ports stay as they are.
struct GuardExceptions {
  std::vector<std::string> hosts;  // lower case; everything that the name resolves to
  std::vector<IpNetwork> networks;
};

// Reads `[delivery.https] allow`: host names, addresses and networks. Fails with Fault::kConfig and
// names the entry that is neither.
Result<GuardExceptions> parse_guard_exceptions(std::span<const std::string> allow);

// Each returns why the destination is refused: "10.0.0.1 is not globally reachable"; nullopt: it is
// not. `host` is the URL's host in lower case, an IPv6 address without brackets.
std::optional<std::string> judge_port(int port);
std::optional<std::string> judge_address(const GuardExceptions& exceptions, std::string_view host,
                                         const IpAddress& address,
                                         std::span<const IpAddress> own_addresses);
// For a name that a proxy will look up: not localhost, and at least two labels of which the last is
// none that stands for a private network (RFC 6761, RFC 6762, RFC 8375).
std::optional<std::string> judge_name(const GuardExceptions& exceptions, std::string_view host);

// The addresses of this host's interfaces at this moment; empty if the system does not tell.
std::vector<IpAddress> own_addresses();

}  // namespace rapporteur
