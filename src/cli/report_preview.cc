// rapporteur report preview: what is submitted for a window, byte for byte. Of an assembled window
// it is what the store holds, of any other what assembling it at this second gives.

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>

#include <fmt/format.h>

#include "base/domain.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "report/gzip.h"
#include "schedule/assembler.h"
#include "schedule/dns_answers.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMaxJsonBytes = std::size_t{1} << 30;

struct Preview {
  Window window;
  bool stored = false;               // else it is made up now
  std::string not_sent;              // why it would not be sent as things stand; empty: it would
  int first_part = 1;                // a supplement numbers on after its window's parts
  std::vector<Part> parts;           // without their bodies
  std::vector<Delivery> deliveries;  // with their headers
  // Fills in the bodies of one of the parts.
  std::function<Result<void>(Part&)> load;
};

// The newest window, or the one that was asked for.
Result<std::optional<Window>> choose(Store& store, const ReportPreviewRequest& request,
                                     const std::string& domain) {
  WindowFilter filter;
  filter.domain = domain;
  filter.start = request.window;
  auto windows = all_windows(store, filter);
  if (!windows) return std::move(windows).error();
  sort_by_period(*windows);
  if (request.supplement) {
    std::erase_if(*windows,
                  [&](const Window& window) { return window.supplement != *request.supplement; });
  }
  if (windows->empty()) return std::optional<Window>();
  return std::optional<Window>(std::move(windows->back()));
}

// Reads back what was assembled. `preview.parts` stays empty if nothing was.
Result<void> read_stored(Store& store, Preview& preview) {
  const auto entries =
      store.reports(preview.window.domain, std::numeric_limits<std::int32_t>::max());
  if (!entries) return entries.error();
  for (const auto& entry : *entries) {
    if (entry.window.id != preview.window.id) continue;
    preview.parts.push_back(entry.part);
  }
  preview.load = [&store](Part& part) -> Result<void> {
    auto whole = store.report(part.report_id);
    if (!whole) return std::move(whole).error();
    if (!*whole) return Error{Fault::kPermanent, "the report was removed meanwhile"};
    part = std::move((*whole)->part);
    return {};
  };
  std::ranges::sort(preview.parts, {}, &Part::number);
  DeliveryFilter filter;
  filter.window = preview.window.id;
  const auto deliveries = all_deliveries(store, filter);
  if (!deliveries) return deliveries.error();
  for (const auto& delivery : *deliveries) {
    auto submission = store.submission(delivery.id);
    if (!submission) return std::move(submission).error();
    if (*submission) preview.deliveries.push_back(std::move((*submission)->delivery));
  }
  preview.stored = !preview.parts.empty();
  return {};
}

// Makes up what would be submitted. Returns an exit code if it says that nothing would be.
std::optional<int> make_up(const Context& context, const Opened& opened, Preview& result) {
  const auto question = question_about(result.window);
  const auto dossiers = opened.store->dossiers({&question, 1});
  if (!dossiers) return fail(context, dossiers.error());
  const auto resolver = make_resolver(context, opened.config->dns);
  if (!resolver) return fail(context, resolver.error());
  const auto answer = look_up(**resolver, result.window.domain);
  DnsAnswers dns(**resolver);
  const auto signer = signer_of(*opened.config);
  const AssemblyContext assembly{*opened.config, *signer, *opened.store, &dns};
  auto decision = preview(assembly, result.window, dossiers->front(), answer, context.now());
  if (!decision) return fail(context, decision.error());
  if (decision->kind != Decision::Kind::kAssembled) {
    return fail(context, "nothing would be sent: " + decision->reason);
  }
  result.not_sent = result.window.state == WindowState::kSuppressed
                        ? "it is suppressed: " + result.window.reason
                        : decision->reason;
  result.parts = decision->assembly.parts;
  result.deliveries = std::move(decision->assembly.deliveries);
  result.load = [assembly = std::make_shared<Assembly>(std::move(decision->assembly))](
                    Part& part) -> Result<void> {
    const auto found = std::ranges::find(assembly->parts, part.number, &Part::number);
    part = *found;
    return assembly->load
               ? assembly->load(static_cast<std::size_t>(found - assembly->parts.begin()), part)
               : Result<void>();
  };
  return std::nullopt;
}

// The mail of a part to its first mail destination.
std::optional<std::string> mail_of(const Preview& preview, const Part& part) {
  for (const auto& delivery : preview.deliveries) {
    if (delivery.part != part.number || !is_mail(delivery.destination)) continue;
    return delivery.header + "\r\n" + part.mail_body;
  }
  return std::nullopt;
}

Result<Json> part_json(const Preview& preview, const Part& part, bool as_mail) {
  auto json = Json::object()
                  .set("part", part.number)
                  .set("of", part.of)
                  .set("report-id", part.report_id)
                  .set("file-name", part.file_name)
                  .set("successful-sessions", part.successful)
                  .set("failed-sessions", part.failed);
  if (as_mail) {
    const auto mail = mail_of(preview, part);
    return std::move(json).set("eml", mail ? Json(*mail) : Json());
  }
  const auto text = gunzip(part.gz, kMaxJsonBytes);
  if (!text) return text.error();
  auto report = Json::parse(*text);
  return std::move(json).set("report", report ? *std::move(report) : Json());
}

int print_json(const Context& context, const Preview& preview, bool as_mail) {
  auto parts = Json::array();
  for (auto part : preview.parts) {
    if (const auto loaded = preview.load(part); !loaded) return fail(context, loaded.error());
    auto json = part_json(preview, part, as_mail);
    if (!json) return fail(context, json.error());
    parts.add(*std::move(json));
  }
  auto deliveries = Json::array();
  for (const auto& delivery : preview.deliveries) {
    const bool shown = std::ranges::any_of(
        preview.parts, [&](const Part& part) { return part.number == delivery.part; });
    if (!shown) continue;
    deliveries.add(Json::object()
                       .set("part", delivery.part)
                       .set("destination", delivery.destination)
                       .set("envelope-from", Json::text_or_null(delivery.envelope_from)));
  }
  context.print(Json::object()
                    .set("domain", preview.window.domain)
                    .set("start", preview.window.period.start)
                    .set("end", preview.window.period.end)
                    .set("state", to_string(preview.window.state))
                    .set("assembled", preview.stored)
                    .set("not-sent", Json::text_or_null(preview.not_sent))
                    .set("parts", std::move(parts))
                    .set("deliveries", std::move(deliveries)));
  return kExitDone;
}

// The bytes themselves: nothing is added to them.
int print_bytes(const Context& context, const Preview& preview, Part part, bool as_mail) {
  if (const auto loaded = preview.load(part); !loaded) return fail(context, loaded.error());
  if (part.of > 1) {
    context.world.err << fmt::format("rapporteur: this is part {} of {}: --part\n",
                                     part.number - preview.first_part + 1, part.of);
  }
  if (as_mail) {
    const auto mail = mail_of(preview, part);
    if (!mail) return fail(context, "the report goes to no mail address: --as json shows it");
    context.world.out << *mail;
    return kExitDone;
  }
  const auto text = gunzip(part.gz, kMaxJsonBytes);
  if (!text) return fail(context, text.error());
  context.world.out << *text;
  return kExitDone;
}

}  // namespace

int report_preview(const Context& context, const ReportPreviewRequest& request) {
  const auto domain = normalise_domain(request.domain);
  if (!domain) return fail(context, domain.error().text, kExitUsage);
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  auto window = choose(*opened.store, request, *domain);
  if (!window) return fail(context, window.error());
  if (!*window) return fail(context, "no such window of " + *domain + " is known", kExitNotFound);

  Preview preview;
  preview.window = **std::move(window);
  const auto read = read_stored(*opened.store, preview);
  if (!read) return fail(context, read.error());
  if (!preview.stored) {
    if (const auto exit_code = make_up(context, opened, preview)) return *exit_code;
  }
  if (!preview.not_sent.empty()) {
    context.world.err << "rapporteur: as things stand it would not be sent: "
                      << printable(preview.not_sent) << '\n';
  }
  if (!preview.parts.empty()) preview.first_part = preview.parts.front().number;
  if (request.part) {
    const auto count = preview.parts.size();
    const auto number = preview.first_part + *request.part - 1;
    std::erase_if(preview.parts, [&](const Part& part) { return part.number != number; });
    if (preview.parts.empty()) {
      return fail(context,
                  fmt::format("the report has no part {}: it has {}", *request.part,
                              count_text(count, "part")),
                  kExitNotFound);
    }
  }
  if (context.json) return print_json(context, preview, request.as_mail);
  return print_bytes(context, preview, preview.parts.front(), request.as_mail);
}

}  // namespace rapporteur
