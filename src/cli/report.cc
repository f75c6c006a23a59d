// rapporteur report list and show: the parts that were assembled.

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "report/gzip.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMaxJsonBytes = std::size_t{1} << 30;

Json entry_json(const ReportEntry& entry) {
  return Json::object()
      .set("report-id", entry.part.report_id)
      .set("domain", entry.window.domain)
      .set("start", entry.window.period.start)
      .set("end", entry.window.period.end)
      .set("supplement", entry.window.supplement)
      .set("part", entry.part.number)
      .set("of", entry.part.of)
      .set("successful-sessions", entry.part.successful)
      .set("failed-sessions", entry.part.failed)
      .set("file-name", entry.part.file_name)
      .set("assembled", entry.assembled)
      .set("state", to_string(entry.window.state));
}

Result<std::vector<Delivery>> deliveries_of(Store& store, const ReportEntry& entry) {
  DeliveryFilter filter;
  filter.window = entry.window.id;
  auto deliveries = all_deliveries(store, filter);
  if (!deliveries) return deliveries;
  std::erase_if(*deliveries, [&](const Delivery& delivery) {
    return delivery.report_id != entry.part.report_id;
  });
  return deliveries;
}

void print_entry(const Context& context, const ReportEntry& entry,
                 const std::vector<Delivery>& deliveries) {
  auto& out = context.world.out;
  out << fmt::format("report-id: {}\ndomain: {}\nperiod: {}\npart: {} of {}\n",
                     entry.part.report_id, entry.window.domain, period_text(entry.window),
                     entry.part.number - entry.window.first_part + 1, entry.part.of);
  out << fmt::format("sessions: {} successful, {} failed\nfile name: {}\n", entry.part.successful,
                     entry.part.failed, printable(entry.part.file_name));
  out << "assembled: " << with_relative(entry.assembled, context.now()) << '\n';
  out << "deliveries:\n";
  print_deliveries(context, deliveries, "  ");
}

}  // namespace

int report_list(const Context& context, const ReportListRequest& request) {
  std::string domain;
  if (!request.domain.empty()) {
    auto pattern = domain_pattern(request.domain);
    if (!pattern) return fail(context, pattern.error().text, kExitUsage);
    domain = *std::move(pattern);
  }
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  const auto entries = opened.store->reports(domain, request.limit);
  if (!entries) return fail(context, entries.error());
  auto notice = pause_notice(context, *opened.store);
  if (!notice) return fail(context, notice.error());

  if (context.json) {
    auto json = Json::object();
    if (*notice) json.set("paused", std::move((*notice)->json));
    auto list = Json::array();
    for (const auto& entry : *entries) list.add(entry_json(entry));
    context.print(json.set("reports", std::move(list)));
    return kExitDone;
  }
  if (*notice) context.world.out << (*notice)->text << "\n\n";
  if (entries->empty()) context.world.out << "no report was assembled\n";
  Table table({"ASSEMBLED", "DOMAIN", "PERIOD", "PART", "OK", "FAILED", "STATE", "REPORT-ID"});
  table.prefer({1, 6, 4, 5, 0});
  for (const auto& entry : *entries) {
    table.add({format_rfc3339(entry.assembled), entry.window.domain, period_text(entry.window),
               fmt::format("{}/{}", entry.part.number - entry.window.first_part + 1, entry.part.of),
               std::to_string(entry.part.successful), std::to_string(entry.part.failed),
               std::string(to_string(entry.window.state)), entry.part.report_id});
  }
  Screen screen(context.world);
  if (!table.empty()) table.print(screen);
  return kExitDone;
}

int report_show(const Context& context, const std::string& id) {
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  std::string_view bare = trim(id);  // a Message-ID comes with angle brackets
  if (bare.starts_with('<') && bare.ends_with('>')) bare = bare.substr(1, bare.size() - 2);
  const auto entry = opened.store->report(std::string(bare));
  if (!entry) return fail(context, entry.error());
  if (!*entry) return fail(context, "no report has the id " + std::string(bare), kExitNotFound);
  const auto deliveries = deliveries_of(*opened.store, **entry);
  if (!deliveries) return fail(context, deliveries.error());
  if (!context.json) {
    print_entry(context, **entry, *deliveries);
    return kExitDone;
  }
  const auto text = gunzip((*entry)->part.gz, kMaxJsonBytes);
  if (!text) return fail(context, text.error());
  auto list = Json::array();
  for (const auto& delivery : *deliveries) list.add(delivery_json(delivery));
  auto report = Json::parse(*text);
  context.print(entry_json(**entry)
                    .set("deliveries", std::move(list))
                    .set("report", report ? *std::move(report) : Json()));
  return kExitDone;
}

}  // namespace rapporteur
