// Notices that wait in a Maildir.

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "deliver/bounce_setup.h"

namespace rapporteur::testing_support {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class BounceMaildirTest : public BounceTest {
 protected:
  BounceMaildirTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bouncesXXXXXX").string();
    path = mkdtemp(pattern.data());
    std::filesystem::create_directory(path / "new");
    maildir = std::make_unique<BounceMaildir>(path.string());
  }
  ~BounceMaildirTest() override { std::filesystem::remove_all(path); }

  void put(const std::string& name, const std::string& text) {
    std::ofstream(path / "new" / name, std::ios::binary) << text;
  }
  BounceMaildir::Round take_some(Store& from, std::size_t most = 1000) {
    Suppressor suppressor(from, log);
    return maildir->take(from, suppressor, log, most, clock.now());
  }
  bool is_waiting(const std::string& name) { return std::filesystem::exists(path / "new" / name); }

  std::filesystem::path path;
  std::unique_ptr<BounceMaildir> maildir;
};

TEST_F(BounceMaildirTest, EveryMessageIsTakenAndMovedAway) {
  deliver();
  put("1", "no notice");
  put("2", text_of({.message_id = ours()}));
  const auto round = take_some(*real);
  EXPECT_FALSE(round.problem) << round.problem->text;
  EXPECT_EQ(round.taken, 2U);
  EXPECT_FALSE(maildir->has_more());
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
  EXPECT_TRUE(std::filesystem::is_empty(path / "new"));
  EXPECT_EQ(log.count("bounce-ignored"), 1U);
  EXPECT_EQ(take_some(*real).taken, 0U);
}

TEST_F(BounceMaildirTest, WhatTheStoreCouldNotTakeStaysInPlace) {
  deliver();
  put("1", text_of({.message_id = ours()}));
  put("2", text_of({.message_id = ours()}));
  store->failures["deliveries"] = 1;
  const auto failed = take_some(*store);
  EXPECT_EQ(failed.taken, 0U);
  ASSERT_TRUE(failed.problem);
  EXPECT_EQ(failed.problem->text, "the store is away");
  EXPECT_FALSE(maildir->has_more()) << "the store is not asked again at once";
  EXPECT_TRUE(is_waiting("1") && is_waiting("2"));
  EXPECT_EQ(take_some(*real).taken, 2U);
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
}

TEST_F(BounceMaildirTest, WhatCannotBeReadKeepsNothingElse) {
  deliver();
  put("1", "x");
  std::filesystem::permissions(path / "new" / "1", std::filesystem::perms::none);
  std::filesystem::last_write_time(path / "new" / "1",
                                   std::filesystem::file_time_type::clock::now() - 1h);
  put("2", text_of({.message_id = ours()}));
  std::filesystem::create_directory(path / "cur");
  for (const auto& folder : {path, path / "new", path / "cur"}) {
    std::filesystem::permissions(folder, std::filesystem::perms::all);
  }
  // The superuser reads everything.
  constexpr uid_t kNobody = 65534;
  const bool root = geteuid() == 0;
  ASSERT_TRUE(!root || seteuid(kNobody) == 0);
  const auto round = take_some(*real);
  ASSERT_TRUE(!root || seteuid(0) == 0);
  EXPECT_EQ(round.taken, 1U);
  ASSERT_TRUE(round.problem);
  EXPECT_THAT(round.problem->text, HasSubstr("new/1: Permission denied"));
  EXPECT_TRUE(is_waiting("1"));
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
}

TEST_F(BounceMaildirTest, WhatCannotBeMovedKeepsNothingElse) {
  deliver();
  put("1", "no notice");
  std::filesystem::last_write_time(path / "new" / "1",
                                   std::filesystem::file_time_type::clock::now() - 1h);
  put("2", text_of({.message_id = ours()}));
  std::filesystem::create_directory(path / "cur");
  for (int i = 0; i < 100; ++i) {
    const auto name = i == 0 ? std::string("1:2,S") : "1." + std::to_string(i) + ":2,S";
    std::ofstream(path / "cur" / name) << "taken";
  }
  const auto first = take_some(*real, 1);
  EXPECT_EQ(first.taken, 0U);
  EXPECT_FALSE(first.problem) << "it is told at the end of the listing";
  EXPECT_TRUE(maildir->has_more());
  const auto second = take_some(*real, 1);
  EXPECT_EQ(second.taken, 1U);
  ASSERT_TRUE(second.problem);
  EXPECT_THAT(second.problem->text, HasSubstr("cannot move"));
  EXPECT_FALSE(maildir->has_more());
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
  EXPECT_TRUE(take_some(*real).problem) << "it is tried again";
}

TEST_F(BounceMaildirTest, WhatComesTooEarlyStaysAndIsNoProblem) {
  put("1", text_of({.message_id = ours()}));
  const std::vector<std::string> begun = {kId};
  ASSERT_TRUE(real->begin_attempts(begun, clock.now()));
  put("2", "no notice");
  const auto round = take_some(*real);
  EXPECT_EQ(round.taken, 1U);
  EXPECT_EQ(round.early, 1U);
  EXPECT_FALSE(round.problem);
  EXPECT_TRUE(is_waiting("1"));
  ASSERT_TRUE(real->record_attempt(
      {.delivery = kId, .state = DeliveryState::kDelivered, .now = clock.now()}));
  EXPECT_EQ(take_some(*real).taken, 1U);
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
}

TEST_F(BounceMaildirTest, AFloodIsTakenInRounds) {
  for (int i = 0; i < 1050; ++i) put(std::to_string(i), "no notice");
  std::size_t taken = 0;
  std::size_t rounds = 0;
  do {
    const auto round = take_some(*real, 20);
    EXPECT_LE(round.taken, 20U);
    taken += round.taken;
    ++rounds;
  } while (maildir->has_more());
  EXPECT_EQ(taken, 1050U);
  EXPECT_EQ(rounds, 53U);
}

TEST_F(BounceMaildirTest, WhatAllStaysIsNotListedAgainAtOnce) {
  const std::vector<std::string> begun = {kId};
  ASSERT_TRUE(real->begin_attempts(begun, clock.now()));
  for (int i = 0; i < 1000; ++i) put(std::to_string(i), text_of({.message_id = ours()}));
  const auto round = take_some(*real);
  EXPECT_EQ(round.early, 1000U);
  EXPECT_FALSE(maildir->has_more());
}

TEST_F(BounceMaildirTest, OfALongNoticeTheStartCounts) {
  deliver();
  const auto notice = text_of({.message_id = ours()});
  put("1", notice + std::string(2 << 20, 'x'));
  put("2", notice);
  std::filesystem::resize_file(path / "new" / "2", kLargestNotice + 1);
  EXPECT_EQ(take_some(*real).taken, 2U);
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
  EXPECT_EQ(log.count("bounce-ignored"), 1U);
}

}  // namespace
}  // namespace rapporteur::testing_support
