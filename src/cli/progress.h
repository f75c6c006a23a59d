#pragma once
// How far long work has come: one line on standard error that is written over. Only a terminal gets
// it, unless somebody asks for it elsewhere.

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "cli/cli.h"

namespace rapporteur {

class Progress {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;
  using SteadyNow = std::function<SteadyTime()>;

  enum class Where {
    kTerminal,
    kEverywhere,  // what is no terminal gets a line every ten seconds, and one in the end
  };

  // `what` is worked on, in units such as "bytes". `world` outlives it.
  Progress(const World& world, std::string what, std::string unit, Where where = Where::kTerminal,
           SteadyNow now = std::chrono::steady_clock::now);
  ~Progress();  // wipes the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Before something else is written to the terminal.
  void wipe();

  // `total` 0: not known. `from`: what an earlier run has done of it; absent: what is told first.
  // Writes a few times a second, and nothing in the first half second.
  void tell(std::uint64_t done, std::uint64_t total, std::optional<std::uint64_t> from = {});

 private:
  bool is_time(SteadyTime now) const;
  void write(SteadyTime now);

  const World& world_;
  const std::string what_;
  const std::string unit_;
  const bool at_terminal_;
  const bool told_elsewhere_;
  const SteadyNow now_;
  const SteadyTime began_;
  SteadyTime written_;
  std::uint64_t first_ = 0;
  std::optional<SteadyTime> first_at_;  // absent: nothing was told
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  bool shown_ = false;   // the line stands there
  bool behind_ = false;  // more was told than is written
};

// A log on the same standard error: the line of `progress` is wiped before one of the log is
// written.
class LogBesideProgress final : public Log {
 public:
  LogBesideProgress(Log& log, Progress& progress) : log_(log), progress_(progress) {}
  void write(LogLevel level, std::string_view event,
             std::initializer_list<LogField> fields) override {
    progress_.wipe();
    log_.write(level, event, fields);
  }

 private:
  Log& log_;
  Progress& progress_;
};

// "events.jsonl: 25 %, 6s left, 600,000 bytes a second, 1,200,000 of 4,800,000 bytes". What is
// beyond `first` was done in `elapsed`.
std::string progress_text(std::string_view what, std::string_view unit, std::uint64_t done,
                          std::uint64_t total, std::uint64_t first,
                          std::chrono::nanoseconds elapsed);

}  // namespace rapporteur
