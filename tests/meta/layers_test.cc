// Rooms depend in one direction, and each foreign library has its door: docs/design.md, "Rooms".

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

const Names kAllButIngest = {"base", "expr",      "model",  "config", "mime",   "dns",
                             "dkim", "aggregate", "report", "store",  "deliver"};

Names plus(Names names, const Names& more) {
  names.insert(more.begin(), more.end());
  return names;
}

// The dependency table of docs/design.md.
const std::map<std::string, Names> kMayInclude = {
    {"expr", {}},
    {"base", {}},
    {"model", {"base"}},
    {"config", {"base", "expr"}},
    {"mime", {"base", "model"}},
    {"dns", {"base", "model"}},
    {"dkim", {"base", "mime"}},
    {"store", {"base", "model"}},
    {"aggregate", {"base", "model", "store"}},
    {"ingest", {"base", "model", "aggregate"}},
    {"report", {"base", "model"}},
    {"deliver", {"base", "model", "mime", "dkim", "store"}},
    {"schedule", kAllButIngest},
    {"received", {"base", "model", "config", "mime", "dkim", "dns", "report", "store"}},
    {"daemon", plus(kAllButIngest, {"ingest", "schedule", "received"})},
    {"cli", plus(kAllButIngest, {"ingest", "schedule", "received"})},
    {"hook", {}},
};

// A foreign library: how its headers begin, and the rooms whose .cc files may include it. In the
// rooms of `only_in` it is for the files whose paths begin so.
struct Library {
  std::string_view name;
  std::vector<std::string> headers;
  Names rooms;
  std::map<std::string, std::string> only_in = {};
};

const std::vector<Library> kLibraries = {
    {"Boost.Spirit X3", {"boost/spirit/", "boost/fusion/"}, {"expr"}},
    {"Boost.Beast and Asio",
     {"boost/beast/", "boost/asio/"},
     {"daemon"},
     {{"daemon", "src/daemon/http_server"}}},
    {"toml++", {"toml++/", "toml.hpp"}, {"config"}},
    {"nlohmann/json",
     {"nlohmann/"},
     {"report", "cli", "config", "daemon", "received"},
     {{"config", "config/stalwart"},
      {"daemon", "src/daemon/http_json"},
      {"received", "src/received/report_reader"}}},
    {"simdjson", {"simdjson"}, {"ingest"}},
    {"libopendkim", {"opendkim/", "dkim.h"}, {"dkim"}},
    {"OpenSSL", {"openssl/"}, {"base", "expr", "daemon"}, {{"daemon", "src/daemon/http_server"}}},
    {"libcurl", {"curl/"}, {"deliver"}},
    {"libevent", {"event2/"}, {"dns"}, {{"dns", "src/dns/unbound_engine"}}},
    {"libunbound", {"unbound.h", "unbound-event.h"}, {"dns"}},
    {"GMime", {"gmime/", "glib", "gmime.h"}, {"mime"}},
    {"RE2", {"re2/"}, {"expr"}},
    {"libidn2", {"idn2.h"}, {"base"}},
    {"libpsl", {"libpsl.h"}, {"base"}, {{"base", "src/base/organisation"}}},
    {"SQLite", {"sqlite3.h"}, {"store", "ingest"}, {{"ingest", "src/ingest/sys4_database"}}},
    {"libpq", {"libpq-fe.h"}, {"store"}, {{"store", "src/store/pg."}}},
    {"libdeflate", {"libdeflate.h"}, {"report"}},
    {"zlib", {"zlib.h"}, {"report", "base"}, {{"base", "src/base/gunzip"}}},
    {"CLI11", {"CLI/"}, {"cli"}},
    {"xxHash", {"xxhash.h"}, {"base"}},
    {"spdlog", {"spdlog/"}, {"base"}},
    {"fmt", {"fmt/"}, {"base", "cli"}},
    {"libzip", {"zip.h"}, {"received"}, {{"received", "src/received/zip"}}},
    {"json-c", {"json-c/", "json.h"}, {"hook"}},
};

// What the platform offers besides the C++ standard library, whose headers have neither dot nor
// slash.
const std::regex kPlatform(
    R"((?:unistd|sysexits|crypt|pthread|sched|termios|fcntl|poll|signal|pwd|grp|netdb|ifaddrs|malloc|spawn|errno|limits|time)\.h)"
    R"(|(?:sys|arpa|netinet|net)/[a-z0-9_]+\.h)");

// The room that is written in C, and what the C library offers it.
constexpr std::string_view kRoomInC = "hook";
const std::regex kStandardC(
    R"((?:inttypes|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string)\.h)");

struct Include {
  std::string file;  // relative to the source tree
  int line = 0;
  std::string room;
  bool header = false;  // `file` is one
  bool angled = false;
  std::string target;
};

std::vector<Include> includes_of(const fs::path& path, const std::string& room) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<Include> found;
  std::ifstream source(path);
  int number = 0;
  for (std::string line; std::getline(source, line);) {
    ++number;
    std::smatch match;
    if (!std::regex_search(line, match, kInclude)) continue;
    found.push_back({fs::relative(path, SOURCE_ROOT).string(), number, room,
                     path.extension() == ".h", match[1] == "<", match[2]});
  }
  return found;
}

// Folder of each room; main.cc wires every room together and belongs to none.
std::map<std::string, fs::path> rooms() {
  const fs::path root(SOURCE_ROOT);
  std::map<std::string, fs::path> found = {{"expr", root / "expr"}, {"config", root / "config"}};
  for (const auto& entry : fs::directory_iterator(root / "src")) {
    if (entry.is_directory()) found.emplace(entry.path().filename().string(), entry.path());
  }
  return found;
}

std::vector<Include> all_includes() {
  std::vector<Include> found;
  for (const auto& [room, folder] : rooms()) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != (room == kRoomInC ? ".c" : ".cc")) continue;
      for (auto& include : includes_of(entry.path(), room)) found.push_back(std::move(include));
    }
  }
  return found;
}

const Library* library_of(const std::string& target) {
  for (const auto& library : kLibraries) {
    for (const auto& prefix : library.headers) {
      if (target.starts_with(prefix)) return &library;
    }
  }
  return nullptr;
}

std::string place(const Include& include) {
  return include.file + ":" + std::to_string(include.line) + " includes " + include.target;
}

TEST(Layers, EveryRoomHasARow) {
  const auto found = rooms();
  ASSERT_GE(found.size(), 10U) << "the source tree is not where it should be";
  for (const auto& [room, folder] : found) {
    EXPECT_TRUE(kMayInclude.contains(room)) << "no layer is declared for " << folder;
  }
}

TEST(Layers, RowsNameOnlyRoomsAndHaveNoCircles) {
  for (const auto& [room, used] : kMayInclude) {
    for (const auto& other : used) {
      ASSERT_TRUE(kMayInclude.contains(other)) << room << " uses " << other;
      EXPECT_FALSE(kMayInclude.at(other).contains(room)) << room << " and " << other;
    }
  }
}

TEST(Layers, RoomsIncludeOnlyWhatIsBelowThem) {
  const auto includes = all_includes();
  ASSERT_FALSE(includes.empty());
  for (const auto& include : includes) {
    if (include.angled || !kMayInclude.contains(include.room)) continue;
    const auto slash = include.target.find('/');
    ASSERT_NE(slash, std::string::npos) << place(include) << ": name the room";
    const auto target = include.target.substr(0, slash);
    EXPECT_TRUE(target == include.room || kMayInclude.at(include.room).contains(target))
        << place(include) << ", which is not below it";
  }
}

TEST(Layers, ForeignLibrariesStayInTheirRoomsAndOutOfHeaders) {
  for (const auto& include : all_includes()) {
    if (!include.angled) continue;
    const bool standard = include.target.find_first_of("./") == std::string::npos;
    if (standard || std::regex_match(include.target, kPlatform)) continue;
    if (include.room == kRoomInC && std::regex_match(include.target, kStandardC)) continue;
    const auto* library = library_of(include.target);
    ASSERT_NE(library, nullptr) << place(include) << ", a library that is not listed";
    EXPECT_TRUE(library->rooms.contains(include.room))
        << place(include) << ", but " << library->name << " is not for this room";
    const auto only = library->only_in.find(include.room);
    EXPECT_TRUE(only == library->only_in.end() || include.file.starts_with(only->second))
        << place(include) << ", but " << library->name << " is for " << only->second << "* alone";
    EXPECT_FALSE(include.header) << place(include) << ", which belongs in a .cc file";
  }
}

// Two types of one name are one to the linker: whose functions run then is chance.
TEST(Layers, NoTwoHeadersDefineATypeOfTheSameName) {
  static const std::regex kDefinition(R"(^(?:struct|class|enum class|enum) (\w+)[^;]*\{$)");
  static const std::regex kNamespace(R"(^namespace ([\w:]+) \{$)");
  std::map<std::string, std::string> defined;
  for (const auto& [room, folder] : rooms()) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.path().extension() != ".h") continue;
      std::ifstream source(entry.path());
      std::string space;
      for (std::string line; std::getline(source, line);) {
        std::smatch match;
        if (std::regex_search(line, match, kNamespace)) space = match[1];
        if (!std::regex_search(line, match, kDefinition)) continue;
        const auto [other, fresh] =
            defined.emplace(space + "::" + match[1].str(), entry.path().string());
        EXPECT_TRUE(fresh) << match[1] << " is in " << entry.path() << " and " << other->second;
      }
    }
  }
  EXPECT_GT(defined.size(), 100U);
}

// The link line is the same rule told to the linker.
TEST(Layers, RoomsLinkOnlyWhatIsBelowThem) {
  static const std::regex kRoom(R"(\broom\(\s*(\w+)([^)]*)\))");
  for (const auto& [room, folder] : rooms()) {
    std::ifstream file(folder / "CMakeLists.txt");
    ASSERT_TRUE(file) << folder << " has no CMakeLists.txt";
    std::stringstream text;
    text << file.rdbuf();
    const auto content = text.str();
    if (room == kRoomInC) {
      EXPECT_EQ(content.find("room_"), std::string::npos) << room << " links a room";
      continue;
    }
    std::smatch match;
    ASSERT_TRUE(std::regex_search(content, match, kRoom)) << folder;
    EXPECT_EQ(match[1], room);
    std::istringstream words(match[2]);
    bool uses = false;
    for (std::string word; words >> word;) {
      if (word == "USES" || word == "FOREIGN") {
        uses = word == "USES";
      } else if (uses) {
        EXPECT_TRUE(kMayInclude.contains(room) && kMayInclude.at(room).contains(word))
            << room << " links " << word;
      }
    }
  }
}

}  // namespace
