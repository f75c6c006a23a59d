// How SQLite finds due deliveries: whatever stands in front of them, and by indexes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "store/heard_statements.h"

namespace rapporteur::testing_support {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr Time kDay{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}};
constexpr Time kDue = kDay + 25h;
constexpr std::size_t kFew = 2;

class DueTest : public testing::Test {
 protected:
  // A window whose deliveries go to these destinations, due at `at`, the first of them first.
  void deliver_to(const std::vector<std::string>& destinations, Time at) {
    const auto domain = "w" + std::to_string(++windows_) + ".example";
    WindowDelta delta;
    delta.domain = domain;
    delta.period = {kDay, kDay + 24h};
    delta.first = delta.last = kDay + 1h;
    delta.counts = {{{PolicyType::kSts, domain, {}, {}}, 1, 0, {}}};
    delta.due = delta.supplement_due.emplace(kDue);
    CountBatch batch;
    batch.now = kDay + 3h;
    batch.windows = {delta};
    ASSERT_TRUE(store->add(batch));
    const auto due = store->claim_due(kDue, 10, std::nullopt);
    ASSERT_TRUE(due);
    Assembly assembly;
    assembly.window = due->front().id;
    assembly.now = kDue;
    Part part;
    part.report_id = domain;
    part.gz = "gzip";
    part.mail_body = "body";
    assembly.parts = {part};
    for (std::size_t i = 0; i < destinations.size(); ++i) {
      Delivery delivery;
      delivery.id = domain + std::to_string(i);
      delivery.window = assembly.window;
      delivery.destination = destinations[i];
      if (keyed) delivery.destination_key = destination_key(destinations[i]);
      delivery.next_attempt = at;
      delivery.rank = static_cast<int>(i);
      assembly.deliveries.push_back(delivery);
    }
    const auto written = store->conclude(assembly);
    ASSERT_TRUE(written && *written);
  }

  std::vector<std::string> destinations(const DueQuery& query) {
    const auto due = store->due_deliveries(query);
    EXPECT_TRUE(due);
    std::vector<std::string> found;
    for (const auto& submission : *due) found.push_back(submission.delivery.destination);
    return found;
  }

  // The statements of `use` that select something.
  template <class Use>
  std::vector<std::string> statements(const Use& use) {
    auto all = heard.statements(use);
    std::erase_if(all, [](const std::string& sql) { return !sql.starts_with("SELECT"); });
    return all;
  }
  std::vector<std::string> plan(const std::vector<std::string>& statements) {
    return heard.plan(statements);
  }

  HeardStore heard;
  std::unique_ptr<Store>& store = heard.store;
  bool keyed = true;

 private:
  int windows_ = 0;
};

std::vector<std::string> hosts(int count) {
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i) all.push_back("https://h" + std::to_string(i) + ".example/");
  return all;
}

const std::vector<std::string> kSlow = {"https://slow.example"};

TEST_F(DueTest, TakesOnlyFewOfOneDestination) {
  deliver_to(std::vector<std::string>(50, "mailto:a@b.example"), kDue - 1h);
  deliver_to({"mailto:a@c.example"}, kDue);
  EXPECT_THAT(
      destinations({.now = kDue, .limit = 10, .per_destination = kFew}),
      testing::ElementsAre("mailto:a@b.example", "mailto:a@b.example", "mailto:a@c.example"));
  EXPECT_THAT(destinations({.now = kDue, .limit = 10}), Each("mailto:a@b.example"));
}

TEST_F(DueTest, AFullDestinationHidesNobodyHoweverManyItHas) {
  deliver_to(std::vector<std::string>(20'000, "https://slow.example/x"), kDue - 1h);
  deliver_to(hosts(30), kDue);
  const auto found =
      destinations({.now = kDue, .limit = 40, .full = kSlow, .per_destination = kFew});
  EXPECT_THAT(found, testing::UnorderedElementsAreArray(hosts(30)));
}

TEST_F(DueTest, NorDoManyThatComeBeforeWhatIsLeftOverOfAFew) {
  deliver_to(std::vector<std::string>(2'000, "https://fast.example/x"), kDue - 1h);
  deliver_to(hosts(5), kDue);
  const auto found = destinations({.now = kDue, .limit = 40, .per_destination = kFew});
  EXPECT_THAT(found, SizeIs(5 + kFew));
}

// Each call takes a few, so the others have their turn in the next ones.
TEST_F(DueTest, DestinationsTakeTurnsBehindAFullOne) {
  deliver_to(std::vector<std::string>(1'000, "https://slow.example/x"), kDue - 1h);
  auto others = hosts(30);
  for (int i = 0; i < 100; ++i) others.emplace_back("https://h0.example/");
  deliver_to(others, kDue);
  std::set<std::string> served;
  for (int call = 0; call < 3; ++call) {
    const auto found = destinations({.now = kDue, .limit = 12, .full = kSlow});
    EXPECT_THAT(found, SizeIs(12));
    EXPECT_LE(std::ranges::count(found, "https://h0.example/"), 4);
    served.insert(found.begin(), found.end());
  }
  EXPECT_THAT(served, SizeIs(30));
}

TEST_F(DueTest, ACallIsBoundedHoweverManyDestinationsThereAre) {
  deliver_to(std::vector<std::string>(1'000, "https://slow.example/x"), kDue - 1h);
  deliver_to(hosts(3'000), kDue + 1h);  // not due
  deliver_to({"https://z.example/"}, kDue);
  std::vector<std::string> found;
  int calls = 0;
  for (; found.empty() && calls < 10; ++calls) {
    const auto asked = statements([&] {
      found = destinations({.now = kDue, .limit = 12, .full = kSlow, .per_destination = kFew});
    });
    EXPECT_LE(asked.size(), 530U);
  }
  EXPECT_THAT(found, testing::ElementsAre("https://z.example/"));
  EXPECT_GT(calls, 1);
}

TEST_F(DueTest, FindsWhatHasNoKeyAmongTheOthers) {
  deliver_to(std::vector<std::string>(1'000, "https://slow.example/x"), kDue - 1h);
  keyed = false;
  deliver_to({"https://slow.example/", "https://old.example/", "https://old.example/"}, kDue);
  EXPECT_THAT(destinations({.now = kDue, .limit = 12, .full = kSlow, .per_destination = 1}),
              testing::ElementsAre("https://old.example/"));
}

TEST_F(DueTest, WhatWasPlannedTooFarAheadIsFoundLikewise) {
  deliver_to(std::vector<std::string>(1'000, "https://slow.example/x"), kDue + 100h);
  deliver_to(hosts(5), kDue + 200h);
  EXPECT_THAT(destinations({.now = kDue, .limit = 12, .full = kSlow, .per_destination = kFew}),
              testing::UnorderedElementsAreArray(hosts(5)));
}

TEST_F(DueTest, AreFoundByIndexesWithoutSorting) {
  deliver_to(std::vector<std::string>(1'000, "https://slow.example/x"), kDue - 1h);
  deliver_to(hosts(3), kDue);
  const auto steps = plan(statements([&] {
    EXPECT_THAT(destinations({.now = kDue, .limit = 12, .full = kSlow, .per_destination = kFew}),
                SizeIs(3));
  }));
  EXPECT_THAT(steps, Not(IsEmpty()));
  EXPECT_THAT(steps, Each(AllOf(HasSubstr("SEARCH"), Not(HasSubstr("TEMP B-TREE")))));
  EXPECT_THAT(steps, Contains("SEARCH deliveries USING INDEX deliveries_by_attempt"
                              " (mail=? AND next_attempt>? AND next_attempt<?)"));
  EXPECT_THAT(steps, Contains("SEARCH deliveries USING COVERING INDEX deliveries_by_key"
                              " (mail=? AND destination_key>?)"));
  EXPECT_THAT(steps, Contains("SEARCH deliveries USING INDEX deliveries_by_key (mail=? AND"
                              " destination_key=? AND next_attempt>? AND next_attempt<?)"));
}

}  // namespace
}  // namespace rapporteur::testing_support
