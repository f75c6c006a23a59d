#include "base/maildir.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/file.h"

namespace rapporteur {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using State = MaildirMessage::State;

class MaildirTest : public testing::Test {
 protected:
  MaildirTest() {
    std::string name = testing::TempDir() + "maildir.XXXXXX";
    root = mkdtemp(name.data());
    fs::create_directory(root + "/new");
  }
  ~MaildirTest() override { fs::remove_all(root); }

  // A message in new/, last modified at that second.
  std::string deliver(const std::string& name, const std::string& text, time_t modified = 1000) {
    auto path = root + "/new/" + name;
    std::ofstream(path) << text;
    const std::array<timespec, 2> times = {timespec{modified, 0}, timespec{modified, 0}};
    utimensat(AT_FDCWD, path.c_str(), times.data(), 0);
    return path;
  }

  std::vector<std::string> names_in(const std::string& folder) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(root + folder)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  std::string root;
};

TEST_F(MaildirTest, IsADirectoryWithNew) {
  EXPECT_TRUE(is_maildir(root));
  EXPECT_TRUE(is_maildir(root + "/"));
  EXPECT_FALSE(is_maildir(root + "/new"));
  EXPECT_FALSE(is_maildir(root + "/missing"));
  std::ofstream(root + "/file") << "x";
  EXPECT_FALSE(is_maildir(root + "/file"));
}

TEST_F(MaildirTest, GivesTheOldestMessagesFirst) {
  const auto third = deliver("1.a", "x", 3000);
  const auto second = deliver("2.b", "x", 2000);
  const auto first = deliver("2.a", "x", 2000);
  EXPECT_THAT(*Maildir(root).waiting(), ElementsAre(first, second, third));
  EXPECT_THAT(*Maildir(root + "//").waiting(), ElementsAre(first, second, third));
  EXPECT_THAT(*Maildir(root, {.messages = 2}).waiting(), ElementsAre(first, second));
}

TEST_F(MaildirTest, GivesOnlyRegularFilesOfNew) {
  const auto message = deliver("1.a", "x");
  deliver(".hidden", "x");
  fs::create_directory(root + "/new/folder");
  fs::create_directory(root + "/cur");
  std::ofstream(root + "/cur/2.b:2,S") << "x";
  fs::create_symlink(message, root + "/new/link");
  ASSERT_EQ(mkfifo((root + "/new/pipe").c_str(), 0600), 0);
  EXPECT_THAT(*Maildir(root).waiting(), ElementsAre(message));
}

TEST_F(MaildirTest, IsEmptyWithoutMessages) {
  EXPECT_THAT(*Maildir(root).waiting(), IsEmpty());
}

TEST_F(MaildirTest, SaysWhyItCannotBeRead) {
  const auto waiting = Maildir(root + "/missing").waiting();
  ASSERT_FALSE(waiting);
  EXPECT_EQ(waiting.error().fault, Fault::kTransient);
  EXPECT_EQ(waiting.error().text,
            "cannot read " + root + "/missing/new: No such file or directory");
}

TEST_F(MaildirTest, ReadsAMessage) {
  const std::string text = std::string("a\0b\n", 4) + std::string(100000, 'x');
  const auto message = Maildir(root).read(deliver("1.a", text));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->state, State::kRead);
  EXPECT_EQ(message->text, text);
  EXPECT_EQ(message->bytes, text.size());
}

TEST_F(MaildirTest, ReadsNoMessageAboveTheLimit) {
  const Maildir maildir(root, {.message_bytes = 10});
  EXPECT_EQ(maildir.read(deliver("1.a", std::string(10, 'x')))->text, std::string(10, 'x'));
  const auto large = maildir.read(deliver("2.b", std::string(11, 'x')));
  ASSERT_TRUE(large);
  EXPECT_EQ(large->state, State::kTooLarge);
  EXPECT_EQ(large->bytes, 11U);
  EXPECT_EQ(large->text, "");
}

TEST_F(MaildirTest, ReadsTheStartOfALongMessage) {
  const Maildir maildir(root, {.message_bytes = 10, .read_bytes = 4});
  for (const std::size_t bytes : {3U, 4U, 10U}) {
    const auto message = maildir.read(deliver("1.a", std::string(bytes, 'x')));
    ASSERT_TRUE(message);
    EXPECT_EQ(message->state, State::kRead);
    EXPECT_EQ(message->text, std::string(std::min<std::size_t>(bytes, 4), 'x'));
    EXPECT_EQ(message->bytes, bytes);
  }
  EXPECT_EQ(maildir.read(deliver("1.a", std::string(11, 'x')))->state, State::kTooLarge);
}

TEST_F(MaildirTest, ReadsNothingThatVanishedOrIsNoFile) {
  const auto message = deliver("1.a", "x");
  fs::create_symlink(message, root + "/new/link");
  fs::create_directory(root + "/new/folder");
  ASSERT_EQ(mkfifo((root + "/new/pipe").c_str(), 0600), 0);
  for (const auto* name : {"missing", "link", "folder", "pipe"}) {
    const auto read = Maildir(root).read(root + "/new/" + name);
    ASSERT_TRUE(read) << name;
    EXPECT_EQ(read->state, State::kGone) << name;
  }
}

TEST_F(MaildirTest, MovesAMessageToCurAsSeen) {
  const auto path = deliver("1.a", "one");
  ASSERT_TRUE(Maildir(root).take_away(path));
  EXPECT_THAT(*Maildir(root).waiting(), IsEmpty());
  EXPECT_THAT(names_in("/new"), IsEmpty());
  EXPECT_EQ(*read_file(root + "/cur/1.a:2,S"), "one");
}

TEST_F(MaildirTest, ReplacesNoMessageInCur) {
  for (const auto* text : {"one", "two", "three"}) {
    ASSERT_TRUE(Maildir(root).take_away(deliver("1.a", text)));
  }
  EXPECT_THAT(names_in("/cur"), UnorderedElementsAre("1.a:2,S", "1.a.1:2,S", "1.a.2:2,S"));
  EXPECT_EQ(*read_file(root + "/cur/1.a:2,S"), "one");
  EXPECT_EQ(*read_file(root + "/cur/1.a.2:2,S"), "three");
}

TEST_F(MaildirTest, GivesAMessageANameThatFits) {
  const std::string name(255, 'n');
  ASSERT_TRUE(Maildir(root).take_away(deliver(name, "one")));
  ASSERT_TRUE(Maildir(root).take_away(deliver("2.b:2,F", "two")));
  EXPECT_THAT(names_in("/cur"), UnorderedElementsAre(name.substr(0, 240) + ":2,S", "2.b:2,S"));
}

TEST_F(MaildirTest, TakesAwayWhatIsGone) {
  EXPECT_TRUE(Maildir(root).take_away(root + "/new/missing"));
}

TEST_F(MaildirTest, SaysWhyAMessageCannotBeMoved) {
  const auto path = deliver("1.a", "x");
  fs::create_symlink(root + "/nowhere", root + "/cur");
  const auto taken = Maildir(root).take_away(path);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().fault, Fault::kTransient);
  EXPECT_EQ(taken.error().text,
            "cannot move " + path + " to " + root + "/cur: No such file or directory");
}

TEST_F(MaildirTest, MovesNothingFromElsewhere) {
  std::ofstream(root + "/outside") << "x";
  for (const auto& path :
       {root + "/outside", root + "/new/../outside", root + "/new/", root, std::string()}) {
    const auto taken = Maildir(root).take_away(path);
    ASSERT_FALSE(taken) << path;
    EXPECT_EQ(taken.error().fault, Fault::kPermanent);
    EXPECT_EQ(taken.error().text, path + " is not in " + root + "/new/");
  }
  EXPECT_TRUE(fs::exists(root + "/outside"));
}

}  // namespace
}  // namespace rapporteur
