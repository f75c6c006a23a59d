#include "store/look.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "store/open.h"
#include "support/fixed_random.h"

namespace rapporteur {
namespace {

namespace fs = std::filesystem;
using State = StoreLook::State;

constexpr Time kNow{Seconds(1'800'000'000)};

class StoreLookTest : public testing::Test {
 protected:
  StoreLookTest() {
    std::string pattern = (fs::temp_directory_path() / "lookXXXXXX").string();
    folder = mkdtemp(pattern.data());
    path = folder / "a b%?#.db";
  }
  ~StoreLookTest() override { fs::remove_all(folder); }

  std::string url() const { return "sqlite:" + path.string(); }

  // Name and content of every file but the shared memory of SQLite's connections.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::directory_iterator(folder)) {
      std::ifstream file(entry.path(), std::ios::binary);
      const bool shared_memory = entry.path().string().ends_with("-shm");
      found[entry.path().filename().string()] =
          shared_memory ? std::string() : std::string(std::istreambuf_iterator<char>(file), {});
    }
    return found;
  }

  void run_sql(const char* sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(handle);
  }

  fs::path folder;
  fs::path path;
  testing_support::FixedRandom random;
};

TEST_F(StoreLookTest, WhatIsAbsentStaysAbsent) {
  const auto look = look_at_store(url(), kNow);
  ASSERT_TRUE(look) << look.error().text;
  EXPECT_EQ(look->state, State::kAbsent);
  EXPECT_EQ(look->version, 0);
  EXPECT_GT(look->newest, 0);
  EXPECT_TRUE(fs::is_empty(folder));
}

TEST_F(StoreLookTest, AStoreAtRestIsNotTouched) {
  ASSERT_TRUE(open_store(url(), random));
  const auto before = files();
  const auto look = look_at_store(url(), kNow);
  ASSERT_TRUE(look) << look.error().text;
  EXPECT_EQ(look->state, State::kCurrent);
  EXPECT_EQ(look->version, look->newest);
  EXPECT_EQ(files(), before);
}

TEST_F(StoreLookTest, AStoreInUseIsNotTouched) {
  const auto store = open_store(url(), random);
  ASSERT_TRUE(store);
  ASSERT_TRUE(fs::exists(path.string() + "-wal"));
  const auto before = files();
  const auto look = look_at_store(url(), kNow);
  ASSERT_TRUE(look) << look.error().text;
  EXPECT_EQ(look->state, State::kCurrent);
  EXPECT_EQ(files(), before);
}

TEST_F(StoreLookTest, OlderAndNewerOnesAreNotBroughtUpToDate) {
  ASSERT_TRUE(open_store(url(), random));
  run_sql("UPDATE meta SET value = '1' WHERE name = 'schema_version'");
  EXPECT_EQ(look_at_store(url(), kNow)->state, State::kOlder);
  EXPECT_EQ(look_at_store(url(), kNow)->version, 1);
  run_sql("UPDATE meta SET value = '999' WHERE name = 'schema_version'");
  EXPECT_EQ(look_at_store(url(), kNow)->state, State::kNewer);
  EXPECT_EQ(look_at_store(url(), kNow)->version, 999);
}

TEST_F(StoreLookTest, WhatIsNoStoreIsSaidToBeNone) {
  std::ofstream(path) << std::string(5'000, 'x');
  const auto text = look_at_store(url(), kNow);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().fault, Fault::kCorrupt);
  fs::remove(path);
  run_sql("CREATE TABLE other (x)");
  const auto other = look_at_store(url(), kNow);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().fault, Fault::kCorrupt);
  EXPECT_EQ(other.error().text,
            "store " + path.string() + ": the database belongs to another program");
}

TEST_F(StoreLookTest, AnEmptyFileWillBecomeAStore) {
  std::ofstream(path).flush();
  EXPECT_EQ(look_at_store(url(), kNow)->state, State::kAbsent);
}

TEST_F(StoreLookTest, ItsNodesAreTold) {
  const auto store = open_store(url(), random);
  ASSERT_TRUE(store);
  NodeBeat beat;
  beat.name = "n2";
  beat.role = "all";
  beat.host = "h";
  beat.process = 7;
  beat.version = "1";
  beat.started = kNow - Seconds(60);
  ASSERT_TRUE((*store)->beat(beat, kNow - Seconds(5)));
  beat.name = "n1";
  ASSERT_TRUE((*store)->beat(beat, kNow + Seconds(5)));
  const auto look = look_at_store(url(), kNow);
  ASSERT_TRUE(look) << look.error().text;
  ASSERT_EQ(look->nodes.size(), 2U);
  EXPECT_EQ(look->nodes[0].beat.name, "n1");
  EXPECT_EQ(look->nodes[0].silent_for, Seconds(0));
  EXPECT_EQ(look->nodes[1].beat.name, "n2");
  EXPECT_EQ(look->nodes[1].beat.role, "all");
  EXPECT_EQ(look->nodes[1].beat.host, "h");
  EXPECT_EQ(look->nodes[1].beat.process, 7);
  EXPECT_EQ(look->nodes[1].beat.version, "1");
  EXPECT_EQ(look->nodes[1].beat.started, kNow - Seconds(60));
  EXPECT_EQ(look->nodes[1].silent_for, Seconds(5));
}

TEST_F(StoreLookTest, AFileBesideWhichNobodyMayWorkIsReadWithoutLocks) {
  ASSERT_TRUE(open_store(url(), random));
  fs::create_directory(path.string() + "-wal");
  fs::create_directory(path.string() + "-shm");
  const auto look = look_at_store(url(), kNow);
  ASSERT_TRUE(look) << look.error().text;
  EXPECT_EQ(look->state, State::kCurrent);
}

TEST_F(StoreLookTest, WhatLooksBrokenWithoutLocksMayBeHalfWritten) {
  std::ofstream(path) << std::string(5'000, 'x');
  fs::create_directory(path.string() + "-wal");
  fs::create_directory(path.string() + "-shm");
  const auto look = look_at_store(url(), kNow);
  ASSERT_FALSE(look);
  EXPECT_EQ(look.error().fault, Fault::kTransient);
  EXPECT_EQ(look.error().text, "store " + path.string() + ": somebody may be writing to it");
}

TEST_F(StoreLookTest, AStoreThatOthersOpenAndCloseIsNeverSaidToBeBroken) {
  ASSERT_TRUE(open_store(url(), random));
  std::jthread writer([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      const auto store = open_store(url(), random);
      if (!store) continue;
      NodeBeat beat;
      beat.name = std::string(5'000, 'n') + std::to_string(i);
      EXPECT_TRUE((*store)->beat(beat, kNow));
    }
  });
  for (int i = 0; i < 200; ++i) {
    const auto look = look_at_store(url(), kNow);
    if (look) {
      EXPECT_EQ(look->state, State::kCurrent);
    } else {
      EXPECT_EQ(look.error().fault, Fault::kTransient) << look.error().text;
    }
  }
}

TEST_F(StoreLookTest, WhatNamesNoStoreIsAFaultOfTheConfiguration) {
  for (const char* wrong : {"sqlite:", "mysql://x", ""}) {
    const auto look = look_at_store(wrong, kNow);
    ASSERT_FALSE(look) << wrong;
    EXPECT_EQ(look.error().fault, Fault::kConfig) << wrong;
  }
  const auto folder_itself = look_at_store("sqlite:" + folder.string(), kNow);
  ASSERT_FALSE(folder_itself);
  EXPECT_EQ(folder_itself.error().fault, Fault::kConfig);
}

}  // namespace
}  // namespace rapporteur
