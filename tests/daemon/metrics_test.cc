#include "daemon/metrics.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "daemon/health.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsSubsetOf;
using testing::Not;

constexpr Time kNow{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}};

// Something of everything.
StoreSummary full_summary() {
  StoreSummary summary;
  summary.now = kNow;
  summary.counters = {{"accepted", 1},
                      {"datagram.accepted", 20},
                      {"datagram.late", 3},
                      {"datagram.recipient_domain_guessed", 2},
                      {"datagram.rejected.not-json", 4},
                      {"datagram.rejected.too-old", 1},
                      {"datagram.ignored.no-tlsrpt-record", 11},
                      {"dropped.sessions", 12},
                      {"dropped.windows", 13},
                      {"file.ignored.own-report", 5},
                      {"http.dropped.store-away", 6}};
  summary.windows = {{WindowState::kCollecting, 7}, {WindowState::kHeld, 0}};
  summary.windows_overdue = 2;
  summary.overdue_since = kNow - 90s;
  summary.deliveries = {{DeliveryState::kPending, 8}};
  summary.deliveries_ended = {{DeliveryState::kDelivered, 9}};
  summary.mail_due_since = kNow - 30s;
  summary.https_due_since = kNow + 30s;
  summary.open_since = kNow - 1h;
  summary.suppressed_by_hand = 2;
  summary.paused_smtp = true;
  summary.disk_free_bytes = 1'000'000;
  summary.schema_version = 3;
  return summary;
}

std::string full_text(const StoreSummary& summary = full_summary()) {
  DaemonMetrics metrics;
  metrics.http_route("/metrics").answered(200, 2ms);
  Health health;
  health.set_problem(Problem::kRelay, "down");
  return prometheus_text(metrics, health, &summary);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The name and type of each family.
std::map<std::string, std::string> families(const std::string& text) {
  static const std::regex kType("# TYPE (\\S+) (\\S+)");
  std::map<std::string, std::string> found;
  for (const auto& line : lines_of(text)) {
    std::smatch match;
    if (!std::regex_match(line, match, kType)) continue;
    EXPECT_TRUE(found.emplace(match[1], match[2]).second) << "twice: " << line;
  }
  return found;
}

TEST(Metrics, EveryLineIsOfThePrometheusTextFormat) {
  const std::regex help("# HELP ([a-z_]+) \\S.*\\.");
  const std::regex type("# TYPE ([a-z_]+) (counter|gauge|histogram)");
  const std::regex sample(
      R"re(([a-z_]+)((?:\{[a-z_]+="(?:[^"\\]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\]|\\[\\"n])*")*\})?) ([0-9.e+-]+))re");
  std::string family;
  std::set<std::string> series;
  const auto text = full_text();
  ASSERT_TRUE(text.ends_with("\n"));
  for (const auto& line : lines_of(text)) {
    std::smatch match;
    if (std::regex_match(line, match, help)) {
      family = match[1];
    } else if (std::regex_match(line, match, type)) {
      EXPECT_EQ(match[1], family);
    } else {
      ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
      EXPECT_TRUE(match[1].str().starts_with(family)) << line;
      EXPECT_TRUE(series.insert(match[1].str() + match[2].str()).second) << "twice: " << line;
    }
  }
}

TEST(Metrics, NamesFollowTheConventions) {
  for (const auto& [name, type] : families(full_text())) {
    EXPECT_TRUE(name.starts_with("rapporteur_")) << name;
    EXPECT_EQ(name.ends_with("_total"), type == "counter") << name;
    EXPECT_EQ(name.ends_with("_duration_seconds"), type == "histogram") << name;
  }
}

TEST(Metrics, OperationsExplainsEachMetricAndNoOther) {
  std::ifstream file(std::filesystem::path(SOURCE_ROOT) / "docs/operations.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  std::set<std::string> emitted;
  for (const auto& [name, type] : families(full_text())) emitted.insert(name);
  ASSERT_GT(emitted.size(), 30U);
  for (const auto& name : emitted) {
    EXPECT_NE(page.find("\n| `" + name + "`"), page.npos) << name << " has no row in a table";
  }
  static const std::regex kName("rapporteur_[a-z_]+[a-z]");
  std::set<std::string> told;
  for (std::sregex_iterator at(page.begin(), page.end(), kName), end; at != end; ++at) {
    told.insert(at->str());
  }
  EXPECT_THAT(told, IsSubsetOf(emitted));
}

TEST(Metrics, SessionsAreToldBySourceOutcomeAndReason) {
  const auto text = full_text();
  for (const std::string line : {
           R"(rapporteur_sessions_total{source="datagram",outcome="accepted"} 20)",
           R"(rapporteur_sessions_total{source="datagram",outcome="rejected"} 5)",
           R"(rapporteur_sessions_total{source="http",outcome="dropped"} 6)",
           R"(rapporteur_sessions_total{source="unknown",outcome="accepted"} 1)",
           R"(rapporteur_sessions_total{source="elasticsearch",outcome="dropped"} 0)",
           R"(rapporteur_sessions_rejected_total{source="datagram",reason="not-json"} 4)",
           R"(rapporteur_sessions_ignored_total{source="file",reason="own-report"} 5)",
           R"(rapporteur_sessions_ignored_total{source="datagram",reason="no-tlsrpt-record"} 11)",
           R"(rapporteur_sessions_dropped_total{source="http",reason="store-away"} 6)",
           R"(rapporteur_windows_dropped_total 13)",
           R"(rapporteur_windows_dropped_sessions_total 12)",
           R"(rapporteur_sessions_late_total{source="datagram"} 3)",
           R"(rapporteur_recipient_domain_guessed_total 2)",
       }) {
    EXPECT_THAT(text, HasSubstr("\n" + line + "\n"));
  }
}

TEST(Metrics, DroppedWindowsAreNoDroppedSessionsOfIntake) {
  const auto text = full_text();
  EXPECT_THAT(text, HasSubstr("{source=\"unknown\",outcome=\"dropped\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("reason=\"sessions\"")));
}

TEST(Metrics, EarlyLookupsAreToldByResult) {
  DaemonMetrics metrics;
  metrics.early_lookups_absent.add(3);
  metrics.early_lookups_failed.add(2);
  const auto text = prometheus_text(metrics, Health(), nullptr);
  EXPECT_THAT(text, HasSubstr("\nrapporteur_early_lookups_total{result=\"absent\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("\nrapporteur_early_lookups_total{result=\"failed\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\nrapporteur_early_lookups_total{result=\"present\"} 0\n"));
}

TEST(Metrics, WhatTheStoreHoldsIsTold) {
  const auto text = full_text();
  for (const std::string line : {
           R"(rapporteur_windows{state="collecting"} 7)",
           R"(rapporteur_windows{state="held"} 0)",
           R"(rapporteur_windows_overdue 2)",
           R"(rapporteur_window_due_lag_seconds 90)",
           R"(rapporteur_deliveries{state="pending"} 8)",
           R"(rapporteur_deliveries_ended_total{outcome="delivered"} 9)",
           R"(rapporteur_delivery_due_lag_seconds{transport="smtp"} 30)",
           R"(rapporteur_delivery_due_lag_seconds{transport="https"} 0)",
           R"(rapporteur_delivery_oldest_open_seconds 3600)",
           R"(rapporteur_suppressions{origin="manual"} 2)",
           R"(rapporteur_paused{what="smtp"} 1)",
           R"(rapporteur_store_disk_free_bytes 1000000)",
           R"(rapporteur_problem{problem="relay"} 1)",
           R"(rapporteur_problem{problem="flush"} 0)",
           R"(rapporteur_ready 1)",
           R"(rapporteur_store_up 1)",
       }) {
    EXPECT_THAT(text, HasSubstr("\n" + line + "\n"));
  }
}

TEST(Metrics, WithoutTheStoreItsFamiliesAreLeftOut) {
  const DaemonMetrics metrics;
  const auto text = prometheus_text(metrics, Health(), nullptr);
  EXPECT_THAT(text, HasSubstr("\nrapporteur_store_up 0\n"));
  EXPECT_THAT(text, HasSubstr("\nrapporteur_window_runs_total{outcome=\"assembled\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("rapporteur_sessions_total")));
}

TEST(Metrics, BuildInfoTellsTheVersionOfProgramAndTables) {
  EXPECT_THAT(full_text(),
              HasSubstr("rapporteur_build_info{version=\"" + build_info().version +
                        "\",compiler=\"" + build_info().compiler + "\",schema=\"3\"} 1\n"));
  EXPECT_FALSE(build_info().version.empty());
}

TEST(Metrics, LabelsAreEscaped) {
  auto summary = full_summary();
  summary.counters = {{"datagram.rejected.a\"b\\c\nd\xff", 1}};
  EXPECT_THAT(full_text(summary),
              HasSubstr("{source=\"datagram\",reason=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\"} 1\n"));
}

TEST(Metrics, TheSameNumbersGiveTheSameText) {
  EXPECT_EQ(full_text(), full_text());
}

TEST(Metrics, DurationsAreCountedInAllBucketsThatHoldThem) {
  DaemonMetrics metrics;
  metrics.flush.observe(1ms);  // a bound belongs to its bucket
  metrics.flush.observe(2ms);
  metrics.flush.observe(250ms);
  metrics.flush.observe(1000s);
  metrics.flush.observe(-5s);
  const auto text = prometheus_text(metrics, Health(), nullptr);
  const std::string name = "\nrapporteur_flush_duration_seconds";
  EXPECT_THAT(text, HasSubstr(name + "_bucket{le=\"0.001\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket{le=\"0.003\"} 3\n"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket{le=\"0.1\"} 3\n"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket{le=\"0.3\"} 4\n"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket{le=\"300\"} 4\n"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket{le=\"+Inf\"} 5\n"));
  EXPECT_THAT(text, HasSubstr(name + "_sum 1000.253\n"));
  EXPECT_THAT(text, HasSubstr(name + "_count 5\n"));
}

TEST(Metrics, AStopwatchObservesWhenItEnds) {
  DurationHistogram histogram;
  {
    const Stopwatch watch(histogram);
    EXPECT_EQ(histogram.read().sum, 0);
  }
  EXPECT_GT(histogram.read().sum, 0);
}

TEST(Metrics, ARouteIsTheSameWhoeverAsksForIt) {
  DaemonMetrics metrics;
  auto& route = metrics.http_route("/v1/sessions");
  EXPECT_EQ(&metrics.http_route("/v1/sessions"), &route);
  EXPECT_NE(&metrics.http_route("/metrics"), &route);
  route.answered(200, 1ms);
  route.answered(404, 1ms);
  route.answered(999, 1ms);
  route.answered(0, 1ms);
  const auto text = prometheus_text(metrics, Health(), nullptr);
  for (const auto* status : {"1xx", "2xx", "4xx", "5xx"}) {
    EXPECT_THAT(text, HasSubstr("rapporteur_http_requests_total{route=\"/v1/sessions\",status=\"" +
                                std::string(status) + "\"} 1\n"));
  }
  EXPECT_THAT(text, HasSubstr("_duration_seconds_bucket{route=\"/v1/sessions\",le=\"0.001\"} 4\n"));
}

TEST(Metrics, ManyThreadsLoseNothing) {
  DaemonMetrics metrics;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) {
        metrics.smtp.accepted.add();
        metrics.smtp.duration.observe(5ms);
        metrics.http_route("/metrics").answered(200, 1ms);
        metrics.http_connections.add(n % 2 == 0 ? 1 : -1);
      }
    });
  }
  for (int n = 0; n < 20; ++n) prometheus_text(metrics, Health(), nullptr);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(metrics.smtp.accepted.value(), 4000U);
  EXPECT_EQ(metrics.smtp.duration.read().counts.at(2), 4000U);
  EXPECT_EQ(metrics.http_route("/metrics").by_class.at(1).value(), 4000U);
  EXPECT_EQ(metrics.http_connections.value(), 0);
}

}  // namespace
}  // namespace rapporteur
