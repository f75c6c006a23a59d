#include "daemon/http_listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/endpoint.h"

namespace rapporteur {

namespace {

// SD_LISTEN_FDS_START.
constexpr int kFirstPassed = 3;
constexpr int kMostPassed = 100;
constexpr std::string_view kReceivedSocket = "received";

int number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return 0;
  int number = 0;
  const auto* end = text + std::strlen(text);
  const auto result = std::from_chars(text, end, number);
  return result.ptr == end && result.ec == std::errc{} ? number : 0;
}

bool is_listening_tcp(int fd) {
  const auto option = [fd](int name) {
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
  };
  const int domain = option(SO_DOMAIN);
  return option(SO_TYPE) == SOCK_STREAM && option(SO_ACCEPTCONN) == 1 &&
         (domain == AF_INET || domain == AF_INET6);
}

// The socket that systemd means for us, if there is one.
std::optional<int> passed_socket(std::string_view wanted) {
  if (number_in("LISTEN_PID") != getpid()) return std::nullopt;
  const int count = std::min(number_in("LISTEN_FDS"), kMostPassed);
  const char* list = std::getenv("LISTEN_FDNAMES");
  const std::string names = list == nullptr ? "" : list;
  const auto name_of = split(names, ':');
  std::vector<int> found;
  for (int i = 0; i < count; ++i) {
    const int fd = kFirstPassed + i;
    if (!is_listening_tcp(fd)) continue;
    const auto index = static_cast<std::size_t>(i);
    const auto name = index < name_of.size() ? name_of[index] : std::string_view();
    if (name == wanted) return fd;
    if (name != kReceivedSocket) found.push_back(fd);
  }
  if (found.size() == 1 && wanted != kReceivedSocket) return found.front();
  return std::nullopt;
}

Result<HttpListener> describe(Fd socket) {
  HttpListener listener;
  listener.socket = std::move(socket);
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(listener.socket.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return Error{Fault::kTransient, system_error("cannot tell where [http] listens")};
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  Endpoint endpoint{.is_address = true};
  if (storage.ss_family == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
    listener.port = ntohs(address.sin_port);
  } else {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(storage);
    inet_ntop(AF_INET6, &address.sin6_addr, text.data(), text.size());
    listener.port = ntohs(address.sin6_port);
    endpoint.is_v6 = true;
  }
  endpoint.host = text.data();
  endpoint.port = listener.port;
  listener.address = endpoint.text();
  listener.loopback = endpoint.is_loopback();
  return listener;
}

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

std::optional<Address> address_of(const std::string& listen) {
  const auto endpoint = parse_endpoint(listen);
  if (!endpoint || !endpoint->is_address || !endpoint->port) return std::nullopt;
  Address address;
  const auto port = htons(static_cast<std::uint16_t>(*endpoint->port));
  if (endpoint->is_v6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = port;
    address.size = sizeof v6;
    if (inet_pton(AF_INET6, endpoint->host.c_str(), &v6.sin6_addr) != 1) return std::nullopt;
  } else {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = port;
    address.size = sizeof v4;
    if (inet_pton(AF_INET, endpoint->host.c_str(), &v4.sin_addr) != 1) return std::nullopt;
  }
  return address;
}

}  // namespace

Result<HttpListener> open_http_listener(const std::string& listen, std::string_view name) {
  if (const auto passed = passed_socket(name)) {
    fcntl(*passed, F_SETFD, FD_CLOEXEC);
    return describe(Fd(*passed));
  }
  const auto address = address_of(listen);
  if (!address) return Error{Fault::kConfig, "'" + listen + "' is no address with a port"};
  const auto failed = [&] {
    return Error{Fault::kTransient, system_error("cannot listen on " + listen)};
  };
  Fd socket(::socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return failed();
  const int one = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(socket.get(), address->get(), address->size) != 0) return failed();
  if (::listen(socket.get(), SOMAXCONN) != 0) return failed();
  return describe(std::move(socket));
}

}  // namespace rapporteur
