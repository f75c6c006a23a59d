#pragma once
// The intake thread: datagrams become sessions, sessions become counts, counts reach the store
// every [store] flushEvery.

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "aggregate/aggregator.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/shared_state.h"
#include "ingest/datagram_socket.h"
#include "ingest/decoder.h"
#include "schedule/planner.h"
#include "store/store.h"

namespace rapporteur {

class Intake {
 public:
  Intake(Store& store, const Clock& clock, Log& log, std::shared_ptr<const Config> config);

  // Takes one datagram. What cannot be understood is counted and sampled in the log. If the store
  // cannot be asked, or the clock is evidently not set, the session waits in memory, up to
  // kMaxWaiting of them; beyond that, and beyond as many domains and identified sessions that wait
  // for a flush, it is dropped and counted.
  void take(std::string_view datagram);

  // Writes what was counted. On failure all stays in memory, and the log says so once.
  void flush();

  // Follows a new configuration. Windows that were opened keep the frequency that they have.
  void use(std::shared_ptr<const Config> config);

  // Everything taken is on disk.
  bool settled() const { return waiting_.empty() && !aggregator_.pending() && counters_.empty(); }

  // Serves the socket until `shared.stopping`, then drains and flushes. False if the last flush
  // failed.
  bool serve(DatagramSocket& socket, SharedState& shared);

  static constexpr std::size_t kMaxWaiting = 100'000;

 private:
  void count(Session&& session);
  void keep(Session&& session);
  void say_what_waits();
  void note(const std::string& counter, std::uint64_t amount = 1) { counters_[counter] += amount; }
  void sample(std::string_view reason, std::string_view datagram);

  Store& store_;
  const Clock& clock_;
  Log& log_;
  SettingsPlanner planner_;
  Aggregator aggregator_;
  Decoder decoder_;
  std::deque<Session> waiting_;                       // cannot be placed yet
  std::map<std::string, std::uint64_t> counters_;     // since the last flush
  std::map<std::string, Time, std::less<>> sampled_;  // reason to the time of its last sample
  bool store_failing_ = false;
  std::string why_waiting_;
  bool said_waiting_ = false;
};

}  // namespace rapporteur
