#pragma once
// What the daemon tells the service manager that has started it: the datagrams of sd_notify(3),
// which are a stable interface of systemd's and need no library of its.

#include <chrono>
#include <string>

#include "base/result.h"

namespace rapporteur {

class ServiceManager {
 public:
  // `address`: the value of $NOTIFY_SOCKET: an absolute path, or "@name" for a name in the abstract
  // namespace. Empty: nobody waits to be told, and telling does nothing.
  explicit ServiceManager(std::string address);

  // Each sends one datagram, and waits only while the queue of the receiver is full. They fail with
  // Fault::kTransient; the daemon's work does not depend on them. Any thread.

  // The daemon works: what waits for it may go on. Also the end of a reload.
  Result<void> ready() const;
  // A reload has begun; ready() has to follow, also where it is refused.
  Result<void> reloading() const;
  // The daemon is about to end and asks not to be killed within this time.
  Result<void> stopping(std::chrono::seconds within) const;

 private:
  Result<void> tell(const std::string& state) const;

  std::string address_;
};

}  // namespace rapporteur
