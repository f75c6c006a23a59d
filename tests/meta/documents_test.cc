// Pages that programs and people rely on name everything that they promise to name.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
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

// The first argument of each call such as log.warning("event", …) in `text`.
void collect_events(const std::string& text, std::set<std::string>& events) {
  for (const std::string call : {"info(", "warning(", "error(", "debug("}) {
    for (auto at = text.find(call); at != text.npos; at = text.find(call, at + 1)) {
      const auto quote = text.find_first_not_of(" \n", at + call.size());
      if (quote == text.npos || text[quote] != '"') continue;
      const auto end = text.find('"', quote + 1);
      const auto event = text.substr(quote + 1, end - quote - 1);
      const bool name = event.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == event.npos;
      if (name && !event.empty()) events.insert(event);
    }
  }
}

std::set<std::string> logged_events() {
  std::set<std::string> events;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(SOURCE_ROOT) / "src")) {
    if (entry.path().extension() == ".cc") collect_events(content(entry.path()), events);
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
