#pragma once
// How many deliveries each destination gets at a time and a minute, and which https hosts are left
// alone because they do not answer: their deliveries wait behind one probe. Pure bookkeeping; the
// caller says what happens.

#include <cstddef>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "deliver/transport.h"

namespace rapporteur {

struct DestinationLimits {
  int concurrency = 2;  // at least 1
  int rate = 0;         // starts within any 60 seconds; 0: no limit
  // Of one delivery. A host that does not answer is left alone for half of it, then twice that, ….
  Seconds first_retry = std::chrono::minutes(5);
};

class Destinations {
 public:
  // A host that does not answer is probed at least this often.
  static constexpr Seconds kLongestWait = std::chrono::hours(1);

  enum class Answer {
    kGo,    // may start; as the probe if the host is down
    kWait,  // not before something else has ended or a minute has passed
    kDown,  // the host did not answer lately
  };

  void set_limits(const DestinationLimits& limits);

  // `last_chance`: the delivery would fail for good without having been tried, so it may probe a
  // host that is down before the time of its probe.
  Answer ask(const std::string& key, Time now, bool last_chance);
  // How many deliveries to it ask() would be asked about with some use: those beyond would wait.
  std::size_t room(const std::string& key, Time now) const;
  // The keys without any room, sorted.
  std::vector<std::string> full(Time now);

  void started(const std::string& key, Time now);
  // It was started in error, and is not.
  void taken_back(const std::string& key);
  void ended(const std::string& key, const Reply& reply, Time now);

  // Why the host is down; empty: it is not.
  std::string trouble(const std::string& key) const;
  std::size_t hosts_down() const;

 private:
  struct Entry {
    int under_way = 0;
    std::deque<Time> starts;  // within the last minute
    bool fading = false;      // it is among fading_
    // Of a host that is down:
    int failures = 0;  // in a row; 0: it is up
    bool probing = false;
    Time probe_at;
    Seconds wait{0};  // until then, when it was set
    std::string trouble;
  };

  int left_of_rate(const Entry& entry, Time now) const;
  void forget_if_idle(const std::string& key, Time now);
  void forget_idle(Time now);

  DestinationLimits limits_;
  std::map<std::string, Entry> entries_;
  std::set<std::string> crowded_;                    // every key without room is one of these
  std::deque<std::pair<Time, std::string>> fading_;  // when those that are idle may be forgotten
};

}  // namespace rapporteur
