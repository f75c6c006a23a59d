// rapporteur delivery list, retry and abandon: one part of a report to one destination each.

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "cli/progress.h"

namespace rapporteur {

namespace {

constexpr std::size_t kRowsShown = 20;

Result<DeliveryFilter> filter_of(const std::string& domain, std::optional<DeliveryState> state) {
  DeliveryFilter filter;
  filter.state = state;
  if (domain.empty()) return filter;
  auto pattern = domain_pattern(domain);
  if (!pattern) return std::move(pattern).error();
  filter.domain = *pattern;
  return filter;
}

// What Store says about each action. A glob without --state means what has failed or still waits,
// not what was given up on purpose or is another destination's fallback.
bool applies(const DeliveryActionRequest& request, const Delivery& delivery) {
  const bool open = !is_final(delivery.state);
  if (request.action == DeliveryAction::kAbandon) return open;
  if (delivery.state == DeliveryState::kDelivered) return false;
  if (!is_glob(request.target) || request.state) return true;
  return (open && !delivery.fallback) || delivery.state == DeliveryState::kFailed;
}

std::string_view done_word(DeliveryAction action) {
  return action == DeliveryAction::kRetry ? "tried again" : "abandoned";
}

struct Touched {
  Delivery delivery;
  bool changed = false;  // of a dry run: it would be
};

void print_touched(const Context& context, const DeliveryActionRequest& request,
                   const std::vector<Touched>& rows) {
  if (context.json) {
    auto list = Json::array();
    for (const auto& [delivery, changed] : rows) {
      list.add(Json::object()
                   .set("id", delivery.id)
                   .set("domain", delivery.domain)
                   .set("destination", delivery.destination)
                   .set("state-before", to_string(delivery.state))
                   .set("changed", changed && !request.dry_run));
    }
    const auto changed = request.dry_run ? 0 : std::ranges::count_if(rows, &Touched::changed);
    context.print(Json::object()
                      .set("action", request.action == DeliveryAction::kRetry ? "retry" : "abandon")
                      .set("dry-run", request.dry_run)
                      .set("changed", std::int64_t{changed})
                      .set("deliveries", std::move(list)));
    return;
  }
  const std::string word =
      (request.dry_run ? "would be " : "is ") + std::string(done_word(request.action));
  std::size_t shown = 0;
  for (const auto& [delivery, changed] : rows) {
    if (++shown > kRowsShown) break;
    context.world.out << fmt::format("{} {} ({}): {}\n", delivery.id,
                                     printable(delivery.destination), to_string(delivery.state),
                                     changed ? word : "changed meanwhile, left alone");
  }
  if (rows.size() > kRowsShown) {
    context.world.out << fmt::format("… and {} more\n", rows.size() - kRowsShown);
  }
}

Result<std::vector<bool>> act(Store& store, const DeliveryActionRequest& request,
                              std::span<const Delivery> deliveries, Time now) {
  std::vector<std::string> ids;
  ids.reserve(deliveries.size());
  for (const auto& delivery : deliveries) ids.push_back(delivery.id);
  if (request.action == DeliveryAction::kRetry) return store.retry_deliveries(ids, now);
  const auto reason = request.reason.empty() ? "abandoned by the administrator" : request.reason;
  return store.abandon_deliveries(ids, reason, now);
}

int touch(const Context& context, Store& store, const DeliveryActionRequest& request,
          std::vector<Delivery> deliveries) {
  const auto question = fmt::format(
      "{} {}", request.action == DeliveryAction::kRetry ? "retry" : "abandon",
      deliveries.size() == 1 ? "1 delivery" : fmt::format("{} deliveries", deliveries.size()));
  if (!request.dry_run && !may_touch(context, deliveries.size(), request.yes, question)) {
    return fail(context, "nothing was changed: it was not confirmed (--yes does not ask)");
  }
  std::vector<Touched> rows;
  std::optional<Progress> seen(std::in_place, context.world,
                               request.action == DeliveryAction::kRetry ? "retry" : "abandon",
                               "deliveries");
  for (const auto some : pages_of(deliveries)) {
    seen->tell(rows.size(), deliveries.size());
    Result<std::vector<bool>> changed(std::vector<bool>(some.size(), true));
    if (!request.dry_run) changed = act(store, request, some, context.now());
    if (!changed) {
      seen.reset();
      return fail(context, fmt::format("{} ({} touched before that)", changed.error().text,
                                       count_text(rows.size(), "delivery")));
    }
    for (std::size_t i = 0; i < some.size(); ++i) {
      rows.push_back({std::move(some[i]), (*changed)[i]});
    }
  }
  seen.reset();
  print_touched(context, request, rows);
  return std::ranges::any_of(rows, &Touched::changed) ? kExitDone : kExitFailed;
}

}  // namespace

Json delivery_json(const Delivery& delivery) {
  return Json::object()
      .set("id", delivery.id)
      .set("part", delivery.part)
      .set("report-id", delivery.report_id)
      .set("destination", delivery.destination)
      .set("state", to_string(delivery.state))
      .set("attempts", delivery.attempts)
      .set("next-attempt", Json::time_or_null(delivery.next_attempt))
      .set("last-response", Json::text_or_null(delivery.last_response));
}

void print_deliveries(const Context& context, const std::vector<Delivery>& deliveries,
                      std::string_view indent) {
  Table table({"ID", "DOMAIN", "PART", "DESTINATION", "STATE", "ATTEMPTS", "NEXT", "RESPONSE"});
  table.prefer({0, 4, 3, 6});
  for (const auto& delivery : deliveries) {
    const bool waits =
        delivery.fallback && delivery.state == DeliveryState::kPending && !delivery.next_attempt;
    table.add({delivery.id, delivery.domain, std::to_string(delivery.part), delivery.destination,
               std::string(to_string(delivery.state)), std::to_string(delivery.attempts),
               delivery.next_attempt ? relative(*delivery.next_attempt, context.now())
               : waits               ? "if the others fail"
                                     : "-",
               delivery.last_response});
  }
  Screen screen(context.world);
  if (!table.empty()) table.print(screen, indent);
}

int delivery_list(const Context& context, const DeliveryListRequest& request) {
  auto filter = filter_of(request.domain, request.state);
  if (!filter) return fail(context, filter.error().text, kExitUsage);
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  filter->limit = request.limit + 1;
  filter->after = request.after;
  auto deliveries = opened.store->deliveries(*filter);
  if (!deliveries) return fail(context, deliveries.error());
  auto notice = pause_notice(context, *opened.store);
  if (!notice) return fail(context, notice.error());
  const bool more = deliveries->size() > request.limit;
  if (more) deliveries->resize(request.limit);

  if (context.json) {
    auto json = Json::object();
    if (*notice) json.set("paused", std::move((*notice)->json));
    auto list = Json::array();
    for (const auto& delivery : *deliveries) {
      list.add(delivery_json(delivery).set("domain", delivery.domain));
    }
    json.set("deliveries", std::move(list));
    context.print(json.set("next", more ? Json(deliveries->back().id) : Json()));
    return kExitDone;
  }
  if (*notice) context.world.out << (*notice)->text << "\n\n";
  if (deliveries->empty()) context.world.out << "no such delivery\n";
  print_deliveries(context, *deliveries, "");
  if (more) context.world.out << "\nThere are more: --after " << deliveries->back().id << '\n';
  return kExitDone;
}

int delivery_act(const Context& context, const DeliveryActionRequest& request) {
  auto filter = filter_of(request.domain, request.state);
  if (!filter) return fail(context, filter.error().text, kExitUsage);
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  filter->id = request.target;
  auto deliveries = all_deliveries(*opened.store, *filter);
  if (!deliveries) return fail(context, deliveries.error());
  if (deliveries->empty()) {
    return fail(context, "no such delivery: " + request.target, kExitNotFound);
  }
  const auto state = deliveries->front().state;
  const bool single = deliveries->size() == 1;
  std::erase_if(*deliveries, [&](const Delivery& delivery) { return !applies(request, delivery); });
  if (deliveries->empty()) {
    return fail(context, single ? fmt::format("delivery {} is {}: it cannot be {}", request.target,
                                              to_string(state), done_word(request.action))
                                : fmt::format("no delivery of {} can be {}", request.target,
                                              done_word(request.action)));
  }
  return touch(context, *opened.store, request, *std::move(deliveries));
}

}  // namespace rapporteur
