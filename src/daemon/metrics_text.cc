// The text of /metrics. docs/operations.md explains every family; tests/daemon/metrics_test.cc
// compares the two.

#include <array>
#include <charconv>
#include <functional>
#include <initializer_list>
#include <optional>

#include "base/text.h"
#include "daemon/health.h"
#include "daemon/metrics.h"

namespace rapporteur {

namespace {

using Label = std::pair<std::string_view, std::string_view>;
using Labels = std::initializer_list<Label>;

// Sources that have their series from the beginning, so that their first session is an increase.
constexpr std::array<std::string_view, 4> kSources = {"datagram", "elasticsearch", "file", "http"};

std::string number(double value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

std::string escaped(std::string_view value) {
  std::string safe;
  for (const char c : to_valid_utf8(value)) {
    if (c == '\\' || c == '"') safe += '\\';
    if (c == '\n') {
      safe += "\\n";
    } else {
      safe += c;
    }
  }
  return safe;
}

// Writes families one after the other.
class Exposition {
 public:
  void counter(std::string_view name, std::string_view help) { family(name, "counter", help); }
  void gauge(std::string_view name, std::string_view help) { family(name, "gauge", help); }
  void histogram(std::string_view name, std::string_view help) { family(name, "histogram", help); }

  // A sample of the family that was begun last.
  void sample(Labels labels, const std::string& value) { line("", labels, value); }
  void sample(Labels labels, std::uint64_t value) { sample(labels, std::to_string(value)); }
  void sample(Labels labels, std::int64_t value) { sample(labels, std::to_string(value)); }
  void sample(Labels labels, bool value) { sample(labels, std::string(value ? "1" : "0")); }

  // All samples of one histogram, which has at most one label.
  void sample(std::optional<Label> label, const DurationHistogram& histogram) {
    const auto reading = histogram.read();
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < reading.counts.size(); ++i) {
      below += reading.counts.at(i);
      const bool last = i == DurationHistogram::kBounds.size();
      const auto bound = last ? "+Inf" : number(DurationHistogram::kBounds.at(i));
      const auto value = std::to_string(below);
      if (label) {
        line("_bucket", {*label, {"le", bound}}, value);
      } else {
        line("_bucket", {{"le", bound}}, value);
      }
    }
    for (const auto& [suffix, value] :
         {std::pair{"_sum", number(reading.sum)}, std::pair{"_count", std::to_string(below)}}) {
      if (label) {
        line(suffix, {*label}, value);
      } else {
        line(suffix, {}, value);
      }
    }
  }

  std::string take() { return std::move(text_); }

 private:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  }

  void line(std::string_view suffix, Labels labels, const std::string& value) {
    text_.append(name_).append(suffix);
    char before = '{';
    for (const auto& [name, label] : labels) {
      text_.append(1, before).append(name).append("=\"").append(escaped(label)).append("\"");
      before = ',';
    }
    if (labels.size() > 0) text_ += '}';
    text_.append(" ").append(value).append("\n");
  }

  std::string name_;
  std::string text_;
};

// ---- What the process knows

void write_process(Exposition& out, const DaemonMetrics& metrics, const StoreSummary* store) {
  const auto build = build_info();
  const auto schema = store == nullptr ? std::string() : std::to_string(store->schema_version);
  out.gauge("rapporteur_build_info", "Version of the program, of its compiler and of the tables.");
  out.sample({{"version", build.version}, {"compiler", build.compiler}, {"schema", schema}}, true);
  out.gauge("rapporteur_start_time_seconds", "When the daemon started, in seconds since 1970.");
  out.sample({}, metrics.start_time.value());
  out.counter("rapporteur_config_reloads_total", "Reloads of the configuration by outcome.");
  out.sample({{"outcome", "accepted"}}, metrics.reloads_accepted.value());
  out.sample({{"outcome", "refused"}}, metrics.reloads_refused.value());
}

void write_health(Exposition& out, const Health& health) {
  out.gauge("rapporteur_ready", "1 while /readyz answers 200.");
  out.sample({}, health.ready().good);
  std::array<bool, kProblemCount> there{};
  for (const auto& trouble : health.problems()) {
    there.at(static_cast<std::size_t>(trouble.problem)) = true;
  }
  out.gauge("rapporteur_problem", "1 while /readyz tells of this problem.");
  for (std::size_t i = 0; i < there.size(); ++i) {
    out.sample({{"problem", to_string(static_cast<Problem>(i))}}, there.at(i));
  }
}

void write_intake(Exposition& out, const DaemonMetrics& metrics) {
  out.histogram("rapporteur_flush_duration_seconds",
                "Time of a flush of counts to the store, failed ones included.");
  out.sample(std::nullopt, metrics.flush);
  out.counter("rapporteur_flush_failures_total", "Flushes of counts that the store did not take.");
  out.sample({}, metrics.flush_failures.value());
  out.gauge("rapporteur_spill_bytes", "Size of the files of counts that wait for the store.");
  out.sample({}, metrics.spilled_bytes.value());
  out.gauge("rapporteur_spill_files", "Files of counts that wait for the store.");
  out.sample({}, metrics.spilled_files.value());
  out.counter("rapporteur_spill_files_total", "Files of counts by what became of them.");
  out.sample({{"outcome", "broken"}}, metrics.spills_broken.value());
  out.sample({{"outcome", "recovered"}}, metrics.spills_recovered.value());
  out.sample({{"outcome", "written"}}, metrics.spills_written.value());
}

void write_schedule(Exposition& out, const DaemonMetrics& metrics) {
  out.counter("rapporteur_window_runs_total", "Runs of due windows by outcome.");
  out.sample({{"outcome", "assembled"}}, metrics.windows_assembled.value());
  out.sample({{"outcome", "blocked"}}, metrics.windows_blocked.value());
  out.sample({{"outcome", "postponed"}}, metrics.windows_postponed.value());
  out.sample({{"outcome", "suppressed"}}, metrics.windows_suppressed.value());
  out.histogram(
      "rapporteur_window_run_duration_seconds",
      "Time of the run of a due window without its lookups: decide, assemble, sign, store.");
  out.sample(std::nullopt, metrics.window_run);
  out.counter("rapporteur_early_lookups_total",
              "Lookups of TLSRPT records while windows collect, by result.");
  out.sample({{"result", "absent"}}, metrics.early_lookups_absent.value());
  out.sample({{"result", "failed"}}, metrics.early_lookups_failed.value());
  out.sample({{"result", "present"}}, metrics.early_lookups_present.value());
}

void write_attempts(Exposition& out, std::string_view transport, const TransportMetrics& attempts) {
  const auto sample = [&](std::string_view outcome, const Counter& counter) {
    out.sample({{"transport", transport}, {"outcome", outcome}}, counter.value());
  };
  sample("accepted", attempts.accepted);
  sample("interrupted", attempts.interrupted);
  sample("permanent", attempts.permanent);
  sample("refused-by-guard", attempts.refused_by_guard);
  sample("relay-trouble", attempts.relay_trouble);
  sample("temporary", attempts.temporary);
  sample("uncertain", attempts.uncertain);
}

void write_delivery(Exposition& out, const DaemonMetrics& metrics) {
  out.counter("rapporteur_delivery_attempts_total", "Attempts at deliveries by their reply.");
  write_attempts(out, "https", metrics.https);
  write_attempts(out, "smtp", metrics.smtp);
  out.histogram("rapporteur_delivery_attempt_duration_seconds", "Time of an attempt.");
  out.sample(Label{"transport", "https"}, metrics.https.duration);
  out.sample(Label{"transport", "smtp"}, metrics.smtp.duration);
  out.gauge("rapporteur_deliveries_under_way", "Attempts that have begun and are not recorded.");
  out.sample({}, metrics.deliveries_under_way.value());
  out.gauge("rapporteur_delivery_hosts_down",
            "Hosts whose deliveries wait behind one probe because they did not answer.");
  out.sample({}, metrics.hosts_down.value());
}

void write_http(Exposition& out, const DaemonMetrics& metrics) {
  const auto routes = metrics.http_routes();
  out.counter("rapporteur_http_requests_total", "Requests answered, by class of their status.");
  for (const auto& [name, route] : routes) {
    for (std::size_t i = 0; i < route->by_class.size(); ++i) {
      const auto status = std::to_string(i + 1) + "xx";
      out.sample({{"route", name}, {"status", status}}, route->by_class.at(i).value());
    }
  }
  out.histogram("rapporteur_http_request_duration_seconds",
                "Time from the end of a request's head to its answer.");
  for (const auto& [name, route] : routes) out.sample(Label{"route", name}, route->duration);
  out.counter("rapporteur_http_refused_total",
              "Connections and requests turned away before they were looked at, by reason.");
  out.sample({{"reason", "authentication-failed"}}, metrics.http_authentication_failed.value());
  out.sample({{"reason", "connections-full"}}, metrics.http_connections_full.value());
  out.sample({{"reason", "tls-failed"}}, metrics.http_tls_failed.value());
  out.gauge("rapporteur_http_connections", "Open connections of the HTTP server.");
  out.sample({}, metrics.http_connections.value());
  out.gauge("rapporteur_received_connections",
            "Open connections of the listener for reports of others.");
  out.sample({}, metrics.received_connections.value());
}

// ---- What the store knows

void write_by_reason(Exposition& out, std::string_view name, std::string_view help,
                     const IntakeCounts& intake,
                     std::map<std::string, std::uint64_t> SourceCounts::*reasons) {
  out.counter(name, help);
  for (const auto& [source, counts] : intake.sources) {
    for (const auto& [reason, count] : counts.*reasons) {
      out.sample({{"source", source}, {"reason", reason}}, count);
    }
  }
}

void write_sessions(Exposition& out, const StoreSummary& store) {
  auto intake = read_intake_counters(store.counters);
  for (const auto source : kSources) intake.sources.try_emplace(std::string(source));
  out.counter("rapporteur_sessions_total", "Sessions by source and what became of them.");
  for (const auto& [source, counts] : intake.sources) {
    out.sample({{"source", source}, {"outcome", "accepted"}}, counts.accepted);
    out.sample({{"source", source}, {"outcome", "dropped"}}, sum(counts.dropped));
    out.sample({{"source", source}, {"outcome", "ignored"}}, sum(counts.ignored));
    out.sample({{"source", source}, {"outcome", "rejected"}}, sum(counts.rejected));
  }
  write_by_reason(out, "rapporteur_sessions_rejected_total",
                  "Sessions that could not be understood or taken, by reason.", intake,
                  &SourceCounts::rejected);
  write_by_reason(out, "rapporteur_sessions_ignored_total",
                  "Sessions that were understood and are not to be counted, by reason.", intake,
                  &SourceCounts::ignored);
  write_by_reason(out, "rapporteur_sessions_dropped_total",
                  "Sessions that were lost here, by reason.", intake, &SourceCounts::dropped);
  out.counter("rapporteur_sessions_late_total",
              "Accepted sessions that came after their window was taken.");
  for (const auto& [source, counts] : intake.sources) {
    out.sample({{"source", source}}, counts.late);
  }
  out.counter("rapporteur_recipient_domain_guessed_total",
              "Sessions without recipient domain, counted under their policy domain.");
  out.sample({}, intake.recipient_domain_guessed);
}

// Seconds from `since` to the time of the summary; 0 if there is none.
std::uint64_t seconds_since(const std::optional<Time>& since, const StoreSummary& store) {
  if (!since || *since >= store.now) return 0;
  return static_cast<std::uint64_t>((store.now - *since).count());
}

std::uint64_t counter_of(const StoreSummary& store, std::string_view name) {
  const auto found = store.counters.find(std::string(name));
  return found == store.counters.end() ? 0 : found->second;
}

void write_windows(Exposition& out, const StoreSummary& store) {
  out.gauge("rapporteur_windows", "Stored windows by state.");
  for (const auto& [state, count] : store.windows) {
    out.sample({{"state", to_string(state)}}, count);
  }
  out.gauge("rapporteur_windows_overdue", "Windows that could have been run by now.");
  out.sample({}, store.windows_overdue);
  out.gauge("rapporteur_window_due_lag_seconds",
            "For how long the oldest overdue window could have been run.");
  out.sample({}, seconds_since(store.overdue_since, store));
  out.gauge("rapporteur_windows_waiting",
            "Due windows that wait for another try after a temporary failure.");
  out.sample({}, store.windows_waiting);
  out.counter("rapporteur_windows_dropped_total",
              "Windows that were dropped because their domain publishes no TLSRPT record.");
  out.sample({}, counter_of(store, kDroppedWindows));
  out.counter("rapporteur_windows_dropped_sessions_total",
              "Sessions that had been counted in windows that were dropped.");
  out.sample({}, counter_of(store, kDroppedSessions));
}

void write_deliveries(Exposition& out, const StoreSummary& store) {
  out.gauge("rapporteur_deliveries", "Stored deliveries by state.");
  for (const auto& [state, count] : store.deliveries) {
    out.sample({{"state", to_string(state)}}, count);
  }
  out.counter("rapporteur_deliveries_ended_total",
              "How often a delivery has ended so since the store was made.");
  for (const auto& [state, count] : store.deliveries_ended) {
    out.sample({{"outcome", to_string(state)}}, count);
  }
  out.gauge("rapporteur_delivery_due_lag_seconds",
            "For how long the delivery that waits longest could have been tried.");
  out.sample({{"transport", "https"}}, seconds_since(store.https_due_since, store));
  out.sample({{"transport", "smtp"}}, seconds_since(store.mail_due_since, store));
  out.gauge("rapporteur_delivery_oldest_open_seconds",
            "Time since the oldest report was assembled of which deliveries are open.");
  out.sample({}, seconds_since(store.open_since, store));
}

void write_received(Exposition& out, const StoreSummary& store) {
  const auto counts = read_received_counters(store.counters);
  out.gauge("rapporteur_received_reports", "Kept reports of others, by how they were verified.");
  for (const auto& [trust, reports] : store.received) {
    out.sample({{"class", to_string(trust)}}, reports);
  }
  out.counter("rapporteur_received_reports_total",
              "Reports of others that were stored, by how they were verified.");
  for (const auto trust : kTrustClasses) {
    const auto found = counts.stored.find(std::string(to_string(trust)));
    out.sample({{"class", to_string(trust)}}, found == counts.stored.end() ? 0 : found->second);
  }
  out.counter("rapporteur_received_duplicates_total", "Reports of others that were known already.");
  out.sample({}, counts.duplicates);
  out.counter("rapporteur_received_refused_total",
              "What came as a report of others and was not stored, by reason.");
  for (const auto& [reason, count] : counts.refused) out.sample({{"reason", reason}}, count);
  out.counter("rapporteur_received_new_failures_total",
              "Kinds of failures that no report of their organization had told of for a week.");
  out.sample({}, counts.new_failures);
}

void write_store(Exposition& out, const StoreSummary& store) {
  out.gauge("rapporteur_suppressions", "Destinations and patterns that get no reports.");
  out.sample({{"origin", "automatic"}}, store.suppressed_automatically);
  out.sample({{"origin", "manual"}}, store.suppressed_by_hand);
  out.gauge("rapporteur_paused", "1 while this is paused.");
  out.sample({{"what", "everything"}}, store.paused_everything);
  out.sample({{"what", "https"}}, store.paused_https);
  out.sample({{"what", "smtp"}}, store.paused_smtp);
  out.gauge("rapporteur_session_ids", "Session ids that are remembered to find repetitions.");
  out.sample({}, store.session_ids);
  out.gauge("rapporteur_store_database_bytes", "Size of the database.");
  out.sample({}, store.database_bytes);
  out.gauge("rapporteur_store_free_bytes", "Size of the database's pages that hold nothing.");
  out.sample({}, store.free_bytes);
  out.gauge("rapporteur_store_wal_bytes", "Size of the write-ahead log beside the database.");
  out.sample({}, store.wal_bytes);
  out.gauge("rapporteur_store_disk_free_bytes", "Room that is left on the disk of the database.");
  if (store.disk_free_bytes) out.sample({}, *store.disk_free_bytes);
}

}  // namespace

std::string prometheus_text(const DaemonMetrics& metrics, const Health& health,
                            const StoreSummary* store) {
  Exposition out;
  write_process(out, metrics, store);
  write_health(out, health);
  out.gauge("rapporteur_store_up", "1 if the store could be read for this answer.");
  out.sample({}, store != nullptr);
  if (store != nullptr) write_sessions(out, *store);
  write_intake(out, metrics);
  if (store != nullptr) write_windows(out, *store);
  write_schedule(out, metrics);
  if (store != nullptr) write_deliveries(out, *store);
  write_delivery(out, metrics);
  if (store != nullptr) write_received(out, *store);
  if (store != nullptr) write_store(out, *store);
  write_http(out, metrics);
  return out.take();
}

}  // namespace rapporteur
