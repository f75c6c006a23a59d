// rapporteur store prune: removes what is old enough now, as the daemon does by and by.

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "schedule/keeping.h"

namespace rapporteur {

namespace {

using Counted = std::array<std::pair<std::string_view, std::uint64_t>, 7>;

Counted counted(const Prunable& prunable) {
  return {{{"windows", prunable.windows},
           {"reports", prunable.reports},
           {"deliveries", prunable.deliveries},
           {"received", prunable.received},
           {"suppressions", prunable.suppressions},
           {"session-ids", prunable.session_ids},
           {"flush-ids", prunable.flush_ids}}};
}

Result<void> remove_all(Store& store, const Expiry& expiry) {
  for (;;) {
    const auto windows = store.prune(expiry.finished_before, expiry.ids_before, kPrunePage);
    if (!windows) return windows.error();
    const auto received = store.prune_received(expiry.received_before, kPrunePage);
    if (!received) return received.error();
    if (*windows == kPrunePage || *received == kPrunePage) continue;
    // A call removes a bounded number of ids.
    const auto left = store.prunable(expiry);
    if (!left) return left.error();
    if (left->session_ids == 0) return {};
  }
}

// What was there before and is gone.
Prunable difference(const Prunable& before, const Prunable& after) {
  const auto less = [](std::uint64_t a, std::uint64_t b) { return a - std::min(a, b); };
  return {.windows = less(before.windows, after.windows),
          .reports = less(before.reports, after.reports),
          .deliveries = less(before.deliveries, after.deliveries),
          .suppressions = less(before.suppressions, after.suppressions),
          .session_ids = less(before.session_ids, after.session_ids),
          .flush_ids = less(before.flush_ids, after.flush_ids),
          .received = less(before.received, after.received)};
}

}  // namespace

int store_prune(const Context& context, bool dry_run) {
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  const auto old = expiry(*opened.config, context.now());
  auto found = opened.store->prunable(old);
  if (!found) return fail(context, found.error());
  if (!dry_run) {
    if (const auto removed = remove_all(*opened.store, old); !removed) {
      return fail(context, removed.error());
    }
    const auto left = opened.store->prunable(old);
    if (!left) return fail(context, left.error());
    found = difference(*found, *left);
  }
  const auto numbers = counted(*found);
  if (context.json) {
    auto json = Json::object();
    for (const auto& [name, number] : numbers) json.set(name, number);
    context.print(Json::object()
                      .set("dry-run", dry_run)
                      .set("finished-before", old.finished_before)
                      .set("ids-before", old.ids_before)
                      .set("received-before", old.received_before)
                      .set("removed", std::move(json)));
    return kExitDone;
  }
  auto& out = context.world.out;
  out << fmt::format(
      "{}what finished before {}, ids from before {}, and reports of others that came before {}\n",
      dry_run ? "would remove " : "removed ", format_rfc3339(old.finished_before),
      format_rfc3339(old.ids_before), format_rfc3339(old.received_before));
  for (const auto& [name, number] : numbers) out << fmt::format("  {:<12} {:>12}\n", name, number);
  return kExitDone;
}

}  // namespace rapporteur
