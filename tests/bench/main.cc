// rapporteur_bench: measures, prints the ratios that are claimed, and ends with 1 if one does not
// hold. scripts/bench builds and runs it.

#include <vector>

#include "bench/claims.h"

int main(int argc, char** argv) {
  using rapporteur::bench::Claim;
  const std::vector<Claim> claims = {
      {"every setting of a realistic configuration for a domain", "C++ written by hand",
       "settings_evaluated", "settings_by_hand", 4.0},
      {"the same with 5,000 overrides", "the same with 10", "settings_evaluated",
       "settings_of_10_overrides", 1.25},
      {"a block of matches() conditions", "the RE2 calls alone", "matches_block",
       "matches_re2_alone", 1.3},
      {"loading 5,000 overrides", "parsing their TOML", "load_5000_overrides",
       "toml_5000_overrides", 4.0},
      {"splitting a report of 100,000 details at 64 KiB", "compressing it once", "split_at_64_kib",
       "report_compressed_once", 1.5},
      {"the same at 5 MiB", "compressing it once", "split_at_5_mib", "report_compressed_once", 1.5},
  };
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  rapporteur::bench::MedianReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return rapporteur::bench::judge(claims, reporter) ? 0 : 1;
}
