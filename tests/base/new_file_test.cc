#include "base/new_file.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "base/file.h"

namespace rapporteur {
namespace {

namespace fs = std::filesystem;

class NewFileTest : public testing::Test {
 protected:
  NewFileTest() {
    std::string name = testing::TempDir() + "new_file.XXXXXX";
    directory = mkdtemp(name.data());
    path = directory + "/x";
  }
  ~NewFileTest() override { fs::remove_all(directory); }

  auto files() const {
    return std::distance(fs::directory_iterator(directory), fs::directory_iterator());
  }

  std::string directory;
  std::string path;
};

TEST_F(NewFileTest, HasItsModeAndLeavesNothingBeside) {
  const std::string content = std::string("a\0b\n", 4) + std::string(200'000, 'x');
  ASSERT_TRUE(write_new_file(path, content, 0600));
  EXPECT_EQ(*read_file(path), content);
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  EXPECT_EQ(status.st_nlink, 1U);
  EXPECT_EQ(files(), 1);
}

TEST_F(NewFileTest, ReplacesNothing) {
  ASSERT_TRUE(write_file(path, "one", 0600));
  const auto second = write_new_file(path, "two", 0600);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, Fault::kPermanent);
  EXPECT_EQ(second.error().text, path + " exists already; nothing is overwritten");
  EXPECT_EQ(*read_file(path), "one");
  EXPECT_EQ(files(), 1);
}

TEST_F(NewFileTest, DoesNotFollowALink) {
  fs::create_symlink(directory + "/elsewhere", path);
  const auto written = write_new_file(path, "two", 0600);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().fault, Fault::kPermanent);
  EXPECT_FALSE(fs::exists(directory + "/elsewhere"));
}

TEST_F(NewFileTest, SaysWhyItCannotBeMade) {
  const auto nowhere = write_new_file(directory + "/missing/x", "one", 0600);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().fault, Fault::kTransient);
  EXPECT_EQ(nowhere.error().text,
            "cannot create " + directory + "/missing/x: No such file or directory");
}

}  // namespace
}  // namespace rapporteur
