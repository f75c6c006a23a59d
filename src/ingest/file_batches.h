#pragma once
// What files of lines and foreign databases have in common: what the store knows of them, and how a
// batch is told to people.

#include <functional>
#include <optional>
#include <string>

#include "aggregate/recorder.h"
#include "ingest/file_ingest.h"

namespace rapporteur {

// What the store knows of a file with this content.
struct KnownFile {
  bool finished = false;
  FileProgress progress;
};

// `hash` is that of its content. `again` makes the store forget a file that was taken to its end.
Result<KnownFile> look_up_file(Store& store, const std::string& path,
                               const Result<std::string>& hash, bool again);

void add(IngestCounts& to, const IngestCounts& from);
// The counters of a tally that was recorded.
void add_counters(const Tally& tally, const Recorded& recorded, IngestCounts& counts);

// Stores the tally together with the progress of its file, to whose `accepted` it adds. Fails as
// the store does; after Fault::kUnknown the text says what to do.
// `meanwhile`: see RecordWith.
Result<IngestCounts> store_batch(Recorder& recorder, const Tally& tally,
                                 std::optional<FileProgress>& file,
                                 const std::function<void()>& meanwhile);

}  // namespace rapporteur
