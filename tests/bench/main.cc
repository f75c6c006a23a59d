// rapporteur_bench: measures, prints the ratios that are claimed, and ends with 1 if one does not
// hold. scripts/bench builds and runs it.

#include <vector>

#include "bench/claims.h"

int main(int argc, char** argv) {
  using rapporteur::bench::Claim;
  const std::vector<Claim> claims = {
      {"Every setting of a realistic configuration for a domain, against C++ written by hand",
       "settings_evaluated", "settings_by_hand", 4.0},
      {"The same with 5,000 overrides, against 10", "settings_evaluated",
       "settings_of_10_overrides", 1.25},
      {"A block of matches() conditions, against the RE2 calls alone", "matches_block",
       "matches_re2_alone", 1.3},
      {"Loading 5,000 overrides, against parsing their TOML", "load_5000_overrides",
       "toml_5000_overrides", 4.0},
      {"Splitting a report of 100,000 details for mails of 64 KiB, against compressing it once",
       "split_at_64_kib", "report_compressed_once", 1.5},
      {"The same for mails of 5 MiB", "split_at_5_mib", "report_compressed_once", 1.5},
  };
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  rapporteur::bench::MedianReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return rapporteur::bench::judge(claims, reporter) ? 0 : 1;
}
