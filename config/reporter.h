#pragma once
// Collects what is to be told about one configuration file.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/source_text.h"

namespace rapporteur {

class Reporter {
 public:
  // Both outlive this object.
  Reporter(const std::string& path, const SourceText& source) : path_(path), source_(source) {}

  void error(Span where, std::string message, std::string suggestion = {});
  void advice(Span where, std::string message, std::string suggestion = {});
  void report(expr::Severity severity, Span where, std::string message, std::string suggestion);
  // About the file as a whole.
  void error_in_file(std::string message, std::string suggestion = {});

  // How many errors there are so far.
  std::size_t errors() const { return errors_; }
  Location location(std::size_t offset) const;
  const SourceText& source() const { return source_; }

  // Everything, in the order of the file, and how much more there would be.
  std::vector<ConfigDiagnostic> take();

 private:
  static constexpr std::size_t kMostOfAKind = 1000;

  // Counts one more. Whether it is kept.
  bool counts(expr::Severity severity);
  void quote_line(Span where, ConfigDiagnostic& diagnostic) const;
  void summarise(std::size_t count, expr::Severity severity, std::string_view what);

  const std::string& path_;
  const SourceText& source_;
  std::vector<ConfigDiagnostic> diagnostics_;
  std::size_t errors_ = 0;
  std::size_t advice_ = 0;
};

// The candidate that the word was probably meant to be; empty: none is near. Case, '_' and '-' do
// not count as differences.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// "did you mean flushEvery?", or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

// Text for a message: valid, on one line, at most 80 bytes, in single quotes.
std::string quoted(std::string_view text);

}  // namespace rapporteur
