#include "ingest/file_ingest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "ingest/line_reader.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMaxBatchBytes = std::size_t{4} << 20;
constexpr std::uint64_t kLoggedRejections = 10;
constexpr int kMaxRounds = 20;
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

// A batch's counts, and the same by the names of the store's counters.
struct BatchCounts : IngestCounts {
  std::map<std::string, std::uint64_t> counters;
};

// The lines of one batch, kept until the store has what they say.
struct Batch {
  struct Piece {
    std::size_t begin = 0;
    std::size_t length = 0;
    std::uint64_t end = 0;     // offset in the file behind it
    std::uint64_t number = 0;  // of the line, from where reading began
    bool too_long = false;
  };
  std::string text;
  std::vector<Piece> pieces;
};

class FileIngest {
 public:
  FileIngest(std::string path, bool resumed, const FileIngestOptions& options,
             Aggregator& aggregator, const Clock& clock, Log& log)
      : path_(std::move(path)),
        resumed_(resumed),
        options_(options),
        aggregator_(aggregator),
        clock_(clock),
        log_(log),
        decoder_(options.format) {}

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
  // Fills the batch. False if the input has ended.
  Result<bool> read(LineReader& reader) {
    batch_.text.clear();
    batch_.pieces.clear();
    while (batch_.pieces.size() < options_.batch_lines && batch_.text.size() < kMaxBatchBytes) {
      const auto line = reader.next();
      if (!line) return unreadable(line.error());
      if (!*line) return false;
      const auto& [text, end, number, too_long] = **line;
      batch_.pieces.push_back({batch_.text.size(), text.size(), end, number, too_long});
      batch_.text += text;
    }
    return true;
  }

  // Counts the batch and stores it together with the file's progress.
  Result<BatchCounts> store_batch(std::optional<FileProgress>& file) {
    for (int round = 0; round < kMaxRounds; ++round) {
      BatchCounts counts;
      for (const auto& piece : batch_.pieces) {
        if (auto done = count(piece, counts); !done) return std::move(done).error();
      }
      auto progress = file;
      if (progress) progress->accepted += counts.accepted;
      const auto flushed = aggregator_.flush(progress, counters_of(counts));
      if (!flushed) return flushed.error();
      if (flushed->outdated) continue;
      if (flushed->duplicates > 0) {
        counts.accepted -= flushed->duplicates;
        counts.ignored += flushed->duplicates;
        counts.by_reason["duplicate"] += flushed->duplicates;
      }
      file = progress;
      return counts;
    }
    return Error{Fault::kTransient, "windows kept changing while a batch was to be stored"};
  }

  Result<void> count(const Batch::Piece& piece, BatchCounts& counts) {
    if (piece.too_long) {
      reject("line-too-long", piece, counts);
      return {};
    }
    auto decoded = decoder_.decode({batch_.text.data() + piece.begin, piece.length});
    if (decoded.verdict == Verdict::kRejected) {
      reject(decoded.reason, piece, counts);
      return {};
    }
    if (decoded.verdict == Verdict::kIgnored) {
      ignore(decoded.reason, counts);
      return {};
    }
    if (!decoded.session.time) decoded.session.time = options_.at.value_or(clock_.now());
    const auto counted = aggregator_.count(std::move(decoded.session));
    if (!counted) return counted.error();
    switch (*counted) {
      case Counted::kAccepted:
        ++counts.accepted;
        break;
      case Counted::kDuplicate:
        ignore("duplicate", counts);
        break;
      case Counted::kOwnReport:
        ignore("own-report", counts);
        break;
      case Counted::kNever:
        ignore("never", counts);
        break;
      case Counted::kTooOld:
        ignore("too-old", counts);
        break;
    }
    return {};
  }

  // What `rapporteur stats` adds up.
  static std::map<std::string, std::uint64_t> counters_of(const BatchCounts& counts) {
    std::map<std::string, std::uint64_t> counters = counts.counters;
    if (counts.accepted > 0) counters["accepted"] = counts.accepted;
    return counters;
  }

  static void ignore(std::string_view reason, BatchCounts& counts) {
    ++counts.ignored;
    ++counts.by_reason[std::string(reason)];
    ++counts.counters["ignored." + std::string(reason)];
  }

  void reject(std::string_view reason, const Batch::Piece& piece, BatchCounts& counts) {
    ++counts.rejected;
    ++counts.by_reason[std::string(reason)];
    ++counts.counters["rejected." + std::string(reason)];
    if (rejections_++ >= kLoggedRejections) return;
    const auto line = std::string_view(batch_.text).substr(piece.begin, piece.length);
    log_.warning(
        "session-rejected",
        {{"file", path_},
         {resumed_ ? "byte" : "line", std::to_string(resumed_ ? piece.end : piece.number)},
         {"reason", std::string(reason)},
         {"sample", truncate_utf8(to_valid_utf8(line.substr(0, 2 * kSampleBytes)), kSampleBytes)}});
  }

  const std::string path_;
  const bool resumed_;  // line numbers are not known then
  const FileIngestOptions& options_;
  Aggregator& aggregator_;
  const Clock& clock_;
  Log& log_;
  Decoder decoder_;
  Batch batch_;
  std::uint64_t rejections_ = 0;
};

}  // namespace

Result<FileIngestResult> ingest_file(const std::string& path, const FileIngestOptions& options,
                                     Aggregator& aggregator, Store& store, const Clock& clock,
                                     Log& log, const IngestProgress& progress) {
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
  FileIngest ingest(path, resumed_at > 0, options, aggregator, clock, log);
  auto result = ingest.run(*reader, std::move(file), path == "-" ? 0 : size_of(path), progress);
  if (result) result->resumed_at = resumed_at;
  return result;
}

}  // namespace rapporteur
