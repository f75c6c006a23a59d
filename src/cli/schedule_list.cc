// rapporteur schedule list: windows by due time, a page at a time.

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/print.h"

namespace rapporteur {

namespace {

constexpr std::array kUnfinished = {WindowState::kCollecting, WindowState::kDue,
                                    WindowState::kAssembled, WindowState::kBlocked,
                                    WindowState::kHeld};

WindowCursor place_of(const Window& window) {
  return {window.due, window.id};
}

// One window more than the limit, if there is one. Finished windows are left out by asking for each
// other state: there may be a thousand finished ones for each that is not.
Result<std::vector<Window>> find_windows(Store& store, const ScheduleListRequest& request) {
  WindowFilter filter;
  if (!request.domain.empty()) {
    auto pattern = domain_pattern(request.domain);
    if (!pattern) return std::move(pattern).error();
    filter.domain = *pattern;
  }
  filter.state = request.state;
  filter.due_before = request.due_before;
  filter.limit = request.limit + 1;
  filter.after = request.after;
  if (request.state || request.all) return store.windows(filter);

  std::vector<Window> found;
  for (const auto state : kUnfinished) {
    filter.state = state;
    auto some = store.windows(filter);
    if (!some) return some;
    std::move(some->begin(), some->end(), std::back_inserter(found));
  }
  std::ranges::sort(found, {}, place_of);
  if (found.size() > request.limit + 1) found.resize(request.limit + 1);
  return found;
}

Json window_json(const Window& window) {
  return Json::object()
      .set("domain", window.domain)
      .set("start", window.period.start)
      .set("end", window.period.end)
      .set("supplement", window.supplement)
      .set("frequency", to_string(window.frequency))
      .set("state", to_string(window.state))
      .set("reason", Json::text_or_null(window.reason))
      .set("due", window.due)
      .set("retry", Json::time_or_null(window.retry))
      .set("successful-sessions", window.successful)
      .set("failed-sessions", window.failed);
}

std::string due_text(const Window& window, Time now) {
  switch (window.state) {
    case WindowState::kCollecting:
      return with_relative(window.due, now);
    case WindowState::kHeld:
      return "when released";
    case WindowState::kDue:
    case WindowState::kBlocked:
      return with_relative(window.retry.value_or(window.due), now);
    default:
      return format_rfc3339(window.due);
  }
}

void print_people(const Context& context, const std::vector<Window>& windows) {
  Table table({"DOMAIN", "FREQUENCY", "PERIOD", "STATE", "DUE", "OK", "FAILED", "REASON"});
  table.prefer({0, 3, 5, 6, 4});
  for (const auto& window : windows) {
    table.add({window.domain, std::string(to_string(window.frequency)), period_text(window),
               std::string(to_string(window.state)), due_text(window, context.now()),
               std::to_string(window.successful), std::to_string(window.failed), window.reason});
  }
  Screen screen(context.world);
  if (!table.empty()) table.print(screen);
}

// "3 windows collecting, 1 held; finished ones are listed by --all".
Result<std::string> summary(Store& store, bool finished_left_out) {
  const auto states = store.window_states();
  if (!states) return states.error();
  std::string text;
  for (const auto& [state, count] : *states) {
    if (count == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, to_string(state));
  }
  if (text.empty()) return std::string("The store holds no windows.");
  text = "In the store: " + text + ".";
  if (finished_left_out) text += " --all lists finished windows, too.";
  return text;
}

}  // namespace

std::string cursor_text(const WindowCursor& cursor) {
  return fmt::format("{},{}", format_rfc3339(cursor.first), cursor.second);
}

std::optional<WindowCursor> parse_cursor(std::string_view text) {
  const auto comma = text.rfind(',');
  if (comma == std::string_view::npos) return std::nullopt;
  const auto time = parse_time(text.substr(0, comma));
  const auto digits = text.substr(comma + 1);
  WindowId id = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (!time || fault != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return WindowCursor{*time, id};
}

int schedule_list(const Context& context, const ScheduleListRequest& request) {
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  auto windows = find_windows(*opened.store, request);
  if (!windows) {
    const bool unusable_name = windows.error().fault == Fault::kInput;
    return unusable_name ? fail(context, windows.error().text, kExitUsage)
                         : fail(context, windows.error());
  }
  auto notice = pause_notice(context, *opened.store);
  if (!notice) return fail(context, notice.error());

  std::optional<std::string> next;
  if (windows->size() > request.limit) {
    windows->resize(request.limit);
    if (!windows->empty()) next = cursor_text(place_of(windows->back()));
  }
  if (context.json) {
    auto json = Json::object();
    if (*notice) json.set("paused", std::move((*notice)->json));
    auto list = Json::array();
    for (const auto& window : *windows) list.add(window_json(window));
    json.set("windows", std::move(list)).set("next", next ? Json(*next) : Json());
    context.print(json);
    return kExitDone;
  }
  if (*notice) context.world.out << (*notice)->text << "\n\n";
  print_people(context, *windows);
  const auto last_line = summary(*opened.store, !request.state && !request.all);
  if (!last_line) return fail(context, last_line.error());
  if (!windows->empty()) context.world.out << '\n';
  if (next) context.world.out << "There are more: --after " << *next << '\n';
  context.world.out << *last_line << '\n';
  return kExitDone;
}

}  // namespace rapporteur
