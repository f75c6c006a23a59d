// Pages that programs and people rely on name everything that they promise to name.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::set<std::string> logged_events() {
  static const std::regex kEvent(
      R"re((?:info|warning|error|debug|write)\((?:[^()"]*,\s*)?\s*"([a-z]+(?:-[a-z]+)*)")re");
  std::set<std::string> events;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(SOURCE_ROOT) / "src")) {
    if (entry.path().extension() != ".cc") continue;
    const auto text = content(entry.path());
    for (std::sregex_iterator it(text.begin(), text.end(), kEvent), end; it != end; ++it) {
      events.insert((*it)[1]);
    }
  }
  return events;
}

TEST(Documents, OperationsNamesEveryEventOfTheLog) {
  const auto events = logged_events();
  ASSERT_GT(events.size(), 15U);
  ASSERT_TRUE(events.contains("window-blocked"));
  const auto page = content(fs::path(SOURCE_ROOT) / "docs/operations.md");
  for (const auto& event : events) {
    EXPECT_NE(page.find("`" + event + "`"), std::string::npos) << event;
  }
}

}  // namespace
