#pragma once
// Addresses with ports as the configuration writes them, and the URLs of relay and proxy.

#include <optional>
#include <string>
#include <string_view>

namespace rapporteur {

struct Endpoint {
  std::string host;  // without brackets: an address in canonical text, or a name in A-labels
  bool is_address = false;
  bool is_v6 = false;
  std::optional<int> port;  // 0 to 65535

  // "127.0.0.1:53", "[::1]:53", "mail.example.org".
  std::string text() const;
  // 127.0.0.0/8, ::1 and the name localhost.
  bool is_loopback() const;
};

// Reads "host", "host:port", "[v6]" or "[v6]:port".
std::optional<Endpoint> parse_endpoint(std::string_view text);

struct RelayUrl {
  bool implicit_tls = false;  // smtps://
  Endpoint relay;
};

// Reads "smtp://host[:port]" or "smtps://host[:port]", with or without a '/' at the end.
std::optional<RelayUrl> parse_relay_url(std::string_view text);

}  // namespace rapporteur
