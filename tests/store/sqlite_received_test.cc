// How SQLite finds received reports: by indexes, whatever is stored.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "store/heard_statements.h"
#include "store/received_suite.h"

namespace rapporteur::testing_support {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class PlanTest : public testing::Test {
 protected:
  PlanTest() {
    std::vector<ReceivedAddition> many;
    for (int i = 0; i < 50; ++i) {
      many.push_back(report("b.example", std::to_string(i), {kExpired}));
    }
    ok(store->add_received(many));
  }

  // The steps by which SQLite finds what the statements of `use` that select reports ask for.
  template <class Use>
  std::vector<std::string> plan(const Use& use) {
    auto statements = heard.statements(use);
    std::erase_if(statements, [](const std::string& sql) {
      return !sql.starts_with("SELECT") && !sql.starts_with("DELETE");
    });
    const auto steps = heard.plan(statements);
    EXPECT_THAT(steps, Not(IsEmpty()));
    return steps;
  }

  std::vector<std::string> plan_of_list(const ReceivedFilter& filter) {
    return plan([&] { ok(store->received(filter)); });
  }

  HeardStore heard;
  std::unique_ptr<Store>& store = heard.store;
};

const auto kNoSorting = Each(Not(HasSubstr("TEMP B-TREE")));

// The table's own order is that of arrival: its newest page is read from its end.
TEST_F(PlanTest, TheNewestPageIsReadWithoutSorting) {
  EXPECT_THAT(plan_of_list({.limit = 20}), testing::ElementsAre("SCAN r"));
  EXPECT_THAT(plan_of_list({.limit = 20, .before = 40}),
              testing::ElementsAre("SEARCH r USING INTEGER PRIMARY KEY (rowid<?)"));
}

TEST_F(PlanTest, FilteredListsSearchAnIndex) {
  EXPECT_THAT(plan_of_list({.organization = "b.example"}),
              AllOf(kNoSorting, Each(HasSubstr("received_by_organization"))));
  EXPECT_THAT(plan_of_list({.failed_only = true}),
              AllOf(kNoSorting, Each(HasSubstr("received_failed"))));
  EXPECT_THAT(plan_of_list({.domain = "a.example"}),
              testing::Contains(HasSubstr("received_policies_by_domain (domain=?)")));
  EXPECT_THAT(plan_of_list({.id = "0123456789abcdef"}), Each(Not(HasSubstr("SCAN"))));
  EXPECT_THAT(plan_of_list({.report_id = "1"}), Each(Not(HasSubstr("SCAN"))));
}

TEST_F(PlanTest, SummariesReadOneIndexAndNothingElse) {
  EXPECT_THAT(
      plan([&] { ok(store->received_policies("", kDay, kDay + 24h, [](const PolicyRow&) {})); }),
      testing::ElementsAre("SEARCH received_policies USING COVERING INDEX "
                           "received_policies_by_start (starts>? AND starts<?)"));
  EXPECT_THAT(
      plan([&] {
        ok(store->received_policies("a.example", kDay, kDay + 24h, [](const PolicyRow&) {}));
      }),
      Each(HasSubstr("COVERING INDEX received_policies_by_start")));
  EXPECT_THAT(
      plan([&] { ok(store->received_failures("", kDay, kDay + 24h, [](const FailureRow&) {})); }),
      testing::ElementsAre("SEARCH received_failures USING COVERING INDEX "
                           "received_failures_by_start (starts>? AND starts<?)"));
}

TEST_F(PlanTest, KeepingAReportLooksNothingUpByScanning) {
  const auto addition = report("b.example", "another", {kExpired, kNoTls});
  EXPECT_THAT(plan([&] { ok(store->add_received(std::span(&addition, 1))); }),
              Each(Not(HasSubstr("SCAN"))));
}

TEST_F(PlanTest, WhatIsRemovedIsFoundByAnIndex) {
  EXPECT_THAT(plan([&] { ok(store->prune_received(kDay, 10)); }),
              Each(Not(HasSubstr("SCAN received"))));
}

}  // namespace
}  // namespace rapporteur::testing_support
