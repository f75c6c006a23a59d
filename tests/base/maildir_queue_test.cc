#include "base/maildir_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace rapporteur {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using Verdict = MaildirQueue::Verdict;

class MaildirQueueTest : public testing::Test {
 protected:
  MaildirQueueTest() {
    std::string pattern = (fs::temp_directory_path() / "queue_testXXXXXX").string();
    folder = mkdtemp(pattern.data());
    for (const auto* part : {"tmp", "new", "cur"}) fs::create_directories(folder / part);
  }
  ~MaildirQueueTest() override { fs::remove_all(folder); }

  // Messages named in the order in which they came.
  void put(const std::vector<std::string>& names) {
    for (const auto& name : names) {
      std::ofstream(folder / "new" / name) << name;
      fs::last_write_time(folder / "new" / name,
                          fs::file_time_type::clock::now() - 1h + minutes++ * 1min);
    }
  }

  // Takes all but those that are to stay; `seen` are the batches that were looked at.
  MaildirQueue::Look look(const std::string& stays = "") {
    return [this, stays](std::span<const MaildirQueue::Item> items) {
      std::vector<Verdict> verdicts;
      seen.emplace_back();
      for (const auto& item : items) {
        seen.back() += item.message.text;
        const bool stay = stays.find(item.message.text) != stays.npos;
        verdicts.push_back(stay ? Verdict::kStays : Verdict::kTaken);
      }
      return Result<std::vector<Verdict>>(verdicts);
    };
  }

  fs::path folder;
  int minutes = 0;
  std::vector<std::string> seen;
};

TEST_F(MaildirQueueTest, MessagesComeInBatchesOldestFirst) {
  put({"a", "b", "c", "d", "e"});
  MaildirQueue queue(folder.string(), {}, 2);
  const auto round = queue.take(100, look());
  EXPECT_THAT(seen, ElementsAre("ab", "cd", "e"));
  EXPECT_EQ(round.taken, 5U);
  EXPECT_FALSE(queue.has_more());
  EXPECT_TRUE(fs::is_empty(folder / "new"));
  EXPECT_TRUE(fs::exists(folder / "cur" / "a:2,S"));
}

TEST_F(MaildirQueueTest, NoMoreThanAskedForAreLookedAt) {
  put({"a", "b", "c"});
  MaildirQueue queue(folder.string(), {}, 2);
  EXPECT_EQ(queue.take(1, look()).taken, 1U);
  EXPECT_TRUE(queue.has_more());
  EXPECT_EQ(queue.take(100, look()).taken, 2U);
}

TEST_F(MaildirQueueTest, WhatStaysIsLookedAtAgainAfterTheOthers) {
  put({"a", "b"});
  MaildirQueue queue(folder.string(), {});
  EXPECT_EQ(queue.take(100, look("a")).stayed, 1U);
  EXPECT_EQ(queue.take(100, look("a")).stayed, 1U);
  EXPECT_THAT(seen, ElementsAre("a", "b", "a"));
}

TEST_F(MaildirQueueTest, WhatStaysCanBeLeftAloneForAWhile) {
  put({"a", "b"});
  MaildirQueue queue(folder.string(), {}, 1, 1h);
  queue.take(100, look("a"));
  EXPECT_EQ(queue.resting(), 1U);
  put({"c"});
  queue.take(100, look("a"));
  EXPECT_THAT(seen, ElementsAre("a", "b", "c"));
  EXPECT_TRUE(fs::exists(folder / "new" / "a"));
  fs::remove(folder / "new" / "a");
  queue.take(100, look());
  EXPECT_EQ(queue.resting(), 0U) << "what is gone is forgotten";
  put({"a"});
  MaildirQueue other(folder.string(), {}, 1, 1ns);
  other.take(100, look("a"));
  other.take(100, look());
  EXPECT_TRUE(fs::is_empty(folder / "new"));
}

TEST_F(MaildirQueueTest, IfLookingFailsNothingIsMoved) {
  put({"a", "b"});
  MaildirQueue queue(folder.string(), {}, 1);
  const auto round = queue.take(100, [](auto) {
    return Result<std::vector<Verdict>>(Error{Fault::kTransient, "the store is away"});
  });
  EXPECT_EQ(round.taken, 0U);
  ASSERT_TRUE(round.problem);
  EXPECT_EQ(round.problem->text, "the store is away");
  EXPECT_FALSE(queue.has_more());
  EXPECT_EQ(queue.take(100, look()).taken, 2U);
}

TEST_F(MaildirQueueTest, AMessageThatIsTooLargeIsToldWithoutItsText) {
  put({"a"});
  MaildirQueue queue(folder.string(), {.message_bytes = 0});
  queue.take(100, [](std::span<const MaildirQueue::Item> items) {
    EXPECT_EQ(items[0].message.state, MaildirMessage::State::kTooLarge);
    EXPECT_THAT(items[0].message.text, IsEmpty());
    return Result<std::vector<Verdict>>(std::vector{Verdict::kTaken});
  });
  EXPECT_TRUE(fs::is_empty(folder / "new"));
}

}  // namespace
}  // namespace rapporteur
