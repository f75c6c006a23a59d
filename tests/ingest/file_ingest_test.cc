#include "ingest/file_ingest.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "faults/breakable_store.h"
#include "ingest/ingest_fixture.h"

namespace rapporteur {
namespace {

using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class FileIngestTest : public testing_support::IngestFixture {
 protected:
  static std::string line(int number) {
    return R"({"epoch":1795176000,"recipient-domain":"a.example","policies":[{"policy":)"
           R"({"policy-type":"no-policy-found","policy-domain":"a.example"},"type":1}],"x":)" +
           std::to_string(number) + "}\n";
  }

  Result<FileIngestResult> ingest(const std::string& path, const IngestProgress& progress = {}) {
    return ingest_file(path, options, recorder, *store, clock, log, progress);
  }

  std::uint64_t stored() {
    const auto windows = store->windows({.domain = "a.example"});
    return windows->empty() ? 0 : windows->front().successful;
  }
};

TEST_F(FileIngestTest, OneBadLineStopsNothingAndIsCountedByReason) {
  const auto result = ingest(file("x", line(1) + "garbage\n\n" + line(2)));
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ(result->counts.accepted, 2U);
  EXPECT_THAT(result->counts.by_reason, UnorderedElementsAre(Pair("not-json", 1)));
  EXPECT_EQ(stored(), 2U);
  EXPECT_THAT(log.lines("session-rejected"), SizeIs(1));
}

TEST_F(FileIngestTest, TheSameContentUnderAnotherNameIsNotCountedAgain) {
  ASSERT_TRUE(ingest(file("x", line(1))));
  const auto again = ingest(file("y", line(1)));
  EXPECT_TRUE(again->already_ingested);
  EXPECT_EQ(stored(), 1U);
  options.again = true;
  EXPECT_EQ(ingest(file("z", line(1)))->counts.accepted, 1U);
  EXPECT_EQ(stored(), 2U);
}

TEST_F(FileIngestTest, GoesOnAfterTheLastBatchThatWasStored) {
  std::string content;
  for (int i = 0; i < 10; ++i) content += line(i);
  const auto path = file("x", content);
  options.batch_lines = 3;
  struct Stopped {};
  const auto stop = [&](const IngestStep& step) {
    if (step.stored == 6 * line(0).size()) throw Stopped();
  };
  EXPECT_THROW(static_cast<void>(ingest(path, stop)), Stopped);
  EXPECT_EQ(stored(), 6U);
  const auto rest = ingest(path);
  EXPECT_EQ(rest->resumed_at, 6 * line(0).size());
  EXPECT_EQ(rest->counts.accepted, 4U);
  EXPECT_EQ(stored(), 10U);
  EXPECT_TRUE(ingest(path)->already_ingested);
}

TEST_F(FileIngestTest, TellsHowFarItIsWithinABatchAndWhileThatIsStored) {
  const std::string padding(20'000, ' ');
  std::string content;
  for (int i = 0; i < 200; ++i) content += line(i).insert(1, padding);
  std::vector<IngestStep> steps;
  ASSERT_TRUE(ingest(file("x", content), [&](const IngestStep& step) { steps.push_back(step); }));
  ASSERT_GE(steps.size(), 6U);
  std::uint64_t unstored = 0;
  for (std::size_t i = 1; i < steps.size(); ++i) {
    EXPECT_EQ(steps[i].total, content.size());
    EXPECT_LE(steps[i].read - steps[i - 1].read, std::uint64_t{3} << 19);
    unstored += steps[i].read == content.size() && steps[i].stored == 0 ? 1U : 0U;
  }
  EXPECT_GE(unstored, 1U);
  EXPECT_EQ(steps.back().stored, content.size());
}

TEST_F(FileIngestTest, WhatAnEarlierRunHasDoneIsToldApart) {
  const auto path = file("x", line(1) + line(2) + line(3));
  options.batch_lines = 2;
  struct Stopped {};
  const auto stop = [](const IngestStep& step) {
    if (step.stored > 0) throw Stopped();
  };
  EXPECT_THROW(static_cast<void>(ingest(path, stop)), Stopped);
  IngestStep last;
  ASSERT_TRUE(ingest(path, [&last](const IngestStep& step) { last = step; }));
  EXPECT_EQ(last.from, 2 * line(0).size());
  EXPECT_EQ(last.read, 3 * line(0).size());
}

TEST_F(FileIngestTest, GoesOnBehindABatchOfWhichNobodyCouldTell) {
  using namespace testing_support;
  const auto url = "sqlite:" + (folder / "test.db").string();
  store = std::move(*open_store(url, random));
  const auto path = file("x", line(1) + line(2) + line(3));
  options.batch_lines = 2;
  FaultPoints points;
  BreakableStore far(std::move(*open_store(url, random)), points, [](const AttemptRecord&) {});
  Recorder far_recorder(far, planner, clock, {.from_file = true});
  const auto take = [&] { return ingest_file(path, options, far_recorder, far, clock, log); };
  // The calls are: file, places, add.
  points.plan({Seam::kStore, 2, Trouble::kLosesReply});
  const auto lost = take();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().fault, Fault::kUnknown);
  EXPECT_EQ(lost.error().text,
            "the store's reply was lost: add; whether the last batch was counted, the store "
            "knows: the same file again goes on behind what was");
  EXPECT_EQ(stored(), 2U);
  const auto rest = take();
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->resumed_at, 2 * line(0).size());
  EXPECT_EQ(stored(), 3U);
}

TEST_F(FileIngestTest, APipeIsReadOnceAndNotRemembered) {
  const auto path = (folder / "pipe").string();
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  for (int round = 0; round < 2; ++round) {
    std::thread writer([&] { std::ofstream(path) << line(1) << line(2); });
    const auto result = ingest(path);
    writer.join();
    ASSERT_TRUE(result) << result.error().text;
    EXPECT_EQ(result->counts.accepted, 2U);
  }
  EXPECT_EQ(stored(), 4U);
}

TEST_F(FileIngestTest, AnIdIsCountedOnceWhateverFileItIsIn) {
  const std::string with_id =
      R"({"epoch":1795176000,"id":"q1","recipient-domain":"a.example","policies":[{"policy":)"
      R"({"policy-type":"no-policy-found","policy-domain":"a.example"},"type":1}]})"
      "\n";
  EXPECT_EQ(ingest(file("x", with_id + with_id))->counts.accepted, 1U);
  const auto second = ingest(file("y", line(1) + with_id));
  EXPECT_EQ(second->counts.accepted, 1U);
  EXPECT_THAT(second->counts.by_reason, UnorderedElementsAre(Pair("duplicate", 1)));
  EXPECT_EQ(stored(), 2U);
  EXPECT_THAT(*store->counters(),
              testing::IsSupersetOf({Pair("file.accepted", std::uint64_t{2}),
                                     Pair("file.ignored.duplicate", std::uint64_t{2})}));
}

TEST_F(FileIngestTest, AFileThatIsNotThereIsSaidSo) {
  const auto result = ingest((folder / "none").string());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().fault, Fault::kInput);
  EXPECT_THAT(result.error().text, testing::HasSubstr("No such file"));
}

}  // namespace
}  // namespace rapporteur
