#include "daemon/intake.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/text.h"

namespace rapporteur {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr Seconds kSampleEvery{60};
constexpr std::size_t kSampleBytes = 200;

// When it is tried again to hand over, while what was handed over before is being stored.
constexpr std::chrono::milliseconds kHandOverAgain{20};

// How long a quiet socket is waited for.
constexpr std::chrono::milliseconds kQuiet{1000};

IntakeRules rules_of(const Config& config) {
  return {.max_age = config.ingest.max_age, .from_file = false};
}

// A sender that does not wait loses what does not fit into the kernel's short queue while another
// thread has the processor. Where it is allowed (LimitRTPRIO), this thread goes first; it sleeps
// whenever the queue is empty, and the kernel keeps a share for the others (sched(7)).
void go_first() {
  sched_param parameters{};
  parameters.sched_priority = 1;
  pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters);
}

}  // namespace

Intake::Intake(Recording& recording, const Clock& clock, Log& log, const Config& config)
    : recording_(recording),
      clock_(clock),
      log_(log),
      counter_({.source = "datagram", .rules = rules_of(config), .max_bytes = kMaxBytes}) {}

void Intake::use(const Config& config) {
  counter_.set_rules(rules_of(config));
}

// One line a minute and reason, so that a flood of rubbish does not become a flood of lines.
void Intake::sample(std::string_view reason, std::string_view datagram, Time now) {
  const auto last = sampled_.find(reason);
  // Ahead of now: the clock was set back.
  const bool known = last != sampled_.end() && last->second <= now;
  if (known && now - last->second < kSampleEvery) return;
  sampled_[std::string(reason)] = now;
  log_.warning("session-rejected",
               {{"source", "datagram"},
                {"reason", std::string(reason)},
                {"sample", truncate_utf8(to_valid_utf8(datagram.substr(0, 2 * kSampleBytes)),
                                         kSampleBytes)}});
}

void Intake::take(std::string_view datagram, Time now) {
  const auto taken = counter_.take(datagram, now);
  if (taken.verdict == Verdict::kRejected) sample(taken.reason, datagram, now);
}

bool Intake::hand_over() {
  if (!recording_.ready_for(counter_.tally())) return false;
  if (!counter_.tally().empty()) recording_.submit(counter_.hand_over());
  return true;
}

bool Intake::check(const Result<DatagramSocket::Received>& received, Health& health) {
  if (!received) {
    log_.error("receive-failed", {{"error", received.error().text}});
    health.set_problem(Problem::kListener, received.error().text);
    return false;
  }
  if (std::exchange(failing_, false)) health.clear_problem(Problem::kListener);
  if (received->truncated > 0) {
    counter_.tally().note("rejected.datagram-too-large", received->truncated);
  }
  return true;
}

// Once for each hand-over: whether sessions are dropped because memory is full.
void Intake::tell_of_drops(SharedState& shared) {
  const bool full = counter_.tally().bytes() > kMaxBytes;
  shared.health.tell(Problem::kIntakeFull,
                     full ? "sessions that say something new are dropped: memory is full" : "");
}

void Intake::serve(DatagramSocket& socket, SharedState& shared) {
  go_first();
  LoopWatch watch(shared.health, Loop::kIntake);
  Time now = clock_.now();
  bool first = true;  // of a batch: one look at the clock is enough for it
  const auto on_datagram = [&](std::string_view datagram) {
    if (std::exchange(first, false)) now = clock_.now();
    take(datagram, now);
  };
  auto config = shared.config.get();
  auto next = SteadyClock::now();
  while (!shared.stopping) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - SteadyClock::now());
    const auto timeout = empty() ? kQuiet : std::clamp(wait, std::chrono::milliseconds{0}, kQuiet);
    first = true;
    const auto received = socket.receive(on_datagram, static_cast<int>(timeout.count()));
    watch.beat();
    if (!check(received, shared.health)) {
      failing_ = true;
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    if (auto latest = shared.config.get(); latest != config) {
      config = std::move(latest);
      use(*config);
    }
    if (SteadyClock::now() >= next) {
      tell_of_drops(shared);
      const std::chrono::milliseconds pause =
          hand_over() ? config->store.flush_every : kHandOverAgain;
      next = SteadyClock::now() + pause;
    }
  }
  first = true;
  socket.shut();
  check(socket.drain(on_datagram), shared.health);
  if (!empty()) recording_.submit(counter_.hand_over());
}

}  // namespace rapporteur
