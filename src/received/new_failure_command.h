#pragma once
// [received] onNewFailure: a command that is run for reports with failures that are new. No shell
// is involved, and nothing of the report is among its arguments.

#include <atomic>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/time.h"

namespace rapporteur {

// A report with new failures, for the command.
struct ReportNews {
  std::string id;
  std::string json_gz;
};

// One thread.
class NewFailureCommand {
 public:
  // Strangers can bring news as often as they like: so often at once, then one a minute.
  static constexpr int kMostAtOnce = 60;

  // `stopping`, if it is not null, outlives this: a command that runs is ended when it is true.
  NewFailureCommand(Log& log, const std::atomic<bool>* stopping) : log_(log), stopping_(stopping) {}

  // Runs the program with the report's JSON on its standard input, a minute at the most; unless it
  // was run too often, which is logged, as is a program that fails.
  void run(const std::vector<std::string>& words, const ReportNews& news, Time now);

 private:
  bool is_due(Time now);

  Log& log_;
  const std::atomic<bool>* const stopping_;
  int left_ = kMostAtOnce;
  Time refilled_;
};

}  // namespace rapporteur
