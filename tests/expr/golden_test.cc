#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "expr/support.h"

namespace expr {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// The dump, or each diagnostic under the line it is about, with carets.
std::string report(const std::string& source) {
  const Compilation compilation = compile(source, testing_support::schema());
  std::string text;
  if (compilation.program) text = compilation.program->dump() + "\n";
  for (const Diagnostic& found : compilation.diagnostics) {
    const auto before = source.rfind('\n', found.offset == 0 ? 0 : found.offset - 1);
    const auto begin = before == source.npos || found.offset == 0 ? 0 : before + 1;
    const auto end = std::min(source.find('\n', found.offset), source.size());
    text += source.substr(begin, end - begin) + "\n";
    text += std::string(found.offset - begin, ' ') + std::string(found.length, '^') + "\n";
    text += found.message + "\n";
    if (!found.suggestion.empty()) text += found.suggestion + "\n";
  }
  return text;
}

std::vector<std::string> inputs() {
  std::vector<std::string> names;
  for (const auto& file : fs::directory_iterator(TEST_ROOT "/golden/expr")) {
    if (file.path().extension() == ".expr") names.push_back(file.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, ReportIsAsRecorded) {
  const fs::path stem = fs::path(TEST_ROOT "/golden/expr") / GetParam();
  std::string source = read(fs::path(stem) += ".expr");
  if (source.ends_with('\n')) source.pop_back();
  EXPECT_EQ(report(source), read(fs::path(stem) += ".want"));
}

INSTANTIATE_TEST_SUITE_P(Files, Golden, testing::ValuesIn(inputs()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace expr
