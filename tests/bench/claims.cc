#include "bench/claims.h"

#include <cstdio>

namespace rapporteur::bench {

void MedianReporter::ReportRuns(const std::vector<Run>& runs) {
  for (const auto& run : runs) {
    if (run.aggregate_name != "median") continue;
    const double scale = 1e9 / benchmark::GetTimeUnitMultiplier(run.time_unit);
    medians_[run.run_name.function_name] = run.GetAdjustedCPUTime() * scale;
  }
  ConsoleReporter::ReportRuns(runs);
}

double MedianReporter::median(const std::string& name) const {
  const auto found = medians_.find(name);
  return found == medians_.end() ? 0 : found->second;
}

bool judge(const std::vector<Claim>& claims, const MedianReporter& reporter) {
  bool all_hold = true;
  std::printf("\nRatios of medians of this run:\n");
  for (const auto& [what, ours, limit, most] : claims) {
    const double own = reporter.median(ours);
    const double other = reporter.median(limit);
    const bool known = own > 0 && other > 0;
    const bool holds = known && own <= most * other;
    all_hold = all_hold && holds;
    std::printf("%s\n  %s / %s = %.0f ns / %.0f ns = %.2f, at most %.2f: %s\n", what.c_str(),
                ours.c_str(), limit.c_str(), own, other, known ? own / other : 0, most,
                !known  ? "NOT MEASURED"
                : holds ? "holds"
                        : "DOES NOT HOLD");
  }
  return all_hold;
}

}  // namespace rapporteur::bench
