#pragma once
// The unix datagram socket at which libtlsrpt and the native hook deliver their sessions. Knows
// nothing of what the datagrams hold: see ingest/decoder.h.

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rapporteur {

struct DatagramSocketOptions {
  std::string path;      // at most 107 bytes (unix(7))
  unsigned mode = 0660;  // permission bits of the socket file
  std::string owner;     // user name or number; empty: unchanged
  std::string group;     // group name or number; empty: unchanged
};

class DatagramSocket {
 public:
  // Called with each datagram; the view is valid during the call.
  using Callback = std::function<void(std::string_view)>;

  struct Received {
    std::size_t datagrams = 0;  // handed to the callback
    std::size_t truncated = 0;  // larger than kMaxDatagram: not handed out
    bool woken = false;         // wake() was called
  };

  // What Linux lets a sender with the default send buffer put into one datagram.
  static constexpr std::size_t kMaxDatagram = 212960;
  static constexpr std::chrono::seconds kDrainFor{5};

  // Takes over the datagram socket that systemd hands down (LISTEN_PID, LISTEN_FDS), if there is
  // one; `options` then do not matter. Else makes the socket under a temporary name, gives it
  // owner, group and mode, and only then its name: nobody can reach it before. A socket file that
  // nobody serves is replaced. Fails with Fault::kConfig if another process serves the path, if
  // something else stands there, or if it cannot be made as asked.
  static Result<std::unique_ptr<DatagramSocket>> open(const DatagramSocketOptions& options);

  // Removes the socket file if it is still the one that open() made.
  ~DatagramSocket();
  DatagramSocket(const DatagramSocket&) = delete;
  DatagramSocket& operator=(const DatagramSocket&) = delete;

  // Waits at most `timeout_ms` (-1: without end) for datagrams or wake(), and hands out what is
  // there, at most one batch. One thread at a time. Fails with Fault::kTransient.
  Result<Received> receive(const Callback& callback, int timeout_ms);

  // Lets nothing more in: senders are refused from now on. What was let in can still be received. A
  // socket of systemd's stays open, and keeps what comes for the next process.
  void shut();

  // Hands out what waits, without waiting for more, for kDrainFor at most: senders may go on. As
  // receive().
  Result<Received> drain(const Callback& callback);

  // Ends a receive(), the present one or the next. Any thread, and signal handlers.
  void wake();

  bool is_activated() const;  // handed down by systemd

 private:
  struct Impl;
  explicit DatagramSocket(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// How many datagrams wait in a new socket's queue before senders lose theirs
// (net.unix.max_dgram_qlen): it is fixed when the socket is made. 0 if the kernel does not tell.
int max_dgram_qlen();

}  // namespace rapporteur
