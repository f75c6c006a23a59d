#include "schedule/runner.h"

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dns/tlsrpt_record.h"
#include "schedule/assembler.h"
#include "schedule/dns_answers.h"

namespace rapporteur {

namespace {

constexpr std::size_t kPage = 200;

// A window whose own rows cannot be read or written is put aside for so long.
constexpr Seconds kBrokenRetry{15 * 60};
// The same for one of which something could not be read or written at the moment, such as a
// temporary file on a full disk.
constexpr Seconds kTroubledRetry{60};

// Lets the settings' questions to the DNS be asked for all windows together. Fails if the store
// does.
Result<void> prepare(const Config& config, Store& store, std::span<const Window> windows,
                     std::span<const DnsAnswer> answers, DnsAnswers& dns) {
  if (!config.settings.asks_dns()) return {};
  std::vector<WindowFacts> facts;
  facts.reserve(windows.size());
  std::vector<Question> questions;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    auto record = read_tlsrpt_answers(answers[i].records);
    if (record.status != RecordStatus::kOk) continue;  // there is nothing to evaluate
    const auto outline = store.outline(windows[i].id);
    if (!outline) continue;  // its run will say so
    facts.push_back(facts_of(config, windows[i], *outline, std::move(record.rua)));
    questions.push_back({.domain = windows[i].domain,
                         .window = &facts.back(),
                         .part = nullptr,
                         .delivery_id = {},
                         .dns = nullptr});
  }
  dns.prepare(config, questions);
  return {};
}

}  // namespace

Result<RunSummary> Runner::run_page(const Config& config, const Signer& signer,
                                    const std::atomic<bool>& stopping) {
  RunSummary summary;
  const auto windows = store_.claim_due(clock_.now(), kPage, std::nullopt);
  if (!windows) return windows.error();
  if (windows->empty()) return summary;
  std::vector<std::string> names;
  names.reserve(windows->size());
  for (const auto& window : *windows) names.push_back(tlsrpt_name(window.domain));
  const auto answers = resolver_.txt(names);
  DnsAnswers dns(resolver_);
  if (auto prepared = prepare(config, store_, *windows, answers, dns); !prepared) {
    return std::move(prepared).error();
  }
  for (std::size_t i = 0; i < windows->size() && !stopping; ++i) {
    const auto pause = store_.pause();
    if (!pause) return pause.error();
    if (held_by(*pause, clock_.now()).everything) break;
    const auto& window = (*windows)[i];
    const auto began = std::chrono::steady_clock::now();
    auto done = run({config, signer, store_, &dns}, window, answers.at(i), summary);
    if (on_window_) on_window_(std::chrono::steady_clock::now() - began);
    if (done) continue;
    // If the store as a whole is away, this fails too, and the next run finds the windows as they
    // are.
    const bool passes = done.error().fault == Fault::kTransient;
    const auto wait = passes ? kTroubledRetry : kBrokenRetry;
    if (auto aside = put_aside(window, done.error().text, wait, summary); !aside) {
      return std::move(aside).error();
    }
  }
  summary.more = windows->size() == kPage;
  return summary;
}

Result<void> Runner::run(const AssemblyContext& context, const Window& window,
                         const DnsAnswer& answer, RunSummary& summary) {
  const auto outline = store_.outline(window.id);
  if (!outline) return outline.error();
  const auto now = clock_.now();
  auto decision = decide(context, window, *outline, answer, now);
  if (!decision) return std::move(decision).error();

  const auto start = format_rfc3339(window.period.start);
  if (decision->kind == Decision::Kind::kAssembled) {
    const auto parts = std::to_string(decision->assembly.parts.size());
    const auto deliveries = std::to_string(decision->assembly.deliveries.size());
    decision->assembly.fence = window.fence;
    const auto written = store_.conclude(std::move(decision->assembly));
    if (!written) return written.error();
    if (!*written) return {};  // held or cancelled meanwhile, or it has taken more counts
    ++summary.assembled;
    log_.info("window-assembled", {{"domain", window.domain},
                                   {"start", start},
                                   {"parts", parts},
                                   {"deliveries", deliveries}});
    return {};
  }
  auto state = WindowState::kSuppressed;
  auto* counter = &summary.suppressed;
  if (decision->kind == Decision::Kind::kBlocked) {
    state = WindowState::kBlocked;
    counter = &summary.blocked;
  } else if (decision->kind == Decision::Kind::kPostponed) {
    state = WindowState::kDue;
    counter = &summary.postponed;
  }
  const auto moved = store_.conclude(
      Postponement{window.id, window.fence, state, decision->reason, decision->retry, now});
  if (!moved) return moved.error();
  if (!*moved) return {};
  ++*counter;
  if (state == WindowState::kBlocked) {
    log_.warning("window-blocked",
                 {{"domain", window.domain}, {"start", start}, {"reason", decision->reason}});
  } else if (state == WindowState::kDue) {
    log_.warning("window-postponed",
                 {{"domain", window.domain}, {"start", start}, {"reason", decision->reason}});
  } else {
    log_.info("window-suppressed",
              {{"domain", window.domain}, {"start", start}, {"reason", decision->reason}});
  }
  return {};
}

// One broken window does not keep those behind it.
Result<void> Runner::put_aside(const Window& window, const std::string& problem, Seconds wait,
                               RunSummary& summary) {
  log_.error("window-failed", {{"domain", window.domain},
                               {"start", format_rfc3339(window.period.start)},
                               {"error", problem}});
  const auto now = clock_.now();
  const auto moved = store_.conclude(Postponement{window.id, window.fence, WindowState::kBlocked,
                                                  "the store: " + problem, now + wait, now});
  if (!moved) return moved.error();
  ++summary.blocked;
  return {};
}

Held held_by(const Pause& pause, Time now) {
  if (pause.until && *pause.until <= now) return {};
  return {.everything = pause.everything,
          .smtp = pause.everything || pause.smtp,
          .https = pause.everything || pause.https};
}

}  // namespace rapporteur
