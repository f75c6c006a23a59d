#pragma once
// What is promised of every destination that a record is understood to name, whatever the record
// holds: docs/design.md, "Delivery", and dns/tlsrpt_record.h. For tests and fuzz targets.

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "base/domain.h"
#include "base/ip.h"
#include "base/text.h"
#include "deliver/judge.h"
#include "dns/tlsrpt_record.h"
#include "model/delivery.h"

namespace rapporteur::hostile {

inline bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 5322, section 3.2.3.
inline bool is_plain_dot_atom(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-/=?^_`{|}~";
  for (const auto atom : split(text, '.')) {
    const bool good = !atom.empty() && std::ranges::all_of(atom, [&](char c) {
      return is_alphanumeric(c) || kOthers.find(c) != kOthers.npos;
    });
    if (!good) return false;
  }
  return true;
}

// The promise that a usable mailto destination breaks; empty: none.
inline std::string broken_promise_of_mail(const std::string& uri) {
  const auto address = mail_address(uri);
  if (!is_safe_address(address)) return "the address is safe in SMTP: " + address;
  if (std::ranges::count(address, '@') != 1) return "there is one @: " + address;
  const auto local = std::string_view(address).substr(0, address.find('@'));
  const auto domain = domain_of_address(address);
  if (local.size() > 64 || !is_plain_dot_atom(local)) return "the local part is a dot-atom";
  const auto normal = normalise_domain(domain);
  if (!normal || *normal != domain) return "the domain is normalised: " + address;
  if (domain.find('.') == domain.npos) return "the domain has two labels: " + address;
  const auto last = domain.substr(domain.rfind('.') + 1);
  for (const auto* none : {"localhost", "local", "internal", "invalid", "arpa"}) {
    if (last == none) return "the domain is not local: " + address;
  }
  if (parse_ip(domain)) return "the domain is no address: " + address;
  return address.size() > 254 ? "the address has 254 bytes at most" : "";
}

// The promise that a usable https destination breaks; empty: none.
inline std::string broken_promise_of_https(std::string_view uri) {
  constexpr std::string_view kScheme = "https://";
  if (!uri.starts_with(kScheme)) return "it is mailto or https";
  if (!std::ranges::all_of(uri, [](char c) { return c > ' ' && c < '\x7f'; })) {
    return "it is printable ASCII";
  }
  uri.remove_prefix(kScheme.size());
  const auto slash = uri.find('/');
  if (slash == uri.npos) return "it has a path";
  const auto authority = uri.substr(0, slash);
  const auto bracket = authority.find(']');
  const auto colon = authority.find(':', bracket == authority.npos ? 0 : bracket);
  const auto host = authority.substr(0, colon);
  if (host.starts_with('[')) {
    const auto address = parse_ip(host.substr(1, host.size() - 2));
    if (!address || !address->v6) return "brackets hold an IPv6 address";
  } else {
    const auto normal = normalise_domain(host);
    if (!normal || *normal != host) return "the host is normalised";
  }
  if (colon == authority.npos) return "";
  const auto digits = authority.substr(colon + 1);
  int port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  const bool number = error == std::errc() && end == digits.data() + digits.size();
  return number && port >= 1024 && port <= 65535 ? "" : "the port is one that is used";
}

// The promise that a usable destination breaks; empty: none.
inline std::string broken_promise(const std::string& uri) {
  if (uri.size() > 2048) return "it has 2048 bytes at most";
  const auto again = usable_destination(uri);
  if (again.uri != uri) return "it is the same when it is read again: " + again.uri + again.why;
  return is_mail(uri) ? broken_promise_of_mail(uri) : broken_promise_of_https(uri);
}

}  // namespace rapporteur::hostile
