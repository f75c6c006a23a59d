// A store that is away, or whose answer is lost: docs/design.md, "From a line to the store".

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "daemon/far_store.h"

namespace rapporteur::testing_support {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

using RecordingSpillTest = FarStoreTest;

// ---- Nobody can tell

class LostFlushTest : public FarStoreTest, public testing::WithParamInterface<Line> {};

INSTANTIATE_TEST_SUITE_P(Lost, LostFlushTest,
                         testing::Values(Line::kLosesAnswer, Line::kLosesQuestion),
                         [](const auto& test) {
                           return test.param == Line::kLosesAnswer ? "Answer" : "Question";
                         });

TEST_P(LostFlushTest, IsTriedAgainAndCountedOnce) {
  recording().submit(tally(3), note());
  recording().submit(tally(2, "id"), note());
  recording().submit(tally(1));
  line = GetParam();
  EXPECT_FALSE(recording().store_waiting());
  EXPECT_THAT(told, IsEmpty()) << "there is no answer yet";
  EXPECT_FALSE(recording().idle());
  line = Line::kGood;
  EXPECT_TRUE(recording().store_waiting());
  EXPECT_THAT(told, ElementsAre("stored", "stored"));
  EXPECT_TRUE(recording().idle());
  EXPECT_EQ(sessions(), 6U);
}

TEST_P(LostFlushTest, TakesNothingThatCameBehindIt) {
  recording().submit(tally(1), note());
  line = GetParam();
  EXPECT_FALSE(recording().store_waiting());
  recording().submit(tally(10), note());
  line = Line::kGood;
  EXPECT_TRUE(recording().store_waiting());
  EXPECT_THAT(told, ElementsAre("stored"));
  EXPECT_EQ(sessions(), 1U);
  EXPECT_TRUE(recording().store_waiting());
  EXPECT_THAT(told, ElementsAre("stored", "stored"));
  EXPECT_EQ(sessions(), 11U);
}

TEST_P(LostFlushTest, StaysOpenWhileTheStoreIsAwayAndWhoComesBehindItIsRefused) {
  recording().submit(tally(1), note());
  line = GetParam();
  EXPECT_FALSE(recording().store_waiting());
  line = Line::kAway;
  recording().submit(tally(10), note());
  EXPECT_FALSE(recording().store_waiting());
  EXPECT_THAT(told, ElementsAre("refused")) << "that of the second one";
  line = GetParam();
  EXPECT_FALSE(recording().store_waiting());
  line = Line::kGood;
  EXPECT_TRUE(recording().store_waiting());
  EXPECT_THAT(told, ElementsAre("refused", "stored"));
  EXPECT_TRUE(recording().idle());
  EXPECT_EQ(sessions(), 1U);
}

TEST_P(LostFlushTest, LetsWhatComesBehindItSpill) {
  recording().submit(tally(1));
  line = GetParam();
  EXPECT_FALSE(recording().store_waiting());
  recording().submit(tally(10));
  line = Line::kAway;
  EXPECT_FALSE(recording().store_waiting());
  EXPECT_THAT(files(".spill"), SizeIs(1));
  line = Line::kGood;
  EXPECT_TRUE(recording().store_waiting());
  EXPECT_TRUE(recording().recover_file());
  EXPECT_EQ(sessions(), 11U);
}

TEST_P(LostFlushTest, GoesOnAfterARestart) {
  recording().submit(tally(3), note());
  recording().submit(tally(4));
  line = GetParam();
  EXPECT_FALSE(recording().store_waiting());
  EXPECT_TRUE(recording().give_up());
  EXPECT_THAT(told, ElementsAre("unknown"));
  line = Line::kGood;
  start();
  recording().submit(tally(1));
  EXPECT_TRUE(recording().store_waiting());
  EXPECT_TRUE(recording().recover_file());
  EXPECT_EQ(sessions(), 8U);
}

TEST_P(LostFlushTest, IsReportedAtTheEndIfItCannotBeKept) {
  recording().submit(tally(3), note());
  recording().submit(tally(1));
  line = GetParam();
  EXPECT_FALSE(recording().store_waiting());
  fs::remove_all(own_folder());
  EXPECT_FALSE(recording().give_up());
  EXPECT_THAT(told, ElementsAre("unknown"));
  EXPECT_THAT(log.lines("flush-outcome-unknown"), SizeIs(1));
}

TEST_P(LostFlushTest, OfAFileIsTriedAgainAndCountedOnce) {
  line = Line::kAway;
  recording().submit(tally(5, "id"));
  EXPECT_FALSE(recording().store_waiting());
  line = GetParam();
  start();
  EXPECT_FALSE(recording().recover_file());
  EXPECT_THAT(files(".spill"), SizeIs(1));
  EXPECT_TRUE(has_problem(Problem::kSpill));
  line = Line::kGood;
  start();
  EXPECT_TRUE(recording().recover_file());
  EXPECT_THAT(files(".spill"), IsEmpty());
  EXPECT_FALSE(has_problem(Problem::kSpill));
  EXPECT_EQ(sessions(), 5U);
}

// ---- Away

TEST_F(RecordingSpillTest, KeepsLittleInMemory) {
  start(std::size_t{1} << 20);
  line = Line::kAway;
  recording().submit(tally(5));
  EXPECT_FALSE(recording().store_waiting());
  EXPECT_THAT(files(".spill"), IsEmpty());
  EXPECT_FALSE(recording().ready_for(*tally(1)));
  line = Line::kGood;
  EXPECT_TRUE(recording().store_waiting());
  EXPECT_EQ(sessions(), 5U);
}

TEST_F(RecordingSpillTest, TakesALargeTallyOfIntakeWhileOneWaits) {
  start(1000);
  const auto large = [this] {
    auto made = tally(1);
    for (int i = 0; i < 1000; ++i) {
      Session session;
      session.recipient_domain = "large.example";
      session.time = clock.now();
      session.outcomes = {{{PolicyType::kNoPolicyFound, "large.example", {}, {}}, true, {}}};
      made->count(session, clock.now(), {});
      made->note_accepted();
    }
    return made;
  };
  recording().submit(tally(1));
  EXPECT_FALSE(recording().ready_for(*large())) << "the store is not known to be away";
  line = Line::kAway;
  EXPECT_FALSE(recording().store_waiting());
  EXPECT_FALSE(recording().ready_for(*tally(1)));
  EXPECT_TRUE(recording().ready_for(*large()));
  recording().submit(large());
  EXPECT_FALSE(recording().ready_for(*large())) << "one at a time";
  EXPECT_FALSE(recording().store_waiting());
  EXPECT_THAT(files(".spill"), SizeIs(1));
  EXPECT_TRUE(recording().ready_for(*tally(1)));
  EXPECT_TRUE(recording().idle());
  line = Line::kGood;
  EXPECT_TRUE(recording().store_waiting());
  EXPECT_TRUE(recording().recover_file());
  EXPECT_EQ(sessions(), 1002U);
}

TEST_F(RecordingSpillTest, TakesATallyThatIsLargeByATableThatItSharesWithOneThatWaits) {
  start(std::size_t{1} << 20);
  const auto table = std::make_shared<SessionTable>();
  const auto sessions_of = [&](int first, int count) {
    auto made = std::make_unique<Tally>("test", table);
    Session session;
    session.time = clock.now();
    Policy policy{PolicyType::kSts, "large.example", {}, {}};
    policy.strings.assign(200, std::string(500, 'x'));
    for (int i = first; i < first + count; ++i) {
      session.recipient_domain = "large" + std::to_string(i) + ".example";
      session.outcomes = {{policy, true, {}}};
      made->count(session, clock.now(), {});
      made->note_accepted();
    }
    return made;
  };
  line = Line::kAway;
  recording().submit(sessions_of(0, 1));
  EXPECT_FALSE(recording().store_waiting());
  auto large = sessions_of(1, 1400);
  ASSERT_TRUE(recording().ready_for(*large));
  recording().submit(std::move(large));
  EXPECT_FALSE(recording().store_waiting());
  EXPECT_THAT(files(".spill"), SizeIs(1));
  EXPECT_TRUE(recording().idle());
}

TEST_F(RecordingSpillTest, CatchesUpFileByFile) {
  line = Line::kAway;
  for (int i = 1; i <= 3; ++i) {
    recording().submit(tally(i), note());
    recording().submit(tally(i));
    EXPECT_FALSE(recording().store_waiting());
  }
  EXPECT_THAT(told, ElementsAre("refused", "refused", "refused"));
  ASSERT_THAT(files(".spill"), SizeIs(3));
  std::uint64_t bytes = 0;
  for (const auto& file : files(".spill")) bytes += fs::file_size(file);
  EXPECT_EQ(recording().spilled_bytes(), bytes);
  EXPECT_EQ(state.metrics.spilled_files.value(), 3);
  EXPECT_EQ(state.metrics.spills_written.value(), 3U);
  EXPECT_TRUE(recording().recover_file()) << "nothing is tried while the store is known to be away";
  EXPECT_THAT(files(".spill"), SizeIs(3));

  line = Line::kGood;
  EXPECT_TRUE(recording().store_waiting());
  for (const auto want : {1U, 3U, 6U}) {
    EXPECT_TRUE(recording().recover_file());
    EXPECT_EQ(sessions(), want);
  }
  EXPECT_THAT(files(".spill"), IsEmpty());
  EXPECT_EQ(recording().spilled_bytes(), 0U);
  EXPECT_EQ(state.metrics.spills_recovered.value(), 3U);
}

TEST_F(RecordingSpillTest, AFileThatWasStoredAndNotRemovedIsNotCountedAgain) {
  line = Line::kAway;
  recording().submit(tally(5));
  EXPECT_FALSE(recording().store_waiting());
  const auto file = files(".spill").at(0);
  fs::copy_file(file, path + "/copy");
  line = Line::kGood;
  start();
  EXPECT_TRUE(recording().recover_file());
  EXPECT_EQ(sessions(), 5U);
  fs::rename(path + "/copy", file);
  start();
  EXPECT_EQ(process->spill.files(), 1U);
  EXPECT_TRUE(recording().recover_file());
  EXPECT_THAT(files(".spill"), IsEmpty());
  EXPECT_EQ(sessions(), 5U);
}

TEST_F(RecordingSpillTest, AFolderThatIsFullLeavesCountsInMemory) {
  state.config.set(config_of("spillMax = \"1kb\"\n"));
  line = Line::kAway;
  recording().submit(tally(5));
  EXPECT_FALSE(recording().store_waiting());
  EXPECT_THAT(files(".spill"), SizeIs(1));
  recording().submit(tally(50));
  EXPECT_FALSE(recording().store_waiting());
  EXPECT_THAT(files(".spill"), SizeIs(1));
  EXPECT_TRUE(has_problem(Problem::kSpill));
  EXPECT_THAT(log.lines("spill-failed"), SizeIs(1));
  EXPECT_FALSE(recording().give_up()) << "these are lost";
  line = Line::kGood;
  EXPECT_TRUE(recording().store_waiting());
  EXPECT_EQ(sessions(), 50U);
  EXPECT_TRUE(recording().recover_file());
  EXPECT_EQ(sessions(), 55U);
  EXPECT_FALSE(has_problem(Problem::kSpill));
}

TEST_F(RecordingSpillTest, AFolderThatCannotBeWrittenLeavesCountsInMemory) {
  fs::remove_all(own_folder());
  line = Line::kAway;
  recording().submit(tally(5));
  EXPECT_FALSE(recording().store_waiting());
  EXPECT_TRUE(has_problem(Problem::kSpill));
  EXPECT_FALSE(recording().ready_for(*tally(1)));
  line = Line::kGood;
  EXPECT_TRUE(recording().store_waiting());
  EXPECT_EQ(sessions(), 5U);
  EXPECT_TRUE(recording().recover_file());
  EXPECT_FALSE(has_problem(Problem::kSpill)) << "nothing waits for it";
}

TEST_F(RecordingSpillTest, ADamagedFileIsSetAsideAndStopsNothing) {
  line = Line::kAway;
  recording().submit(tally(1));
  EXPECT_FALSE(recording().store_waiting());
  std::ofstream(files(".spill").at(0), std::ios::app) << "x";
  recording().submit(tally(5));
  EXPECT_FALSE(recording().store_waiting());
  line = Line::kGood;
  start();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(recording().recover_file());
  EXPECT_EQ(sessions(), 5U);
  EXPECT_THAT(files(".spill"), IsEmpty());
  EXPECT_THAT(files(".broken"), SizeIs(1));
  EXPECT_THAT(log.lines("spill-broken"), SizeIs(1));
  EXPECT_EQ(state.metrics.spills_broken.value(), 1U);
}

TEST_F(RecordingSpillTest, WhatIsOldCountsAtItsTimeInTheWindowThatIsThere) {
  recording().submit(tally(1));
  EXPECT_TRUE(recording().store_waiting());
  const auto before = process->store.windows({});
  line = Line::kAway;
  recording().submit(tally(1));
  recording().submit(tally(2, "id"));
  EXPECT_FALSE(recording().store_waiting());
  clock.advance(Seconds{60 * 86'400});
  line = Line::kGood;
  start();
  EXPECT_TRUE(recording().recover_file());
  EXPECT_EQ(sessions(), 4U);
  const auto after = process->store.windows({});
  ASSERT_THAT(*after, SizeIs(2));
  for (const auto& window : *after) {
    EXPECT_EQ(window.period, before->at(0).period);
    EXPECT_EQ(window.state, WindowState::kCollecting);
  }
}

TEST_F(RecordingSpillTest, AStopWritesWhatTheStoreDoesNotTake) {
  line = Line::kAway;
  start(std::size_t{1} << 30);
  recording().submit(tally(5));
  recording().submit(tally(6), note());
  recording().stop();
  EXPECT_TRUE(recording().serve()) << "nothing is lost";
  EXPECT_THAT(told, ElementsAre("refused"));
  EXPECT_THAT(files(".spill"), SizeIs(1));
  line = Line::kGood;
  start();
  EXPECT_TRUE(recording().recover_file());
  EXPECT_EQ(sessions(), 5U);
}

TEST_F(RecordingSpillTest, ServesWhileTheStoreComesAndGoes) {
  bool clean = false;
  std::thread thread([&] { clean = recording().serve(); });
  std::uint64_t want = 0;
  const auto submit = [&](Line now, int domains) {
    line = now;
    while (!recording().ready_for(*tally(1))) std::this_thread::yield();
    recording().submit(tally(domains));
    want += static_cast<std::uint64_t>(domains);
    static_cast<void>(recording().spilled_bytes());
  };
  submit(Line::kGood, 1);
  submit(Line::kLosesAnswer, 2);
  submit(Line::kAway, 3);
  submit(Line::kAway, 4);
  recording().stop();
  thread.join();
  EXPECT_TRUE(clean);
  line = Line::kGood;
  start();
  while (process->spill.files() > 0) ASSERT_TRUE(recording().recover_file());
  EXPECT_EQ(sessions(), want);
}

}  // namespace
}  // namespace rapporteur::testing_support
