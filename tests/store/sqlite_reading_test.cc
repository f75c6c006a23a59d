// Reading together in SQLite: what is seen, and what ends it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "store/heard_statements.h"
#include "store/open.h"

namespace rapporteur::testing_support {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr Time kDay{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}};

void count(Store& store, const std::string& domain) {
  WindowDelta delta;
  delta.domain = domain;
  delta.period = {kDay, kDay + 24h};
  delta.first = delta.last = kDay + 1h;
  delta.counts = {{{PolicyType::kSts, domain, {}, {}}, 1, 0, {}}};
  delta.due = delta.supplement_due.emplace(kDay + 25h);
  CountBatch batch;
  batch.now = kDay + 3h;
  batch.windows = {delta};
  ASSERT_TRUE(store.add(batch));
}

std::vector<std::string> domains(Store& store) {
  const auto windows = store.windows({});
  EXPECT_TRUE(windows);
  std::vector<std::string> found;
  for (const auto& window : *windows) found.push_back(window.domain);
  std::ranges::sort(found);
  return found;
}

class ReadingTest : public testing::Test {
 protected:
  ReadingTest() {
    other = *open_store("sqlite:" + heard.path, random_);
    count(*other, "a.example");
  }

  std::vector<std::string> seen() { return domains(*heard.store); }

  HeardStore heard;
  std::unique_ptr<Store> other;  // as another process has it

 private:
  SystemRandom random_;
};

TEST_F(ReadingTest, SeesOneStateUntilItEnds) {
  auto reading = heard.store->read_together();
  EXPECT_THAT(seen(), ElementsAre("a.example"));
  count(*other, "b.example");
  EXPECT_THAT(seen(), ElementsAre("a.example"));
  reading.reset();
  EXPECT_THAT(seen(), ElementsAre("a.example", "b.example"));
}

TEST_F(ReadingTest, EndsThatStateWithWhateverWrites) {
  const auto reading = heard.store->read_together();
  EXPECT_THAT(seen(), ElementsAre("a.example"));
  count(*other, "b.example");
  count(*heard.store, "c.example");
  EXPECT_THAT(seen(), ElementsAre("a.example", "b.example", "c.example"));
  count(*other, "d.example");
  EXPECT_THAT(seen(), ElementsAre("a.example", "b.example", "c.example"));
}

TEST_F(ReadingTest, KeepsNobodyFromWriting) {
  const auto reading = heard.store->read_together();
  EXPECT_THAT(seen(), ElementsAre("a.example"));
  other->set_patience(0ms);
  count(*other, "b.example");
  EXPECT_THAT(domains(*other), ElementsAre("a.example", "b.example"));
}

TEST_F(ReadingTest, IsOneTransaction) {
  const auto statements = heard.statements([&] {
    const auto reading = heard.store->read_together();
    for (int i = 0; i < 5; ++i) seen();
  });
  EXPECT_EQ(std::ranges::count(statements, "BEGIN"), 1);
  EXPECT_EQ(std::ranges::count(statements, "COMMIT"), 1);
}

TEST_F(ReadingTest, BeginsAnewAfterAFailure) {
  const auto reading = heard.store->read_together();
  EXPECT_THAT(seen(), ElementsAre("a.example"));
  count(*other, "b.example");
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(heard.path.c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, "UPDATE windows SET state = 'odd'", nullptr, nullptr, nullptr),
            SQLITE_OK);
  EXPECT_THAT(seen(), ElementsAre("a.example")) << "as it was";
  count(*heard.store, "c.example");
  EXPECT_FALSE(heard.store->windows({})) << "a state that nobody knows";
  EXPECT_EQ(
      sqlite3_exec(database, "UPDATE windows SET state = 'collecting'", nullptr, nullptr, nullptr),
      SQLITE_OK);
  sqlite3_close(database);
  EXPECT_THAT(seen(), ElementsAre("a.example", "b.example", "c.example"));
}

}  // namespace
}  // namespace rapporteur::testing_support
