#pragma once
// Brings deliveries out of the store to their destinations: takes those that are due, submits them
// on a pool of threads within the limits, judges the replies and records them. docs/design.md,
// "Mail, DKIM, delivery". It assembles and signs nothing: the same bytes go out at every attempt.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "deliver/destinations.h"
#include "deliver/pool.h"
#include "deliver/relay_state.h"
#include "deliver/retry.h"
#include "deliver/suppression.h"
#include "deliver/transport.h"
#include "store/store.h"

namespace rapporteur {

struct CourierOptions {
  RetryPolicy retry;
  int concurrency = 16;
  int per_destination = 2;
  // Under way are so many times as many as there are threads, unless their payloads are large or
  // there is a limit of rate.
  std::size_t ahead = 16;
  // For how long what ends is gathered before wait() returns, up to half of what is under way.
  std::chrono::milliseconds gather{0};
  int rate = 0;  // messages a minute and destination; 0: no limit
  Seconds suppress_after = std::chrono::hours(72);
  Seconds lease{60};  // that the store was opened with
  MailTransportFactory mail;
  HttpsTransportFactory https;
  // Called before deliveries are recorded as accepted: puts on disk what they have written. Absent:
  // whoever accepted them has them.
  std::function<Result<void>()> settle;
};

// How attempts have ended since the start.
struct CourierCounts {
  std::uint64_t accepted = 0;
  std::uint64_t temporary = 0;
  std::uint64_t failed = 0;  // for good
  std::uint64_t uncertain = 0;
  std::uint64_t relay_trouble = 0;
  std::uint64_t refused = 0;  // by the guard; also in `failed`
  std::uint64_t suppressed = 0;
  std::size_t under_way = 0;
  std::size_t hosts_down = 0;
};

// Used by one thread, the one that owns the store, but for what says otherwise. Whatever is handed
// in outlives it.
class Courier {
 public:
  Courier(Store& store, const Clock& clock, Random& random, Log& log,
          const CourierOptions& options);
  // Stops without grace if stop() was not called.
  ~Courier();
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  // Records what has ended, renews the leases of what is under way every third of their time, then
  // starts what is due; mails or posts are left alone as told. Some more are started than there are
  // threads, so that these need not wait for the next step. Returns how many were started. If the
  // store fails, its error: what could not be recorded is kept, tried again with the next step, and
  // not sent again meanwhile.
  Result<std::size_t> step(bool mails, bool posts);

  // Until an attempt ends and others with it as the options say, wake() is called, or the time is
  // up. False: the time was up.
  bool wait(std::chrono::milliseconds patience) {
    return pool_.wait(patience, {gather_, flights_.size() / 2});
  }
  std::chrono::milliseconds gather() const { return gather_; }
  void wake() { pool_.wake(); }  // any thread

  // New limits and transports for what starts from here on.
  void set_options(const CourierOptions& options);

  // Starts nothing more, breaks off what is not handed over, waits up to `grace` for final replies;
  // what is open then is uncertain. Everything is recorded; if the store fails, its error, and
  // stop() may be called again to record the rest.
  Result<void> stop(std::chrono::milliseconds grace);

  // Attempts that have begun and are not recorded.
  std::size_t under_way() const { return flights_.size() + records_.size(); }

  // What is wrong with the relay, on one line; empty: nothing is known to be. Any thread.
  std::string relay_problem() const;
  CourierCounts counts() const;  // any thread

 private:
  struct Flight {
    Delivery delivery;  // without header
    std::string key;    // of its destination
    bool mail = false;
    std::uint64_t ticket = 0;  // mail: of the relay's state
    Time started;
    std::string probe_of;   // a suppression that it tries
    std::size_t bytes = 0;  // of its payload
  };
  // What an attempt's end means for the suppression of its destination.
  struct Lesson {
    std::string delivery;
    std::string destination;
    std::string response;
    std::string probe_of;  // accepted as the probe of this pattern; empty: it failed
  };
  struct Round;

  void apply(const CourierOptions& options);
  void collect();
  void end_flight(Finished finished, Time now);
  void put_back(const Flight& flight, const Reply& reply, Time now);
  void judge(Flight& flight, Reply reply, Time now);
  Result<void> renew_leases();
  AttemptRecord record_of(const Flight& flight, const Reply& reply, Time now);
  void plan_retry(AttemptRecord& record, const Flight& flight, const Reply& reply, Time now);
  void weigh_relay(Flight& flight, Reply& reply, Time now);
  void report(const Flight& flight, const Reply& reply, const AttemptRecord& record);
  void count(const Reply& reply, const AttemptRecord& record);
  Result<void> write_records();
  Result<void> learn();

  Result<std::size_t> hand_over(bool mails, bool posts);
  std::size_t room() const;
  Result<std::vector<Store::Submission>> look_for(Round& round);
  Result<void> place_all(std::vector<Store::Submission>& due, Round& round);
  Result<void> place(Store::Submission& submission, bool listed, Round& round);
  void suppress(const Delivery& delivery, const std::string& why, Round& round);
  void charge(const Delivery& delivery, const std::string& key, Round& round);
  bool is_last_attempt(const Delivery& delivery, Time now) const;
  void choose(Store::Submission& submission, const std::string& key, const std::string& probe_of,
              Round& round);
  Result<std::size_t> start(Round& round);
  void take_back(const Round& round);
  void take_back(const Flight& flight);
  std::vector<std::string> ids_under_way() const;
  void publish();

  Store& store_;
  const Clock& clock_;
  Random& random_;
  Log& log_;
  RetryPolicy retry_;
  int concurrency_ = 1;
  std::function<Result<void>()> settle_;
  int per_destination_ = 1;
  std::size_t ahead_ = 1;  // under way for each thread
  std::chrono::milliseconds gather_{0};
  Seconds lease_{60};
  Time leases_renewed_;
  std::size_t bytes_under_way_ = 0;
  bool relay_worsened_ = false;
  bool stopped_ = false;

  std::map<std::string, Flight> flights_;  // by delivery id: handed to the pool
  std::vector<AttemptRecord> records_;     // ended, not yet in the store
  std::vector<std::string> doubtful_;      // failures for which nobody is to be blamed
  std::deque<std::string> misjudged_;      // to be tried again: their refusal was the relay's
  std::deque<Lesson> lessons_;             // of what is in the store, to be learned
  Destinations destinations_;
  RelayState relay_;
  std::optional<Time> https_answered_;  // when any HTTPS host did last
  Suppressor suppressor_;

  mutable std::mutex published_mutex_;
  std::string relay_problem_;  // under the lock
  CourierCounts counts_;       // under the lock

  Pool pool_;  // last: it ends first
};

}  // namespace rapporteur
