#pragma once
// What is claimed about speed: that one benchmark takes no more than so many times another of the
// same run. docs/design.md, "Speed".

#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace rapporteur::bench {

struct Claim {
  std::string what;
  std::string beside;  // what it is compared with, for people
  std::string ours;    // names of benchmarks
  std::string limit;   // the time that ours is a multiple of
  double most;         // ours / limit
};

// Shows the usual table and keeps the median of each benchmark's processor time.
class MedianReporter final : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override;
  // Nanoseconds; 0 if the benchmark did not run.
  double median(const std::string& name) const;

 private:
  std::map<std::string, double> medians_;
};

// Prints every claim with its ratio. False if one does not hold or could not be judged.
bool judge(const std::vector<Claim>& claims, const MedianReporter& reporter);

}  // namespace rapporteur::bench
