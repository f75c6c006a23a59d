#include "base/spill_file.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include <gtest/gtest.h>

namespace rapporteur {
namespace {

TEST(SpillFile, GivesBackWhatWasAppended) {
  SpillFile file;
  const std::vector<std::string> texts = {"", "a", std::string(100'000, 'x'), {"\0\n\xff", 3}};
  std::vector<SpillFile::Place> places;
  for (const auto& text : texts) {
    const auto place = file.append(text);
    ASSERT_TRUE(place) << place.error().text;
    places.push_back(*place);
  }
  for (std::size_t i = texts.size(); i-- > 0;) EXPECT_EQ(*file.read(places[i]), texts[i]);
}

TEST(SpillFile, LeavesNoNameBehind) {
  std::string pattern = (std::filesystem::temp_directory_path() / "spillXXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  setenv("TMPDIR", folder.c_str(), 1);
  SpillFile file;
  EXPECT_TRUE(file.append("x"));
  before == nullptr ? unsetenv("TMPDIR") : setenv("TMPDIR", kept.c_str(), 1);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::filesystem::remove_all(folder);
}

TEST(SpillFile, TellsThatAPlaceIsNotThere) {
  SpillFile file;
  ASSERT_TRUE(file.append("x"));
  const auto read = file.read({0, 2});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().fault, Fault::kTransient);
}

}  // namespace
}  // namespace rapporteur
