#pragma once
// What only the running process knows, in numbers: counters, gauges and durations that the daemon's
// threads update, and their text together with that of the store for Prometheus
// (docs/operations.md, "Metrics and health"). Serves nothing; monitor.h does what is asked of it.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/store_summary.h"

namespace rapporteur {

// All three: any thread, no lock. A reader may see one update without another of the same moment.
class Counter {
 public:
  void add(std::uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

class Gauge {
 public:
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_ = 0;
};

// How long something took, counted by upper bounds.
class DurationHistogram {
 public:
  static constexpr std::array<double, 12> kBounds = {0.001, 0.003, 0.01, 0.03, 0.1, 0.3,
                                                     1,     3,     10,   30,   100, 300};

  void observe(std::chrono::nanoseconds duration);  // a negative one counts as 0

  struct Reading {
    std::array<std::uint64_t, kBounds.size() + 1> counts{};  // each bound's own; last: above all
    double sum = 0;                                          // seconds
  };
  Reading read() const;

 private:
  std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> counts_{};
  std::atomic<std::uint64_t> nanoseconds_ = 0;
};

// Observes the time from its making to its end.
class Stopwatch {
 public:
  explicit Stopwatch(DurationHistogram& histogram)
      : histogram_(histogram), began_(std::chrono::steady_clock::now()) {}
  ~Stopwatch() { histogram_.observe(std::chrono::steady_clock::now() - began_); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  DurationHistogram& histogram_;
  const std::chrono::steady_clock::time_point began_;
};

// One kind of request that the HTTP server answers.
struct HttpRouteMetrics {
  DurationHistogram duration;
  std::array<Counter, 5> by_class;  // of the status: 1xx to 5xx

  void answered(int status, std::chrono::nanoseconds took);
};

// How attempts over one transport ended, and how long each took.
struct TransportMetrics {
  DurationHistogram duration;
  Counter accepted, temporary, permanent, uncertain, relay_trouble, refused_by_guard, interrupted;
};

// Everything that the process counts. Made once, before the threads; the members are the handles.
struct DaemonMetrics {
  // Intake.
  DurationHistogram flush;  // one flush of counts to the store, failed ones included
  Counter flush_failures;
  Gauge spilled_bytes, spilled_files;  // that wait on disk for the store
  // Files: written, stored and removed, found to be damaged.
  Counter spills_written, spills_recovered, spills_broken;

  // Schedule: each window that was run ends in one of these.
  DurationHistogram window_run;
  Counter windows_assembled, windows_postponed, windows_blocked, windows_suppressed;
  // Lookups while windows collect.
  Counter early_lookups_present, early_lookups_absent, early_lookups_failed;

  // Delivery.
  TransportMetrics smtp;  // mail, by whatever transport
  TransportMetrics https;
  Gauge deliveries_under_way;
  Gauge hosts_down;

  // HTTP. The handle of a route, which is asked for once and stays. `name` is constant text such as
  // "/v1/sessions", never what a client sent. Any thread.
  HttpRouteMetrics& http_route(std::string_view name);
  Gauge http_connections;
  Gauge received_connections;  // of the listener for reports of others
  // Connections and requests that were turned away before their request was looked at.
  Counter http_tls_failed, http_connections_full, http_authentication_failed;

  // Reloads of the configuration.
  Counter reloads_accepted, reloads_refused;

  std::vector<std::pair<std::string, const HttpRouteMetrics*>> http_routes() const;  // by name

  Gauge start_time;  // of the daemon, in seconds since 1970

 private:
  mutable std::mutex routes_mutex_;
  std::map<std::string, HttpRouteMetrics, std::less<>> routes_;  // under the lock; never removed
};

struct BuildInfo {
  std::string version;   // "0.1.0"
  std::string compiler;  // "gcc 12.2.0"
};
BuildInfo build_info();

class Health;

// Content-Type of prometheus_text().
inline constexpr std::string_view kPrometheusContentType =
    "text/plain; version=0.0.4; charset=utf-8";

// Everything in Prometheus's text format 0.0.4, families and series in a fixed order. `store` is
// null while the store cannot be read: then its families are left out, and rapporteur_store_up is
// 0.
std::string prometheus_text(const DaemonMetrics& metrics, const Health& health,
                            const StoreSummary* store);

}  // namespace rapporteur
