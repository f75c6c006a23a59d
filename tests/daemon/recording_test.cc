#include "daemon/recording.h"

#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "config/config.h"
#include "store/open.h"
#include "support/fake_clock.h"
#include "support/fixed_random.h"
#include "support/recording_log.h"

namespace rapporteur {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing_support::FakeClock;
using testing_support::FixedRandom;
using testing_support::RecordingLog;

std::shared_ptr<const Config> config_of(const std::string& rest) {
  return parse_config("[system]\ndomain = \"example.org\"\n" + rest, "test.toml").config;
}

class RecordingTest : public testing::Test {
 protected:
  static constexpr std::size_t kFew = 3;

  FakeClock clock;
  FixedRandom random;
  RecordingLog log;
  SharedState state{config_of("")};
  std::unique_ptr<Store> store = std::move(*open_store("sqlite::memory:", random));
  Recording recording{*store, clock, log, state, {.few_entries = kFew}};

  // One session of each of `domains` domains.
  std::unique_ptr<Tally> tally(int domains, const std::string& id = {}) {
    auto made = std::make_unique<Tally>("test", std::make_shared<SessionTable>());
    for (int i = 0; i < domains; ++i) {
      Session session;
      session.recipient_domain = "d" + std::to_string(i) + ".example";
      session.id = id;
      session.outcomes = {
          {{PolicyType::kNoPolicyFound, session.recipient_domain, {}, {}}, true, {}}};
      made->count(session, clock.now(), {});
      made->note_accepted();
    }
    return made;
  }

  std::uint64_t sessions() {
    std::uint64_t sum = 0;
    const auto windows = store->windows({});
    for (const auto& window : *windows) sum += window.successful;
    return sum;
  }

  // Recording fails while the clock is not set, the journal does not.
  void fail_from_now_on() { clock.set(Time(Seconds{30})); }
};

TEST_F(RecordingTest, SaysWhenItBeginsThatThisNodeLives) {
  NodeBeat beat{.name = "one", .role = "ingest", .host = "h", .process = 7, .version = "9"};
  beat.started = clock.now();
  recording.announce(beat, Seconds{20});
  recording.stop();
  EXPECT_TRUE(recording.serve());
  const auto nodes = store->nodes(clock.now() + Seconds{5});
  ASSERT_TRUE(nodes);
  ASSERT_THAT(*nodes, SizeIs(1));
  EXPECT_EQ(nodes->front().beat.name, "one");
  EXPECT_EQ(nodes->front().beat.role, "ingest");
  EXPECT_EQ(nodes->front().beat.process, 7);
  EXPECT_EQ(nodes->front().silent_for, Seconds{5});
}

TEST_F(RecordingTest, StoresWhatWaitsTogetherAndTellsEach) {
  std::vector<std::string> told;
  for (const auto* name : {"first", "second"}) {
    recording.submit(tally(1, "the same id"), [&told, name](const Result<Recorded>& recorded) {
      ASSERT_TRUE(recorded) << recorded.error().text;
      told.push_back(name + std::to_string(recorded->duplicates));
    });
  }
  recording.submit(tally(2), {});
  EXPECT_FALSE(recording.idle());
  EXPECT_TRUE(recording.store_waiting());
  EXPECT_THAT(told, ElementsAre("first0", "second1"));
  EXPECT_TRUE(recording.idle());
  EXPECT_EQ(sessions(), 3U);
}

TEST_F(RecordingTest, WhoWaitsForAnAnswerIsToldThatTheStoreFailed) {
  const auto right = clock.now();
  std::string error;
  recording.submit(tally(1), [&](const Result<Recorded>& recorded) {
    ASSERT_FALSE(recorded);
    error = recorded.error().text;
  });
  recording.submit(tally(2), {});
  fail_from_now_on();
  EXPECT_FALSE(recording.store_waiting());
  EXPECT_FALSE(recording.store_waiting());
  EXPECT_THAT(error, testing::HasSubstr("the clock is not set"));
  EXPECT_THAT(log.lines("flush-failed"), SizeIs(1));
  EXPECT_FALSE(recording.idle()) << "the other one waits";
  EXPECT_FALSE(state.health.problems().empty());
  clock.set(right);
  EXPECT_TRUE(recording.store_waiting());
  EXPECT_TRUE(recording.idle());
  EXPECT_EQ(sessions(), 2U) << "what was refused is not counted later";
  EXPECT_EQ(log.count("flush-recovered"), 1U);
  EXPECT_THAT(state.health.problems(), IsEmpty());
}

TEST_F(RecordingTest, FindsOutThatTheStoreIsBackWhenNobodyAsksItForAnything) {
  const auto right = clock.now();
  recording.submit(tally(1), [](const Result<Recorded>&) {});
  fail_from_now_on();
  EXPECT_FALSE(recording.store_waiting());
  EXPECT_FALSE(recording.store_waiting());
  EXPECT_THAT(state.health.problems(), SizeIs(1));
  clock.set(right);
  EXPECT_TRUE(recording.store_waiting());
  EXPECT_THAT(state.health.problems(), IsEmpty());
}

TEST_F(RecordingTest, WhatCannotBeRecordedIsNotJournalledWithoutEnd) {
  recording.submit(tally(kFew + 1), {});
  fail_from_now_on();
  EXPECT_FALSE(recording.store_waiting(true));
  recording.submit(tally(kFew + 1), {});
  EXPECT_FALSE(recording.store_waiting());
  EXPECT_THAT(store->journal()->pieces, SizeIs(1));
  EXPECT_FALSE(recording.ready_for(*tally(1))) << "the next counts stay with those who count";
}

TEST_F(RecordingTest, HasNoRoomWhileMuchWaits) {
  const auto half = [] {
    auto table = std::make_shared<SessionTable>();
    table->keep(std::string(Recording::kMaxWaitingBytes / 2, 'x'));
    return std::make_unique<Tally>("test", std::move(table));
  };
  const auto done = [](const Result<Recorded>&) {};
  EXPECT_TRUE(recording.has_room());
  recording.submit(half(), {});
  recording.submit(half(), done);
  EXPECT_TRUE(recording.has_room()) << "what nobody waits for is bounded elsewhere";
  recording.submit(half(), done);
  EXPECT_FALSE(recording.has_room());
  for (int round = 0; round < 3; ++round) recording.store_waiting();
  EXPECT_TRUE(recording.has_room());
}

TEST_F(RecordingTest, ALargeTallyIsOnDiskBeforeItIsInItsWindows) {
  recording.submit(tally(kFew + 1), {});
  EXPECT_TRUE(recording.store_waiting());
  EXPECT_TRUE(recording.idle());
  EXPECT_EQ(sessions(), 0U);
  EXPECT_THAT(store->journal()->pieces, SizeIs(1));
  // A small one does not wait for it, and a large one goes behind it.
  recording.submit(tally(1), {});
  EXPECT_TRUE(recording.store_waiting());
  EXPECT_EQ(sessions(), 1U);
  recording.submit(tally(kFew + 2), {});
  EXPECT_TRUE(recording.store_waiting());
  EXPECT_THAT(store->journal()->pieces, SizeIs(2));
  EXPECT_TRUE(recording.store_waiting(true));
  EXPECT_THAT(store->journal()->pieces, IsEmpty());
  EXPECT_EQ(sessions(), 1 + (kFew + 1) + (kFew + 2));
  EXPECT_THAT(*store->counters(), Contains(Pair("test.accepted", sessions())));
}

TEST_F(RecordingTest, ALargeTallyThatSomebodyWaitsForGoesIntoItsWindowsAtOnce) {
  bool told = false;
  recording.submit(tally(kFew + 1), [&](const Result<Recorded>& recorded) {
    EXPECT_TRUE(recorded);
    told = true;
  });
  EXPECT_TRUE(recording.store_waiting());
  EXPECT_TRUE(told);
  EXPECT_EQ(sessions(), kFew + 1);
}

TEST_F(RecordingTest, WhatAnEarlierProcessHasJournalledIsRecovered) {
  recording.submit(tally(kFew + 1), {});
  recording.store_waiting();
  recording.submit(tally(kFew + 1), {});
  recording.store_waiting();

  Recording next(*store, clock, log, state, {.few_entries = kFew});
  ASSERT_TRUE(next.recover());
  next.submit(tally(kFew + 1), {});
  EXPECT_TRUE(next.store_waiting(true));
  EXPECT_EQ(sessions(), 3 * (kFew + 1));
  EXPECT_THAT(store->journal()->pieces, IsEmpty());
  Recording last(*store, clock, log, state, {.few_entries = kFew});
  ASSERT_TRUE(last.recover());
  EXPECT_TRUE(last.store_waiting(true));
  EXPECT_EQ(sessions(), 3 * (kFew + 1));
}

TEST_F(RecordingTest, AJournalThatCannotBeReadIsRefused) {
  ASSERT_TRUE(store->append_journal("rubbish"));
  const auto recovered = recording.recover();
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().fault, Fault::kCorrupt);
}

TEST_F(RecordingTest, AfterAFailureTheJournalIsRecordedLater) {
  const auto right = clock.now();
  recording.submit(tally(kFew + 1), {});
  fail_from_now_on();
  EXPECT_FALSE(recording.store_waiting(true)) << "it is on disk, but not recorded";
  EXPECT_TRUE(recording.idle());
  EXPECT_THAT(store->journal()->pieces, SizeIs(1));
  clock.set(right);
  EXPECT_TRUE(recording.store_waiting(true));
  EXPECT_EQ(sessions(), kFew + 1);
}

TEST_F(RecordingTest, StopsWhenEverythingIsInItsWindows) {
  bool stored = false;
  std::thread thread([&] { stored = recording.serve(); });
  std::atomic<int> told = 0;
  for (int i = 0; i < 20; ++i) {
    recording.submit(tally(1), [&](const Result<Recorded>& recorded) {
      if (recorded) ++told;
    });
    recording.submit(tally(kFew + 1), {});
  }
  recording.stop();
  thread.join();
  EXPECT_TRUE(stored);
  EXPECT_EQ(told, 20);
  EXPECT_EQ(sessions(), 20 * (1 + kFew + 1));
}

TEST_F(RecordingTest, FollowsANewConfiguration) {
  recording.submit(tally(1), {});
  recording.store_waiting();
  state.config.set(config_of("[report.tls]\nsendFrequency = \"never\"\n"));
  recording.submit(tally(2), {});
  recording.store_waiting();
  EXPECT_EQ(sessions(), 2U) << "an open window goes on counting, no other is opened";
  EXPECT_THAT(*store->counters(), Contains(Pair("test.ignored.never", 1)));
}

}  // namespace
}  // namespace rapporteur
