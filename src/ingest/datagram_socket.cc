#include "ingest/datagram_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "ingest/socket_file.h"

namespace rapporteur {

namespace {

constexpr std::size_t kBatch = 64;

// A whole number in an environment variable; 0 if it is not there or none.
long environment_number(const char* name) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets one
  if (text == nullptr) return 0;
  const std::string_view digits(text);
  long number = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && stop == digits.data() + digits.size() ? number : 0;
}

int socket_option(int fd, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

// A copy of the datagram socket that was handed down (sd_listen_fds(3)), so that the original stays
// for the next open(); an empty Fd if there is none.
Fd inherited_socket() {
  constexpr int kFirst = 3;
  constexpr long kMost = 1024;
  if (environment_number("LISTEN_PID") != getpid()) return {};
  const auto count = std::clamp(environment_number("LISTEN_FDS"), 0L, kMost);
  for (int fd = kFirst; fd < kFirst + static_cast<int>(count); ++fd) {
    if (socket_option(fd, SO_DOMAIN) != AF_UNIX || socket_option(fd, SO_TYPE) != SOCK_DGRAM) {
      continue;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    Fd copy(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (copy) fcntl(copy.get(), F_SETFL, fcntl(copy.get(), F_GETFL) | O_NONBLOCK);
    return copy;
  }
  return {};
}

}  // namespace

struct DatagramSocket::Impl {
  Impl() : memory(std::make_unique_for_overwrite<char[]>(kBatch * kMaxDatagram)) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      vectors[i] = {memory.get() + i * kMaxDatagram, kMaxDatagram};
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }

  Result<void> receive_batch(const Callback& callback, Received& received, bool& more);

  BoundSocket bound;
  std::string path;  // empty: the file is not ours
  Fd wakeup;
  std::unique_ptr<char[]> memory;  // pages that no datagram has reached take no memory
  std::array<iovec, kBatch> vectors{};
  std::array<mmsghdr, kBatch> messages{};
};

Result<void> DatagramSocket::Impl::receive_batch(const Callback& callback, Received& received,
                                                 bool& more) {
  const int count = recvmmsg(bound.socket.get(), messages.data(), kBatch, MSG_DONTWAIT, nullptr);
  more = count == static_cast<int>(kBatch);
  if (count < 0) {
    more = errno == EINTR;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {};
    return Error{Fault::kTransient, system_error("cannot receive datagrams")};
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    if ((messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      ++received.truncated;
    } else {
      ++received.datagrams;
      callback({memory.get() + i * kMaxDatagram, messages[i].msg_len});
    }
  }
  return {};
}

DatagramSocket::DatagramSocket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

DatagramSocket::~DatagramSocket() {
  if (impl_->path.empty()) return;
  struct stat status {};
  if (lstat(impl_->path.c_str(), &status) == 0 && status.st_dev == impl_->bound.device &&
      status.st_ino == impl_->bound.inode) {
    unlink(impl_->path.c_str());
  }
}

Result<std::unique_ptr<DatagramSocket>> DatagramSocket::open(const DatagramSocketOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->wakeup = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!impl->wakeup) return Error{Fault::kTransient, system_error("cannot make an eventfd")};
  impl->bound.socket = inherited_socket();
  if (!impl->bound.socket) {
    auto bound = bind_datagram_socket(options);
    if (!bound) return std::move(bound).error();
    impl->bound = *std::move(bound);
    impl->path = options.path;
  }
  return std::unique_ptr<DatagramSocket>(new DatagramSocket(std::move(impl)));
}

Result<DatagramSocket::Received> DatagramSocket::receive(const Callback& callback, int timeout_ms) {
  Received received;
  std::array<pollfd, 2> waited{
      {{impl_->bound.socket.get(), POLLIN, 0}, {impl_->wakeup.get(), POLLIN, 0}}};
  if (poll(waited.data(), waited.size(), timeout_ms) < 0) {
    if (errno == EINTR) return received;
    return Error{Fault::kTransient, system_error("cannot wait for datagrams")};
  }
  if (waited[1].revents != 0) {
    std::uint64_t calls = 0;
    received.woken = read(impl_->wakeup.get(), &calls, sizeof calls) == sizeof calls;
  }
  if (waited[0].revents == 0) return received;
  bool more = false;
  auto done = impl_->receive_batch(callback, received, more);
  if (!done) return std::move(done).error();
  return received;
}

void DatagramSocket::shut() {
  if (!impl_->path.empty()) shutdown(impl_->bound.socket.get(), SHUT_RD);
}

Result<DatagramSocket::Received> DatagramSocket::drain(const Callback& callback) {
  Received received;
  const auto end = std::chrono::steady_clock::now() + kDrainFor;
  for (bool more = true; more && std::chrono::steady_clock::now() < end;) {
    auto done = impl_->receive_batch(callback, received, more);
    if (!done) return std::move(done).error();
  }
  return received;
}

void DatagramSocket::wake() {
  const std::uint64_t one = 1;
  // It fails only when the counter is full, and then receive() ends anyway.
  [[maybe_unused]] const auto written = write(impl_->wakeup.get(), &one, sizeof one);
}

bool DatagramSocket::is_activated() const {
  return impl_->path.empty();
}

int max_dgram_qlen() {
  const auto text = read_file("/proc/sys/net/unix/max_dgram_qlen");
  if (!text) return 0;
  const auto digits = trim(*text);
  int length = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  return error == std::errc() ? length : 0;
}

}  // namespace rapporteur
