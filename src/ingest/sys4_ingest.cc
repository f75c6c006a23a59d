#include "ingest/sys4_ingest.h"

#include <memory>
#include <optional>
#include <utility>

#include "base/text.h"
#include "ingest/file_batches.h"
#include "ingest/sys4.h"
#include "ingest/sys4_database.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMaxBatchBytes = std::size_t{64} << 20;
constexpr std::uint64_t kLoggedRejections = 10;
constexpr std::size_t kSampleBytes = 200;
constexpr std::uint64_t kRowsBetweenSteps = 64;
constexpr const char* kSource = "file";

class Sys4Ingest {
 public:
  Sys4Ingest(std::string path, Sys4Database& database, const Clock& clock, Log& log,
             const IngestProgress& progress)
      : path_(std::move(path)), database_(database), clock_(clock), log_(log), progress_(progress) {
    step_.total = database_.rows();
  }

  // Passes over rows that are in the store.
  Result<void> skip(std::uint64_t rows) {
    step_.from = step_.stored = rows;
    for (; taken_ < rows; ++taken_) {
      const auto row = database_.next();
      if (!row) return row.error();
      if (!*row) break;
    }
    return {};
  }

  // Counts a batch of rows. False if there are no more.
  Result<bool> read(Tally& tally, std::size_t most) {
    for (std::size_t rows = 0; rows < most && tally.bytes() <= kMaxBatchBytes; ++rows) {
      const auto row = database_.next();
      if (!row) return row.error();
      if (!*row) {
        note_orphans(tally);
        return false;
      }
      ++taken_;
      count(**row, tally);
      if (taken_ % kRowsBetweenSteps == 0) tell();
    }
    return true;
  }

  // Everything that was read is stored.
  void stored() {
    step_.stored = taken_;
    tell();
  }

  // For somebody who looks at it: work goes on.
  void tell() {
    step_.read = taken_;
    if (progress_) progress_(step_);
  }

  std::uint64_t taken() const { return taken_; }

 private:
  void count(const Sys4Row& row, Tally& tally) {
    const auto decoded = decoder_.decode(row);
    for (const auto& session : decoded.sessions) {
      tally.count(session, clock_.now(), {.max_age = {}, .from_file = true});
      tally.note_accepted();
    }
    for (const auto& rejection : decoded.rejections) {
      tally.note("rejected." + std::string(rejection.reason));
      sample(rejection.reason, rejection.text);
    }
  }

  void note_orphans(Tally& tally) {
    if (database_.orphans() == 0) return;
    tally.note("rejected.no-final-result", database_.orphans());
    sample("no-final-result", std::to_string(database_.orphans()) + " rows of failures");
  }

  void sample(std::string_view reason, std::string_view text) {
    if (told_ >= kLoggedRejections) return;
    ++told_;
    const auto shown = truncate_utf8(to_valid_utf8(text.substr(0, 2 * kSampleBytes)), kSampleBytes);
    log_.warning("session-rejected", {{"file", path_},
                                      {"row", std::to_string(taken_)},
                                      {"reason", std::string(reason)},
                                      {"sample", shown}});
  }

  const std::string path_;
  Sys4Database& database_;
  const Clock& clock_;
  Log& log_;
  const IngestProgress& progress_;
  IngestStep step_;  // in rows
  Sys4Decoder decoder_;
  std::uint64_t taken_ = 0;
  std::uint64_t told_ = 0;
};

}  // namespace

Result<FileIngestResult> ingest_sys4(const std::string& path, const FileIngestOptions& options,
                                     Recorder& recorder, Store& store, const Clock& clock, Log& log,
                                     const IngestProgress& progress) {
  const auto database = Sys4Database::open(path);
  if (!database) return database.error();
  auto known = look_up_file(store, path, (*database)->content_hash(), options.again);
  if (!known) return std::move(known).error();
  if (known->finished) return FileIngestResult{.already_ingested = true};

  FileIngestResult result;
  result.resumed_at = known->progress.offset;
  Sys4Ingest ingest(path, **database, clock, log, progress);
  if (auto skipped = ingest.skip(result.resumed_at); !skipped) return std::move(skipped).error();
  std::optional<FileProgress> file = std::move(known->progress);
  for (bool more = true; more;) {
    Tally tally(kSource, std::make_shared<SessionTable>());
    const auto read = ingest.read(tally, options.batch_lines);
    if (!read) return read.error();
    more = *read;
    file->begin = file->offset;
    file->offset = ingest.taken();
    file->finished = !more;
    const auto counts = store_batch(recorder, tally, file, [&ingest] { ingest.tell(); });
    if (!counts) return counts.error();
    add(result.counts, *counts);
    ingest.stored();
  }
  return result;
}

}  // namespace rapporteur
