#pragma once
// One line of the log a minute for what strangers can cause as often as they like.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"

namespace rapporteur {

// Any thread.
class LogSampler {
 public:
  LogSampler(Log& log, const Clock& clock) : log_(log), clock_(clock) {}

  // Writes a warning unless one of the same event and `kind` was written in the last minute. Kinds
  // are few and constant; of more than kMostKinds the others are one.
  void warning(std::string_view event, std::string_view kind,
               std::initializer_list<LogField> fields);

  static constexpr Seconds kEvery{60};
  static constexpr std::size_t kMostKinds = 200;

 private:
  // Whether it is time for a line of this kind.
  bool due(std::string_view event, std::string_view kind);

  Log& log_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Time, std::less<>> last_;  // under the lock
};

}  // namespace rapporteur
