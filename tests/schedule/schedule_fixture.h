#pragma once
// What the tests of this room stand on: a configuration, a store in memory, a clock, a name server.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "config/config.h"
#include "store/open.h"
#include "support/fake_clock.h"
#include "support/fixed_random.h"
#include "support/marking_signer.h"
#include "support/recording_log.h"
#include "support/table_resolver.h"

namespace rapporteur::testing_support {

inline Time at(const char* text) {
  return parse_time(text).value();
}

inline std::shared_ptr<const Config> config_of(const std::string& rest) {
  auto loaded = parse_config(
      "[system]\ndomain = \"example.org\"\nhostname = \"mail.example.org\"\n"
      "[store]\nurl = \"sqlite::memory:\"\n" +
          rest,
      "test.toml");
  for (const auto& diagnostic : loaded.diagnostics) {
    EXPECT_NE(diagnostic.severity, expr::Severity::kError) << diagnostic.text();
  }
  return std::move(loaded.config);
}

class ScheduleTest : public testing::Test {
 protected:
  static constexpr const char* kName = "_smtp._tls.a.example";

  FakeClock clock{at("2026-11-21T01:00:00Z")};
  FixedRandom random;
  RecordingLog log;
  TableResolver resolver;
  MarkingSigner signer;
  std::unique_ptr<Store> store = std::move(*open_store("sqlite::memory:", random));

  static WindowCounts counts(std::uint64_t successful, std::uint64_t failed,
                             std::size_t details = 1) {
    PolicyCounts policy;
    policy.policy = {PolicyType::kSts, "a.example", {"version: STSv1"}, {"mx.a.example"}};
    policy.successful = successful;
    policy.failed = failed;
    for (std::size_t i = 0; failed > 0 && i < details; ++i) {
      FailureDetail detail;
      detail.result_type = ResultType::kCertificateExpired;
      detail.receiving_mx_hostname = "mx" + std::to_string(i) + ".a.example";
      detail.failure_reason_code = sha256_hex(std::to_string(i));  // does not compress
      policy.details.push_back({detail, failed});
    }
    return {policy};
  }

  // Puts a window of 2026-11-20 into the store and returns it, due; a second one is a supplement.
  Window due_window(const WindowCounts& with, const std::string& record = {}) {
    CountBatch batch;
    batch.now = at("2026-11-20T12:00:00Z");
    WindowDelta delta;
    delta.domain = "a.example";
    delta.period = {at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z")};
    delta.first = delta.last = batch.now;
    delta.counts = with;
    delta.tlsrpt_record = record;
    delta.due = at("2026-11-21T00:01:00Z");
    delta.supplement_due = delta.due;
    batch.windows.push_back(delta);
    EXPECT_TRUE(store->add(batch));
    auto due = store->claim_due(clock.now(), 10, {});
    EXPECT_TRUE(due && !due->empty());
    return *std::ranges::max_element(*due, {}, &Window::id);
  }
};

}  // namespace rapporteur::testing_support
