#include "schedule/runner.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "dns/tlsrpt_record.h"

namespace rapporteur {

namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Less room than this is not worth a claim.
constexpr std::size_t kClaim = Runner::kPage / 5;
// While lookups are under way, the store is asked for what has fallen due meanwhile so often.
constexpr milliseconds kClaimAgain{500};

// For how long a call waits for an answer when there is nothing else to do.
constexpr milliseconds kPatience{200};

// What is written together: so many windows, bytes of their parts, and what was made in such a
// time.
constexpr std::size_t kGroup = 500;
constexpr std::size_t kGroupBytes = 4U << 20;
constexpr milliseconds kGroupTime{50};

// So many windows are asked about together.
constexpr std::size_t kDossiers = 100;

// A window whose own rows cannot be read or written is put aside for so long.
constexpr Seconds kBrokenRetry{15 * 60};
// The same for one of which something could not be read or written at the moment, such as a
// temporary file on a full disk.
constexpr Seconds kTroubledRetry{60};

std::size_t bytes_of(const Assembly& assembly) {
  if (assembly.load) return kGroupBytes;  // it is too large to be held as it is
  std::size_t bytes = 0;
  for (const auto& part : assembly.parts) bytes += part.gz.size() + part.mail_body.size();
  return bytes;
}

}  // namespace

Result<RunSummary> Runner::run_page(const Config& config, const Signer& signer,
                                    const std::atomic<bool>& stopping) {
  Turn work{config, signer, stopping, {}};
  if (auto done = turn(work); !done) {
    let_go();
    return std::move(done).error();
  }
  work.summary.more = !waiting_.empty() || !exhausted_;
  return work.summary;
}

Result<void> Runner::turn(Turn& turn) {
  const auto goes_on = may_go_on(turn);
  if (!goes_on) return goes_on.error();
  if (!*goes_on) {
    let_go();
    exhausted_ = true;
    return {};
  }
  if (auto claimed = claim(clock_.now()); !claimed) return claimed;
  if (auto renewed = renew_leases(turn.config.store.lease); !renewed) return renewed;
  auto ready = answered();
  read_dossiers(ready);
  prepare(turn.config, ready);
  for (auto& one : ready) {
    if (group_.empty()) {
      const auto still = may_go_on(turn);
      if (!still) return still.error();
      if (!*still) {
        let_go();
        exhausted_ = true;
        return {};
      }
    }
    if (turn.stopping) break;
    if (auto done = run(turn, one); !done) return done;
  }
  if (auto written = write_group(turn); !written) return written;
  if (turn.stopping) let_go();
  return {};
}

// Further windows that are due, and questions about their records.
Result<void> Runner::claim(Time now) {
  const auto room = kPage - held_.size();
  const auto steady = SteadyClock::now();
  if (room < kClaim) return {};
  if (exhausted_ && !held_.empty() && steady - claimed_ < kClaimAgain) return {};
  claimed_ = steady;
  // From the beginning, those that are held come again.
  const auto limit = after_ ? room : kPage;
  auto windows = store_.claim_due(now, limit, after_);
  if (!windows) return std::move(windows).error();
  exhausted_ = windows->size() < limit;
  if (exhausted_) {
    after_.reset();
  } else {
    after_ = {windows->back().due, windows->back().id};
  }
  if (held_.empty()) {
    renewed_ = steady;
    dns_.reset();
  }
  for (auto& window : *windows) {
    const auto [held, is_new] = held_.try_emplace(window.id, next_lookup_);
    if (!is_new) {
      waiting_.at(held->second).fence = window.fence;  // its lease may be another one by now
      continue;
    }
    if (!lookups_) lookups_ = resolver_.stream();
    lookups_->ask({tlsrpt_name(window.domain), DnsType::kTxt}, next_lookup_);
    waiting_.emplace(next_lookup_++, std::move(window));
  }
  return {};
}

// The windows whose lookups have ended.
std::vector<Runner::Ready> Runner::answered() {
  std::vector<Ready> ready;
  if (waiting_.empty()) return ready;
  for (auto& [ticket, answer] : lookups_->take(kPatience)) {
    const auto found = waiting_.find(ticket);
    if (found == waiting_.end()) continue;
    ready.push_back({std::move(found->second), std::move(answer), std::nullopt});
    waiting_.erase(found);
  }
  // A resolver that has answered nothing for long begins anew with the next stream.
  if (waiting_.empty()) lookups_.reset();
  return ready;
}

// What deciding about these windows asks the store, together. Where that fails, each asks alone,
// and so does a second window of a domain, which numbers its parts on after those of the first.
void Runner::read_dossiers(std::span<Ready> ready) {
  std::unordered_set<std::string_view> domains;
  std::vector<DossierQuestion> questions;
  std::vector<Ready*> asking;
  const auto ask = [&] {
    auto dossiers = store_.dossiers(questions);
    for (std::size_t i = 0; dossiers && i < asking.size(); ++i) {
      asking[i]->dossier = std::move(dossiers->at(i));
    }
    questions.clear();
    asking.clear();
  };
  for (auto& one : ready) {
    if (!domains.insert(one.window.domain).second) continue;
    questions.push_back(question_about(one.window));
    asking.push_back(&one);
    if (questions.size() == kDossiers) ask();
  }
  if (!questions.empty()) ask();
}

// Lets the settings' questions to the DNS be asked for all these windows together.
void Runner::prepare(const Config& config, std::span<Ready> ready) {
  if (!dns_ || dns_windows_ >= kPage) {
    dns_.emplace(resolver_);
    dns_windows_ = 0;
  }
  dns_windows_ += ready.size();
  if (!config.settings.asks_dns()) return;
  std::vector<WindowFacts> facts;
  facts.reserve(ready.size());
  std::vector<Question> questions;
  for (const auto& one : ready) {
    auto record = read_tlsrpt_answers(one.answer.records);
    if (record.status != RecordStatus::kOk) continue;  // there is nothing to evaluate
    if (!one.dossier) continue;
    facts.push_back(facts_of(config, one.window, one.dossier->outline, std::move(record.rua)));
    questions.push_back({.domain = one.window.domain,
                         .window = &facts.back(),
                         .part = nullptr,
                         .delivery_id = {},
                         .dns = nullptr});
  }
  dns_->prepare(config, questions);
}

Result<bool> Runner::may_go_on(const Turn& turn) {
  if (turn.stopping) return false;
  const auto pause = store_.pause();
  if (!pause) return pause.error();
  return !held_by(*pause, clock_.now()).everything;
}

Result<void> Runner::run(Turn& turn, Ready& ready) {
  if (in_group(ready.window.domain)) {
    if (auto written = write_group(turn); !written) return written;
  }
  const auto began = SteadyClock::now();
  if (group_.empty()) group_began_ = began;
  auto conclusion = conclusion_of(turn, ready);
  const auto ended = SteadyClock::now();
  if (!conclusion) {
    // If the store as a whole is away, this fails too, and the next run finds the windows as they
    // are.
    held_.erase(ready.window.id);
    if (on_window_) on_window_(ended - began);
    return put_aside(ready.window, conclusion.error(), turn.summary);
  }
  const auto* const assembly = std::get_if<Assembly>(&*conclusion);
  if (assembly != nullptr) group_bytes_ += bytes_of(*assembly);
  group_.push_back(*std::move(conclusion));
  concluded_.push_back({std::move(ready.window), ended - began});
  if (group_.size() < kGroup && group_bytes_ < kGroupBytes && ended - group_began_ < kGroupTime) {
    return {};
  }
  return write_group(turn);
}

// Reports of the same period take their numbers from what is written.
bool Runner::in_group(const std::string& domain) const {
  return std::ranges::any_of(
      concluded_, [&](const Concluded& concluded) { return concluded.window.domain == domain; });
}

Result<Conclusion> Runner::conclusion_of(const Turn& turn, Ready& ready) {
  const auto& window = ready.window;
  if (!ready.dossier) {
    const auto question = question_about(window);
    auto dossiers = store_.dossiers({&question, 1});
    if (!dossiers) return std::move(dossiers).error();
    ready.dossier = std::move(dossiers->front());
  }
  const auto now = clock_.now();
  auto decision =
      decide({turn.config, turn.signer, store_, &*dns_}, window, *ready.dossier, ready.answer, now);
  if (!decision) return std::move(decision).error();
  if (decision->kind == Decision::Kind::kAssembled) {
    decision->assembly.fence = window.fence;
    return Conclusion(std::move(decision->assembly));
  }
  auto state = WindowState::kSuppressed;
  if (decision->kind == Decision::Kind::kBlocked) state = WindowState::kBlocked;
  if (decision->kind == Decision::Kind::kPostponed) state = WindowState::kDue;
  return Conclusion(Postponement{window.id, window.fence, state, std::move(decision->reason),
                                 decision->retry, now});
}

// Writes what was concluded, in one transaction.
Result<void> Runner::write_group(Turn& turn) {
  if (group_.empty()) return {};
  const auto began = SteadyClock::now();
  const auto written = store_.conclude(std::span<const Conclusion>(group_));
  if (written) {
    for (std::size_t i = 0; i < group_.size(); ++i) {
      // False: held or cancelled meanwhile, or it has taken more counts.
      if (written->at(i)) note(turn.summary, concluded_[i].window, group_[i]);
    }
  } else if (auto alone = write_alone(turn); !alone) {
    return alone;
  }
  const auto share = (SteadyClock::now() - began) / group_.size();
  for (const auto& concluded : concluded_) {
    held_.erase(concluded.window.id);
    if (on_window_) on_window_(concluded.took + share);
  }
  group_.clear();
  concluded_.clear();
  group_bytes_ = 0;
  return renew_leases(turn.config.store.lease);
}

// The group could not be written: whatever it was about one of them stops no other.
Result<void> Runner::write_alone(Turn& turn) {
  for (std::size_t i = 0; i < group_.size(); ++i) {
    const auto& window = concluded_[i].window;
    const auto written = store_.conclude(group_[i]);
    if (!written) {
      // If the store as a whole is away, this fails, too.
      auto aside = put_aside(window, written.error(), turn.summary);
      if (!aside) return aside;
    } else if (*written) {
      note(turn.summary, window, group_[i]);
    }
  }
  return {};
}

// Counts and tells of what was written.
void Runner::note(RunSummary& summary, const Window& window, const Conclusion& conclusion) {
  const auto start = format_rfc3339(window.period.start);
  if (const auto* const assembly = std::get_if<Assembly>(&conclusion)) {
    ++summary.assembled;
    log_.info("window-assembled", {{"domain", window.domain},
                                   {"start", start},
                                   {"parts", std::to_string(assembly->parts.size())},
                                   {"deliveries", std::to_string(assembly->deliveries.size())}});
    return;
  }
  const auto& postponement = std::get<Postponement>(conclusion);
  const auto& reason = postponement.reason;
  if (postponement.to == WindowState::kBlocked) {
    ++summary.blocked;
    log_.warning("window-blocked",
                 {{"domain", window.domain}, {"start", start}, {"reason", reason}});
  } else if (postponement.to == WindowState::kDue) {
    ++summary.postponed;
    log_.warning("window-postponed",
                 {{"domain", window.domain}, {"start", start}, {"reason", reason}});
  } else {
    ++summary.suppressed;
    log_.info("window-suppressed",
              {{"domain", window.domain}, {"start", start}, {"reason", reason}});
  }
}

// One broken window does not keep those behind it.
Result<void> Runner::put_aside(const Window& window, const Error& problem, RunSummary& summary) {
  log_.error("window-failed", {{"domain", window.domain},
                               {"start", format_rfc3339(window.period.start)},
                               {"error", problem.text}});
  const auto now = clock_.now();
  const bool passes = problem.fault == Fault::kTransient || problem.fault == Fault::kUnknown;
  const auto wait = passes ? kTroubledRetry : kBrokenRetry;
  const auto moved = store_.conclude(Postponement{window.id, window.fence, WindowState::kBlocked,
                                                  "the store: " + problem.text, now + wait, now});
  if (!moved) return moved.error();
  ++summary.blocked;
  return {};
}

// Every third of a lease, of all windows that are held.
Result<void> Runner::renew_leases(Seconds lease) {
  const auto now = SteadyClock::now();
  if (held_.empty() || now - renewed_ < lease / 3) return {};
  renewed_ = now;
  std::vector<WindowId> windows;
  windows.reserve(held_.size());
  for (const auto& [window, lookup] : held_) windows.push_back(window);
  return store_.renew_leases(windows, {});
}

// Forgets what is held: it stays due.
void Runner::let_go() {
  lookups_.reset();
  waiting_.clear();
  held_.clear();
  group_.clear();
  concluded_.clear();
  group_bytes_ = 0;
  after_.reset();
  exhausted_ = false;
}

Held held_by(const Pause& pause, Time now) {
  if (pause.until && *pause.until <= now) return {};
  return {.everything = pause.everything,
          .smtp = pause.everything || pause.smtp,
          .https = pause.everything || pause.https};
}

}  // namespace rapporteur
