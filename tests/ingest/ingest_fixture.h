#pragma once
// What the tests of files and of foreign databases stand on: a folder, a store in memory, and
// windows of a day.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "aggregate/recorder.h"
#include "ingest/file_ingest.h"
#include "store/open.h"
#include "support/fake_clock.h"
#include "support/fixed_random.h"
#include "support/recording_log.h"

namespace rapporteur::testing_support {

// Days, due one minute after their end.
class DayPlanner final : public WindowPlanner {
 public:
  WindowPlan plan(const std::string&, Time time, std::span<const Period>, Time) override {
    const Time day = std::chrono::floor<std::chrono::days>(time);
    WindowPlan plan;
    plan.period = {day, day + std::chrono::days{1}};
    plan.due = plan.period.end + Seconds{60};
    return plan;
  }
  Time supplement_due(const std::string&, Period, Time now) override {
    return now + std::chrono::hours{1};
  }
};

class IngestFixture : public testing::Test {
 protected:
  ~IngestFixture() override { std::filesystem::remove_all(folder); }

  std::string file(const std::string& name, const std::string& content) {
    const auto path = folder / name;
    std::ofstream(path) << content;
    return path.string();
  }

  std::filesystem::path folder = [] {
    std::string name = (std::filesystem::temp_directory_path() / "ingest-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    return std::filesystem::path(name);
  }();
  FakeClock clock;  // 2026-11-20T12:00:00Z
  FixedRandom random;
  RecordingLog log;
  std::unique_ptr<Store> store = std::move(*open_store("sqlite::memory:", random));
  DayPlanner planner;
  Recorder recorder{*store, planner, clock, {.from_file = true}};
  FileIngestOptions options;
};

}  // namespace rapporteur::testing_support
