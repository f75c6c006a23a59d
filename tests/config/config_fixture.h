#pragma once
// What the tests of this room stand on: texts to diagnostics, and files that live as long as a
// test.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "config/config.h"

namespace rapporteur::testing_support {

// A file that load_config() takes without a word, but for what `rest` adds.
inline std::string with_system(const std::string& rest) {
  return "[system]\ndomain = \"example.org\"\nhostname = \"mail.example.org\"\n" + rest;
}

// All diagnostics as they are shown, each followed by an empty line.
inline std::string shown(const LoadedConfig& loaded) {
  std::string text;
  for (const auto& diagnostic : loaded.diagnostics) text += diagnostic.text() + "\n\n";
  return text;
}

// The errors alone.
inline std::string errors_of(const std::string& text) {
  const auto loaded = parse_config(text, "r.toml");
  std::string errors;
  for (const auto& diagnostic : loaded.diagnostics) {
    if (diagnostic.severity == expr::Severity::kError) errors += diagnostic.text() + "\n";
  }
  return errors;
}

// The pieces of advice alone.
inline std::string advice_of(const std::string& text) {
  const auto loaded = parse_config(text, "r.toml");
  std::string advice;
  for (const auto& diagnostic : loaded.diagnostics) {
    if (diagnostic.severity == expr::Severity::kAdvice) advice += diagnostic.text() + "\n";
  }
  return advice;
}

// A configuration without errors.
inline std::shared_ptr<const Config> config_of(const std::string& rest) {
  const auto loaded = parse_config(with_system(rest), "r.toml");
  if (!loaded.config) ADD_FAILURE() << shown(loaded);
  return loaded.config;
}

class TemporaryFiles {
 public:
  TemporaryFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "config_test.XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~TemporaryFiles() { std::filesystem::remove_all(directory_); }
  TemporaryFiles(const TemporaryFiles&) = delete;
  TemporaryFiles& operator=(const TemporaryFiles&) = delete;

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string write(const std::string& name, const std::string& content, mode_t mode = 0600) const {
    std::ofstream(path(name), std::ios::binary) << content;
    ::chmod(path(name).c_str(), mode);
    return path(name);
  }
  // A copy of a key of tests/config/data that nobody else may read.
  std::string key(const std::string& name) const {
    std::ifstream file(std::string(TEST_ROOT) + "/config/data/" + name, std::ios::binary);
    return write(name, {std::istreambuf_iterator<char>(file), {}});
  }

 private:
  std::string directory_;
};

}  // namespace rapporteur::testing_support
