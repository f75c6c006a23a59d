#include "daemon/delivery.h"

#include <chrono>
#include <string>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "deliver/curl_https.h"
#include "deliver/curl_smtp.h"
#include "deliver/directory.h"
#include "deliver/guard.h"
#include "deliver/sendmail.h"
#include "schedule/runner.h"

namespace rapporteur {

namespace {

// The command line works on the same store: this is how soon the daemon notices.
constexpr std::chrono::milliseconds kPoll{500};

// How often Maildirs are looked at.
constexpr std::chrono::seconds kBouncePoll{5};

// Between two looks at the deliveries.
constexpr std::size_t kMostBouncesAtOnce = 20;

// A stop does not wait long for a store that is locked or away.
constexpr int kLastRecordAttempts = 2;
constexpr std::chrono::milliseconds kLastPatience{1000};

SmtpOptions::Tls tls_of(RelayTls tls) {
  switch (tls) {
    case RelayTls::kNone:
      return SmtpOptions::Tls::kNone;
    case RelayTls::kOpportunistic:
      return SmtpOptions::Tls::kOpportunistic;
    case RelayTls::kRequired:
      return SmtpOptions::Tls::kRequired;
  }
  return SmtpOptions::Tls::kRequired;
}

Result<MailTransportFactory> mail_factory(const Config& config) {
  const auto& smtp = config.delivery.smtp;
  if (smtp.transport == MailTransportKind::kDirectory) {
    return MailTransportFactory([directory = smtp.directory](const Interrupt&) {
      return make_directory_transport(directory);
    });
  }
  if (smtp.transport == MailTransportKind::kSendmail) {
    const SendmailOptions options{.command = smtp.command, .timeout = smtp.final_timeout};
    return MailTransportFactory([options](const Interrupt& interrupt) {
      return make_sendmail_transport(options, interrupt);
    });
  }
  SmtpOptions options{.url = smtp.url,
                      .tls = tls_of(smtp.tls),
                      .ca_file = smtp.ca_file,
                      .username = smtp.username,
                      .password = {},
                      .ehlo_name = config.hostname,
                      .connect_timeout = smtp.connect_timeout,
                      .reply_timeout = smtp.reply_timeout,
                      .final_timeout = smtp.final_timeout};
  if (!smtp.password_file.empty()) {
    const auto password = read_file(smtp.password_file);
    if (!password) return Error{Fault::kConfig, password.error().text};
    options.password = trim(*password);
  }
  return MailTransportFactory([options = std::move(options)](const Interrupt& interrupt) {
    return make_smtp_transport(options, interrupt);
  });
}

}  // namespace

Result<CourierOptions> courier_options(const Config& config) {
  const auto& delivery = config.delivery;
  auto mail = mail_factory(config);
  if (!mail) return std::move(mail).error();
  auto exceptions = parse_guard_exceptions(delivery.https.allow);
  if (!exceptions) return std::move(exceptions).error();
  const HttpsOptions https{.verify = delivery.https.verify,
                           .ca_file = delivery.https.ca_file,
                           .timeout = delivery.https.timeout,
                           .proxy = delivery.https.proxy,
                           .exceptions = *std::move(exceptions)};
  return CourierOptions{
      .retry = {.first_retry = delivery.first_retry, .retry_for = delivery.retry_for},
      .concurrency = delivery.concurrency,
      .per_destination = delivery.per_destination,
      .rate = delivery.rate,
      .suppress_after = delivery.suppress_after,
      .mail = *std::move(mail),
      .https = [https](const Interrupt& interrupt) {
        return make_https_transport(https, interrupt);
      }};
}

DeliveryLoop::DeliveryLoop(Store& store, Random& random, const Clock& clock, Log& log,
                           const CourierOptions& options)
    : store_(store), clock_(clock), log_(log), courier_(store, clock, random, log, options) {}

void DeliveryLoop::follow(const std::shared_ptr<const Config>& config) {
  if (config == config_) return;
  config_ = config;
  const auto options = courier_options(*config);
  if (!options) {
    log_.error("delivery-options-refused", {{"error", options.error().text}});
    return;
  }
  courier_.set_options(*options);
}

// How many attempts were started.
std::size_t DeliveryLoop::step() {
  const auto pause = store_.pause();
  const auto held =
      pause ? held_by(*pause, clock_.now()) : Held{.everything = true, .smtp = true, .https = true};
  const auto started = courier_.step(!held.smtp, !held.https);
  if (pause && started) {
    if (std::exchange(store_failing_, false)) log_.info("store-recovered");
    return *started;
  }
  if (!std::exchange(store_failing_, true)) {
    log_.error("store-failed", {{"error", pause ? started.error().text : pause.error().text}});
  }
  return 0;
}

// Looks at a few messages of each Maildir. Whether more of them wait, so that this is to be done
// again at once.
bool DeliveryLoop::take_bounces() {
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
  return more;
}

bool DeliveryLoop::serve(SharedState& shared) {
  config_ = shared.config.get();
  const auto recovered = store_.recover_interrupted(clock_.now());
  if (!recovered) {
    log_.error("store-failed", {{"error", recovered.error().text}});
  } else if (*recovered > 0) {
    log_.warning("deliveries-uncertain", {{"count", std::to_string(*recovered)}});
  }
  while (!shared.stopping) {
    follow(shared.config.get());
    const auto started = step();
    // Behind the step: what it has recorded may have come back meanwhile.
    const bool more_bounces = !shared.stopping && take_bounces();
    if (started == 0 && !more_bounces && !shared.stopping) courier_.wait(kPoll);
  }
  store_.set_patience(kLastPatience);
  for (int attempt = 0; attempt < kLastRecordAttempts; ++attempt) {
    const auto stopped = courier_.stop(config_->delivery.stop_grace);
    if (stopped) return true;
    log_.error("store-failed", {{"error", stopped.error().text}});
  }
  return false;
}

}  // namespace rapporteur
