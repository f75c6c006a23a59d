#include "daemon/spill.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "support/fixed_random.h"
#include "support/recording_log.h"

namespace rapporteur {
namespace {

namespace fs = std::filesystem;

using testing_support::FixedRandom;
using testing_support::RecordingLog;

class SpillTest : public testing::Test {
 protected:
  SpillTest() { EXPECT_TRUE(spill->open()); }
  ~SpillTest() override { fs::remove_all(path); }

  std::string folder() const { return path + "/spill"; }

  Result<void> write(Spill& to, std::uint64_t max_bytes = 100'000) {
    Tally tally("test", std::make_shared<SessionTable>());
    tally.note("rejected.not-json");
    const Tally* const one = &tally;
    return to.write({&one, 1}, max_bytes);
  }

  const std::string path = [] {
    std::string name = fs::temp_directory_path() / "rapporteur-spill-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    return name;
  }();
  FixedRandom random;
  RecordingLog log;
  DaemonMetrics metrics;
  std::optional<Spill> spill{std::in_place, path + "/spill", "node 1", random, log, metrics};
};

TEST_F(SpillTest, AFolderHasOneProcess) {
  Spill second(folder(), "node 1", random, log, metrics);
  const auto opened = second.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, Fault::kConfig);
  EXPECT_EQ(opened.error().text, "another daemon (process " + std::to_string(getpid()) +
                                     ") spills to " + folder() +
                                     "/node%201: give each its own [store] node, or its own "
                                     "[store] spill");
  Spill other(folder(), "node 2", random, log, metrics);
  EXPECT_TRUE(other.open());
}

TEST_F(SpillTest, AFolderIsOfItsOwnerAlone) {
  EXPECT_EQ(fs::status(folder()).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(spill->folder()).permissions(), fs::perms::owner_all);
}

TEST_F(SpillTest, NoNameLeavesTheFolder) {
  for (const auto* node : {"..", "../x", "/x", "."}) {
    const Spill other(folder(), node, random, log, metrics);
    EXPECT_EQ(fs::path(other.folder()).lexically_normal().parent_path(), folder()) << node;
  }
}

TEST_F(SpillTest, AFolderThatCannotBeMadeIsTriedAgain) {
  const auto parent = path + "/mounted";
  Spill late(parent + "/spill", "node", random, log, metrics);
  const auto opened = late.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, Fault::kTransient);
  fs::create_directory(parent);
  EXPECT_TRUE(write(late));
  EXPECT_EQ(late.files(), 1U);
}

TEST_F(SpillTest, AFileThatWasNotFinishedIsRemoved) {
  const auto unfinished = spill->folder() + "/node-1.spill.abcdef";
  std::ofstream(unfinished) << "half";
  spill.reset();
  spill.emplace(folder(), "node 1", random, log, metrics);
  ASSERT_TRUE(spill->open());
  EXPECT_FALSE(fs::exists(unfinished));
  EXPECT_EQ(spill->files(), 0U);
}

TEST_F(SpillTest, AFileThatTheDiskDoesNotTakeIsNotThere) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit little{10, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &little), 0);
  const auto written = write(*spill);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().fault, Fault::kTransient);
  EXPECT_EQ(spill->files(), 0U);
  EXPECT_EQ(std::distance(fs::directory_iterator(spill->folder()), {}), 1) << "the lock";
  EXPECT_TRUE(write(*spill));
}

TEST_F(SpillTest, FilesTakeNoMoreThanTheyMay) {
  ASSERT_TRUE(write(*spill));
  const auto bytes = spill->bytes();
  const auto refused = write(*spill, 2 * bytes - 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::kPermanent);
  EXPECT_TRUE(write(*spill, 2 * bytes));
  EXPECT_EQ(spill->bytes(), 2 * bytes);
}

TEST_F(SpillTest, AFileThatCannotBeReadComesAfterTheOthers) {
  ASSERT_TRUE(write(*spill));
  const auto first = spill->oldest();
  ASSERT_TRUE(write(*spill));
  spill->postpone();
  EXPECT_NE(spill->oldest(), first);
  EXPECT_TRUE(spill->remove());
  EXPECT_EQ(spill->oldest(), first);
}

}  // namespace
}  // namespace rapporteur
