// rapporteur_intake_bench: what the intake of datagrams costs beside a loop that only receives
// them. scripts/bench builds and runs it. Arguments: the number of pairs of runs, and of datagrams.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "bench/file_rig.h"
#include "bench/http_rig.h"
#include "bench/intake_memory.h"
#include "bench/intake_rig.h"

namespace rapporteur::bench {
namespace {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

const char* verdict(bool holds) {
  return holds ? "holds" : "DOES NOT HOLD";
}

double rate(std::uint64_t count, double seconds) {
  return static_cast<double>(count) / seconds;
}

// The bare loop's time for the same datagrams, as a share of ours.
bool throughput(const DatagramMix& mix, std::uint64_t count, double least, int pairs) {
  const Datagrams datagrams(mix);
  const Traffic traffic{.count = count};
  std::vector<double> shares;
  std::vector<double> recorded;
  std::vector<double> rates;
  bool complete = true;
  for (int pair = 0; pair < pairs; ++pair) {
    const auto bare = run_bare_loop(datagrams, traffic, true);
    const auto ours = run_intake(datagrams, traffic);
    complete = complete && ours.received == count && bare.received == count;
    shares.push_back(bare.seconds / ours.seconds);
    recorded.push_back(bare.seconds / ours.recorded_seconds);
    rates.push_back(rate(count, ours.seconds));
  }
  const auto share = median(shares);
  std::printf(
      "Datagrams of %zu bytes for %zu domains, on disk, as a share of a loop that throws away\n"
      "  %.2f (%.0f a second), at least %.2f: %s%s; with the folding into windows %.2f\n",
      mix.bytes, mix.domains, share, median(rates), least, verdict(share >= least && complete),
      complete ? "" : ", SESSIONS ARE MISSING", median(recorded));
  return share >= least && complete;
}

bool garbage(std::uint64_t count, int pairs) {
  const Datagrams good({.domains = 1000, .bytes = 300});
  const Datagrams bad({.domains = 1000, .bytes = 300, .failures = 0, .garbage = true});
  std::vector<double> ratios;
  for (int pair = 0; pair < pairs; ++pair) {
    const auto ours = run_intake(good, {.count = count});
    ratios.push_back(run_intake(bad, {.count = count}).seconds / ours.seconds);
  }
  const auto ratio = median(ratios);
  std::printf("A garbage datagram's time as a multiple of a good one's\n  %.2f, at most 1.15: %s\n",
              ratio, verdict(ratio <= 1.15));
  return ratio <= 1.15;
}

// What arrives of many datagrams that nobody waits for, in the mean of many rounds.
bool burst(int rounds) {
  const Datagrams datagrams({.domains = 1000, .bytes = 300});
  const Traffic traffic{.count = 20'000, .senders = 8, .blocking = false};
  double ours = 0;
  double bare = 0;
  double bare_first = 0;
  constexpr int kTurn = 4;  // rounds of one daemon; the bare loop has as many between them
  for (int round = 0; round < rounds; ++round) {
    bare += static_cast<double>(run_bare_loop(datagrams, traffic, false).received);
    bare_first += static_cast<double>(run_bare_loop(datagrams, traffic, true).received);
    if (round % kTurn == 0) {
      ours += static_cast<double>(run_intake(datagrams, traffic, kTurn).received);
    }
  }
  const double all = static_cast<double>(traffic.count) * rounds;
  // Where this process may go first, so does the intake: then that is what it is compared with.
  const double limit = std::max(bare, bare_first);
  std::printf(
      "A burst of 20,000 datagrams of 8 senders that do not wait: the share that arrives\n"
      "  %.3f; of the bare loop %.3f, and %.3f where it goes first; ratio %.2f, at least 0.90: "
      "%s\n",
      ours / all, bare / all, bare_first / all, ours / limit, verdict(ours >= 0.9 * limit));
  return ours >= 0.9 * limit;
}

bool file_ingest(int pairs) {
  const SessionFile file(std::uint64_t{64} << 20);
  std::vector<double> of_dom;
  std::vector<double> of_nlohmann;
  std::vector<double> seconds;
  for (int pair = 0; pair < pairs; ++pair) {
    seconds.push_back(time_of_ingest(file));
    of_dom.push_back(seconds.back() / time_of_dom_parser(file));
    of_nlohmann.push_back(time_of_nlohmann(file) / seconds.back());
  }
  const auto dom = median(of_dom);
  const auto nlohmann = median(of_nlohmann);
  std::printf(
      "Ingest of a file of 64 MiB (%.0f lines a second) as a multiple of simdjson's DOM parser\n"
      "  %.2f, at most 3.50: %s\n"
      "The same work through nlohmann/json as a multiple of it\n"
      "  %.1f, at least 6.0: %s\n",
      rate(file.lines(), median(seconds)), dom, verdict(dom <= 3.5), nlohmann,
      verdict(nlohmann >= 6));
  return dom <= 3.5 && nlohmann >= 6;
}

std::string content_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool http_upload(int pairs) {
  const SessionFile file(std::uint64_t{64} << 20);
  const auto body = content_of(file.path());
  std::vector<double> ratios;
  for (int pair = 0; pair < pairs; ++pair) {
    const SessionFile elsewhere(0);
    const auto ours = time_of_ingest(file);
    with_http_server(elsewhere.folder(), [&](std::uint16_t port) {
      ratios.push_back(time_of_post(port, body) / ours);
    });
  }
  const auto ratio = median(ratios);
  std::printf(
      "A body of 64 MiB by HTTP, on disk, as a multiple of the ingest of that file\n"
      "  %.2f, at most 1.50: %s\n",
      ratio, verdict(ratio <= 1.5));
  return ratio <= 1.5;
}

bool http_documents(int pairs) {
  constexpr unsigned kConnections = 64;
  constexpr unsigned kRequests = 20'000;
  std::vector<double> ratios;
  std::vector<double> rates;
  std::vector<double> medians;
  std::vector<double> worst;
  for (int pair = 0; pair < pairs; ++pair) {
    const SessionFile elsewhere(0);
    with_http_server(elsewhere.folder(), [&](std::uint16_t port) {
      const auto ours = documents(port, kConnections, kRequests);
      rates.push_back(ours.requests_a_second);
      medians.push_back(ours.median);
      worst.push_back(ours.p99);
    });
    with_idle_server([&](std::uint16_t port) {
      ratios.push_back(rates.back() / documents(port, kConnections, kRequests).requests_a_second);
    });
  }
  const auto latency = median(medians);
  std::printf(
      "One session a request over 64 connections, each on disk before it is answered\n"
      "  %.0f a second, %.2f of a Beast server that answers without work;"
      " %.1f ms in the median, 99 of 100 within %.1f ms; within milliseconds: %s\n",
      median(rates), median(ratios), latency, median(worst), verdict(latency < 10));
  return latency < 10;
}

}  // namespace
}  // namespace rapporteur::bench

int main(int argc, char** argv) {
  using namespace rapporteur::bench;
  const int pairs = argc > 1 ? std::atoi(argv[1]) : 5;
  const std::uint64_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 2'000'000;
  bool holds = file_ingest(pairs);
  holds = http_upload(pairs) && holds;
  holds = http_documents(pairs) && holds;
  holds = memory_of_a_million_domains() && holds;
  holds = throughput({.domains = 1000, .bytes = 300}, count, 0.85, pairs) && holds;
  holds = throughput({.domains = 1000, .bytes = 700}, count, 0.70, pairs) && holds;
  holds = throughput({.domains = 100'000, .bytes = 300}, count, 0.75, pairs) && holds;
  holds = throughput({.domains = 100'000, .bytes = 700}, count, 0.60, pairs) && holds;
  holds = garbage(count / 2, pairs) && holds;
  holds = burst(4 * pairs) && holds;
  return holds ? 0 : 1;
}
