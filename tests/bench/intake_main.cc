// rapporteur_intake_bench: how fast datagrams are received, decoded, counted and on disk, as a
// share of a loop that only receives them. scripts/bench builds and runs it.

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/intake_rig.h"

namespace rapporteur::bench {
namespace {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

bool throughput(const DatagramMix& mix, std::uint64_t count, double least, int pairs) {
  const Datagrams datagrams(mix);
  const Traffic traffic{.count = count};
  std::vector<double> shares;
  double bare_rate = 0;
  double rate = 0;
  bool complete = true;
  for (int pair = 0; pair < pairs; ++pair) {
    const auto bare = run_bare_loop(datagrams, traffic, false);
    const auto ours = run_intake(datagrams, traffic);
    complete = complete && ours.stored == count;
    shares.push_back(bare.seconds / ours.seconds);
    bare_rate = static_cast<double>(count) / bare.seconds;
    rate = static_cast<double>(count) / ours.seconds;
    std::printf("    %.0f/s of %.0f/s: %.2f\n", rate, bare_rate, shares.back());
  }
  const auto share = median(shares);
  std::printf("%zu bytes, %zu domains: %.2f, at least %.2f: %s%s\n", mix.bytes, mix.domains, share,
              least, share >= least ? "holds" : "DOES NOT HOLD",
              complete ? "" : ", AND SESSIONS ARE MISSING");
  return share >= least && complete;
}

}  // namespace
}  // namespace rapporteur::bench

int main(int argc, char** argv) {
  using namespace rapporteur::bench;
  const int pairs = argc > 1 ? std::atoi(argv[1]) : 5;
  const std::uint64_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 2'000'000;
  if (argc > 3) {
    return throughput({.domains = std::strtoull(argv[3], nullptr, 10), .bytes = 300}, count, 0.75,
                      pairs)
               ? 0
               : 1;
  }
  bool holds = throughput({.domains = 1000, .bytes = 300}, count, 0.85, pairs);
  holds = throughput({.domains = 1000, .bytes = 700}, count, 0.70, pairs) && holds;
  holds = throughput({.domains = 100'000, .bytes = 300}, count, 0.75, pairs) && holds;
  holds = throughput({.domains = 100'000, .bytes = 700}, count, 0.60, pairs) && holds;
  return holds ? 0 : 1;
}
