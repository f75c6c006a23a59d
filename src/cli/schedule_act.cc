// rapporteur schedule hold, release, cancel and send-now: the administrator's word about windows.

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "cli/progress.h"

namespace rapporteur {

namespace {

constexpr std::size_t kRowsShown = 20;

struct Words {
  std::string_view name;   // as typed
  std::string_view done;   // "held"
  std::string_view doing;  // "hold"
};

Words words_of(ScheduleAction action) {
  switch (action) {
    case ScheduleAction::kHold:
      return {"hold", "held", "hold"};
    case ScheduleAction::kRelease:
      return {"release", "released", "release"};
    case ScheduleAction::kCancel:
      return {"cancel", "cancelled", "cancel"};
    case ScheduleAction::kSendNow:
      break;
  }
  return {"send-now", "made due now", "make due now"};
}

// What Store says about each action.
bool applies(ScheduleAction action, WindowState state) {
  const bool waiting = state == WindowState::kCollecting || state == WindowState::kDue ||
                       state == WindowState::kBlocked;
  switch (action) {
    case ScheduleAction::kHold:
      return waiting;
    case ScheduleAction::kRelease:
      return state == WindowState::kHeld;
    case ScheduleAction::kCancel:
      return waiting || state == WindowState::kHeld || state == WindowState::kAssembled;
    case ScheduleAction::kSendNow:
      return waiting || state == WindowState::kHeld;
  }
  return false;
}

Result<std::vector<bool>> act(Store& store, const ScheduleActionRequest& request,
                              std::span<const Window> windows, Time now) {
  std::vector<WindowId> ids;
  ids.reserve(windows.size());
  for (const auto& window : windows) ids.push_back(window.id);
  switch (request.action) {
    case ScheduleAction::kHold:
      return store.hold(ids, request.reason.empty() ? "held by the administrator" : request.reason,
                        now);
    case ScheduleAction::kRelease:
      return store.release(ids, now);
    case ScheduleAction::kCancel:
      return store.cancel(
          ids, request.reason.empty() ? "cancelled" : "cancelled: " + request.reason, now);
    case ScheduleAction::kSendNow:
      break;
  }
  return store.send_now(ids, now);
}

struct Touched {
  Window window;
  bool changed = false;  // of a dry run: it would be
};

Json touched_json(const ScheduleActionRequest& request, const std::vector<Touched>& rows) {
  auto list = Json::array();
  for (const auto& [window, changed] : rows) {
    list.add(Json::object()
                 .set("domain", window.domain)
                 .set("start", window.period.start)
                 .set("end", window.period.end)
                 .set("supplement", window.supplement)
                 .set("state-before", to_string(window.state))
                 .set("changed", changed && !request.dry_run));
  }
  const auto changed = std::ranges::count_if(rows, &Touched::changed);
  return Json::object()
      .set("action", words_of(request.action).name)
      .set("dry-run", request.dry_run)
      .set("changed", request.dry_run ? std::int64_t{0} : std::int64_t{changed})
      .set("windows", std::move(list));
}

void print_people(const Context& context, const ScheduleActionRequest& request,
                  const std::vector<Touched>& rows) {
  auto& out = context.world.out;
  const auto words = words_of(request.action);
  const std::string would = request.dry_run ? "would be " : "";
  std::size_t shown = 0;
  std::size_t changed = 0;
  for (const auto& [window, was_changed] : rows) {
    changed += was_changed ? 1U : 0U;
    if (++shown > kRowsShown) continue;
    out << fmt::format("{} {} ({}): {}\n", window.domain, period_text(window),
                       to_string(window.state),
                       was_changed ? would + std::string(words.done)
                                   : std::string("changed meanwhile, left alone"));
  }
  if (shown > kRowsShown) out << fmt::format("… and {} more\n", shown - kRowsShown);
  out << fmt::format("{} {}{}\n", count_text(changed, "window"), would, words.done);
}

// Splits off the windows to which the action does not apply. Returns why nothing is left.
std::string keep_applicable(const ScheduleActionRequest& request, std::vector<Window>& windows) {
  std::set<std::string_view> states;
  for (const auto& window : windows) states.insert(to_string(window.state));
  std::erase_if(windows,
                [&](const Window& window) { return !applies(request.action, window.state); });
  if (!windows.empty()) return "";
  std::string text;
  for (const auto state : states) text += (text.empty() ? "" : " or ") + std::string(state);
  return fmt::format("no window of {} can be {}: the state is {}", request.target,
                     words_of(request.action).done, text);
}

std::string question_about(const ScheduleActionRequest& request,
                           const std::vector<Window>& windows) {
  std::set<std::string_view> domains;
  for (const auto& window : windows) domains.insert(window.domain);
  return fmt::format("{} {} of {}", words_of(request.action).doing,
                     count_text(windows.size(), "window"), count_text(domains.size(), "domain"));
}

int finish(const Context& context, Store& store, const ScheduleActionRequest& request,
           const std::vector<Touched>& rows) {
  if (context.json) {
    context.print(touched_json(request, rows));
  } else {
    const auto notice = pause_notice(context, store);
    if (!notice) return fail(context, notice.error());
    if (*notice) context.world.out << (*notice)->text << '\n';
    print_people(context, request, rows);
  }
  return std::ranges::any_of(rows, &Touched::changed) ? kExitDone : kExitFailed;
}

}  // namespace

int schedule_act(const Context& context, const ScheduleActionRequest& request) {
  const auto pattern = domain_pattern(request.target);
  if (!pattern) return fail(context, pattern.error().text, kExitUsage);
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  auto& store = *opened.store;

  WindowFilter filter;
  filter.domain = *pattern;
  filter.start = request.window;
  filter.state = request.state;
  auto windows = all_windows(store, filter);
  if (!windows) return fail(context, windows.error());
  if (windows->empty()) {
    return fail(context, "no such window of " + request.target + " is known", kExitNotFound);
  }
  if (const auto why = keep_applicable(request, *windows); !why.empty()) return fail(context, why);
  sort_by_period(*windows);

  if (!request.dry_run &&
      !may_touch(context, windows->size(), request.yes, question_about(request, *windows))) {
    return fail(context, "nothing was changed: it was not confirmed (--yes does not ask)");
  }
  std::vector<Touched> rows;
  std::optional<Progress> seen(std::in_place, context.world,
                               std::string(words_of(request.action).doing), "windows");
  for (const auto some : pages_of(*windows)) {
    seen->tell(rows.size(), windows->size());
    Result<std::vector<bool>> changed(std::vector<bool>(some.size(), true));
    if (!request.dry_run) changed = act(store, request, some, context.now());
    if (!changed) {
      seen.reset();
      return fail(context,
                  fmt::format("{} ({} {} before that)", changed.error().text,
                              count_text(rows.size(), "window"), words_of(request.action).done));
    }
    for (std::size_t i = 0; i < some.size(); ++i) {
      rows.push_back({std::move(some[i]), (*changed)[i]});
    }
  }
  seen.reset();
  return finish(context, store, request, rows);
}

}  // namespace rapporteur
