#include "daemon/maildir_reception.h"

#include <chrono>
#include <utility>
#include <vector>

#include "dns/caching_resolver.h"
#include "received/rules.h"
#include "schedule/dns_answers.h"

namespace rapporteur {

namespace {

// How often Maildirs are looked at.
constexpr std::chrono::seconds kPoll{5};
constexpr std::size_t kMostListed = 1000;
// Between two looks at whether it is to stop; also what is stored in one transaction.
constexpr std::size_t kBatch = 20;
// Mails whose keys cannot be looked up: so many of a Maildir wait, each for so long at first before
// it is tried again. Strangers decide how many there are, and how long a lookup takes.
constexpr std::size_t kMostUndecided = 20;
constexpr std::chrono::seconds kRest{10};
constexpr Seconds kPruneEvery{600};
constexpr std::size_t kPrunePage = 1000;

}  // namespace

MaildirReception::MaildirReception(Store& store, const Clock& clock, Log& log, OnNews on_news)
    : store_(store), clock_(clock), log_(log), on_news_(std::move(on_news)) {}

void MaildirReception::interrupt() {
  {
    const std::lock_guard lock(resolver_mutex_);
    interrupted_ = true;
    if (resolver_) resolver_->interrupt();
  }
  bell_.ring();
}

// Takes up a new configuration. Without a resolver nothing is taken; it is tried again.
void MaildirReception::follow(std::shared_ptr<const Config> config, SharedState& shared) {
  if (config == config_ && reception_) return;
  config_ = std::move(config);
  reception_.reset();
  if (config_->received.maildir.empty()) return;
  auto made = make_resolver(resolver_options(config_->dns));
  if (!made) {
    shared.health.set_problem(Problem::kReceivedMail, made.error().text);
    return;
  }
  auto resolver = std::make_shared<CachingResolver>(*std::move(made), clock_);
  {
    const std::lock_guard lock(resolver_mutex_);
    resolver_ = resolver;
    if (interrupted_) resolver_->interrupt();
  }
  reception_.emplace(Reception::Needs{.store = store_,
                                      .log = log_,
                                      .resolver = resolver.get(),
                                      .stopping = &shared.stopping,
                                      .store_url = config_->store.url},
                     reception_rules(config_->received));
}

Result<std::vector<MaildirQueue::Verdict>> MaildirReception::take(
    std::span<const MaildirQueue::Item> items) {
  std::vector<Arrival> arrivals;
  for (const auto& item : items) {
    arrivals.push_back({Arrival::Way::kMail, item.message.text, item.path,
                        item.message.state == MaildirMessage::State::kTooLarge});
  }
  const auto batch = reception_->take(arrivals, clock_.now());
  if (!batch) return batch.error();
  std::vector<MaildirQueue::Verdict> verdicts;
  for (const bool undecided : batch->undecided) {
    verdicts.push_back(undecided ? MaildirQueue::Verdict::kStays : MaildirQueue::Verdict::kTaken);
  }
  return verdicts;
}

// Looks at a few messages of a Maildir. Whether more wait at which it was not looked.
bool MaildirReception::look(const std::string& path, SharedState& shared) {
  auto& watched = maildirs_
                      .try_emplace(path, Watched{MaildirQueue(path,
                                                              {.messages = kMostListed,
                                                               .message_bytes = kMostMailBytes,
                                                               .read_bytes = kMostMailBytes},
                                                              kBatch, kRest),
                                                 {}})
                      .first->second;
  const auto resting = watched.queue.resting();
  reception_->let_wait(resting < kMostUndecided ? kMostUndecided - resting : 0);
  const auto round = watched.queue.take(kBatch, [this](auto items) { return take(items); });
  on_news_(reception_->take_news());
  if (watched.queue.has_more() && !round.problem) return !shared.stopping;
  const auto problem = round.problem ? round.problem->text : std::string();
  if (problem != watched.problem && !problem.empty()) {
    log_.error("reports-not-taken", {{"maildir", path}, {"error", problem}});
  }
  watched.problem = problem;
  return false;
}

void MaildirReception::tell_problems(Health& health) {
  std::string problems;
  for (const auto& path : config_->received.maildir) {
    const auto watched = maildirs_.find(path);
    if (watched == maildirs_.end() || watched->second.problem.empty()) continue;
    problems += (problems.empty() ? "" : "; ") + path + ": " + watched->second.problem;
  }
  health.tell(Problem::kReceivedMail, problems);
}

void MaildirReception::prune() {
  const auto now = clock_.now();
  if (pruned_ && *pruned_ <= now && now - *pruned_ < kPruneEvery) return;
  if (!store_.reach()) return;  // it waits until there is something
  const auto removed = store_.prune_received(now - config_->received.keep, kPrunePage);
  if (!removed) log_.error("store-failed", {{"error", removed.error().text}});
  // A full page: the next one at the next turn.
  if (!removed || *removed < kPrunePage) pruned_ = now;
}

void MaildirReception::serve(SharedState& shared) {
  while (!shared.stopping) {
    follow(shared.config.get(), shared);
    bool more = false;
    if (reception_) {
      for (const auto& path : config_->received.maildir) {
        if (!shared.stopping) more = look(path, shared) || more;
      }
      tell_problems(shared.health);
    } else if (config_->received.maildir.empty()) {
      shared.health.clear_problem(Problem::kReceivedMail);
    }
    prune();
    if (!more && !shared.stopping) bell_.wait(kPoll);
  }
}

}  // namespace rapporteur
