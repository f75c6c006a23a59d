#pragma once
// Takes a file or standard input of session lines into the store, batch by batch. A file is known
// by its SHA-256: taken again, it goes on after the last batch that was stored. docs/design.md,
// "Store".

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "aggregate/recorder.h"
#include "base/log.h"
#include "ingest/decoder.h"

namespace rapporteur {

struct IngestCounts {
  std::uint64_t accepted = 0;
  std::uint64_t rejected = 0;                      // lines that are no session
  std::uint64_t ignored = 0;                       // understood, and not to be counted
  std::map<std::string, std::uint64_t> by_reason;  // of the rejected and ignored
};

struct FileIngestOptions {
  Format format = Format::kAuto;
  std::optional<Time> at;             // the time of lines that carry none; absent: now
  bool again = false;                 // also if the file was taken before
  std::size_t batch_lines = 200'000;  // in a transaction, at most
};

struct FileIngestResult {
  IngestCounts counts;  // of this run only
  bool already_ingested = false;
  std::uint64_t resumed_at = 0;  // byte offset; 0: from its beginning
};

// How far a file has come, in bytes.
struct IngestStep {
  std::uint64_t from = 0;  // where this run has begun: what is before it was stored earlier
  std::uint64_t read = 0;
  std::uint64_t stored = 0;
  std::uint64_t total = 0;  // 0: unknown
};

// Called many times a second while there is work, also within the store's transaction: it leaves
// the store alone, unless all that was read is stored.
using IngestProgress = std::function<void(const IngestStep&)>;

// `path` is a file, or "-" for standard input; that and pipes cannot be resumed. A rejected line
// stops nothing and is sampled in the log. Fails with Fault::kInput if the file cannot be read,
// else as the store fails: what was stored by then stays. After Fault::kUnknown the store tells how
// far a file was taken, and it goes on behind that when it is taken again; of standard input nobody
// can tell.
Result<FileIngestResult> ingest_file(const std::string& path, const FileIngestOptions& options,
                                     Recorder& recorder, Store& store, const Clock& clock, Log& log,
                                     const IngestProgress& progress = {});

}  // namespace rapporteur
