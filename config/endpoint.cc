#include "config/endpoint.h"

#include <algorithm>
#include <charconv>

#include "base/domain.h"
#include "base/ip.h"
#include "base/text.h"

namespace rapporteur {

namespace {

std::optional<int> parse_port(std::string_view text) {
  int port = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (port < 0 || port > 65535 || text.front() == '-') return std::nullopt;
  return port;
}

std::optional<Endpoint> parse_host(std::string_view text, bool bracketed) {
  Endpoint endpoint;
  if (const auto address = parse_ip(text)) {
    const bool written_as_v6 = text.find(':') != text.npos;
    if (written_as_v6 != bracketed) return std::nullopt;
    endpoint.host = format_ip(*address);
    endpoint.is_address = true;
    endpoint.is_v6 = address->v6;
    return endpoint;
  }
  if (bracketed) return std::nullopt;
  auto name = normalise_domain(text);
  if (!name) return std::nullopt;
  const auto last = std::string_view(*name).substr(name->rfind('.') + 1);
  const bool looks_like_address =
      std::ranges::all_of(last, [](char c) { return c >= '0' && c <= '9'; });
  if (looks_like_address) return std::nullopt;
  endpoint.host = *std::move(name);
  return endpoint;
}

}  // namespace

std::string Endpoint::text() const {
  auto text = is_v6 ? "[" + host + "]" : host;
  if (port) text += ":" + std::to_string(*port);
  return text;
}

bool Endpoint::is_loopback() const {
  if (!is_address) return host == "localhost";
  return is_v6 ? host == "::1" : host.starts_with("127.");
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  std::string_view host = text;
  std::optional<std::string_view> port;
  if (bracketed) {
    const auto close = text.find(']');
    if (close == text.npos) return std::nullopt;
    host = text.substr(1, close - 1);
    const auto rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
    if (!rest.empty()) port = rest.substr(1);
  } else if (const auto colon = text.rfind(':'); colon != text.npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  auto endpoint = parse_host(host, bracketed);
  if (!endpoint) return std::nullopt;
  if (port) {
    endpoint->port = parse_port(*port);
    if (!endpoint->port) return std::nullopt;
  }
  return endpoint;
}

std::optional<RelayUrl> parse_relay_url(std::string_view text) {
  RelayUrl url;
  if (starts_with_ignoring_case(text, "smtps://")) {
    url.implicit_tls = true;
    text.remove_prefix(8);
  } else if (starts_with_ignoring_case(text, "smtp://")) {
    text.remove_prefix(7);
  } else {
    return std::nullopt;
  }
  if (text.ends_with('/')) text.remove_suffix(1);
  auto relay = parse_endpoint(text);
  if (!relay || relay->port == 0) return std::nullopt;
  url.relay = *std::move(relay);
  return url;
}

}  // namespace rapporteur
