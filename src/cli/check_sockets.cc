// Whether somebody takes sessions where the configuration says that the daemon does.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "base/file.h"
#include "cli/check.h"
#include "config/endpoint.h"

namespace rapporteur {

namespace {

constexpr int kPatienceMilliseconds = 2'000;

// Connecting tells whether somebody receives; nothing is sent.
void check_datagram_socket(const DatagramConfig& datagram, Checks& checks) {
  const auto check = "socket " + datagram.path;
  struct stat status {};
  if (stat(datagram.path.c_str(), &status) != 0) {
    return checks.warning(check, system_error("the daemon has not made it"),
                          std::string(kStartDaemon));
  }
  if (!S_ISSOCK(status.st_mode)) {
    return checks.fault(check, "something else stands there",
                        "move it away, or let [ingest.datagram] path be another one");
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (datagram.path.size() >= sizeof address.sun_path) {
    return checks.fault(check, "its path is too long for a socket", "choose a shorter one");
  }
  std::memcpy(address.sun_path, datagram.path.c_str(), datagram.path.size());
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto* const peer = reinterpret_cast<const sockaddr*>(&address);
  if (fd && ::connect(fd.get(), peer, sizeof address) == 0) {
    return checks.ok(check, fmt::format("somebody receives, mode {:04o}", status.st_mode & 07777U));
  }
  if (errno == EACCES || errno == EPERM) {
    return checks.warning(check, system_error("this user may not write to it"),
                          "put the MTA's user into the socket's group, and check as that user");
  }
  if (errno == ECONNREFUSED) {
    return checks.warning(check, "nobody receives: its daemon is gone, and has left it behind",
                          "start the daemon, which puts its own in the place, and check again");
  }
  checks.warning(check, system_error("nobody receives"), std::string(kStartDaemon));
}

// Whether the connection that is being made stands in time.
bool connects(int fd, const addrinfo& target) {
  if (::connect(fd, target.ai_addr, target.ai_addrlen) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd waiting{.fd = fd, .events = POLLOUT, .revents = 0};
  if (::poll(&waiting, 1, kPatienceMilliseconds) != 1) return false;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

bool somebody_listens(const Endpoint& endpoint) {
  auto host = endpoint.host;
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const auto port = std::to_string(endpoint.port.value_or(0));
  if (getaddrinfo(host.c_str(), port.c_str(), &wanted, &found) != 0) return false;
  bool listens = false;
  for (const auto* target = found; target != nullptr && !listens; target = target->ai_next) {
    const Fd fd(::socket(target->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    listens = fd && connects(fd.get(), *target);
  }
  freeaddrinfo(found);
  return listens;
}

void check_listener(std::string_view table, const std::string& listen, Checks& checks) {
  const auto endpoint = parse_endpoint(listen);
  if (!endpoint) return;  // the configuration has refused it
  const auto check = fmt::format("{} {}", table, listen);
  if (somebody_listens(*endpoint)) return checks.ok(check, "somebody listens");
  checks.warning(check, "nobody listens", std::string(kStartDaemon));
}

}  // namespace

void check_sockets(const CheckScene& scene, Checks& checks) {
  const auto& config = scene.config;
  if (config.ingest.datagram) check_datagram_socket(*config.ingest.datagram, checks);
  if (config.http) check_listener("[http]", config.http->listen, checks);
  if (!config.received.listen.empty()) {
    check_listener("[received]", config.received.listen, checks);
  }
  if (!config.ingest.datagram && !config.http) {
    checks.warning("intake", "there is neither [ingest.datagram] nor [http]: only files are taken",
                   "add the table of the way by which the MTA tells its sessions");
  }
}

}  // namespace rapporteur
