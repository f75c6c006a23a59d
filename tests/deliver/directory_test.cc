#include "deliver/directory.h"

#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace rapporteur {
namespace {

using Outcome = Reply::Outcome;
using testing::MatchesRegex;
using testing::SizeIs;
using testing::StartsWith;

class DirectoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "directory-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
  Reply send(const std::string& message, const std::string& to = "a@b.example") {
    return make_directory_transport(folder.string())->send("x@y.example", to, message);
  }

  std::filesystem::path folder;
};

TEST_F(DirectoryTest, WritesTheMessageByteForByte) {
  const std::string message = "Message-ID: <1.2@example.org>\r\n\r\nbody\r\n";
  EXPECT_EQ(send(message).outcome, Outcome::kAccepted);
  ASSERT_THAT(files(), SizeIs(1));
  EXPECT_THAT(*files().begin(), MatchesRegex("1\\.2@example\\.org\\.[0-9a-f]{16}\\.eml"));
  const auto path = folder / *files().begin();
  EXPECT_EQ(*read_file(path.string()), message);
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0640U);
}

TEST_F(DirectoryTest, KeepsOneFileOfOneMessageAndEveryOtherMessage) {
  for (int i = 0; i < 2; ++i) send("Message-ID: <1@x>\r\n\r\na");
  EXPECT_THAT(files(), SizeIs(1));
  send("Message-ID: <1@x>\r\n\r\nb");
  EXPECT_THAT(files(), SizeIs(2));
  send("Message-ID: <1@x>\r\n\r\nb", "other@b.example");
  EXPECT_THAT(files(), SizeIs(3));
}

TEST_F(DirectoryTest, NeverReplacesAFileThatStandsInItsWay) {
  send("Message-ID: <1@x>\r\n\r\na");
  const auto taken = folder / *files().begin();
  ASSERT_TRUE(write_file(taken.string(), "something else", 0640));
  EXPECT_EQ(send("Message-ID: <1@x>\r\n\r\na").outcome, Outcome::kAccepted);
  EXPECT_EQ(*read_file(taken.string()), "something else");
  EXPECT_THAT(files(), SizeIs(2));
}

TEST_F(DirectoryTest, MakesSafeNames) {
  for (const std::string id :
       {"<../../etc/passwd>", "<...>", "<>", "<a/b\\c d*?>", "", "<.hidden>"}) {
    EXPECT_EQ(send("Message-ID: " + id + "\r\n\r\n").outcome, Outcome::kAccepted) << id;
  }
  send("Message-ID: <" + std::string(5000, 'x') + ">\r\n\r\n");
  send("no header at all");
  EXPECT_THAT(files(), SizeIs(8));
  for (const auto& name : files()) {
    EXPECT_THAT(name, MatchesRegex("[A-Za-z0-9@_-][A-Za-z0-9@_.-]*\\.eml"));
    EXPECT_LT(name.size(), 200U);
  }
}

TEST_F(DirectoryTest, AFolderThatCannotBeWrittenToIsTroubleOfTheRelay) {
  const auto gone = make_directory_transport((folder / "missing").string());
  const auto reply = gone->send("x@y.example", "a@b.example", "m");
  EXPECT_EQ(reply.outcome, Outcome::kRelayTrouble);
  EXPECT_THAT(reply.text, StartsWith("cannot create "));
  EXPECT_EQ(gone->probe().outcome, Outcome::kRelayTrouble);
  EXPECT_EQ(make_directory_transport(folder.string())->probe().outcome, Outcome::kAccepted);
}

}  // namespace
}  // namespace rapporteur
