#pragma once
// The run of due windows: takes them from the store in pages, looks up their records, assembles
// them and writes what was decided.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "dkim/signer.h"
#include "dns/resolver.h"
#include "schedule/assembler.h"
#include "store/store.h"

namespace rapporteur {

struct RunSummary {
  std::size_t assembled = 0;
  std::size_t postponed = 0;
  std::size_t blocked = 0;
  std::size_t suppressed = 0;
  bool more = false;  // the page was full: run again at once
};

// One thread.
class Runner {
 public:
  // Told after each window of a page how long its run took, lookups apart.
  using OnWindow = std::function<void(std::chrono::nanoseconds took)>;

  Runner(Store& store, Resolver& resolver, const Clock& clock, Log& log, OnWindow on_window = {})
      : store_(store),
        resolver_(resolver),
        clock_(clock),
        log_(log),
        on_window_(std::move(on_window)) {}

  // Runs one page of due windows under `config` and `signer`. Fails if the store does; windows
  // already written stay written, the others stay due. Ends early once `stopping` is set or
  // everything is paused. A window whose own rows cannot be read or written is blocked and stops no
  // other.
  Result<RunSummary> run_page(const Config& config, const Signer& signer,
                              const std::atomic<bool>& stopping);

 private:
  Result<void> run(const AssemblyContext& context, const Window& window, const DnsAnswer& answer,
                   RunSummary& summary);

  Result<void> put_aside(const Window& window, const std::string& problem, Seconds wait,
                         RunSummary& summary);

  Store& store_;
  Resolver& resolver_;
  const Clock& clock_;
  Log& log_;
  const OnWindow on_window_;
};

// Whether `pause` holds back everything, mails or posts at `now`.
struct Held {
  bool everything = false;
  bool smtp = false;
  bool https = false;
};
Held held_by(const Pause& pause, Time now);

}  // namespace rapporteur
