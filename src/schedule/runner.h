#pragma once
// The run of due windows: takes them from the store in pages, looks up their records, assembles
// them and writes what was decided.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "dkim/signer.h"
#include "dns/resolver.h"
#include "schedule/assembler.h"
#include "schedule/dns_answers.h"
#include "store/store.h"

namespace rapporteur {

struct RunSummary {
  std::size_t assembled = 0;
  std::size_t postponed = 0;
  std::size_t blocked = 0;
  std::size_t suppressed = 0;
  bool more = false;  // more are due, or lookups are under way: run again at once
};

// One thread. Between calls it holds the windows whose records are being looked up, so that names
// whose servers are silent keep no other window waiting; never more than a page of them.
class Runner {
 public:
  // Told of each window how long its run took, lookups apart.
  using OnWindow = std::function<void(std::chrono::nanoseconds took)>;

  static constexpr std::size_t kPage = 1000;  // so many windows are held at most

  // All of them outlive the runner.
  Runner(Store& store, Resolver& resolver, const Clock& clock, Log& log, OnWindow on_window = {})
      : store_(store),
        resolver_(resolver),
        clock_(clock),
        log_(log),
        on_window_(std::move(on_window)) {}

  // Takes due windows while there is room, and runs those whose lookups have ended, under `config`
  // and `signer`. If none has, it waits for a fraction of a second. Fails if the store does;
  // windows already written stay written, the others stay due. Ends early once `stopping` is set or
  // everything is paused. A window whose own rows cannot be read or written is blocked and stops no
  // other.
  Result<RunSummary> run_page(const Config& config, const Signer& signer,
                              const std::atomic<bool>& stopping);

 private:
  // A window that was taken, and what its run has come to so far.
  struct Ready {
    Window window;
    DnsAnswer answer;
    std::optional<Dossier> dossier;
  };
  struct Concluded {
    Window window;
    std::chrono::nanoseconds took;
  };
  // What one call works with.
  struct Turn {
    const Config& config;
    const Signer& signer;
    const std::atomic<bool>& stopping;
    RunSummary summary;
  };

  Result<void> turn(Turn& turn);
  Result<void> claim(Time now);
  std::vector<Ready> answered();
  void read_dossiers(std::span<Ready> ready);
  void prepare(const Config& config, std::span<Ready> ready);
  Result<bool> may_go_on(const Turn& turn);
  Result<void> run(Turn& turn, Ready& ready);
  bool in_group(const std::string& domain) const;
  Result<Conclusion> conclusion_of(const Turn& turn, Ready& ready);
  Result<void> write_group(Turn& turn);
  Result<void> write_alone(Turn& turn);
  void note(RunSummary& summary, const Window& window, const Conclusion& conclusion);
  Result<void> put_aside(const Window& window, const Error& problem, RunSummary& summary);
  Result<void> renew_leases(Seconds lease);
  void let_go();

  Store& store_;
  Resolver& resolver_;
  const Clock& clock_;
  Log& log_;
  const OnWindow on_window_;

  // What is held. Every window of `waiting_`, of a turn's ready ones and of the group is in
  // `held_`.
  std::unordered_map<WindowId, std::size_t> held_;  // with the number of its lookup
  std::unique_ptr<DnsStream> lookups_;
  std::unordered_map<std::size_t, Window> waiting_;  // by the number of their lookup
  std::size_t next_lookup_ = 0;
  std::optional<DnsAnswers> dns_;  // of the settings' questions, for about a page of windows
  std::size_t dns_windows_ = 0;    // that have used it
  std::optional<std::pair<Time, WindowId>> after_;  // where the last full claim ended
  bool exhausted_ = false;                          // the last claim found all that was due
  std::chrono::steady_clock::time_point claimed_;
  std::chrono::steady_clock::time_point renewed_;

  // Conclusions that are to be written together, and their windows.
  std::vector<Conclusion> group_;
  std::vector<Concluded> concluded_;
  std::size_t group_bytes_ = 0;
  std::chrono::steady_clock::time_point group_began_;
};

// Whether `pause` holds back everything, mails or posts at `now`.
struct Held {
  bool everything = false;
  bool smtp = false;
  bool https = false;
};
Held held_by(const Pause& pause, Time now);

}  // namespace rapporteur
