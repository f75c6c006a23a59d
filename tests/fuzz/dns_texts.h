#pragma once
// What the texts of DNS records are, whatever a name server sends (DnsAnswer::records).

#include <algorithm>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/text.h"
#include "dns/resolver.h"
#include "fuzz/require.h"

namespace fuzz {

using rapporteur::DnsType;
using rapporteur::format_ip;
using rapporteur::parse_ip;
using rapporteur::split;

inline bool is_host(const std::string& text) {
  if (text.empty() || text.size() > 253) return false;
  return std::ranges::all_of(split(text, '.'), [](std::string_view label) {
    return !label.empty() && label.size() <= 63 && std::ranges::all_of(label, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
  });
}

inline void check_text(DnsType type, const std::string& text) {
  if (type == DnsType::kIpv4 || type == DnsType::kIpv6) {
    const auto address = parse_ip(text);
    require(address && format_ip(*address) == text, "an address is canonical", text);
    require(type == DnsType::kIpv6 || !address->v6, "an A record is IPv4", text);
  } else if (type != DnsType::kTxt) {
    require(is_host(text), "a host has a host's characters", text);
  }
}

}  // namespace fuzz
