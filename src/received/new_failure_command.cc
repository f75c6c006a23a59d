#include "received/new_failure_command.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "base/child_process.h"
#include "base/text.h"
#include "received/report_reader.h"
#include "report/gzip.h"

namespace rapporteur {

namespace {

constexpr std::chrono::seconds kMostTime{60};

}  // namespace

bool NewFailureCommand::is_due(Time now) {
  const auto minutes = std::chrono::floor<std::chrono::minutes>(now - refilled_).count();
  if (minutes > 0 || now < refilled_) {
    left_ = static_cast<int>(
        std::clamp<std::int64_t>(left_ + std::max<std::int64_t>(minutes, 0), 0, kMostAtOnce));
    refilled_ = now;
  }
  if (left_ == 0) return false;
  --left_;
  return true;
}

void NewFailureCommand::run(const std::vector<std::string>& words, const ReportNews& news,
                            Time now) {
  const auto fail = [&](std::string_view why) {
    log_.error("new-failure-command-failed",
               {{"command", words.front()}, {"report", news.id}, {"error", std::string(why)}});
  };
  const auto stopping = [this] { return stopping_ != nullptr && *stopping_; };
  if (stopping()) return fail("not begun because of a stop");
  if (!is_due(now)) {
    return log_.warning("new-failure-command-held-back", {{"report", news.id}});
  }
  const auto json = gunzip(news.json_gz, ReadLimits().json_bytes);
  if (!json) return fail(json.error().text);
  ChildProcess child;
  if (const auto started = child.start(words); !started) return fail(started.error().text);
  std::string_view input = *json;
  const auto deadline = std::chrono::steady_clock::now() + kMostTime;
  while (child.turn(input)) {
    if (stopping()) return fail("broken off by a stop");
    if (std::chrono::steady_clock::now() > deadline) {
      return fail("not finished within " + format_duration(kMostTime));
    }
  }
  // A command may well not read the report.
  if (child.succeeded()) return;
  auto said = std::string(trim(child.errors()));
  std::ranges::replace(said, '\n', ' ');
  fail(child.status_text() + (said.empty() ? "" : ": " + said));
}

}  // namespace rapporteur
