#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>

#include "base/clock.h"
#include "base/text.h"

namespace rapporteur {

namespace {

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : to_valid_utf8(text)) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\r') {
      result += "\\r";
    } else if (c == '\t') {
      result += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned char>(c));
      result += escape.data();
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string bare_or_quoted(std::string_view text) {
  const bool bare = !text.empty() && text.find_first_of(" \"=\\") == text.npos &&
                    is_valid_utf8(text) && without_controls(text) == text;
  return bare ? std::string(text) : quoted(text);
}

class StderrLog final : public Log {
 public:
  StderrLog(LogLevel least, LogFormat format)
      : least_(least), format_(format), sink_(std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    sink_->set_pattern("%v");
  }

  void write(LogLevel level, std::string_view event,
             std::initializer_list<LogField> fields) override {
    if (level < least_) return;
    const auto line =
        format_log_line(format_, format_rfc3339(SystemClock{}.now()), level, event, fields);
    sink_->log(spdlog::details::log_msg(spdlog::string_view_t{}, spdlog::level::info, line));
    sink_->flush();
  }

 private:
  const LogLevel least_;
  const LogFormat format_;
  const std::shared_ptr<spdlog::sinks::stderr_sink_mt> sink_;
};

class SilentLog final : public Log {
 public:
  void write(LogLevel, std::string_view, std::initializer_list<LogField>) override {}
};

}  // namespace

std::string format_log_line(LogFormat format, std::string_view time, LogLevel level,
                            std::string_view event, std::initializer_list<LogField> fields) {
  std::string line;
  if (format == LogFormat::kText) {
    line.append(time).append(" ").append(name_of(level)).append(" ").append(event);
    for (const auto& [key, value] : fields) {
      line.append(" ").append(key).append("=").append(bare_or_quoted(value));
    }
    return line;
  }
  line = "{\"time\":" + quoted(time) + ",\"level\":" + quoted(name_of(level)) +
         ",\"event\":" + quoted(event);
  for (const auto& [key, value] : fields) line += "," + quoted(key) + ":" + quoted(value);
  return line + "}";
}

std::unique_ptr<Log> make_stderr_log(LogLevel least, LogFormat format) {
  return std::make_unique<StderrLog>(least, format);
}

std::unique_ptr<Log> make_silent_log() {
  return std::make_unique<SilentLog>();
}

}  // namespace rapporteur
