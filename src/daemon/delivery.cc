#include "daemon/delivery.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "base/file.h"
#include "schedule/runner.h"
#include "schedule/transports.h"

namespace rapporteur {

namespace {

// The command line works on the same store: this is how soon the daemon notices.
constexpr std::chrono::milliseconds kPoll{500};

// How often Maildirs are looked at.
constexpr std::chrono::seconds kBouncePoll{5};

// Between two looks at the deliveries.
constexpr std::size_t kMostBouncesAtOnce = 20;

// Files of one folder are made one after the other whoever makes them, and what is made costs a
// sync of the disk each time that it is recorded.
constexpr int kMostForDirectory = 2;
constexpr std::size_t kAheadForDirectory = 200;
constexpr std::chrono::milliseconds kGatherForDirectory{20};

// A stop does not wait long for a store that is locked or away.
constexpr int kLastRecordAttempts = 2;
constexpr std::chrono::milliseconds kLastPatience{1000};

// Notes how attempts over a transport end and how long they take.
void note(TransportMetrics& metrics, Reply::Outcome outcome, std::chrono::nanoseconds took) {
  metrics.duration.observe(took);
  switch (outcome) {
    case Reply::Outcome::kAccepted:
      return metrics.accepted.add();
    case Reply::Outcome::kTemporary:
      return metrics.temporary.add();
    case Reply::Outcome::kPermanent:
      return metrics.permanent.add();
    case Reply::Outcome::kRelayTrouble:
      return metrics.relay_trouble.add();
    case Reply::Outcome::kUncertain:
      return metrics.uncertain.add();
    case Reply::Outcome::kRefusedByGuard:
      return metrics.refused_by_guard.add();
    case Reply::Outcome::kInterrupted:
      return metrics.interrupted.add();
  }
}

class MeasuredMail final : public MailTransport {
 public:
  MeasuredMail(std::unique_ptr<MailTransport> real, TransportMetrics& metrics)
      : real_(std::move(real)), metrics_(metrics) {}

  Reply send(const std::string& envelope_from, const std::string& recipient,
             std::string_view message) override {
    const auto began = std::chrono::steady_clock::now();
    auto reply = real_->send(envelope_from, recipient, message);
    note(metrics_, reply.outcome, std::chrono::steady_clock::now() - began);
    return reply;
  }
  Reply probe() override { return real_->probe(); }

 private:
  const std::unique_ptr<MailTransport> real_;
  TransportMetrics& metrics_;
};

class MeasuredHttps final : public HttpsTransport {
 public:
  MeasuredHttps(std::unique_ptr<HttpsTransport> real, TransportMetrics& metrics)
      : real_(std::move(real)), metrics_(metrics) {}

  Reply post(const std::string& url, std::string_view gz) override {
    const auto began = std::chrono::steady_clock::now();
    auto reply = real_->post(url, gz);
    note(metrics_, reply.outcome, std::chrono::steady_clock::now() - began);
    return reply;
  }

 private:
  const std::unique_ptr<HttpsTransport> real_;
  TransportMetrics& metrics_;
};

CourierOptions measured(CourierOptions options, DaemonMetrics& metrics) {
  options.mail = [make = std::move(options.mail), &metrics](const Interrupt& interrupt) {
    return std::make_unique<MeasuredMail>(make(interrupt), metrics.smtp);
  };
  options.https = [make = std::move(options.https), &metrics](const Interrupt& interrupt) {
    return std::make_unique<MeasuredHttps>(make(interrupt), metrics.https);
  };
  return options;
}

}  // namespace

Result<CourierOptions> courier_options(const Config& config) {
  const auto& delivery = config.delivery;
  auto transports = make_transports(config);
  if (!transports) return std::move(transports).error();
  CourierOptions options;
  options.retry = {.first_retry = delivery.first_retry, .retry_for = delivery.retry_for};
  options.concurrency = delivery.concurrency;
  options.per_destination = delivery.per_destination;
  options.rate = delivery.rate;
  options.suppress_after = delivery.suppress_after;
  options.lease = config.store.lease;
  options.mail = std::move(transports->mail);
  options.https = std::move(transports->https);
  if (delivery.smtp.transport == MailTransportKind::kDirectory) {
    options.concurrency = std::min(options.concurrency, kMostForDirectory);
    options.ahead = kAheadForDirectory;
    options.gather = kGatherForDirectory;
    options.settle = [directory = delivery.smtp.directory] { return sync_file_system(directory); };
  }
  return options;
}

DeliveryLoop::DeliveryLoop(Store& store, Random& random, const Clock& clock, Log& log,
                           const CourierOptions& options, DaemonMetrics& metrics)
    : store_(store),
      clock_(clock),
      log_(log),
      metrics_(metrics),
      courier_(store, clock, random, log, measured(options, metrics)) {}

void DeliveryLoop::follow(const std::shared_ptr<const Config>& config, Health& health) {
  if (config == config_) return;
  config_ = config;
  const auto options = courier_options(*config);
  if (!options) {
    log_.error("delivery-options-refused", {{"error", options.error().text}});
    health.set_problem(Problem::kDeliveryOptions, options.error().text);
    return;
  }
  health.clear_problem(Problem::kDeliveryOptions);
  courier_.set_options(measured(*options, metrics_));
}

void DeliveryLoop::store_answered(Health& health) {
  health.clear_problem(Problem::kStoreDelivery);
  if (std::exchange(store_failing_, false)) log_.info("store-recovered");
}

void DeliveryLoop::store_failed(Health& health, const std::string& why) {
  health.set_problem(Problem::kStoreDelivery, why);
  if (!std::exchange(store_failing_, true)) log_.error("store-failed", {{"error", why}});
}

// Takes up what an earlier run of this node had begun. False: that is to be tried again, and
// nothing new begins, because it could not be told from that.
bool DeliveryLoop::recover(Health& health) {
  if (recovered_) return true;
  const auto reached = store_.reach();
  const auto found = reached ? store_.recover_interrupted(clock_.now()) : reached.error();
  if (!found) {
    const auto fault = found.error().fault;
    store_failed(health, found.error().text);
    recovered_ = reached && fault != Fault::kTransient && fault != Fault::kUnknown;
    return recovered_;
  }
  store_answered(health);
  if (*found > 0) log_.warning("deliveries-uncertain", {{"count", std::to_string(*found)}});
  recovered_ = true;
  return true;
}

// How many attempts were started.
std::size_t DeliveryLoop::step(Health& health) {
  const auto pause = store_.pause();
  const auto held =
      pause ? held_by(*pause, clock_.now()) : Held{.everything = true, .smtp = true, .https = true};
  const auto started = courier_.step(!held.smtp, !held.https);
  tell(health);
  if (pause && started) {
    store_answered(health);
    return *started;
  }
  store_failed(health, pause ? started.error().text : pause.error().text);
  return 0;
}

void DeliveryLoop::tell(Health& health) {
  health.tell(Problem::kRelay, courier_.relay_problem());
  const auto counts = courier_.counts();
  metrics_.deliveries_under_way.set(static_cast<std::int64_t>(counts.under_way));
  metrics_.hosts_down.set(static_cast<std::int64_t>(counts.hosts_down));
}

// Looks at a few messages of each Maildir. Whether more of them wait, so that this is to be done
// again at once.
bool DeliveryLoop::take_bounces(Health& health) {
  const auto& paths = config_->delivery.smtp.bounce_maildirs;
  const auto steady = std::chrono::steady_clock::now();
  const bool poll = !bounces_polled_ || steady - *bounces_polled_ >= kBouncePoll;
  if (poll) bounces_polled_ = steady;
  Suppressor suppressor(store_, log_);
  suppressor.set_suppress_after(config_->delivery.suppress_after);
  bool more = false;
  for (const auto& path : paths) {
    auto& watched = maildirs_.try_emplace(path, Watched{BounceMaildir(path), {}}).first->second;
    if (!poll && !watched.maildir.has_more()) continue;
    const auto round =
        watched.maildir.take(store_, suppressor, log_, kMostBouncesAtOnce, clock_.now());
    if (watched.maildir.has_more()) {
      more = true;
      if (!round.problem) continue;
    }
    const auto problem = round.problem ? round.problem->text : std::string();
    if (problem != watched.problem && !problem.empty()) {
      log_.error("bounces-not-taken", {{"maildir", path}, {"error", problem}});
    }
    watched.problem = problem;
  }
  std::string problems;
  for (const auto& path : paths) {
    const auto watched = maildirs_.find(path);
    if (watched == maildirs_.end() || watched->second.problem.empty()) continue;
    problems += (problems.empty() ? "" : "; ") + path + ": " + watched->second.problem;
  }
  health.tell(Problem::kBounces, problems);
  return more;
}

bool DeliveryLoop::serve(SharedState& shared) {
  config_ = shared.config.get();
  while (!shared.stopping) {
    shared.health.beat(Loop::kDelivery);
    follow(shared.config.get(), shared.health);
    if (!recover(shared.health)) {
      courier_.wait(kPoll);
      continue;
    }
    const auto started = step(shared.health);
    // Behind the step: what it has recorded may have come back meanwhile.
    const bool more_bounces = !shared.stopping && take_bounces(shared.health);
    if (more_bounces || shared.stopping) continue;
    courier_.wait(started == 0 ? kPoll : courier_.gather());
  }
  shared.health.ended(Loop::kDelivery);  // stopGrace may be long
  store_.set_patience(kLastPatience);
  for (int attempt = 0; attempt < kLastRecordAttempts; ++attempt) {
    const auto stopped = courier_.stop(config_->delivery.stop_grace);
    if (stopped) return true;
    log_.error("store-failed", {{"error", stopped.error().text}});
  }
  return false;
}

}  // namespace rapporteur
