#pragma once
// How often each client may ask: a bucket of requests that fills again with time. Pure.

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace rapporteur {

// What counts as one client: an IPv4 address, or the /64 of an IPv6 address, which is what one host
// is commonly given. A text that is no address stays as it is.
std::string client_group(std::string_view address);

// One thread.
class RateLimiter {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  // So many at once, and one more each `interval` afterwards.
  RateLimiter(std::size_t burst, std::chrono::milliseconds interval)
      : burst_(burst), interval_(interval) {}

  // Whether this request of the group is within its rate; if so, it is used up. `now` never goes
  // back.
  bool allow(const std::string& group, Instant now);

  std::size_t groups() const { return full_at_.size(); }

 private:
  void forget_full(Instant now);

  const std::size_t burst_;
  const std::chrono::milliseconds interval_;
  std::map<std::string, Instant> full_at_;  // when the group's bucket is full again
  Instant swept_{};
};

// How many connections each client has. One thread.
class ClientPlaces {
 public:
  // Whether the client has fewer than `most`; 0: there is no limit.
  bool has_place(const std::string& client, std::size_t most) const;
  void take(const std::string& client) { ++taken_[client]; }
  void give_back(const std::string& client);  // what was taken

 private:
  std::map<std::string, std::size_t> taken_;
};

}  // namespace rapporteur
