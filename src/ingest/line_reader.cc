#include "ingest/line_reader.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "ingest/decoder.h"

namespace rapporteur {

namespace {

constexpr std::size_t kBlock = std::size_t{256} << 10;

}  // namespace

Result<LineReader> LineReader::open(const std::string& path) {
  const int fd = path == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                             : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return Error{Fault::kPermanent, system_error("cannot open " + path)};
  return LineReader(Fd(fd));
}

Result<void> LineReader::seek(std::uint64_t offset) {
  const auto size = lseek(file_.get(), 0, SEEK_END);
  if (size >= 0) {
    const bool inside = offset <= static_cast<std::uint64_t>(size);
    if (!inside || lseek(file_.get(), static_cast<off_t>(offset), SEEK_SET) < 0) {
      return Error{Fault::kPermanent, "the file ends before byte " + std::to_string(offset)};
    }
    offset_ = offset;
    return {};
  }
  while (offset_ < offset) {
    const auto more = fill();
    if (!more) return more.error();
    const auto skipped = std::min<std::uint64_t>(size_ - begin_, offset - offset_);
    begin_ += static_cast<std::size_t>(skipped);
    offset_ += skipped;
    scanned_ = begin_;
    if (!*more && offset_ < offset) {
      return Error{Fault::kPermanent, "the input ends before byte " + std::to_string(offset)};
    }
  }
  return {};
}

Result<std::optional<LineReader::Line>> LineReader::next() {
  for (;;) {
    auto line = next_with_blank();
    if (line && *line) (*line)->number = ++lines_;
    if (!line || !*line || (*line)->too_long || !trim((*line)->text).empty()) return line;
  }
}

Result<std::optional<LineReader::Line>> LineReader::next_with_blank() {
  for (;;) {
    const auto line_end = held().find('\n', scanned_);
    if (line_end != held().npos) return std::optional(take(line_end - begin_, 1));
    scanned_ = size_;
    if (skipping_ || scanned_ - begin_ > kMaxLineBytes) {
      skipping_ = true;
      offset_ += scanned_ - begin_;
      begin_ = scanned_;
    }
    if (ended_) {
      if (begin_ == size_ && !skipping_) return std::optional<Line>();
      return std::optional(take(size_ - begin_, 0));
    }
    if (const auto more = fill(); !more) return more.error();
  }
}

// Reads one more block behind what is held. False at the end of the input.
Result<bool> LineReader::fill() {
  size_ -= begin_;
  scanned_ -= begin_;
  if (size_ + kBlock > capacity_) {
    capacity_ = 2 * size_ + kBlock;
    auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
    std::copy_n(memory_.get() + begin_, size_, larger.get());
    memory_ = std::move(larger);
  } else {
    std::copy_n(memory_.get() + begin_, size_, memory_.get());
  }
  begin_ = 0;
  ssize_t count = 0;
  do {
    count = read(file_.get(), memory_.get() + size_, kBlock);
  } while (count < 0 && errno == EINTR);
  size_ += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
  if (count < 0) return Error{Fault::kTransient, system_error("cannot read")};
  ended_ = count == 0;
  return !ended_;
}

LineReader::Line LineReader::take(std::size_t length, std::size_t line_end) {
  Line line;
  line.too_long = skipping_ || length > kMaxLineBytes;
  if (!line.too_long) line.text = held().substr(begin_, length);
  skipping_ = false;
  begin_ += length + line_end;
  scanned_ = begin_;
  offset_ += length + line_end;
  line.end = offset_;
  return line;
}

}  // namespace rapporteur
