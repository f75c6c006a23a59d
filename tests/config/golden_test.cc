// Configurations and every word that is said about them: tests/golden/config, x.toml and x.want.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "config/config_fixture.h"

namespace rapporteur {
namespace {

namespace fs = std::filesystem;
using testing_support::TemporaryFiles;

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> inputs() {
  std::vector<std::string> names;
  for (const auto& file : fs::directory_iterator(TEST_ROOT "/golden/config")) {
    if (file.path().extension() == ".toml") names.push_back(file.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The configurations name files of a folder like this, which is the working directory: the length
// of a path must not decide where a caret stands.
class GoldenConfig : public testing::TestWithParam<std::string> {
 protected:
  GoldenConfig() : before_(fs::current_path()) {
    files_.key("ed25519.pem");
    files_.key("rsa1024.pem");
    files_.key("rsa512.pem");
    ::chmod(files_.write("open.pem", content_of(files_.key("rsa2048.pem"))).c_str(), 0644);
    files_.write("certificate.pem", "certificate\n", 0644);
    files_.write("open.txt", "secret\n", 0644);
    files_.write("password.txt", "secret\n");
    files_.write("empty.txt", "\n");
    files_.write("partners.txt", "a.example\n");
    files_.write("bad_list.txt", "# fine\na.example gold\nb.example \x07\n");
    fs::current_path(files_.path(""));
  }
  ~GoldenConfig() override { fs::current_path(before_); }

 private:
  TemporaryFiles files_;
  fs::path before_;
};

TEST_P(GoldenConfig, IsJudgedAsRecorded) {
  const fs::path stem = fs::path(TEST_ROOT "/golden/config") / GetParam();
  const auto loaded = parse_config(content_of(fs::path(stem) += ".toml"), GetParam() + ".toml");
  std::string said;
  bool errors = false;
  for (const auto& diagnostic : loaded.diagnostics) {
    said += diagnostic.text() + "\n";
    errors = errors || diagnostic.severity == expr::Severity::kError;
  }
  EXPECT_EQ(said, content_of(fs::path(stem) += ".want"));
  EXPECT_EQ(loaded.config == nullptr, errors);
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenConfig, testing::ValuesIn(inputs()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace rapporteur
