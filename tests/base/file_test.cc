#include "base/file.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rapporteur {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  FileTest() {
    std::string name = testing::TempDir() + "file.XXXXXX";
    directory = mkdtemp(name.data());
    path = directory + "/x";
  }
  ~FileTest() override { fs::remove_all(directory); }

  std::string directory;
  std::string path;
};

bool is_open(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

TEST_F(FileTest, ComesBackAsItWasWritten) {
  const std::string content = std::string("a\0b\n", 4) + std::string(200000, 'x');
  ASSERT_TRUE(write_file(path, content, 0600));
  EXPECT_EQ(*read_file(path), content);
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(FileTest, IsReplacedWholeAndLeavesNothingBeside) {
  ASSERT_TRUE(write_file(path, "one", 0600));
  ASSERT_TRUE(write_file(path, "two", 0640));
  EXPECT_EQ(*read_file(path), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), fs::directory_iterator()), 1);
}

TEST_F(FileTest, SaysWhyItCannotBeReadOrWritten) {
  const auto missing = read_file(path);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fault, Fault::kPermanent);
  EXPECT_EQ(missing.error().text, "cannot open " + path + ": No such file or directory");
  const auto nowhere = write_file(directory + "/missing/x", "one", 0600);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().fault, Fault::kTransient);
}

TEST_F(FileTest, KeepsTheOldContentWhenWritingFails) {
  fs::create_directory(path);  // a file cannot replace a directory
  EXPECT_FALSE(write_file(path, "two", 0600));
  EXPECT_TRUE(fs::is_directory(path));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), fs::directory_iterator()), 1);
}

TEST_F(FileTest, DescriptorIsClosedOnceByItsOwner) {
  const int number = ::open("/dev/null", O_RDONLY);
  {
    Fd outer;
    EXPECT_FALSE(outer);
    {
      Fd inner(number);
      EXPECT_EQ(inner.get(), number);
      outer = std::move(inner);
    }
    EXPECT_TRUE(is_open(number));
    const Fd last(std::move(outer));
    EXPECT_TRUE(last);
  }
  EXPECT_FALSE(is_open(number));
}

}  // namespace
}  // namespace rapporteur
