#include "ingest/file_ingest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <future>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "ingest/file_batches.h"
#include "ingest/line_counter.h"
#include "ingest/line_reader.h"

namespace rapporteur {

namespace {

// What a batch may take of memory, and how often that is looked at.
constexpr std::size_t kMaxBatchBytes = std::size_t{64} << 20;
constexpr std::size_t kLinesBetweenLooks = 256;

// How often it is told how far the file has come.
constexpr std::size_t kLinesBetweenSteps = 64;
constexpr std::uint64_t kBytesBetweenSteps = std::uint64_t{1} << 20;
constexpr std::chrono::milliseconds kTimeBetweenSteps{100};

constexpr std::uint64_t kLoggedRejections = 10;
constexpr std::size_t kSampleBytes = 200;

Error unreadable(Error error) {
  return {Fault::kInput, std::move(error.text)};
}

Result<std::string> hash_of(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Error{Fault::kInput, system_error("cannot open " + path)};
  Sha256 hash;
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto size = ::read(fd.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Error{Fault::kInput, system_error("cannot read " + path)};
    if (size == 0) return hex(hash.finish());
    hash.update({buffer.data(), static_cast<std::size_t>(size)});
  }
}

// Only what can be read twice can be known by its content: no pipe, no terminal.
bool is_regular_file(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

std::uint64_t size_of(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

class FileIngest {
 public:
  FileIngest(std::string path, const FileIngestOptions& options, Recorder& recorder,
             const Clock& clock, Log& log, const IngestProgress& progress)
      : path_(std::move(path)),
        options_(options),
        recorder_(recorder),
        clock_(clock),
        log_(log),
        progress_(progress),
        counter_({.source = "file",
                  .format = options.format,
                  .rules = {.max_age = {}, .from_file = true},
                  .at = options.at,
                  .max_remembered = kMaxBatchBytes / 2}) {
    step_.total = path_ == "-" ? 0 : size_of(path_);
  }

  // Counts the lines of a batch. False if the input has ended. The log is told nothing yet.
  Result<bool> read(LineReader& reader) {
    const auto now = clock_.now();
    for (std::size_t lines = 0; lines < options_.batch_lines; ++lines) {
      const bool many = reader.offset() >= step_.read + kBytesBetweenSteps;
      if (lines % kLinesBetweenSteps == 0 || many) tell(reader);
      const auto line = reader.next();
      if (!line) return unreadable(line.error());
      if (!*line) return false;
      if ((*line)->too_long) {
        counter_.tally().note("rejected.line-too-long");
        sample("line-too-long", **line);
        continue;
      }
      const auto taken = counter_.take((*line)->text, now);
      if (taken.verdict == Verdict::kRejected) sample(taken.reason, **line);
      if (lines % kLinesBetweenLooks == 0 && counter_.tally().bytes() > kMaxBatchBytes) break;
    }
    return true;
  }

  // Throws away what was read: reading begins elsewhere, where line numbers are not known.
  void resume(std::uint64_t offset) {
    counter_.forget();
    samples_.clear();
    resumed_ = true;
    step_.from = step_.stored = offset;
  }

  // For somebody who looks at it: work goes on.
  void tell(const LineReader& reader) {
    step_.read = reader.offset();
    if (progress_) progress_(step_);
  }

  // Stores what was read, then reads and stores the rest. `more`: what read() has returned.
  Result<FileIngestResult> run(LineReader& reader, Result<bool> more,
                               std::optional<FileProgress> file) {
    FileIngestResult result;
    for (;; more = read(reader)) {
      if (!more) return std::move(more).error();
      tell_samples();
      if (file) {
        file->begin = file->offset;
        file->offset = reader.offset();
        file->finished = !*more;
      }
      const auto tally = counter_.hand_over();
      auto counts = store_batch(recorder_, *tally, file, [&] { tell(reader); });
      if (!counts) return std::move(counts).error();
      add(result.counts, *counts);
      step_.stored = reader.offset();
      tell(reader);
      if (!*more) return result;
    }
  }

 private:
  void sample(std::string_view reason, const LineReader::Line& line) {
    if (rejections_ + samples_.size() >= kLoggedRejections) return;
    samples_.push_back(
        {std::to_string(resumed_ ? line.end : line.number), std::string(reason),
         truncate_utf8(to_valid_utf8(line.text.substr(0, 2 * kSampleBytes)), kSampleBytes)});
  }

  void tell_samples() {
    for (const auto& [place, reason, text] : samples_) {
      log_.warning("session-rejected", {{"file", path_},
                                        {resumed_ ? "byte" : "line", place},
                                        {"reason", reason},
                                        {"sample", text}});
    }
    rejections_ += samples_.size();
    samples_.clear();
  }

  struct Sample {  // of a rejected line
    std::string place;
    std::string reason;
    std::string text;
  };

  const std::string path_;
  bool resumed_ = false;
  const FileIngestOptions& options_;
  Recorder& recorder_;
  const Clock& clock_;
  Log& log_;
  const IngestProgress& progress_;
  IngestStep step_;
  LineCounter counter_;
  std::vector<Sample> samples_;  // not told yet
  std::size_t rejections_ = 0;   // told
};

}  // namespace

Result<FileIngestResult> ingest_file(const std::string& path, const FileIngestOptions& options,
                                     Recorder& recorder, Store& store, const Clock& clock, Log& log,
                                     const IngestProgress& progress) {
  // Most files are new: their first batch is counted while their content is being hashed.
  const bool can_be_known = path != "-" && is_regular_file(path);
  std::future<Result<std::string>> hash;
  if (can_be_known) hash = std::async(std::launch::async, hash_of, path);
  auto reader = LineReader::open(path);
  if (!reader) return unreadable(std::move(reader).error());
  FileIngest ingest(path, options, recorder, clock, log, progress);
  auto more = ingest.read(*reader);

  std::optional<FileProgress> file;
  std::uint64_t resumed_at = 0;
  if (can_be_known) {
    while (hash.wait_for(kTimeBetweenSteps) == std::future_status::timeout) ingest.tell(*reader);
    auto known = look_up_file(store, path, hash.get(), options.again);
    if (!known) return std::move(known).error();
    if (known->finished) return FileIngestResult{.already_ingested = true};
    file = std::move(known->progress);
    resumed_at = file->offset;
  }
  if (resumed_at > 0) {
    ingest.resume(resumed_at);
    reader = LineReader::open(path);
    if (!reader) return unreadable(std::move(reader).error());
    auto positioned = reader->seek(resumed_at);
    if (!positioned) return unreadable(std::move(positioned).error());
    more = ingest.read(*reader);
  }
  auto result = ingest.run(*reader, std::move(more), std::move(file));
  if (result) result->resumed_at = resumed_at;
  return result;
}

}  // namespace rapporteur
