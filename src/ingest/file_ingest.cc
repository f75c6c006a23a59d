#include "ingest/file_ingest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "ingest/line_counter.h"
#include "ingest/line_reader.h"

namespace rapporteur {

namespace {

// What a batch may take of memory, and how often that is looked at.
constexpr std::size_t kMaxBatchBytes = std::size_t{64} << 20;
constexpr std::size_t kLinesBetweenLooks = 256;
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

void add(IngestCounts& to, const IngestCounts& from) {
  to.accepted += from.accepted;
  to.rejected += from.rejected;
  to.ignored += from.ignored;
  for (const auto& [reason, count] : from.by_reason) to.by_reason[reason] += count;
}

// The counters of a tally, as they are told to people.
void add_counters(const Tally& tally, const Recorded& recorded, IngestCounts& counts) {
  for (const auto& [name, count] : tally.counters()) {
    const auto dot = name.find('.');
    const auto kind = name.substr(0, dot);
    if (kind == "accepted") counts.accepted += count;
    if (kind == "rejected") counts.rejected += count;
    if (kind == "ignored") counts.ignored += count;
    if (kind == "rejected" || kind == "ignored") counts.by_reason[name.substr(dot + 1)] += count;
  }
  const auto move = [&counts](std::uint64_t lines, const char* reason) {
    if (lines == 0) return;
    counts.accepted -= std::min(counts.accepted, lines);
    counts.ignored += lines;
    counts.by_reason[reason] += lines;
  };
  move(recorded.duplicates, "duplicate");
  move(recorded.never, "never");
}

class FileIngest {
 public:
  FileIngest(std::string path, bool resumed, const FileIngestOptions& options, Recorder& recorder,
             const Clock& clock, Log& log)
      : path_(std::move(path)),
        resumed_(resumed),
        options_(options),
        recorder_(recorder),
        clock_(clock),
        log_(log),
        counter_({.source = "file",
                  .format = options.format,
                  .rules = {.max_age = {}, .from_file = true},
                  .at = options.at}) {}

  Result<FileIngestResult> run(LineReader& reader, std::optional<FileProgress> file,
                               std::uint64_t size, const IngestProgress& progress) {
    FileIngestResult result;
    for (;;) {
      auto more = read(reader);
      if (!more) return std::move(more).error();
      if (file) {
        file->begin = file->offset;
        file->offset = reader.offset();
        file->finished = !*more;
      }
      auto counts = store_batch(file);
      if (!counts) return std::move(counts).error();
      add(result.counts, *counts);
      if (progress) progress(reader.offset(), size);
      if (!*more) return result;
    }
  }

 private:
  // Counts the lines of a batch. False if the input has ended.
  Result<bool> read(LineReader& reader) {
    const auto now = clock_.now();
    for (std::size_t lines = 0; lines < options_.batch_lines; ++lines) {
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

  // Stores the batch together with the file's progress.
  Result<IngestCounts> store_batch(std::optional<FileProgress>& file) {
    const auto tally = counter_.hand_over();
    auto progress = file;
    if (progress) {
      const auto counters = tally->counters();
      const auto accepted = counters.find("accepted");
      if (accepted != counters.end()) progress->accepted += accepted->second;
    }
    const auto* const one = tally.get();
    const auto recorded = recorder_.record({&one, 1}, {.file = progress, .journalled = {}});
    if (!recorded) return recorded.error();
    file = progress;
    IngestCounts counts;
    add_counters(*tally, recorded->at(0), counts);
    return counts;
  }

  void sample(std::string_view reason, const LineReader::Line& line) {
    if (rejections_++ >= kLoggedRejections) return;
    log_.warning("session-rejected",
                 {{"file", path_},
                  {resumed_ ? "byte" : "line", std::to_string(resumed_ ? line.end : line.number)},
                  {"reason", std::string(reason)},
                  {"sample", truncate_utf8(to_valid_utf8(line.text.substr(0, 2 * kSampleBytes)),
                                           kSampleBytes)}});
  }

  const std::string path_;
  const bool resumed_;  // line numbers are not known then
  const FileIngestOptions& options_;
  Recorder& recorder_;
  const Clock& clock_;
  Log& log_;
  LineCounter counter_;
  std::uint64_t rejections_ = 0;
};

}  // namespace

Result<FileIngestResult> ingest_file(const std::string& path, const FileIngestOptions& options,
                                     Recorder& recorder, Store& store, const Clock& clock, Log& log,
                                     const IngestProgress& progress) {
  std::optional<FileProgress> file;
  std::uint64_t resumed_at = 0;
  if (path != "-" && is_regular_file(path)) {
    auto hash = hash_of(path);
    if (!hash) return std::move(hash).error();
    const auto known = store.file(*hash);
    if (!known) return known.error();
    if (*known && (*known)->finished && !options.again) {
      FileIngestResult result;
      result.already_ingested = true;
      return result;
    }
    if (*known && (*known)->finished) {
      if (auto forgotten = store.forget_file(*hash); !forgotten)
        return std::move(forgotten).error();
    }
    file = FileProgress{.sha256 = *std::move(hash), .name = path};
    if (*known && !(*known)->finished) {
      file->offset = resumed_at = (*known)->offset;
      file->accepted = (*known)->accepted;
    }
  }
  auto reader = LineReader::open(path);
  if (!reader) return unreadable(std::move(reader).error());
  if (resumed_at > 0) {
    auto positioned = reader->seek(resumed_at);
    if (!positioned) return unreadable(std::move(positioned).error());
  }
  FileIngest ingest(path, resumed_at > 0, options, recorder, clock, log);
  auto result = ingest.run(*reader, std::move(file), path == "-" ? 0 : size_of(path), progress);
  if (result) result->resumed_at = resumed_at;
  return result;
}

}  // namespace rapporteur
