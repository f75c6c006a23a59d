// rapporteur received summary: received reports added up over time, for people, for programs, and
// for spreadsheets.

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/received.h"
#include "dns/tlsrpt_record.h"
#include "received/rules.h"
#include "received/summary.h"

namespace rapporteur {

namespace {

using namespace std::chrono_literals;

constexpr Seconds kUsualLength = 30 * 24h;
constexpr std::size_t kMostRows = 20;  // of a table for people
constexpr std::size_t kNameWidth = 28;

// What is told beside the sums of one of our own domains.
struct OurSide {
  std::string domain;
  TlsrptRecord record;
  std::vector<StoppedReporter> stopped;
};

using Row = std::pair<std::string, ComparedSums>;

// The largest first.
std::vector<Row> by_size(const std::map<std::string, ComparedSums>& named) {
  std::vector<Row> rows(named.begin(), named.end());
  std::ranges::stable_sort(rows, [](const Row& a, const Row& b) {
    return std::pair(a.second.now.failed, a.second.now.all()) >
           std::pair(b.second.now.failed, b.second.now.all());
  });
  return rows;
}

std::vector<std::pair<FailureKind, FailureSums>> by_size(
    const std::map<FailureKind, FailureSums>& failures) {
  std::vector<std::pair<FailureKind, FailureSums>> rows(failures.begin(), failures.end());
  std::ranges::stable_sort(rows, [](const auto& a, const auto& b) {
    return std::pair(a.second.now, a.second.before) > std::pair(b.second.now, b.second.before);
  });
  return rows;
}

// "+12%", "-100%", "new", "="
std::string change(std::uint64_t now, std::uint64_t before) {
  if (now == before) return "=";
  if (before == 0) return "new";
  const double percent =
      (static_cast<double>(now) - static_cast<double>(before)) / static_cast<double>(before) * 100;
  if (percent > 999) return ">+999%";
  return fmt::format("{:+.0f}%", percent);
}

std::string rate(const SessionSums& sums) {
  if (sums.all() == 0) return "-";
  return fmt::format("{:.2f}%",
                     static_cast<double>(sums.failed) / static_cast<double>(sums.all()) * 100);
}

// ---- For people

// A character for each value, its height in proportion to the largest; a dot for none.
std::string sparkline(const std::vector<std::uint64_t>& values) {
  constexpr std::array<std::string_view, 8> kBars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const auto most = values.empty() ? 0 : *std::ranges::max_element(values);
  std::string line;
  for (const auto value : values) {
    if (value == 0) {
      line += "·";
      continue;
    }
    const auto part = static_cast<double>(value) / static_cast<double>(most);
    line += kBars.at(std::min<std::size_t>(static_cast<std::size_t>(part * 8), 7));
  }
  return line;
}

template <class Member>
std::vector<std::uint64_t> values_of(const std::vector<SessionSums>& steps, Member member) {
  std::vector<std::uint64_t> values;
  for (const auto& step : steps) values.push_back(std::invoke(member, step));
  return values;
}

std::string day_text(Time time) {
  const auto text = format_rfc3339(time);
  return text.ends_with("T00:00:00Z") ? text.substr(0, 10) : text;
}

void print_totals(std::ostream& out, const ReceivedSummary& summary) {
  const auto& total = summary.total;
  out << fmt::format("  reports    {:>12}  {}\n", total.reports,
                     change(total.reports, total.reports_before));
  out << fmt::format("  successful {:>12}  {}\n", total.now.successful,
                     change(total.now.successful, total.before.successful));
  out << fmt::format("  failed     {:>12}  {}  ({} of all, {} before)\n", total.now.failed,
                     change(total.now.failed, total.before.failed), rate(total.now),
                     rate(total.before));
  for (const auto& [trust, reports] : summary.left_out) {
    out << fmt::format("  left out: {} of the class {}\n", count_text(reports, "report"),
                       to_string(trust));
  }
  const auto each = summary.step == 24h ? "a day" : format_duration(summary.step);
  out << fmt::format("\n  successful {}\n  failed     {}   {} a character\n",
                     sparkline(values_of(summary.steps, &SessionSums::successful)),
                     sparkline(values_of(summary.steps, &SessionSums::failed)), each);
}

void print_named(Screen& screen, std::string_view head, const std::vector<Row>& rows) {
  auto& out = screen.out();
  Table table({std::string(head), "REPORTS", "SESSIONS", "CHANGE", "FAILED", "CHANGE", "RATE"});
  for (const auto& [name, sums] : rows) {
    if (table.size() == kMostRows) break;
    table.add({shortened(name.empty() ? "(not told)" : printable(name), kNameWidth),
               std::to_string(sums.reports), std::to_string(sums.now.all()),
               change(sums.now.all(), sums.before.all()), std::to_string(sums.now.failed),
               change(sums.now.failed, sums.before.failed), rate(sums.now)});
  }
  if (table.empty()) return;
  out << '\n';
  table.print(screen, "  ");
  if (rows.size() > kMostRows) {
    out << fmt::format("  and {} more: --json or --csv has all of them\n", rows.size() - kMostRows);
  }
}

void print_failures(Screen& screen, const ReceivedSummary& summary) {
  auto& out = screen.out();
  const auto rows = by_size(summary.failures);
  Table table({"FAILURE", "MX", "SESSIONS", "CHANGE", "TOLD BY"});
  for (const auto& [kind, sums] : rows) {
    if (table.size() == kMostRows) break;
    std::string by = sums.organizations.empty() ? "-" : printable(*sums.organizations.begin());
    if (sums.organizations.size() > 1) {
      by = fmt::format("{} +{}", shortened(by, 12), sums.organizations.size() - 1);
    }
    table.add({kind.result_type.empty() ? "(not told)" : shortened(printable(kind.result_type), 24),
               kind.mx.empty() ? "(not told)" : shortened(printable(kind.mx), 24),
               std::to_string(sums.now), change(sums.now, sums.before), shortened(by, 16)});
  }
  if (table.empty()) return;
  out << '\n';
  table.print(screen, "  ");
  if (rows.size() > kMostRows) {
    out << fmt::format("  and {} more: --json or --csv has all of them\n", rows.size() - kMostRows);
  }
}

void print_our_side(std::ostream& out, const OurSide& ours) {
  out << fmt::format("\nour record, {}: {}\n", tlsrpt_name(ours.domain),
                     to_string(ours.record.status));
  if (!ours.record.problem.empty()) out << "  problem: " << printable(ours.record.problem) << '\n';
  for (const auto& uri : ours.record.rua) {
    out << "  asks for reports at " << printable(uri) << '\n';
  }
  if (ours.record.status == RecordStatus::kNone) out << "  nobody is asked for reports\n";
  for (const auto& reporter : ours.stopped) {
    out << fmt::format("  {} reported daily and has stopped: its last report is about {}\n",
                       printable(reporter.organization), day_text(reporter.last));
  }
}

void print_people(const Context& context, const ReceivedSummary& summary, const std::string& domain,
                  const std::optional<OurSide>& ours) {
  Screen screen(context.world);
  auto& out = screen.out();
  out << fmt::format("TLS reports about {}, {} to {}, compared with the {} before\n",
                     domain.empty() ? "all domains" : domain, day_text(summary.since),
                     day_text(summary.until), format_duration(summary.until - summary.since));
  print_totals(out, summary);
  print_named(screen, "POLICY DOMAIN", by_size(summary.domains));
  print_named(screen, "ORGANIZATION", by_size(summary.organizations));
  print_failures(screen, summary);
  if (ours) print_our_side(out, *ours);
}

// ---- For programs

Json sums_json(const ComparedSums& sums, Json json = Json::object()) {
  json.set("reports", std::uint64_t{sums.reports})
      .set("successful", sums.now.successful)
      .set("failed", sums.now.failed)
      .set("reports-before", std::uint64_t{sums.reports_before})
      .set("successful-before", sums.before.successful)
      .set("failed-before", sums.before.failed);
  return json;
}

Json named_json(std::string_view key, const std::map<std::string, ComparedSums>& named) {
  auto list = Json::array();
  for (const auto& [name, sums] : by_size(named)) {
    list.add(sums_json(sums, Json::object().set(key, name)));
  }
  return list;
}

Json failures_json(const ReceivedSummary& summary) {
  auto list = Json::array();
  for (const auto& [kind, sums] : by_size(summary.failures)) {
    list.add(Json::object()
                 .set("result-type", kind.result_type)
                 .set("mx", Json::text_or_null(kind.mx))
                 .set("sessions", sums.now)
                 .set("sessions-before", sums.before)
                 .set("new", sums.now > 0 && sums.before == 0)
                 .set("organizations",
                      Json::strings({sums.organizations.begin(), sums.organizations.end()}))
                 .set("domains", Json::strings({sums.domains.begin(), sums.domains.end()})));
  }
  return list;
}

Json steps_json(const ReceivedSummary& summary) {
  auto list = Json::array();
  auto start = summary.since;
  for (const auto& step : summary.steps) {
    list.add(Json::object()
                 .set("start", start)
                 .set("successful", step.successful)
                 .set("failed", step.failed));
    start += summary.step;
  }
  return list;
}

Json our_side_json(const OurSide& ours) {
  auto stopped = Json::array();
  for (const auto& reporter : ours.stopped) {
    stopped.add(
        Json::object().set("organization", reporter.organization).set("last", reporter.last));
  }
  return Json::object()
      .set("state", to_string(ours.record.status))
      .set("rua", Json::strings(ours.record.rua))
      .set("problem", Json::text_or_null(ours.record.problem))
      .set("stopped", std::move(stopped));
}

void print_json(const Context& context, const ReceivedSummary& summary, const std::string& domain,
                const std::set<Trust>& counted, const std::optional<OurSide>& ours) {
  auto classes = Json::array();
  for (const auto trust : counted) classes.add(to_string(trust));
  auto left_out = Json::object();
  for (const auto& [trust, reports] : summary.left_out) {
    left_out.set(to_string(trust), std::uint64_t{reports});
  }
  auto json = Json::object();
  json.set("domain", Json::text_or_null(domain))
      .set("since", summary.since)
      .set("until", summary.until)
      .set("before-since", summary.before())
      .set("counted", std::move(classes))
      .set("left-out", std::move(left_out))
      .set("total", sums_json(summary.total))
      .set("domains", named_json("domain", summary.domains))
      .set("organizations", named_json("organization", summary.organizations))
      .set("failures", failures_json(summary))
      .set("step-seconds", summary.step.count())
      .set("steps", steps_json(summary));
  if (ours) json.set("record", our_side_json(*ours));
  context.print(json);
}

// ---- For spreadsheets

// A field of RFC 4180. What a spreadsheet would take for a formula gets an apostrophe in front: the
// texts are strangers'.
std::string csv_field(std::string_view text) {
  std::string field = printable(text);
  if (!field.empty() && std::string_view("=+-@").find(field.front()) != std::string_view::npos) {
    field.insert(0, "'");
  }
  if (field.find_first_of(",\"\n\r") == field.npos) return field;
  std::string quoted = "\"";
  for (const char c : field) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

void print_csv_sums(std::ostream& out, std::string_view by, std::string_view name,
                    const ComparedSums& sums) {
  out << fmt::format("{},{},,{},{},{},{},{},{}\r\n", by, csv_field(name), sums.reports,
                     sums.now.successful, sums.now.failed, sums.reports_before,
                     sums.before.successful, sums.before.failed);
}

void print_csv(std::ostream& out, const ReceivedSummary& summary) {
  out << "by,name,mx,reports,successful,failed,reports-before,successful-before,failed-before\r\n";
  print_csv_sums(out, "total", "", summary.total);
  for (const auto& [trust, reports] : summary.left_out) {
    out << fmt::format("left-out,{},,{},,,,,\r\n", to_string(trust), reports);
  }
  for (const auto& [name, sums] : by_size(summary.domains)) {
    print_csv_sums(out, "domain", name, sums);
  }
  for (const auto& [name, sums] : by_size(summary.organizations)) {
    print_csv_sums(out, "organization", name, sums);
  }
  for (const auto& [kind, sums] : by_size(summary.failures)) {
    out << fmt::format("failure,{},{},,,{},,,{}\r\n", csv_field(kind.result_type),
                       csv_field(kind.mx), sums.now, sums.before);
  }
  auto start = summary.since;
  for (const auto& step : summary.steps) {
    out << fmt::format("step,{},,,{},{},,,\r\n", format_rfc3339(start), step.successful,
                       step.failed);
    start += summary.step;
  }
}

// The record that asks others for reports about a domain of ours.
Result<TlsrptRecord> our_record(const Context& context, const DnsConfig& dns,
                                const std::string& domain) {
  const auto resolver = make_resolver(context, dns);
  if (!resolver) return resolver.error();
  const auto answer = look_up(**resolver, domain);
  if (answer.status != DnsAnswer::Status::kTemporary) return read_tlsrpt_answers(answer.records);
  TlsrptRecord record;
  record.status = RecordStatus::kTemporary;
  record.problem = answer.problem;
  return record;
}

}  // namespace

int received_summary(const Context& context, const ReceivedSummaryRequest& request) {
  SummaryRequest wanted;
  if (!request.domain.empty()) {
    auto pattern = domain_pattern(request.domain);
    if (!pattern) return fail(context, pattern.error().text, kExitUsage);
    wanted.domain = *std::move(pattern);
  }
  const Time today = std::chrono::floor<std::chrono::days>(context.now());
  wanted.until = request.until.value_or(std::max(today, request.since.value_or(today)) + 24h);
  wanted.since = request.since.value_or(wanted.until - kUsualLength);
  if (wanted.since >= wanted.until)
    return fail(context, "--until must be after --since", kExitUsage);
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  wanted.counted = counted_classes(opened.config->received);
  const auto summary = summarise(*opened.store, wanted);
  if (!summary) return fail(context, summary.error());
  if (request.csv) {
    print_csv(context.world.out, *summary);
    return kExitDone;
  }
  std::optional<OurSide> ours;
  if (!wanted.domain.empty() && !is_glob(wanted.domain)) {
    auto record = our_record(context, opened.config->dns, wanted.domain);
    if (!record) return fail(context, record.error());
    auto stopped = find_stopped(*opened.store, wanted.domain, wanted.counted,
                                std::min(summary->before(), today - kUsualLength), context.now());
    if (!stopped) return fail(context, stopped.error());
    ours = {wanted.domain, *std::move(record), *std::move(stopped)};
  }
  if (context.json) {
    print_json(context, *summary, wanted.domain, wanted.counted, ours);
  } else {
    print_people(context, *summary, wanted.domain, ours);
  }
  return kExitDone;
}

}  // namespace rapporteur
