#include "bench/claims.h"

#include "bench/table.h"

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
  for (const auto& [what, beside, ours, limit, most] : claims) {
    const double own = reporter.median(ours);
    const double other = reporter.median(limit);
    const bool known = own > 0 && other > 0;
    all_hold &= tell({.what = what,
                      .limit = beside,
                      .ratio = known ? own / other : 0,
                      .bar = most,
                      .figures = std::to_string(own) + " and " + std::to_string(other) + " ns",
                      .valid = known});
  }
  return all_hold;
}

}  // namespace rapporteur::bench
