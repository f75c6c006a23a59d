#pragma once
// A log that keeps its lines, so that a test can demand that the operator is told, or left alone.

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <map>
#include <mutex>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"

namespace rapporteur::testing_support {

struct LoggedLine {
  LogLevel level = LogLevel::kDebug;
  std::string event;
  std::map<std::string, std::string> fields;

  friend bool operator==(const LoggedLine&, const LoggedLine&) = default;
};

// What gtest prints of a line.
inline void PrintTo(const LoggedLine& line, std::ostream* out) {
  constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
  *out << kNames[static_cast<std::size_t>(line.level)] << ' ' << line.event;
  for (const auto& [key, value] : line.fields) *out << ' ' << key << "=\"" << value << '"';
}

// Any thread.
class RecordingLog final : public Log {
 public:
  void write(LogLevel level, std::string_view event,
             std::initializer_list<LogField> fields) override {
    LoggedLine line{level, std::string(event), {}};
    for (const auto& field : fields) line.fields.emplace(field.key, field.value);
    const std::scoped_lock lock(mutex_);
    lines_.push_back(std::move(line));
  }

  std::vector<LoggedLine> lines() const {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }

  std::vector<LoggedLine> lines(std::string_view event) const {
    auto found = lines();
    std::erase_if(found, [event](const LoggedLine& line) { return line.event != event; });
    return found;
  }

  std::size_t count(std::string_view event) const { return lines(event).size(); }

  // Warnings and errors. EXPECT_THAT(log.complaints(), testing::IsEmpty()) says that there are
  // none, and prints those that there are.
  std::vector<LoggedLine> complaints() const {
    auto found = lines();
    std::erase_if(found, [](const LoggedLine& line) { return line.level < LogLevel::kWarning; });
    return found;
  }

  void clear() {
    const std::scoped_lock lock(mutex_);
    lines_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<LoggedLine> lines_;
};

}  // namespace rapporteur::testing_support
