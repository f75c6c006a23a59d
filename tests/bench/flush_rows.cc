#include "bench/flush_rows.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "store/deltas.h"
#include "store/rows.h"

namespace rapporteur::bench {

CountBatch flush_batch(std::size_t domains) {
  using namespace std::chrono_literals;
  constexpr std::size_t kFailing = 17;
  const Time today = Time(Seconds(1'790'000'000)) - Seconds(1'790'000'000 % 86400);
  CountBatch batch;
  batch.now = today + 12h;
  for (std::size_t number = 0; number < domains; ++number) {
    WindowDelta delta;
    delta.domain = "d" + std::to_string(number) + ".example";
    delta.period = {today, today + 24h};
    delta.first = delta.last = today + 1h;
    delta.due = today + 24h + Seconds(number % 3600);
    delta.tlsrpt_record = "v=TLSRPTv1; rua=mailto:tls-reports@" + delta.domain;
    PolicyCounts counts;
    counts.policy = {
        PolicyType::kSts,
        delta.domain,
        {"version: STSv1", "mode: enforce", "mx: mx." + delta.domain, "max_age: 86400"},
        {"mx." + delta.domain}};
    counts.successful = 1 + number % 1000;
    if (number % kFailing == 0) {
      FailureDetail detail;
      detail.result_type = ResultType::kCertificateExpired;
      detail.sending_mta_ip = "192.0.2.7";
      detail.receiving_mx_hostname = "mx." + delta.domain;
      detail.receiving_ip = "198.51.100.25";
      counts.failed = 3;
      counts.details.push_back({detail, 3});
    }
    delta.counts = {std::move(counts)};
    batch.windows.push_back(std::move(delta));
  }
  // As they come out of a table by hash.
  std::ranges::shuffle(batch.windows, std::mt19937_64(7));
  return batch;
}

std::vector<FlushRow> flush_rows(const CountBatch& batch) {
  std::vector<FlushRow> rows;
  for (const auto& delta : batch.windows) {
    const auto& counts = delta.counts.front();
    const auto [successful, failed] = sums_of(delta);
    rows.push_back({&delta, successful, failed, policy_key(counts.policy),
                    pack(counts.policy.strings), pack(counts.policy.mx_hosts),
                    counts.details.empty() ? "" : detail_key(counts.details.front().detail)});
  }
  return rows;
}

}  // namespace rapporteur::bench
