// rapporteur_intake_bench: what the intake of datagrams costs beside a loop that only receives
// them. scripts/bench builds and runs it. Arguments: the number of pairs of runs, and of datagrams.

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "bench/file_rig.h"
#include "bench/http_rig.h"
#include "bench/intake_memory.h"
#include "bench/intake_rig.h"
#include "bench/table.h"

namespace rapporteur::bench {
namespace {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

std::string rounded(double value) {
  return std::to_string(static_cast<long long>(value));
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
  return tell({.what = "datagrams of " + std::to_string(mix.bytes) + " bytes for " +
                       std::to_string(mix.domains) + " domains, on disk",
               .limit = "a loop that throws them away",
               .ratio = share,
               .side = Row::Bar::kAtLeast,
               .bar = least,
               .figures = rounded(median(rates)) + " a second; with the folding into windows " +
                          std::to_string(median(recorded)),
               .valid = complete});
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
  return tell({.what = "a garbage datagram",
               .limit = "a good one",
               .ratio = ratio,
               .bar = 1.15,
               .figures = "medians of " + std::to_string(pairs) + " pairs"});
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
  return tell({.what = "what arrives of 20,000 datagrams of 8 senders that do not wait",
               .limit = "a loop that throws them away",
               .ratio = ours / limit,
               .side = Row::Bar::kAtLeast,
               .bar = 0.9,
               .figures = "shares " + std::to_string(ours / all) + ", " +
                          std::to_string(bare / all) + ", where it goes first " +
                          std::to_string(bare_first / all)});
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
  const bool quick =
      tell({.what = "ingest of a file of 64 MiB",
            .limit = "simdjson's DOM parser over its lines",
            .ratio = dom,
            .bar = 3.5,
            .figures = rounded(rate(file.lines(), median(seconds))) + " lines a second"});
  return tell({.what = "the same work through nlohmann/json",
               .limit = "that ingest",
               .ratio = nlohmann,
               .side = Row::Bar::kAtLeast,
               .bar = 6,
               .figures = "medians of " + std::to_string(pairs) + " pairs"}) &&
         quick;
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
  return tell({.what = "a body of 64 MiB by HTTP, on disk",
               .limit = "the ingest of that file",
               .ratio = ratio,
               .bar = 1.5,
               .figures = "medians of " + std::to_string(pairs) + " pairs"});
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
  return tell({.what = "one session a request over 64 connections, on disk: milliseconds",
               .limit = "none",
               .ratio = latency,
               .bar = 10,
               .figures = rounded(median(rates)) + " a second, " + std::to_string(median(ratios)) +
                          " of a Beast server that answers without work; 99 of 100 within " +
                          std::to_string(median(worst)) + " ms"});
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
