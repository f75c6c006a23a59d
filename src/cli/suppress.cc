// rapporteur suppress list, add and remove: the destinations that get no reports.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "deliver/suppression.h"
#include "dns/tlsrpt_record.h"

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

Result<void> discard(const Result<bool>& result) {
  return result ? Result<void>() : result.error();
}

// An address of a host in the form in which destinations are known.
Result<std::string> read_pattern(const std::string& text) {
  auto pattern = parse_suppression(text);
  if (!pattern || !pattern->starts_with("https://") || pattern->ends_with("/*")) return pattern;
  const auto usable = usable_destination(*pattern);
  if (usable.uri.empty()) return Error{Fault::kInput, "'" + text + "': " + usable.why};
  return pattern_of_destination(usable.uri);
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
  auto notice = pause_notice(context, *opened.store);
  if (!notice) return fail(context, notice.error());
  const auto now = context.now();
  if (context.json) {
    auto json = Json::object();
    if (*notice) json.set("paused", std::move((*notice)->json));
    auto list = Json::array();
    for (const auto& entry : entries) list.add(suppression_json(entry, now));
    context.print(json.set("suppressions", std::move(list)));
    return kExitDone;
  }
  if (*notice) context.world.out << (*notice)->text << "\n\n";
  if (entries.empty()) context.world.out << "nothing is suppressed\n";
  Table table({"PATTERN", "STATE", "BY", "SINCE", "UNTIL", "REASON"});
  for (const auto& entry : entries) {
    table.add({entry.pattern, std::string(state_of(entry, now)),
               entry.automatic ? "its failures" : "command", format_rfc3339(entry.since),
               entry.until ? format_rfc3339(*entry.until) : "it is removed", entry.reason});
  }
  Screen screen(context.world);
  if (!table.empty()) table.print(screen);
  return kExitDone;
}

int suppress_add(const Context& context, const SuppressRequest& request) {
  const auto pattern = read_pattern(request.pattern);
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
  const auto read = read_pattern(text);
  if (!read) return fail(context, read.error().text, kExitUsage);
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  auto& store = *opened.store;
  auto entry = entry_of(store, *read);
  if (!entry) return fail(context, entry.error());
  if (!*entry && read->ends_with("/*")) {
    // "https://host/" may be meant as the one address that was suppressed for its failures.
    entry = entry_of(store, read->substr(0, read->size() - 1));
    if (!entry) return fail(context, entry.error());
  }
  if (!*entry || (*entry)->lifted) {
    return fail(context, "not suppressed: " + *read, kExitNotFound);
  }
  // The failures that may have led to it stay known: only what fails from now on counts again.
  auto lifted = **std::move(entry);
  const bool one_destination = !lifted.pattern.starts_with("@") &&
                               !lifted.pattern.starts_with("report:") &&
                               !lifted.pattern.ends_with("/*");
  lifted.automatic = true;
  lifted.lifted = context.now();
  lifted.spells = 0;
  lifted.probe.clear();
  const auto removed = one_destination ? store.put_suppression(lifted)
                                       : discard(store.remove_suppression(lifted.pattern));
  if (!removed) return fail(context, removed.error());
  if (context.json) {
    context.print(Json::object().set("pattern", lifted.pattern).set("state", "removed"));
  } else {
    context.world.out << fmt::format(
        "{} is no longer suppressed; `rapporteur delivery retry '*' --state suppressed` sends what "
        "was held back\n",
        printable(lifted.pattern));
  }
  return kExitDone;
}

}  // namespace rapporteur
