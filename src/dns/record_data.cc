#include "dns/record_data.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>

#include "base/domain.h"
#include "base/ip.h"
#include "base/text.h"

namespace rapporteur {

namespace {

constexpr std::size_t kIpv4Bytes = 4;
constexpr std::size_t kIpv6Bytes = 16;
constexpr std::size_t kPreferenceBytes = 2;
constexpr std::size_t kMaxName = 255;  // RFC 1035, section 2.3.4, with the lengths of the labels
constexpr std::size_t kMaxLabel = 63;  // the same; larger numbers are pointers

std::uint8_t byte(char c) {
  return static_cast<std::uint8_t>(c);
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// RFC 1035, section 3.3.14: strings with their length before them. Nullopt if they do not fit.
std::optional<std::string> join_strings(std::string_view data) {
  std::string joined;
  while (!data.empty()) {
    const std::size_t length = byte(data.front());
    data.remove_prefix(1);
    if (length > data.size()) return std::nullopt;
    joined += data.substr(0, length);
    data.remove_prefix(length);
  }
  return joined;
}

// RFC 1035, section 3.1: labels with their length before them, up to the root's empty one, which
// must be the end of the data. Nullopt if that is no host's name; the root is none.
std::optional<std::string> read_host(std::string_view data) {
  if (data.size() > kMaxName) return std::nullopt;
  std::string host;
  while (!data.empty()) {
    const std::size_t length = byte(data.front());
    data.remove_prefix(1);
    if (length == 0) break;
    if (length > kMaxLabel || length > data.size()) return std::nullopt;
    const auto label = data.substr(0, length);
    if (!std::ranges::all_of(label, is_host_character)) return std::nullopt;
    host += to_lower(label) + '.';
    data.remove_prefix(length);
    if (data.empty()) return std::nullopt;  // no root
  }
  if (!data.empty() || host.empty()) return std::nullopt;
  host.pop_back();
  return host;
}

std::optional<std::string> read_ip(std::string_view data, std::size_t size) {
  if (data.size() != size) return std::nullopt;
  IpAddress address;
  address.v6 = size == kIpv6Bytes;
  std::ranges::transform(data, address.bytes.begin(), byte);
  return format_ip(address);
}

std::optional<std::string> read_one(DnsType type, std::string_view data) {
  switch (type) {
    case DnsType::kTxt:
      return join_strings(data);
    case DnsType::kMx:
      if (data.size() < kPreferenceBytes) return std::nullopt;
      return read_host(data.substr(kPreferenceBytes));
    case DnsType::kIpv4:
      return read_ip(data, kIpv4Bytes);
    case DnsType::kIpv6:
      return read_ip(data, kIpv6Bytes);
    case DnsType::kPtr:
      return read_host(data);
  }
  return std::nullopt;
}

// What comes before the text in the order of records.
int rank(DnsType type, std::string_view data) {
  if (type != DnsType::kMx || data.size() < kPreferenceBytes) return 0;
  return byte(data[0]) << 8 | byte(data[1]);
}

std::string reverse_name(const IpAddress& address) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name;
  for (std::size_t i = address.v6 ? kIpv6Bytes : kIpv4Bytes; i-- > 0;) {
    const unsigned value = address.bytes[i];
    if (address.v6) {
      name += kDigits[value & 0xFU];
      name += '.';
      name += kDigits[value >> 4U];
    } else {
      name += std::to_string(value);
    }
    name += '.';
  }
  return name + (address.v6 ? "ip6.arpa" : "in-addr.arpa");
}

}  // namespace

int type_number(DnsType type) {
  switch (type) {
    case DnsType::kTxt:
      return 16;
    case DnsType::kMx:
      return 15;
    case DnsType::kIpv4:
      return 1;
    case DnsType::kIpv6:
      return 28;
    case DnsType::kPtr:
      return 12;
  }
  return 0;
}

std::optional<std::string> query_name(const DnsQuestion& question) {
  if (question.type == DnsType::kPtr) {
    const auto address = parse_ip(question.name);
    if (!address) return std::nullopt;
    return reverse_name(*address);
  }
  const auto& name = question.name;
  // libunbound takes a C string and reads the escapes of master files in it.
  if (name.empty() || name.find_first_of(std::string_view("\0\\", 2)) != name.npos) {
    return std::nullopt;
  }
  if (std::ranges::all_of(name, [](char c) { return byte(c) < 0x80; })) return name;
  auto converted = normalise_domain(name);
  if (!converted) return std::nullopt;
  return *std::move(converted);
}

std::vector<std::string> read_record_data(DnsType type, std::span<const std::string_view> data) {
  std::vector<std::pair<int, std::string>> ranked;
  for (const auto& one : data) {
    if (auto text = read_one(type, one)) ranked.emplace_back(rank(type, one), *std::move(text));
  }
  std::ranges::sort(ranked);
  std::vector<std::string> records;
  std::set<std::string_view> seen;
  for (const auto& [preference, text] : ranked) {
    if (records.size() == kMostDnsRecords) break;
    // Two TXT records are two, even when only the cuts between their strings differ.
    if (type == DnsType::kTxt || seen.insert(text).second) records.push_back(text);
  }
  return records;
}

bool is_null_mx(std::span<const std::string_view> data) {
  constexpr std::string_view kRoot("\0", 1);
  return data.size() == 1 && data.front().size() == kPreferenceBytes + kRoot.size() &&
         data.front().substr(kPreferenceBytes) == kRoot;
}

}  // namespace rapporteur
