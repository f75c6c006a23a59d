#pragma once
// What rapporteur_flush_bench stores: the counts of very many domains, as the store takes them, and
// as the rows that come of them.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "store/store.h"

namespace rapporteur::bench {

struct FlushRow {
  const WindowDelta* delta = nullptr;
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;
  std::string policy_key;
  std::string strings;
  std::string mx_hosts;
  std::string detail_key;  // empty: there is no detail
};

// A batch of `domains` domains with one policy each; every seventeenth tells of a failure.
CountBatch flush_batch(std::size_t domains);

// Of `batch`, which outlives them.
std::vector<FlushRow> flush_rows(const CountBatch& batch);

// Seconds of a plain program that stores the rows in the tables of an empty store, and then again.
struct FlushSeconds {
  double empty = 0;
  double filled = 0;
};

// Through the statements of the SQLite store. `path` is a file that open_store() has made.
FlushSeconds flush_through_sqlite(const std::string& path, const std::vector<FlushRow>& rows);

// Through COPY into temporary tables and one statement more for each table.
FlushSeconds flush_through_copy(const std::string& url, const std::vector<FlushRow>& rows);

// A statement on a connection of its own. Ends the program if it fails.
void run_on_postgres(const std::string& url, const std::string& sql);

}  // namespace rapporteur::bench
