// rapporteur received list and show: the reports that others sent.

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/received.h"
#include "received/report_reader.h"
#include "report/gzip.h"

namespace rapporteur {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kNameWidth = 17;  // of columns that strangers fill
constexpr std::size_t kShownId = 8;     // enough of an id to find its report

Json kept_json(const KeptReport& report) {
  return Json::object()
      .set("id", report.id)
      .set("organization", report.organization)
      .set("report-id", report.report_id)
      .set("start", report.start)
      .set("end", report.end)
      .set("successful", report.successful)
      .set("failed", report.failed)
      .set("trust", to_string(report.trust))
      .set("domains", Json::strings(report.domains))
      .set("new-failures", report.new_failures)
      .set("received", report.received)
      .set("source", report.source);
}

std::string domains_text(const std::vector<std::string>& domains) {
  if (domains.empty()) return "-";
  const auto more = domains.size() - 1;
  const auto tail = more == 0 ? std::string() : fmt::format(" +{}", more);
  return shortened(domains.front(), kNameWidth - tail.size()) + tail;
}

// Nullopt: there is no such report. By its id, the beginning of that, or its report-id, which
// strangers choose: so an id is looked for first. Of several none is meant.
Result<std::optional<KeptReport>> find_report(Store& store, const std::string& text) {
  std::string_view bare = trim(text);  // the Subject has a report-id in angle brackets
  if (bare.starts_with('<') && bare.ends_with('>')) bare = bare.substr(1, bare.size() - 2);
  for (const auto member : {&ReceivedFilter::id, &ReceivedFilter::report_id}) {
    ReceivedFilter filter;
    filter.*member = bare;
    filter.limit = 2;
    auto found = store.received(filter);
    if (!found) return std::move(found).error();
    if (found->size() > 1) {
      return Error{Fault::kInput, "several reports are called so, among them " + found->at(0).id +
                                      " and " + found->at(1).id};
    }
    if (!found->empty()) return std::optional(std::move(found->front()));
  }
  return std::optional<KeptReport>();
}

void print_detail(std::ostream& out, const ReceivedDetail& detail) {
  out << fmt::format(
      "    {:>8}  {}\n", detail.sessions,
      detail.result_type.empty() ? "(no result type)" : printable(detail.result_type));
  const auto line = [&](std::string_view name, std::string_view text) {
    if (!text.empty()) out << fmt::format("              {} {}\n", name, printable(text));
  };
  auto to = detail.receiving_mx_hostname;
  if (!detail.receiving_ip.empty())
    to += (to.empty() ? "" : " ") + ("[" + detail.receiving_ip + "]");
  line("from", detail.sending_mta_ip);
  line("to", to);
  line("helo", detail.receiving_mx_helo);
  line("reason", detail.failure_reason_code);
  line("more", detail.additional_information);
}

void print_policy(std::ostream& out, const ReceivedPolicy& policy) {
  out << fmt::format("\n{} policy for {}: {} successful, {} failed\n",
                     policy.type.empty() ? "untyped" : printable(policy.type),
                     policy.domain.empty() ? "(no domain)" : printable(policy.domain),
                     policy.successful, policy.failed);
  for (const auto& line : policy.strings) out << "  " << printable(line) << '\n';
  if (!policy.mx_hosts.empty()) {
    out << "  for the hosts " << printable(join(policy.mx_hosts, ", ")) << '\n';
  }
  for (const auto& detail : policy.details) print_detail(out, detail);
}

std::string trust_text(const KeptReport& report) {
  switch (report.trust) {
    case Trust::kDkim:
      return "dkim: signed by " + report.signer + ", which was verified";
    case Trust::kMta:
      return "mta: " + report.voucher + " says that " + report.signer + " has signed it";
    case Trust::kLocal:
      return "local: given on the command line";
    case Trust::kHttps:
      return "https: posted to us, by whom is not known";
    case Trust::kUnverified:
      break;
  }
  return "unverified: the sender may be anybody";
}

void print_report(const Context& context, const KeptReport& kept, const ReceivedReport& report) {
  auto& out = context.world.out;
  out << fmt::format("{}\n  organization: {}\n  contact: {}\n  report-id: {}\n", kept.id,
                     printable(kept.organization),
                     kept.contact.empty() ? "none" : printable(kept.contact),
                     kept.report_id.empty() ? "none" : printable(kept.report_id));
  out << fmt::format("  period: {}\n", received_period(kept.start, kept.end));
  out << fmt::format("  sessions: {} successful, {} failed\n", kept.successful, kept.failed);
  if (kept.new_failures > 0) {
    out << fmt::format("  new when it came: {}\n", count_text(kept.new_failures, "failure"));
  }
  out << fmt::format("  received: {} ({})\n", with_relative(kept.received, context.now()),
                     kept.source);
  out << "  class: " << printable(trust_text(kept)) << '\n';
  for (const auto& oddity : kept.oddities) out << "  odd: " << printable(oddity) << '\n';
  for (const auto& policy : report.policies) print_policy(out, policy);
}

}  // namespace

std::string received_period(Time start, Time end) {
  const auto day = [](Time time) { return std::chrono::floor<std::chrono::days>(time); };
  const auto text = [](Time time) { return format_rfc3339(time).substr(0, 10); };
  const bool last_second = day(end + 1s) == Time(end + 1s);
  const Time after = last_second ? end + 1s : end;
  if (day(start) != start || day(after) != after || after <= start) {
    return format_rfc3339(start) + " to " + format_rfc3339(end);
  }
  if (after - start == 24h) return text(start);
  return text(start) + " to " + text(after - 24h);
}

std::string shortened(std::string_view text, std::size_t width) {
  std::size_t characters = 0;
  std::size_t cut = text.size();  // where the last character begins that has room beside "…"
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U) continue;
    if (++characters == width) cut = i;
    if (characters > width) return std::string(text.substr(0, cut)) + "…";
  }
  return std::string(text);
}

int received_list(const Context& context, const ReceivedListRequest& request) {
  ReceivedFilter filter;
  if (!request.domain.empty()) {
    auto pattern = domain_pattern(request.domain);
    if (!pattern) return fail(context, pattern.error().text, kExitUsage);
    filter.domain = *std::move(pattern);
  }
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  filter.organization = request.organization;
  filter.failed_only = request.failed;
  filter.limit = request.limit;
  if (!request.after.empty()) {
    const auto last = find_report(*opened.store, request.after);
    if (!last) return fail(context, last.error());
    if (!*last) return fail(context, "no report has the id " + request.after, kExitNotFound);
    filter.before = (*last)->number;
  }
  const auto reports = opened.store->received(filter);
  if (!reports) return fail(context, reports.error());
  if (context.json) {
    auto list = Json::array();
    for (const auto& report : *reports) list.add(kept_json(report));
    context.print(list);
    return kExitDone;
  }
  if (reports->empty()) context.world.out << "no report is kept\n";
  Table table({"ID", "ORGANIZATION", "DOMAIN", "PERIOD", "OK", "FAILED", "CLASS"});
  for (const auto& report : *reports) {
    auto failed = std::to_string(report.failed);
    if (report.new_failures > 0) failed += " new";
    table.add({report.id.substr(0, kShownId), shortened(printable(report.organization), kNameWidth),
               domains_text(report.domains), received_period(report.start, report.end),
               std::to_string(report.successful), failed, std::string(to_string(report.trust))});
  }
  Screen screen(context.world);
  if (!table.empty()) table.print(screen);
  if (reports->size() == request.limit) {
    context.world.out << fmt::format("\nolder ones: --after {}\n", reports->back().id);
  }
  return kExitDone;
}

int received_show(const Context& context, const std::string& id) {
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  const auto found = find_report(*opened.store, id);
  if (!found) return fail(context, found.error());
  if (!*found) return fail(context, "no report has the id " + id, kExitNotFound);
  const auto& kept = **found;
  const auto gz = opened.store->received_json(kept.number);
  if (!gz) return fail(context, gz.error());
  if (!*gz) return fail(context, "no report has the id " + id, kExitNotFound);
  const auto json = gunzip(**gz, ReadLimits().json_bytes);
  if (!json) return fail(context, json.error());
  if (context.json) {
    context.world.out << *json;
    return kExitDone;
  }
  const auto report = read_report(*json);
  if (!report) return fail(context, report.error());
  print_report(context, kept, *report);
  return kExitDone;
}

}  // namespace rapporteur
