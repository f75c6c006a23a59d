#pragma once
// The intake thread: datagrams become sessions, sessions are counted in memory, and every [store]
// flushEvery the counts go to the recording thread.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/recording.h"
#include "daemon/shared_state.h"
#include "ingest/datagram_socket.h"
#include "ingest/line_counter.h"

namespace rapporteur {

class Intake {
 public:
  Intake(Recording& recording, const Clock& clock, Log& log, const Config& config);

  // Takes one datagram. What cannot be understood is counted and sampled in the log. Never waits
  // for the disk. While the store is away counts stay in memory: what has been seen before takes
  // none, what is new is dropped and counted beyond kMaxBytes.
  void take(std::string_view datagram) { take(datagram, clock_.now()); }

  // Hands over what was counted, unless the recording thread has not yet stored what it was given
  // before and has no file for it: then it is false, and all stays as it is.
  bool hand_over();

  // Everything that was taken was handed over.
  bool empty() { return counter_.tally().empty(); }

  // Follows a new configuration.
  void use(const Config& config);

  // Serves the socket until `shared.stopping`, then drains it and hands everything over.
  void serve(DatagramSocket& socket, SharedState& shared);

  static constexpr std::size_t kMaxBytes = std::size_t{512} << 20;

 private:
  void take(std::string_view datagram, Time now);
  void sample(std::string_view reason, std::string_view datagram, Time now);
  bool check(const Result<DatagramSocket::Received>& received, Health& health);
  void tell_of_drops(SharedState& shared);

  Recording& recording_;
  const Clock& clock_;
  Log& log_;
  LineCounter counter_;
  std::map<std::string, Time, std::less<>> sampled_;  // reason to the time of its last sample
  bool failing_ = false;                              // the socket did the last time
};

}  // namespace rapporteur
