// Splitting a large report, which writes its JSON and compresses it part by part, and compressing
// its finished text once by the same compressor. And one small report, the usual case.

#include <cstdint>
#include <random>
#include <string>

#include <benchmark/benchmark.h>

#include "report/counts_source.h"
#include "report/json.h"
#include "report/part_stream.h"
#include "report/split.h"

namespace rapporteur::bench {
namespace {

constexpr std::size_t kDetails = 100'000;

ReportHead head_of(int part) {
  const Period day{*parse_time("2026-11-20"), *parse_time("2026-11-21")};
  return {"Example", "tlsrpt@example.net", day,
          report_id(day, "example.org", part, "abcd1234", "example.net")};
}

// As a mail: base64 with line ends, and a header of fixed size.
std::size_t mail_size(std::size_t gzip_size, int) {
  const auto characters = (gzip_size + 2) / 3 * 4;
  return 900 + characters + 2 * ((characters + 75) / 76);
}

WindowCounts window(std::size_t details) {
  std::mt19937_64 random(1);
  PolicyCounts counts;
  counts.policy.type = PolicyType::kSts;
  counts.policy.domain = "example.org";
  counts.policy.strings = {"version: STSv1", "mode: enforce", "mx: *.example.org",
                           "max_age: 86400"};
  counts.policy.mx_hosts = {"*.example.org"};
  counts.successful = 1'000'000;
  for (std::size_t i = 0; i < details; ++i) {
    DetailCount detail;
    detail.detail.result_type = static_cast<ResultType>(random() % 11);
    detail.detail.sending_mta_ip =
        "203.0." + std::to_string(random() % 256) + "." + std::to_string(random() % 256);
    detail.detail.receiving_mx_hostname = "mx" + std::to_string(random() % 8) + ".example.org";
    detail.detail.receiving_mx_helo = "host" + std::to_string(random() % 5000) + ".example.org";
    detail.detail.receiving_ip = "198.51.100." + std::to_string(random() % 256);
    detail.detail.failure_reason_code =
        "certificate expired " + std::to_string(i * 7919) + " s ago";
    detail.count = 1 + random() % 50;
    counts.failed += detail.count;
    counts.details.push_back(std::move(detail));
  }
  // In the order of a report, as a source that reads rows in order has them.
  WindowCounts sorted = {counts};
  sorted[0].details.clear();
  for (const auto* detail : details_in_order(counts)) sorted[0].details.push_back(*detail);
  return sorted;
}

void split(benchmark::State& state, std::size_t details, std::uint64_t limit) {
  const auto counts = window(details);
  MemoryCounts source(counts);
  const SplitRules rules{limit, 1, head_of, mail_size};
  for (auto _ : state) {
    const auto parts = split_report(source, rules, [](ReportPart&& part) -> Result<void> {
      benchmark::DoNotOptimize(part.gz.data());
      return {};
    });
    if (!parts) {
      state.SkipWithError("the report is not split");
      return;
    }
  }
}

void split_at_64_kib(benchmark::State& state) {
  split(state, kDetails, 65'536);
}
BENCHMARK(split_at_64_kib)->Unit(benchmark::kMillisecond);

void split_at_5_mib(benchmark::State& state) {
  split(state, kDetails, 5'242'880);
}
BENCHMARK(split_at_5_mib)->Unit(benchmark::kMillisecond);

void small_report(benchmark::State& state) {
  split(state, 8, 5'242'880);
}
BENCHMARK(small_report)->Unit(benchmark::kMicrosecond);

void report_compressed_once(benchmark::State& state) {
  const auto text = report_json(head_of(1), window(kDetails));
  std::uint64_t work = 0;
  PartStream stream(work);
  for (auto _ : state) {
    stream.begin(text);
    benchmark::DoNotOptimize(stream.finish({}, 0));
  }
}
BENCHMARK(report_compressed_once)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace rapporteur::bench
