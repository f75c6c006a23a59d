#include "daemon/service_manager.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>

#include "base/file.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMaxAddress = sizeof(sockaddr_un::sun_path) - 1;

// Of CLOCK_MONOTONIC, as systemd compares it with its own.
std::int64_t monotonic_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

}  // namespace

ServiceManager::ServiceManager(std::string address) : address_(std::move(address)) {}

Result<void> ServiceManager::ready() const {
  return tell("READY=1");
}

Result<void> ServiceManager::reloading() const {
  return tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_microseconds()));
}

Result<void> ServiceManager::stopping(std::chrono::seconds within) const {
  const auto microseconds = std::chrono::microseconds(within).count();
  return tell("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(microseconds));
}

Result<void> ServiceManager::tell(const std::string& state) const {
  if (address_.empty()) return {};
  const bool abstract = address_.front() == '@';
  if ((!abstract && address_.front() != '/') || address_.size() > kMaxAddress) {
    return Error{Fault::kTransient, "$NOTIFY_SOCKET names no socket: " + address_};
  }
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::ranges::copy(address_, static_cast<char*>(to.sun_path));
  if (abstract) to.sun_path[0] = '\0';
  // An abstract name ends where the address does, a path with its zero.
  const auto size = offsetof(sockaddr_un, sun_path) + address_.size() + (abstract ? 0 : 1);
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto* where = static_cast<const sockaddr*>(static_cast<const void*>(&to));
  if (!socket || sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL, where,
                        static_cast<socklen_t>(size)) < 0) {
    return Error{Fault::kTransient, system_error("cannot tell the service manager at " + address_)};
  }
  return {};
}

}  // namespace rapporteur
