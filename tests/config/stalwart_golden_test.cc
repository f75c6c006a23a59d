// Settings of Stalwart's, file by file: tests/golden/stalwart/NAME.{json,ndjson,toml} and what
// becomes of each, NAME.want.toml. tests/e2e/test_import.py compares what is said beside it.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "config/config_fixture.h"
#include "config/stalwart.h"

namespace rapporteur {

namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> inputs() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(fs::path(TEST_ROOT) / "golden/stalwart")) {
    const auto name = entry.path().filename().string();
    if (name.ends_with(".want.toml") || name.ends_with(".stderr")) continue;
    found.push_back(entry.path());
  }
  return found;
}

StalwartImport imported(const fs::path& path) {
  auto import = import_stalwart(content(path), path.string(), "example.org", "mail.example.org");
  if (import) return *std::move(import);
  ADD_FAILURE() << import.error().text;
  return {};
}

TEST(StalwartGolden, EveryFileBecomesWhatIsWanted) {
  ASSERT_GE(inputs().size(), 12U);
  for (const auto& path : inputs()) {
    auto want = path;
    want.replace_extension(".want.toml");
    EXPECT_EQ(imported(path).toml, content(want)) << path;
  }
}

TEST(StalwartGolden, EveryAnswerIsAConfigurationWithoutErrors) {
  for (const auto& path : inputs()) {
    const auto text = "[system]\ndomain = \"example.org\"\n" + imported(path).toml;
    EXPECT_EQ(testing_support::errors_of(text), "") << path;
  }
}

TEST(StalwartGolden, SettingsOfTheAnswerAreThoseThatWereImported) {
  using Status = ImportedSetting::Status;
  for (const auto& path : inputs()) {
    const auto import = imported(path);
    const auto loaded =
        parse_config("[system]\ndomain = \"example.org\"\n" + import.toml, "imported.toml");
    ASSERT_TRUE(loaded.config) << path;
    for (const auto setting : kSettings) {
      const auto* rule = loaded.config->settings.common(setting);
      const bool written = rule != nullptr && rule->origin != "default";
      for (const auto& told : import.settings) {
        if (told.setting != to_string(setting)) continue;
        if (told.status == Status::kDefault) continue;
        EXPECT_EQ(written, told.status == Status::kImported) << path << ": " << told.setting;
      }
    }
  }
}

}  // namespace

}  // namespace rapporteur
