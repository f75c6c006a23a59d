#include "schedule/misplanned.h"

#include <algorithm>
#include <limits>
#include <string>

#include "schedule/planner.h"

namespace rapporteur {

namespace {

constexpr std::size_t kPage = 1000;

}  // namespace

Result<std::size_t> bring_forward(Store& store, const ScheduleConfig& schedule, Time now,
                                  Log& log) {
  const auto longest = longest_delay(schedule);
  std::size_t moved = 0;
  for (const auto state : {WindowState::kCollecting, WindowState::kBlocked}) {
    WindowFilter filter{.domain = {}, .state = state, .limit = kPage};
    filter.after = {now + longest, std::numeric_limits<WindowId>::max()};
    for (bool more = true; more;) {
      const auto windows = store.windows(filter);
      if (!windows) return windows.error();
      for (const auto& window : *windows) {
        if (window.period.end + longest > now) continue;
        const auto sent = store.send_now(window.id, now);
        if (!sent) return sent.error();
        if (!*sent) continue;
        ++moved;
        log.warning("window-misplanned", {{"domain", window.domain},
                                          {"start", format_rfc3339(window.period.start)},
                                          {"due", format_rfc3339(window.due)}});
      }
      more = windows->size() == kPage;
      if (more) filter.after = {windows->back().due, windows->back().id};
    }
  }
  return moved;
}

}  // namespace rapporteur
