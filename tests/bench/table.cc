#include "bench/table.h"

#include <cstdio>
#include <cstdlib>

namespace rapporteur::bench {

bool tell(const Row& row) {
  const bool least = row.side == Row::Bar::kAtLeast;
  const bool holds = row.valid && (least ? row.ratio >= row.bar : row.ratio <= row.bar);
  const char* const side = least ? "at least" : "at most";
  const char* const verdict = holds ? "holds" : row.valid ? "DOES NOT HOLD" : "NOT MEASURED";
  std::printf("%s\n  %.2f of %s, %s %.2f: %s (%s)\n", row.what.c_str(), row.ratio,
              row.limit.c_str(), side, row.bar, verdict, row.figures.c_str());
  std::fflush(stdout);
  const char* const path = std::getenv("RAPPORTEUR_BENCH_TABLE");
  if (path == nullptr) return holds;
  std::FILE* const table = std::fopen(path, "a");
  if (table == nullptr) return false;
  std::fprintf(table, "%s\t%s\t%.2f\t%s %.2f\t%s\n", row.what.c_str(), row.limit.c_str(), row.ratio,
               side, row.bar, verdict);
  return std::fclose(table) == 0 && holds;
}

}  // namespace rapporteur::bench
