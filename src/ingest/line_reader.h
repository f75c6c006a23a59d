#pragma once
// Lines of a file or of standard input with their place in it, read in large blocks. Never holds
// more than one block and one line.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/result.h"

namespace rapporteur {

class LineReader {
 public:
  struct Line {
    std::string_view text;     // without its line end; valid until the next call; empty if too_long
    std::uint64_t end = 0;     // offset in the file behind the line and its line end
    std::uint64_t number = 0;  // counted from 1 where reading began, blank ones included
    bool too_long = false;     // it has more than kMaxLineBytes (ingest/decoder.h) and was skipped
  };

  // Opens a file, "-" being standard input. Fails with Fault::kPermanent.
  static Result<LineReader> open(const std::string& path);
  // Reads what another has opened.
  explicit LineReader(Fd file) : file_(std::move(file)) {}

  // Goes on at `offset`, which is the `end` of a line. Before the first next(). What cannot be
  // positioned, such as a pipe, is read up to there. Fails with Fault::kPermanent, also if the file
  // ends before.
  Result<void> seek(std::uint64_t offset);

  // The next line that is not blank, or nullopt at the end. A last line without a line end counts.
  // Fails with Fault::kTransient if reading fails.
  Result<std::optional<Line>> next();

  // Offset behind the last line that was read, blank ones included.
  std::uint64_t offset() const { return offset_; }

 private:
  Result<std::optional<Line>> next_with_blank();
  Result<bool> fill();
  Line take(std::size_t length, std::size_t line_end);

  Fd file_;
  std::string_view held() const { return {memory_.get(), size_}; }

  std::unique_ptr<char[]> memory_;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;     // of what was read into memory_
  std::size_t begin_ = 0;    // of what is not handed out
  std::size_t scanned_ = 0;  // up to here there is no line end behind `begin_`
  std::uint64_t offset_ = 0;
  std::uint64_t lines_ = 0;  // handed out or blank
  bool ended_ = false;
  bool skipping_ = false;  // inside a line that is too long
};

}  // namespace rapporteur
