#include "ingest/file_batches.h"

#include <algorithm>
#include <utility>

namespace rapporteur {

namespace {

// What to do where nobody can tell whether a batch was stored.
Error explained(const Error& error, bool can_be_known) {
  if (error.fault != Fault::kUnknown) return error;
  return {error.fault,
          error.text + (can_be_known ? "; whether the last batch was counted, the store knows: the "
                                       "same file again goes on behind what was"
                                     : "; nobody can tell whether the last batch was counted")};
}

}  // namespace

void add(IngestCounts& to, const IngestCounts& from) {
  to.accepted += from.accepted;
  to.rejected += from.rejected;
  to.ignored += from.ignored;
  for (const auto& [reason, count] : from.by_reason) to.by_reason[reason] += count;
}

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

Result<IngestCounts> store_batch(Recorder& recorder, const Tally& tally,
                                 std::optional<FileProgress>& file,
                                 const std::function<void()>& meanwhile) {
  auto progress = file;
  if (progress) {
    const auto counters = tally.counters();
    const auto accepted = counters.find("accepted");
    if (accepted != counters.end()) progress->accepted += accepted->second;
  }
  const auto* const one = &tally;
  const auto recorded = recorder.record(
      {&one, 1}, {.file = progress, .journalled = {}, .flush = {}, .meanwhile = meanwhile});
  if (!recorded) return explained(recorded.error(), file.has_value());
  file = progress;
  IngestCounts counts;
  add_counters(tally, recorded->at(0), counts);
  return counts;
}

Result<KnownFile> look_up_file(Store& store, const std::string& path,
                               const Result<std::string>& hash, bool again) {
  if (!hash) return hash.error();
  auto stored = store.file(*hash);
  if (!stored) return std::move(stored).error();
  KnownFile known;
  known.finished = *stored && (*stored)->finished;
  known.progress = {.sha256 = *hash, .name = path};
  if (known.finished && again) {
    if (auto forgotten = store.forget_file(*hash); !forgotten) return std::move(forgotten).error();
    known.finished = false;
  } else if (*stored) {
    known.progress.offset = (*stored)->offset;
    known.progress.accepted = (*stored)->accepted;
  }
  return known;
}

}  // namespace rapporteur
