#pragma once
// Takes the database of tlsrpt-collectd into the store, batch by batch, as ingest_file() does with
// files of lines.

#include <string>

#include "ingest/file_ingest.h"

namespace rapporteur {

// The same promises as ingest_file(), with rows for lines: a database is known by its content, and
// one that was interrupted goes on after the last batch that was stored, which `resumed_at` tells
// as a number of rows, as `progress` does. What is accepted are groups of equal sessions, some of
// each row. `format` and `at` say nothing here. The database is only read.
Result<FileIngestResult> ingest_sys4(const std::string& path, const FileIngestOptions& options,
                                     Recorder& recorder, Store& store, const Clock& clock, Log& log,
                                     const IngestProgress& progress = {});

}  // namespace rapporteur
