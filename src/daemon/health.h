#pragma once
// Whether the daemon lives and is ready: heartbeats of its threads, and what is wrong at the
// moment. docs/operations.md, "Metrics and health", says what each means.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rapporteur {

// Threads that go round in a loop.
enum class Loop : std::uint8_t { kIntake, kRecording, kSchedule, kDelivery };
inline constexpr std::size_t kLoopCount = 4;
std::string_view to_string(Loop loop);

// What can be wrong. Each has one thread that sets and clears it.
enum class Problem : std::uint8_t {
  // Sessions cannot be taken safely: not ready.
  kStopping,       // the daemon is about to end
  kStoreRead,      // the store cannot be read
  kFlush,          // intake: the last flush failed; counts wait in memory
  kIntakeFull,     // intake: sessions are being dropped
  kListener,       // intake: the socket fails
  kStoreSchedule,  // schedule: the store failed the last time
  kStoreDelivery,  // delivery: the store failed the last time
  // The daemon takes sessions; somebody should look: remarks.
  kResolver,         // schedule: there is no resolver; nothing is assembled
  kRelay,            // delivery: the mail relay is in trouble
  kDeliveryOptions,  // delivery: [delivery] of the new configuration cannot be used
  kBounces,          // delivery: a Maildir cannot be read
  kReceived,         // posts of reports: the store failed the last time
  kReceivedMail,     // mails with reports: a Maildir or the store failed, or there is no resolver
  kConfiguration,    // main: the last reload was refused
  kDisk,             // little room on the store's disk
  kSpill,            // recording: counts can be spilled no more, or not recorded after that
  kPaused,           // the administrator's word
};
inline constexpr std::size_t kProblemCount = 17;
std::string_view to_string(Problem problem);  // "relay"
bool keeps_from_ready(Problem problem);

// An answer to /healthz or /readyz.
struct HealthAnswer {
  bool good = false;  // 200, else 503
  std::string text;   // for people: "ok" or "not …", then one line for each problem
  std::string json;   // {"ready": true, "problems": […]}
};

// Any thread. Instants are of the steady clock, which nobody sets.
class Health {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  // A loop is judged from started() to ended(). beat() costs a reading of the clock and a store.
  void started(Loop loop, Instant now = std::chrono::steady_clock::now());
  void beat(Loop loop, Instant now = std::chrono::steady_clock::now());
  void ended(Loop loop);

  // `text` is for the administrator, on one line. A problem that is there already keeps the time
  // since when it is.
  void set_problem(Problem problem, std::string text,
                   Instant now = std::chrono::steady_clock::now());
  void clear_problem(Problem problem);
  // The one or the other: an empty text is no problem.
  void tell(Problem problem, std::string text, Instant now = std::chrono::steady_clock::now());

  struct Trouble {
    Problem problem;
    std::string text;
    Instant since;
  };
  std::vector<Trouble> problems() const;  // in the order of Problem

  // Loops that have not beaten for longer than their limit, with how long.
  std::vector<std::pair<Loop, std::chrono::seconds>> stuck(Instant now) const;

  HealthAnswer alive(Instant now = std::chrono::steady_clock::now()) const;
  HealthAnswer ready(Instant now = std::chrono::steady_clock::now()) const;

 private:
  struct Entry {
    std::string text;
    Instant since;
  };

  std::array<std::atomic<Instant::rep>, kLoopCount> beats_{};  // 0: not running
  mutable std::mutex mutex_;
  std::array<std::optional<Entry>, kProblemCount> problems_;  // under the lock
};

// Ends the watch over a loop with the scope of its function.
class LoopWatch {
 public:
  LoopWatch(Health& health, Loop loop) : health_(health), loop_(loop) { health_.started(loop); }
  ~LoopWatch() { health_.ended(loop_); }
  LoopWatch(const LoopWatch&) = delete;
  LoopWatch& operator=(const LoopWatch&) = delete;

  void beat() { health_.beat(loop_); }

 private:
  Health& health_;
  const Loop loop_;
};

}  // namespace rapporteur
