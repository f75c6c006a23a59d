// The files tests/golden/expr/*.diag: expressions, each with everything that is said about it. A
// block is the expression in one line and, for each diagnostic, a line of carets under what it is
// about, "OFFSET+LENGTH error: MESSAGE" and the suggestion if there is one. Empty lines stand
// between blocks; a block that begins with "# " is a comment. In an expression {{TEXT|N}} is N
// times TEXT and {{0xFF}} a byte; such an expression has no carets.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "expr/support.h"

namespace expr {
namespace {

namespace fs = std::filesystem;

Schema schema_with_lookups() {
  auto lookups = std::make_shared<Lookups>();
  lookups->by_name["partners"] = {{"example.com", ""}};
  lookups->by_name["contacts"] = {{"example.com", "Bob"}};
  Schema schema = testing_support::schema();
  schema.lookups = std::move(lookups);
  schema.unavailable.emplace("winnow", "is left out of this schema");
  return schema;
}

std::string expanded(std::string source) {
  for (auto begin = source.find("{{"); begin != source.npos; begin = source.find("{{")) {
    const auto end = source.find("}}", begin);
    const std::string run = source.substr(begin + 2, end - begin - 2);
    const auto bar = run.rfind('|');
    std::string text;
    if (bar == run.npos) {
      text = std::string(1, static_cast<char>(std::stoi(run, nullptr, 16)));
    } else {
      for (int i = std::stoi(run.substr(bar + 1)); i > 0; --i) text += run.substr(0, bar);
    }
    source.replace(begin, end + 2 - begin, text);
  }
  return source;
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string carets(std::string_view source, const Diagnostic& found) {
  const auto width =
      std::max<std::size_t>(1, characters(source.substr(found.offset, found.length)));
  return std::string(characters(source.substr(0, found.offset)), ' ') + std::string(width, '^') +
         "\n";
}

// The block of an expression, as it stands in the file if everything is as it was.
std::string block(const std::string& written, const Schema& schema) {
  const std::string source = expanded(written);
  std::string text = written + "\n";
  for (const Diagnostic& found : compile(source, schema).diagnostics) {
    if (source == written) text += carets(source, found);
    text += std::to_string(found.offset) + "+" + std::to_string(found.length) +
            (found.severity == Severity::kError ? " error: " : " advice: ") + found.message + "\n";
    if (!found.suggestion.empty()) text += found.suggestion + "\n";
  }
  return text;
}

std::vector<std::string> blocks_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  std::vector<std::string> blocks(1);
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) {
      blocks.emplace_back();
    } else {
      blocks.back() += line + "\n";
    }
  }
  return blocks;
}

std::vector<std::string> files() {
  std::vector<std::string> names;
  for (const auto& file : fs::directory_iterator(TEST_ROOT "/golden/expr")) {
    if (file.path().extension() == ".diag") names.push_back(file.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class DiagnosticGolden : public testing::TestWithParam<std::string> {};

TEST_P(DiagnosticGolden, SaysWhatIsRecorded) {
  const Schema schema = schema_with_lookups();
  const auto blocks = blocks_of(fs::path(TEST_ROOT "/golden/expr") / (GetParam() + ".diag"));
  EXPECT_GT(blocks.size(), 5u);
  for (const std::string& want : blocks) {
    if (want.starts_with("# ")) continue;
    EXPECT_EQ(block(want.substr(0, want.find('\n')), schema), want);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, DiagnosticGolden, testing::ValuesIn(files()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace expr
