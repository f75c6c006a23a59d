// At every call of every stage something goes wrong once: docs/design.md, "The flow" and
// "Scheduling", promise that nothing is counted, reported or sent twice, and nothing is lost.

#include <gmock/gmock.h>

#include "faults/stages.h"

namespace rapporteur {
namespace {

using namespace testing_support;

TEST(FaultPoints, WhatIntakeTakesIsReportedOnce) {
  expect_no_breach(intake_scenario(), 230);
}

TEST(FaultPoints, WhatGoesThroughTheJournalIsReportedOnce) {
  expect_no_breach(journal_scenario(), 230);
}
TEST(FaultPoints, AFileIsTakenOnce) {
  expect_no_breach(file_scenario(), 200);
}
TEST(FaultPoints, WindowsAreAssembledOnce) {
  expect_no_breach(assembly_scenario(), 400);
}
TEST(FaultPoints, DeliveriesAreMadeOnce) {
  expect_no_breach(delivery_scenario(1), 200);
}
TEST(FaultPoints, DeliveriesAreMadeOnceByManyThreads) {
  expect_no_breach(delivery_scenario(4), 200);
}
TEST(FaultPoints, SupplementsAreReportedOnce) {
  expect_no_breach(supplement_scenario(), 280);
}
TEST(FaultPoints, EveryPartIsReportedOnce) {
  expect_no_breach(split_scenario(), 250);
}
TEST(FaultPoints, TheNextDestinationTakesOverOnce) {
  expect_no_breach(fallback_scenario(), 180);
}
TEST(FaultPoints, RefusalsForTheTimeBeingAreTriedAgain) {
  expect_no_breach(refusal_scenario(), 270);
}
TEST(FaultPoints, AReplyThatIsLostChangesNothingElse) {
  expect_no_breach(uncertain_scenario(), 150);
}
TEST(FaultPoints, AProcessThatDiesTwiceLosesNothing) {
  expect_no_breach(restart_scenario(), 160);
}

}  // namespace
}  // namespace rapporteur
