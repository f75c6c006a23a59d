// A recording that begins while its store is away.

#include <gmock/gmock.h>

#include "daemon/far_store.h"

namespace rapporteur::testing_support {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

using RecordingStartTest = FarStoreTest;

TEST_F(RecordingStartTest, BeginsWithoutTheStoreAndKeepsWhatAnEarlierProcessLeft) {
  line = Line::kAway;
  recording().submit(tally(3));
  EXPECT_FALSE(recording().store_waiting());
  const auto left = files(".spill");
  ASSERT_THAT(left, SizeIs(1));
  log.clear();

  start(std::size_t{1} << 30);
  recording().begin_without_store({Fault::kTransient, "the store is away"});
  EXPECT_TRUE(has_problem(Problem::kFlush));
  recording().submit(tally(4), note());
  recording().submit(tally(5));
  EXPECT_TRUE(recording().recover_file()) << "the store is not asked for that";
  EXPECT_FALSE(recording().store_waiting());
  EXPECT_THAT(told, ElementsAre("refused"));
  EXPECT_EQ(files(".spill"), left);
  EXPECT_THAT(log.complaints(), IsEmpty()) << "who has begun it has told that the store is away";

  line = Line::kGood;
  EXPECT_TRUE(recording().store_waiting());
  EXPECT_FALSE(has_problem(Problem::kFlush));
  EXPECT_THAT(log.lines("flush-recovered"), SizeIs(1));
  EXPECT_EQ(sessions(), 5U);
  EXPECT_TRUE(recording().recover_file());
  EXPECT_THAT(files(".spill"), IsEmpty());
  EXPECT_EQ(sessions(), 8U);
}

TEST_F(RecordingStartTest, WhatEndsBeforeTheStoreWasThereLeavesAllInFiles) {
  line = Line::kAway;
  for (int life = 0; life < 2; ++life) {
    start(std::size_t{1} << 30);
    recording().begin_without_store({Fault::kTransient, "the store is away"});
    recording().submit(tally(3));
    recording().stop();
    EXPECT_TRUE(recording().serve()) << "nothing is lost";
  }
  EXPECT_THAT(files(".spill"), SizeIs(2));
  line = Line::kGood;
  start();
  for (int file = 0; file < 2; ++file) EXPECT_TRUE(recording().recover_file());
  EXPECT_EQ(sessions(), 6U);
}

TEST_F(RecordingStartTest, AStoreThatIsNotOursIsToldAndTakesNothingAway) {
  line = Line::kAway;
  start();
  recording().begin_without_store({Fault::kTransient, "the store is away"});
  line = Line::kTooNew;
  for (int i = 0; i < 3; ++i) {
    recording().submit(tally(2));
    EXPECT_FALSE(recording().store_waiting());
  }
  const auto told_of = log.lines("flush-failed");
  ASSERT_THAT(told_of, SizeIs(1));
  EXPECT_THAT(told_of[0].fields, Contains(Pair("error", "it needs a newer program")));
  EXPECT_THAT(files(".spill"), SizeIs(3));
  line = Line::kGood;
  EXPECT_TRUE(recording().store_waiting());
  for (int file = 0; file < 3; ++file) EXPECT_TRUE(recording().recover_file());
  EXPECT_EQ(sessions(), 6U);
}

}  // namespace
}  // namespace rapporteur::testing_support
