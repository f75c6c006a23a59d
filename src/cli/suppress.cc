// rapporteur suppress list, add and remove: the destinations that get no reports.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "deliver/suppression.h"

namespace rapporteur {

namespace {

constexpr std::size_t kPage = 1000;

std::string_view state_of(const Suppression& entry, Time now) {
  if (entry.lifted) return "lifted";
  if (in_force(entry, now)) return "suppressed";
  return entry.automatic ? "to be probed" : "over";
}

Json suppression_json(const Suppression& entry, Time now) {
  return Json::object()
      .set("pattern", entry.pattern)
      .set("state", state_of(entry, now))
      .set("automatic", entry.automatic)
      .set("since", format_rfc3339(entry.since))
      .set("until", Json::time_or_null(entry.until))
      .set("reason", Json::text_or_null(entry.reason))
      .set("spells", entry.spells);
}

// The stored entry of this pattern. Nullopt: there is none.
Result<std::optional<Suppression>> entry_of(Store& store, const std::string& pattern) {
  auto found = store.suppressions({&pattern, 1});
  if (!found) return std::move(found).error();
  if (found->empty()) return std::optional<Suppression>();
  return std::optional(std::move(found->front()));
}

}  // namespace

int suppress_list(const Context& context) {
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  std::vector<Suppression> entries;
  std::string after;
  for (;;) {
    auto page = opened.store->suppression_list(after, kPage);
    if (!page) return fail(context, page.error());
    for (auto& entry : *page) entries.push_back(std::move(entry));
    if (page->size() < kPage) break;
    after = entries.back().pattern;
  }
  const auto now = context.now();
  if (context.json) {
    auto list = Json::array();
    for (const auto& entry : entries) list.add(suppression_json(entry, now));
    context.print(list);
    return kExitDone;
  }
  if (entries.empty()) context.world.out << "nothing is suppressed\n";
  Table table({"PATTERN", "STATE", "BY", "SINCE", "UNTIL", "REASON"});
  for (const auto& entry : entries) {
    table.add({entry.pattern, std::string(state_of(entry, now)),
               entry.automatic ? "its failures" : "command", format_rfc3339(entry.since),
               entry.until ? format_rfc3339(*entry.until) : "it is removed", entry.reason});
  }
  if (!table.empty()) table.print(context.world.out, "");
  return kExitDone;
}

int suppress_add(const Context& context, const SuppressRequest& request) {
  const auto pattern = parse_suppression(request.pattern);
  if (!pattern) return fail(context, pattern.error().text, kExitUsage);
  if (request.until && *request.until <= context.now()) {
    return fail(context, "--until is past", kExitUsage);
  }
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  Suppression entry;
  entry.pattern = *pattern;
  entry.since = context.now();
  entry.until = request.until;
  entry.reason = request.reason.empty() ? "by the administrator" : request.reason;
  if (const auto put = opened.store->put_suppression(entry); !put) {
    return fail(context, put.error());
  }
  if (context.json) {
    context.print(suppression_json(entry, context.now()));
  } else {
    context.world.out << fmt::format("{} is suppressed until {}\n", printable(*pattern),
                                     entry.until ? format_rfc3339(*entry.until) : "it is removed");
  }
  return kExitDone;
}

int suppress_remove(const Context& context, const std::string& text) {
  const auto pattern = parse_suppression(text);
  if (!pattern) return fail(context, pattern.error().text, kExitUsage);
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  auto entry = entry_of(*opened.store, *pattern);
  if (!entry) return fail(context, entry.error());
  if (!*entry || (*entry)->lifted) {
    return fail(context, "not suppressed: " + *pattern, kExitNotFound);
  }
  if ((*entry)->automatic) {
    // The failures that led to it stay known: only what fails from now on counts again.
    auto lifted = **std::move(entry);
    lifted.lifted = context.now();
    lifted.spells = 0;
    lifted.probe.clear();
    if (const auto put = opened.store->put_suppression(lifted); !put) {
      return fail(context, put.error());
    }
  } else if (const auto removed = opened.store->remove_suppression(*pattern); !removed) {
    return fail(context, removed.error());
  }
  if (context.json) {
    context.print(Json::object().set("pattern", *pattern).set("state", "removed"));
  } else {
    context.world.out << fmt::format(
        "{} is no longer suppressed; `rapporteur delivery retry '*' --state suppressed` sends what "
        "was held back\n",
        printable(*pattern));
  }
  return kExitDone;
}

}  // namespace rapporteur
