// The functions about mail addresses and IP addresses.

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "expr/functions.h"
#include "expr/unicode.h"

namespace expr {
namespace {

struct Address {
  std::array<unsigned char, 16> bytes{};
  std::size_t size = 0;  // 4 or 16
};

std::optional<Address> read_address(std::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != terminated.npos) return std::nullopt;
  Address address;
  address.size = 4;
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) return address;
  address.size = 16;
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

struct Network {
  Address address;
  std::size_t bits = 0;
};

std::optional<Network> read_network(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = read_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  Network network{*address, address->size * 8};
  if (slash == text.npos) return network;
  const auto digits = text.substr(slash + 1);
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, network.bits);
  const bool in_range = network.bits >= 8 && network.bits <= address->size * 8;
  if (error != std::errc{} || stop != end || !in_range) return std::nullopt;
  return network;
}

bool contains(const Network& network, const Address& address) {
  if (network.address.size != address.size) return false;
  for (std::size_t bit = 0; bit < network.bits; bit += 8) {
    const std::size_t byte = bit / 8;
    const std::size_t used = std::min<std::size_t>(8, network.bits - bit);
    const unsigned mask = 0xFFu & (0xFFu << (8 - used));
    if ((network.address.bytes[byte] & mask) != (address.bytes[byte] & mask)) return false;
  }
  return true;
}

Value is_ip(const Arguments& arguments) {
  return truth(read_address(arguments.text(0)).has_value());
}

Value is_ipv4(const Arguments& arguments) {
  const auto address = read_address(arguments.text(0));
  return truth(address && address->size == 4);
}

Value is_ipv6(const Arguments& arguments) {
  const auto address = read_address(arguments.text(0));
  return truth(address && address->size == 16);
}

Value is_ip_in_cidr(const Arguments& arguments) {
  const auto address = read_address(arguments.text(0));
  const auto network = read_network(arguments.text(1));
  return truth(address && network && contains(*network, *address));
}

Value ip_reverse_name(const Arguments& arguments) {
  const auto address = read_address(arguments.text(0));
  std::string name;
  if (!address) return Value(name);
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = address->size; i-- > 0;) {
    const unsigned byte = address->bytes[i];
    if (!name.empty()) name += '.';
    if (address->size == 4) {
      name += std::to_string(byte);
    } else {
      name += kDigits[byte & 15];
      name += '.';
      name += kDigits[byte >> 4];
    }
  }
  return Value(std::move(name));
}

bool is_atext(char c) {
  constexpr std::string_view kSymbols = "!#$%&'*+-/=?^_`{|}~";
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x7F || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z') || kSymbols.find(c) != kSymbols.npos;
}

// Atoms with single dots between them.
bool is_dot_atom(std::string_view text) {
  char last = '.';
  for (const char c : text) {
    if (c == '.' ? last == '.' : !is_atext(c)) return false;
    last = c;
  }
  return last != '.';
}

// "…" with quoted pairs; no control characters.
bool is_quoted_string(std::string_view text) {
  if (text.size() < 3 || text.front() != '"') return false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return false;
    if (text[i] == '"') return i + 1 == text.size();
    if (text[i] == '\\') ++i;
  }
  return false;
}

Value is_email(const Arguments& arguments) {
  const std::string& address = arguments.text(0);
  const auto at = address.rfind('@');
  if (at == address.npos) return truth(false);
  const auto local = std::string_view(address).substr(0, at);
  const auto domain = std::string_view(address).substr(at + 1);
  return truth((is_dot_atom(local) || is_quoted_string(local)) && is_dot_atom(domain) &&
               domain.find('.') != domain.npos);
}

constexpr std::array<std::string_view, 2> kParts = {"local", "domain"};

Value email_part(const Arguments& arguments) {
  const std::string& part = arguments.text(1);
  return map_text(arguments[0], [&](const std::string& address) {
    const auto at = address.rfind('@');
    if (at == address.npos || (part != "local" && part != "domain")) return std::string();
    const std::string_view whole = address;
    const auto chosen = part == "local" ? whole.substr(0, at) : whole.substr(at + 1);
    return std::string(trim_end(trim_start(chosen)));
  });
}

constexpr auto kText = Accepts::kText;

constexpr std::array<Function, 7> kFunctions = {{
    {"is_email", 1, {kText}, Gives::kTruth, is_email},
    {"email_part",
     2,
     {Accepts::kAnything, Accepts::kWord},
     Gives::kStringOrArray,
     email_part,
     kParts},
    {"is_ip_addr", 1, {kText}, Gives::kTruth, is_ip},
    {"is_ipv4_addr", 1, {kText}, Gives::kTruth, is_ipv4},
    {"is_ipv6_addr", 1, {kText}, Gives::kTruth, is_ipv6},
    {"is_ip_in_cidr", 2, {kText, Accepts::kNetwork}, Gives::kTruth, is_ip_in_cidr},
    {"ip_reverse_name", 1, {kText}, Gives::kString, ip_reverse_name},
}};

}  // namespace

std::span<const Function> address_functions() {
  return kFunctions;
}

bool is_network(std::string_view text) {
  return read_network(text).has_value();
}

}  // namespace expr
