// rapporteur stats: the state of the store in numbers, as /metrics tells it to programs.

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/print.h"

namespace rapporteur {

namespace {

using Numbers = std::map<std::string, std::uint64_t>;

Json numbers_json(const Numbers& numbers) {
  auto json = Json::object();
  for (const auto& [name, number] : numbers) json.set(name, number);
  return json;
}

// States without any are left out.
template <class State>
Json states_json(const std::map<State, std::uint64_t>& states) {
  auto json = Json::object();
  for (const auto& [state, count] : states) {
    if (count > 0) json.set(to_string(state), count);
  }
  return json;
}

Json sources_json(const IntakeCounts& intake) {
  auto sources = Json::object();
  for (const auto& [name, counts] : intake.sources) {
    auto source = Json::object();
    source.set("accepted", counts.accepted).set("late", counts.late);
    if (!counts.rejected.empty()) source.set("rejected", numbers_json(counts.rejected));
    if (!counts.ignored.empty()) source.set("ignored", numbers_json(counts.ignored));
    if (!counts.dropped.empty()) source.set("dropped", numbers_json(counts.dropped));
    sources.set(name, std::move(source));
  }
  return sources;
}

std::int64_t seconds_since(const std::optional<Time>& since, Time now) {
  return since && *since < now ? (now - *since).count() : 0;
}

Json store_json(const StoreSummary& summary) {
  auto store = Json::object();
  store.set("database-bytes", summary.database_bytes)
      .set("free-bytes", summary.free_bytes)
      .set("wal-bytes", summary.wal_bytes)
      .set("disk-free-bytes", summary.disk_free_bytes ? Json(*summary.disk_free_bytes) : Json())
      .set("session-ids", summary.session_ids)
      .set("schema-version", summary.schema_version);
  return store;
}

Json received_json(const StoreSummary& summary) {
  const auto counts = read_received_counters(summary.counters);
  return Json::object()
      .set("kept", states_json(summary.received))
      .set("stored", numbers_json(counts.stored))
      .set("duplicates", counts.duplicates)
      .set("refused", numbers_json(counts.refused))
      .set("new-failures", counts.new_failures);
}

void fill(Json& result, const StoreSummary& summary, const IntakeCounts& intake) {
  result.set("windows", states_json(summary.windows))
      .set("sessions", numbers_json(summary.counters))
      .set("sources", sources_json(intake))
      .set("recipient-domain-guessed", intake.recipient_domain_guessed)
      .set("overdue", Json::object()
                          .set("windows", summary.windows_overdue)
                          .set("lag-seconds", seconds_since(summary.overdue_since, summary.now))
                          .set("waiting", summary.windows_waiting))
      .set("deliveries", states_json(summary.deliveries))
      .set("deliveries-ended", states_json(summary.deliveries_ended))
      .set("deliveries-lag-seconds",
           Json::object()
               .set("smtp", seconds_since(summary.mail_due_since, summary.now))
               .set("https", seconds_since(summary.https_due_since, summary.now))
               .set("oldest-open", seconds_since(summary.open_since, summary.now)))
      .set("suppressions", Json::object()
                               .set("automatic", summary.suppressed_automatically)
                               .set("manual", summary.suppressed_by_hand))
      .set("received", received_json(summary))
      .set("store", store_json(summary));
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, kUnits.at(unit));
}

void print_sessions(Screen& screen, const IntakeCounts& intake) {
  auto& out = screen.out();
  out << "sessions since the store was made\n";
  Table sources({"source", "accepted", "of these late", "rejected", "ignored", "dropped"});
  Table reasons({"source", "outcome", "reason", "sessions"});
  for (const auto& [name, counts] : intake.sources) {
    sources.add({name, std::to_string(counts.accepted), std::to_string(counts.late),
                 std::to_string(sum(counts.rejected)), std::to_string(sum(counts.ignored)),
                 std::to_string(sum(counts.dropped))});
    for (const auto& [outcome, by_reason] :
         {std::pair{"rejected", &counts.rejected}, std::pair{"ignored", &counts.ignored},
          std::pair{"dropped", &counts.dropped}}) {
      for (const auto& [reason, count] : *by_reason) {
        reasons.add({name, outcome, reason, std::to_string(count)});
      }
    }
  }
  if (sources.empty()) {
    out << "  none\n";
  } else {
    sources.print(screen, "  ");
  }
  if (!reasons.empty()) {
    out << '\n';
    reasons.print(screen, "  ");
  }
  if (intake.recipient_domain_guessed > 0) {
    out << fmt::format("  {} of them had no recipient domain and count under their policy domain\n",
                       intake.recipient_domain_guessed);
  }
}

template <class State>
void print_states(Screen& screen, std::string_view title,
                  const std::map<State, std::uint64_t>& states) {
  constexpr std::size_t kColumn = 12;
  auto& out = screen.out();
  out << title << '\n';
  bool any = false;
  for (const auto& [state, count] : states) {
    if (count == 0) continue;
    const std::string_view word = to_string(state);
    const std::string gap(kColumn - std::min(word.size(), kColumn), ' ');
    out << fmt::format("  {}{} {:>12}\n", screen.state(word), gap, count);
    any = true;
  }
  if (!any) out << "  none\n";
}

// "for 1h2m"
std::string lag_text(const std::optional<Time>& since, Time now) {
  return "for " + format_duration(Seconds(seconds_since(since, now)));
}

void print_lags(std::ostream& out, const StoreSummary& summary) {
  if (summary.windows_overdue > 0) {
    out << fmt::format("  {} could have been run by now, the oldest {}\n",
                       count_text(summary.windows_overdue, "window"),
                       lag_text(summary.overdue_since, summary.now));
  }
  if (summary.windows_waiting > 0) {
    out << fmt::format("  {} for another try after a temporary failure\n",
                       summary.windows_waiting == 1
                           ? "1 window waits"
                           : std::to_string(summary.windows_waiting) + " windows wait");
  }
}

void print_delivery_lags(std::ostream& out, const StoreSummary& summary) {
  for (const auto& [transport, since] :
       {std::pair{"SMTP", summary.mail_due_since}, std::pair{"HTTPS", summary.https_due_since}}) {
    if (!since) continue;
    out << fmt::format("  one could have been tried by {} {}\n", transport,
                       lag_text(since, summary.now));
  }
  if (summary.open_since) {
    out << fmt::format("  the oldest report with open deliveries was assembled {}\n",
                       with_relative(*summary.open_since, summary.now));
  }
}

void print_received(Screen& screen, const StoreSummary& summary) {
  auto& out = screen.out();
  const auto counts = read_received_counters(summary.counters);
  print_states(screen, "reports of others, kept", summary.received);
  const auto refused = sum(counts.refused);
  if (counts.duplicates + refused + counts.new_failures == 0) return;
  out << fmt::format("  {}, {} refused; {}\n", count_text(counts.duplicates, "duplicate"), refused,
                     count_text(counts.new_failures, "new failure"));
}

void print_store(std::ostream& out, const StoreSummary& summary) {
  out << fmt::format("suppressed destinations\n  {} by itself, {} by hand\n",
                     summary.suppressed_automatically, summary.suppressed_by_hand);
  out << fmt::format("store\n  database {}, {} of it free; write-ahead log {}; {} remembered\n",
                     size_text(summary.database_bytes), size_text(summary.free_bytes),
                     size_text(summary.wal_bytes), count_text(summary.session_ids, "session id"));
  if (summary.disk_free_bytes) {
    out << fmt::format("  {} left on its disk\n", size_text(*summary.disk_free_bytes));
  }
}

}  // namespace

int stats(const Context& context) {
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  const auto summary = opened.store->summary(context.now());
  if (!summary) return fail(context, summary.error());
  auto notice = pause_notice(context, *opened.store);
  if (!notice) return fail(context, notice.error());
  const auto intake = read_intake_counters(summary->counters);

  if (context.json) {
    auto result = Json::object();
    if (*notice) result.set("paused", std::move((*notice)->json));
    fill(result, *summary, intake);
    context.print(result);
    return kExitDone;
  }
  Screen screen(context.world);
  auto& out = screen.out();
  if (*notice) out << (*notice)->text << '\n';
  print_sessions(screen, intake);
  print_states(screen, "windows", summary->windows);
  print_lags(out, *summary);
  print_states(screen, "deliveries", summary->deliveries);
  print_delivery_lags(out, *summary);
  print_received(screen, *summary);
  print_store(out, *summary);
  return kExitDone;
}

}  // namespace rapporteur
