#pragma once
// How far long work has come: one line on standard error that is written over. Only a terminal gets
// it.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/cli.h"

namespace rapporteur {

class Progress {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;
  using SteadyNow = std::function<SteadyTime()>;

  // `what` is worked on, in units such as "bytes". `world` outlives it.
  Progress(const World& world, std::string what, std::string unit,
           SteadyNow now = std::chrono::steady_clock::now);
  ~Progress();  // wipes the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Before something else is written to the terminal.
  void wipe();

  // `total` 0: not known. Writes a few times a second, and nothing in the first half second.
  void tell(std::uint64_t done, std::uint64_t total);

 private:
  const World& world_;
  const std::string what_;
  const std::string unit_;
  const SteadyNow now_;
  const SteadyTime began_;
  SteadyTime written_;
  // What was told first: an earlier run may have done some of it.
  std::uint64_t first_ = 0;
  std::optional<SteadyTime> first_at_;
  bool shown_ = false;
};

// "events.jsonl: 25 %, 6s left, 600,000 bytes a second, 1,200,000 of 4,800,000 bytes". What is
// beyond `first` was done in `elapsed`.
std::string progress_text(std::string_view what, std::string_view unit, std::uint64_t done,
                          std::uint64_t total, std::uint64_t first,
                          std::chrono::nanoseconds elapsed);

}  // namespace rapporteur
