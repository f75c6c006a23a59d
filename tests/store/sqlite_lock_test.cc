// Of an SQLite store one daemon at a time.

#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "store/open.h"
#include "store/store_suite.h"
#include "support/fixed_random.h"
#include "support/temporary_folder.h"

namespace rapporteur::testing_support {

namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

class SqliteLockTest : public testing::Test {
 protected:
  TemporaryFolder folder;
  const std::string path = folder.file();
};

TEST_F(SqliteLockTest, OneDaemonHoldsTheLock) {
  auto lock = ok(lock_for_daemon("sqlite:" + path));
  EXPECT_EQ(ok(read_file(path + ".lock")), std::to_string(getpid()) + "\n");
  const auto second = lock_for_daemon("sqlite:" + path);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, Fault::kConfig);
  EXPECT_EQ(second.error().text, "another daemon (process " + std::to_string(getpid()) +
                                     ") works on " + path + "; SQLite is for one node");
  lock.reset();
  EXPECT_TRUE(lock_for_daemon("sqlite:" + path));
}

TEST_F(SqliteLockTest, TheLockIsOfTheFileWhateverItsName) {
  FixedRandom random;
  ok(open_store("sqlite:" + path, random));
  const auto alias = folder.file("alias.db");
  fs::create_symlink(path, alias);
  const auto lock = ok(lock_for_daemon("sqlite:" + path));
  const auto second = lock_for_daemon("sqlite:" + alias);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().text, HasSubstr(alias));
}

TEST_F(SqliteLockTest, AStoreInMemoryNeedsNoLock) {
  const auto one = ok(lock_for_daemon("sqlite::memory:"));
  const auto two = ok(lock_for_daemon("sqlite::memory:"));
  EXPECT_TRUE(one);
  EXPECT_TRUE(two);
}

TEST_F(SqliteLockTest, AFolderThatIsNotThereCannotBeLocked) {
  const auto lock = lock_for_daemon("sqlite:" + folder.file("none/store.db"));
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().fault, Fault::kConfig);
  EXPECT_EQ(lock_for_daemon("mysql://host/db").error().fault, Fault::kConfig);
}

}  // namespace
}  // namespace rapporteur::testing_support
