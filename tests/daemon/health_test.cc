#include "daemon/health.h"

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "daemon/monitor.h"
#include "deliver/fakes.h"
#include "store/open.h"
#include "support/fake_clock.h"
#include "support/fixed_random.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using Json = nlohmann::json;

constexpr Health::Instant kStart{1000s};

TEST(Health, AProcessWithoutLoopsIsAlive) {
  EXPECT_TRUE(Health().alive().good);
  EXPECT_EQ(Health().alive().text, "ok\n");
  EXPECT_EQ(Json::parse(Health().alive().json), Json::parse(R"({"alive": true, "stuck": []})"));
}

TEST(Health, ALoopThatDoesNotBeatIsNamedBehindItsLimit) {
  struct Case {
    Loop loop;
    std::chrono::seconds limit;
  };
  for (const auto& [loop, limit] : {Case{Loop::kIntake, 120s}, Case{Loop::kRecording, 120s},
                                    Case{Loop::kSchedule, 900s}, Case{Loop::kDelivery, 300s}}) {
    Health health;
    health.started(loop, kStart);
    EXPECT_TRUE(health.alive(kStart + limit).good) << to_string(loop);
    const auto stuck = health.alive(kStart + limit + 1s);
    EXPECT_FALSE(stuck.good);
    EXPECT_THAT(stuck.text, HasSubstr("thread " + std::string(to_string(loop)) + ": "));
    EXPECT_THAT(health.stuck(kStart + limit + 1s), ElementsAre(Pair(loop, limit + 1s)));
    EXPECT_EQ(Json::parse(stuck.json)["stuck"][0]["silent-seconds"], (limit + 1s).count());
    health.beat(loop, kStart + limit);
    EXPECT_TRUE(health.alive(kStart + 2 * limit).good);
    health.ended(loop);
    EXPECT_TRUE(health.alive(kStart + 99 * limit).good) << "it has ended, as it was told to";
  }
}

TEST(Health, ALoopIsWatchedAsLongAsItsScope) {
  Health health;
  const auto later = std::chrono::steady_clock::now() + 24h;
  {
    LoopWatch watch(health, Loop::kIntake);
    watch.beat();
    EXPECT_THAT(health.stuck(later), testing::SizeIs(1));
  }
  EXPECT_THAT(health.stuck(later), IsEmpty());
}

TEST(Health, ADaemonWithoutProblemsIsReady) {
  EXPECT_TRUE(Health().ready().good);
  EXPECT_EQ(Health().ready().text, "ready\n");
  EXPECT_EQ(Json::parse(Health().ready().json), Json::parse(R"({"ready": true, "problems": []})"));
}

TEST(Health, OnlyWhatKeepsSessionsFromBeingTakenSafelyKeepsFromReady) {
  std::set<std::string> blocking;
  std::set<std::string> names;
  for (std::size_t i = 0; i < kProblemCount; ++i) {
    const auto problem = static_cast<Problem>(i);
    Health health;
    health.set_problem(problem, "why");
    const auto name = std::string(to_string(problem));
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(health.ready().good, !keeps_from_ready(problem));
    EXPECT_THAT(health.ready().text, HasSubstr("\n" + name));
    if (!health.ready().good) blocking.insert(name);
  }
  EXPECT_THAT(blocking, ElementsAre("flush", "intake-full", "listener", "stopping",
                                    "store-delivery", "store-read", "store-schedule"));
}

TEST(Health, OperationsExplainsEachProblem) {
  std::ifstream file(std::filesystem::path(SOURCE_ROOT) / "docs/operations.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  for (std::size_t i = 0; i < kProblemCount; ++i) {
    const auto problem = static_cast<Problem>(i);
    const auto row = "\n| `" + std::string(to_string(problem)) + "` | " +
                     (keeps_from_ready(problem) ? "503 |" : "remark |");
    EXPECT_NE(page.find(row), page.npos) << row;
  }
}

TEST(Health, AProblemTellsSinceWhenItIsThereUntilItIsCleared) {
  Health health;
  health.set_problem(Problem::kRelay, "connection refused", kStart);
  health.set_problem(Problem::kRelay, "greeted with 421", kStart + 60s);
  const auto remark = health.ready(kStart + 90s);
  EXPECT_TRUE(remark.good);
  EXPECT_EQ(remark.text, "ready\nrelay (remark): greeted with 421 (for 1m30s)\n");
  EXPECT_EQ(Json::parse(remark.json), Json::parse(R"({"ready": true, "problems": [
      {"problem": "relay", "keeps-from-ready": false, "text": "greeted with 421", "seconds": 90}]})"));
  health.clear_problem(Problem::kRelay);
  EXPECT_EQ(health.ready().text, "ready\n");
  health.tell(Problem::kRelay, "again", kStart + 100s);
  EXPECT_EQ(health.problems().at(0).since, kStart + 100s);
  health.tell(Problem::kRelay, "");
  EXPECT_THAT(health.problems(), IsEmpty());
}

TEST(Health, WhatOthersSaidBreaksNeitherForm) {
  Health health;
  health.set_problem(Problem::kRelay, "554 \"no\"\r\nready\t\\\x01\xff");
  const auto answer = health.ready();
  EXPECT_THAT(answer.text, Not(HasSubstr("\nready")));
  EXPECT_EQ(Json::parse(answer.json)["problems"][0]["text"], "554 \"no\"ready\\\xef\xbf\xbd");
}

class MonitorTest : public testing::Test {
 protected:
  // Its summaries fail once `away` is set.
  class Away final : public testing_support::FaultyStore {
   public:
    Away(std::unique_ptr<Store> real, const std::atomic<bool>& away)
        : FaultyStore(*real), real_(std::move(real)), away_(away) {}
    Result<StoreSummary> summary(Time now) override {
      if (away_) return Error{Fault::kTransient, "the database is locked"};
      return real_->summary(now);
    }

   private:
    std::unique_ptr<Store> real_;
    const std::atomic<bool>& away_;
  };

  std::unique_ptr<Store> open() {
    auto real = std::move(*open_store("sqlite::memory:", random));
    stored = real.get();
    return std::make_unique<Away>(std::move(real), away);
  }

  std::atomic<bool> away = false;
  Store* stored = nullptr;
  testing_support::FakeClock clock;
  testing_support::FixedRandom random;
  DaemonMetrics metrics;
  Health health;
};

TEST_F(MonitorTest, APauseIsARemark) {
  Monitor monitor(open(), clock, metrics, health);
  ASSERT_TRUE(stored->set_pause({.smtp = true}));
  const auto answer = monitor.ready();
  EXPECT_TRUE(answer.good);
  EXPECT_THAT(answer.text, HasSubstr("paused (remark): nothing is delivered by SMTP"));
  EXPECT_THAT(monitor.metrics_text(), HasSubstr("\nrapporteur_paused{what=\"smtp\"} 1\n"));
}

TEST_F(MonitorTest, AStoreThatCannotBeReadKeepsFromReadyButNotFromMetrics) {
  away = true;
  Monitor monitor(open(), clock, metrics, health);
  const auto answer = monitor.ready();
  EXPECT_FALSE(answer.good);
  EXPECT_THAT(answer.text, HasSubstr("store-read: the database is locked"));
  const auto text = monitor.metrics_text();
  EXPECT_THAT(text, HasSubstr("\nrapporteur_store_up 0\n"));
  EXPECT_THAT(text, HasSubstr("\nrapporteur_ready 0\n"));
  EXPECT_TRUE(monitor.alive().good);
}

TEST_F(MonitorTest, ALookAtTheStoreServesForAFewSeconds) {
  Monitor monitor(open(), clock, metrics, health);
  EXPECT_TRUE(monitor.ready().good);
  away = true;
  EXPECT_TRUE(monitor.ready().good) << "it has just been looked at";
  EXPECT_THAT(monitor.metrics_text(), HasSubstr("\nrapporteur_store_up 1\n"));
}

}  // namespace
}  // namespace rapporteur
