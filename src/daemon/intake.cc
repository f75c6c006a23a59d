#include "daemon/intake.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/text.h"

namespace rapporteur {

namespace {

constexpr Seconds kSampleEvery{60};
constexpr std::size_t kSampleBytes = 200;

// A stop does not wait long for a store that is locked or away.
constexpr int kLastFlushAttempts = 3;
constexpr std::chrono::milliseconds kLastPatience{1000};

AggregatorOptions options_of(const Config& config) {
  return {.max_age = config.ingest.max_age,
          .from_file = false,
          .send_old = false,
          .max_details = config.ingest.details_per_policy};
}

}  // namespace

Intake::Intake(Store& store, const Clock& clock, Log& log, std::shared_ptr<const Config> config)
    : store_(store),
      clock_(clock),
      log_(log),
      planner_(config),
      aggregator_(store, planner_, clock, options_of(*config)) {}

void Intake::use(std::shared_ptr<const Config> config) {
  aggregator_.set_options(options_of(*config));
  planner_.set_config(std::move(config));
  aggregator_.forget_windows();
}

// One line a minute and reason, so that a flood of rubbish does not become a flood of lines.
void Intake::sample(std::string_view reason, std::string_view datagram) {
  const auto now = clock_.now();
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

void Intake::take(std::string_view datagram) {
  auto decoded = decoder_.decode(datagram);
  switch (decoded.verdict) {
    case Verdict::kRejected:
      note("rejected." + std::string(decoded.reason));
      sample(decoded.reason, datagram);
      return;
    case Verdict::kIgnored:
      note("ignored." + std::string(decoded.reason));
      return;
    case Verdict::kSession:
      break;
  }
  if (store_failing_ && aggregator_.waiting() >= kMaxWaiting) return note("dropped.store-away");
  count(std::move(decoded.session));
}

void Intake::keep(Session&& session) {
  if (waiting_.size() >= kMaxWaiting) return note("dropped.store-away");
  waiting_.push_back(std::move(session));
}

void Intake::count(Session&& session) {
  const auto guessed = session.recipient_domain_guessed;
  const auto counted = aggregator_.count(std::move(session));
  if (!counted) {
    why_waiting_ = counted.error().text;
    return keep(std::move(session));  // count() leaves it whole when it fails
  }
  if (guessed) note("recipient_domain_guessed");
  switch (*counted) {
    case Counted::kAccepted:
      return note("accepted");
    case Counted::kDuplicate:
      return note("ignored.duplicate");
    case Counted::kOwnReport:
      return note("ignored.own-report");
    case Counted::kNever:
      return note("ignored.never");
    case Counted::kTooOld:
      return note("rejected.too-old");
  }
}

void Intake::say_what_waits() {
  if (waiting_.empty() == !said_waiting_) return;
  said_waiting_ = !waiting_.empty();
  if (said_waiting_) {
    log_.error("sessions-wait",
               {{"count", std::to_string(waiting_.size())}, {"error", why_waiting_}});
  } else {
    log_.info("sessions-wait-no-more");
  }
}

void Intake::flush() {
  for (auto left = waiting_.size(); left > 0; --left) {
    auto session = std::move(waiting_.front());
    waiting_.pop_front();
    count(std::move(session));
    if (waiting_.size() == left) break;  // it came back: the store is still away
  }
  say_what_waits();
  if (settled()) return;
  const auto flushed = aggregator_.flush(std::nullopt, counters_);
  if (!flushed) {
    if (!std::exchange(store_failing_, true)) {
      log_.error("flush-failed", {{"error", flushed.error().text}});
    }
    return;
  }
  counters_.clear();
  if (std::exchange(store_failing_, false)) log_.info("flush-recovered");
}

bool Intake::serve(DatagramSocket& socket, SharedState& shared) {
  using SteadyClock = std::chrono::steady_clock;
  const auto on_datagram = [this](std::string_view datagram) { take(datagram); };
  auto config = shared.config.get();
  auto next_flush = SteadyClock::now();
  while (!shared.stopping) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next_flush - SteadyClock::now());
    const auto timeout = settled() ? std::chrono::milliseconds{1000} : wait;
    const auto received =
        socket.receive(on_datagram, static_cast<int>(std::max<std::int64_t>(timeout.count(), 0)));
    if (!received) {
      log_.error("receive-failed", {{"error", received.error().text}});
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
    } else if (received->truncated > 0) {
      note("rejected.datagram-too-large", received->truncated);
    }
    if (auto latest = shared.config.get(); latest != config) {
      config = std::move(latest);
      use(config);
    }
    if (SteadyClock::now() >= next_flush) {
      flush();
      next_flush = SteadyClock::now() + config->store.flush_every;
    }
  }
  store_.set_patience(kLastPatience);
  if (const auto drained = socket.drain(on_datagram); !drained) {
    log_.error("receive-failed", {{"error", drained.error().text}});
  }
  for (int attempt = 0; attempt < kLastFlushAttempts && !settled(); ++attempt) flush();
  return settled();
}

}  // namespace rapporteur
