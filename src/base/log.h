#pragma once
// The log: one event a line, a stable event name, then key=value. docs/operations.md lists them.

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace rapporteur {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct LogField {
  std::string_view key;
  std::string value;
};

class Log {
 public:
  virtual ~Log() = default;
  // Any thread. `event` is a constant name such as "delivery-accepted"; values may be anything,
  // they are quoted where needed and never break the line.
  virtual void write(LogLevel level, std::string_view event,
                     std::initializer_list<LogField> fields) = 0;

  void debug(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::kDebug, event, fields);
  }
  void info(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::kInfo, event, fields);
  }
  void warning(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::kWarning, event, fields);
  }
  void error(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::kError, event, fields);
  }
};

enum class LogFormat { kText, kJson };

// Lines on standard error: "2026-11-20T00:00:00Z info event key=value" or one JSON object.
std::unique_ptr<Log> make_stderr_log(LogLevel least, LogFormat format);

// Swallows everything.
std::unique_ptr<Log> make_silent_log();

// One line of either format without its line end, for the log and for its tests.
std::string format_log_line(LogFormat format, std::string_view time, LogLevel level,
                            std::string_view event, std::initializer_list<LogField> fields);

}  // namespace rapporteur
