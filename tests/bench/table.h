#pragma once
// The table that scripts/bench prints: each claim about speed is one row of it.

#include <string>

namespace rapporteur::bench {

struct Row {
  std::string what;   // is measured
  std::string limit;  // what it is compared with, in the same run
  double ratio = 0;   // of the two; or the figure itself where the bar is one
  enum class Bar { kAtLeast, kAtMost } side = Bar::kAtMost;
  double bar = 0;
  std::string figures;  // what the ratio was made of, for people
  bool valid = true;    // false: the measurement itself failed, so nothing holds
};

// Prints the row, and appends it to the file that RAPPORTEUR_BENCH_TABLE names, if it names one.
// Whether the claim holds.
bool tell(const Row& row);

}  // namespace rapporteur::bench
