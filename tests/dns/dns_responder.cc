#include "dns_responder.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rapporteur::testing_support {

namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr unsigned kA = 1;
constexpr unsigned kCname = 5;
constexpr unsigned kSoa = 6;
constexpr unsigned kPtr = 12;
constexpr unsigned kMx = 15;
constexpr unsigned kTxt = 16;
constexpr unsigned kAaaa = 28;

std::string u16(unsigned value) {
  return {static_cast<char>(value >> 8U & 0xffU), static_cast<char>(value & 0xffU)};
}

std::string u32(std::uint32_t value) {
  return u16(value >> 16U) + u16(value & 0xffffU);
}

std::string resource(const std::string& owner, unsigned type, std::uint32_t ttl,
                     const std::string& rdata) {
  return owner + u16(type) + u16(1) + u32(ttl) + u16(static_cast<unsigned>(rdata.size())) + rdata;
}

// The root's (RFC 1035, section 3.3.13), which stands above every name.
std::string soa(std::uint32_t minimum) {
  const auto data = encode_name("ns.example") + encode_name("admin.example") + u32(1) + u32(60) +
                    u32(60) + u32(60) + u32(minimum);
  return resource(encode_name(""), kSoa, std::max<std::uint32_t>(3000, minimum), data);
}

}  // namespace

std::string encode_name(std::string_view name) {
  std::string wire;
  while (!name.empty()) {
    const auto label = name.substr(0, name.find('.'));
    wire += static_cast<char>(label.size());
    wire += label;
    name.remove_prefix(std::min(label.size() + 1, name.size()));
  }
  return wire + '\0';
}

DnsResponder::Record txt_record(const std::vector<std::string>& strings) {
  std::string data;
  for (const auto& text : strings) data += static_cast<char>(text.size()) + text;
  return {kTxt, data};
}

DnsResponder::Record mx_record(unsigned preference, std::string_view host) {
  return {kMx, u16(preference) + encode_name(host)};
}

DnsResponder::Record address_record(const char* address) {
  const bool v6 = std::string_view(address).find(':') != std::string_view::npos;
  std::string data(v6 ? sizeof(in6_addr) : sizeof(in_addr), '\0');
  if (inet_pton(v6 ? AF_INET6 : AF_INET, address, data.data()) != 1) std::abort();
  return {v6 ? kAaaa : kA, data};
}

DnsResponder::Record ptr_record(std::string_view host) {
  return {kPtr, encode_name(host)};
}

DnsResponder::DnsResponder(std::map<std::string, Reply> replies) : replies_(std::move(replies)) {
  socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  stop_ = eventfd(0, EFD_CLOEXEC);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (socket_ < 0 || stop_ < 0 || bind(socket_, generic, length) != 0 ||
      getsockname(socket_, generic, &length) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

DnsResponder::~DnsResponder() {
  constexpr std::uint64_t kOne = 1;
  if (write(stop_, &kOne, sizeof kOne) != sizeof kOne) std::abort();
  thread_.join();
  close(socket_);
  close(stop_);
}

void DnsResponder::set(const std::string& name, Reply reply) {
  const std::lock_guard lock(mutex_);
  replies_[name] = std::move(reply);
}

void DnsResponder::serve() {
  for (;;) {
    std::array<pollfd, 2> ready{{{socket_, POLLIN, 0}, {stop_, POLLIN, 0}}};
    poll(ready.data(), ready.size(), -1);
    if (ready[1].revents != 0) return;
    std::array<char, 1500> buffer{};
    sockaddr_in peer{};
    socklen_t length = sizeof peer;
    auto* const generic = reinterpret_cast<sockaddr*>(&peer);
    const auto size = recvfrom(socket_, buffer.data(), buffer.size(), 0, generic, &length);
    if (size < static_cast<ssize_t>(kHeaderBytes)) continue;
    ++queries_;
    const auto reply = respond({buffer.data(), static_cast<std::size_t>(size)});
    if (!reply.empty()) sendto(socket_, reply.data(), reply.size(), 0, generic, length);
  }
}

std::string DnsResponder::respond(const std::string& query) {
  std::string name;
  auto position = kHeaderBytes;
  while (position < query.size() && query[position] != '\0') {
    const auto label = static_cast<std::size_t>(static_cast<unsigned char>(query[position]));
    if (!name.empty()) name += '.';
    name += query.substr(position + 1, label);
    position += label + 1;
  }
  for (auto& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (position + 5 > query.size()) return {};
  const auto question = query.substr(kHeaderBytes, position + 5 - kHeaderBytes);
  Reply reply;
  reply.rcode = 3;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = replies_.find(name); found != replies_.end()) reply = found->second;
  }
  if (reply.silent) return {};
  const auto type = question.substr(question.size() - 4, 2);
  std::string answers;
  unsigned count = 0;
  if (!reply.cname.empty()) {
    answers += resource("\xc0\x0c", kCname, reply.ttl, encode_name(reply.cname));
    ++count;
  }
  for (const auto& record : reply.records) {
    if (u16(record.type) != type) continue;
    answers += resource("\xc0\x0c", record.type, reply.ttl, record.data);
    ++count;
  }
  const bool with_soa = count == 0 && reply.negative_ttl != 0;
  if (with_soa) answers += soa(reply.negative_ttl);
  return query.substr(0, 2) + '\x81' + static_cast<char>(0x80 | reply.rcode) + u16(1) + u16(count) +
         u16(with_soa ? 1 : 0) + u16(0) + question + answers;
}

}  // namespace rapporteur::testing_support
