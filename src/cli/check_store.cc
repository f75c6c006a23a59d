// The database, and the daemon that works on it.

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "base/url.h"
#include "cli/check.h"
#include "schedule/keeping.h"
#include "store/look.h"
#include "store/open.h"

namespace rapporteur {

namespace {

std::string advice_of(const Error& error, const std::string& url) {
  if (error.fault == Fault::kCorrupt) return "restore it from a backup";
  if (error.fault == Fault::kConfig) return "look at [store] url and at its permissions";
  if (store_is_shared(url)) return "look whether the database runs";
  return "check again: the daemon or another command may be writing to it";
}

void judge_tables(const StoreLook& look, const std::string& check, Checks& checks) {
  switch (look.state) {
    case StoreLook::State::kAbsent:
      return checks.ok(check, "there is none yet; the daemon makes it");
    case StoreLook::State::kCurrent:
      return checks.ok(check, fmt::format("tables of version {}", look.version));
    case StoreLook::State::kOlder:
      return checks.warning(
          check, fmt::format("tables of version {}", look.version),
          fmt::format("back it up; the next start brings it to version {}", look.newest));
    case StoreLook::State::kNewer:
      break;
  }
  checks.fault(check,
               fmt::format("tables of version {}; this program knows versions up to {}",
                           look.version, look.newest),
               "run the newer program that made them");
}

// Whether a process of this machine has ended. Of one of another machine nothing is known.
bool has_ended(const NodeBeat& beat) {
  return beat.host == host_name() && beat.process > 0 &&
         kill(static_cast<pid_t>(beat.process), 0) != 0 && errno == ESRCH;
}

// A socket that somebody holds open may belong to systemd, and a port to another program: the
// daemon itself tells the store every few seconds that it lives.
void judge_daemon(const Config& config, const StoreLook& look, Checks& checks) {
  const auto name = store_options(config).node;
  const auto check = "daemon " + name;
  const auto limit = silence_of_the_dead(config.store.lease);
  const auto node = std::ranges::find(look.nodes, name,
                                      [](const NodeStatus& status) { return status.beat.name; });
  if (node == look.nodes.end()) {
    std::vector<std::string> others;
    for (const auto& status : look.nodes) {
      if (status.silent_for <= limit) others.push_back(status.beat.name);
    }
    auto seen = std::string("none of this name has worked on the database");
    if (!others.empty()) seen += ", but these live: " + join(others, ", ");
    return checks.warning(check, seen, std::string(kStartDaemon));
  }
  const auto& beat = node->beat;
  const auto process = fmt::format("process {} on {}", beat.process, beat.host);
  if (has_ended(beat)) {
    return checks.warning(check, process + " has ended", std::string(kStartDaemon));
  }
  const auto silent = format_duration(node->silent_for);
  if (node->silent_for > limit) {
    return checks.warning(check, fmt::format("{} has been silent for {}", process, silent),
                          "start the daemon, or look at its log if it runs, and check again");
  }
  checks.ok(check, fmt::format("{} lives, heard of {} ago", process, silent));
}

}  // namespace

void check_store(const CheckScene& scene, Checks& checks) {
  const auto& url = scene.config.store.url;
  const auto check = "database " + without_password(url);
  const auto look = look_at_store(url, scene.context.now());
  if (!look) return checks.fault(check, look.error().text, advice_of(look.error(), url));
  judge_tables(*look, check, checks);
  using enum StoreLook::State;
  const bool is_seen = url != "sqlite::memory:";  // by others than the daemon
  if (is_seen && (look->state == kAbsent || look->state == kCurrent)) {
    judge_daemon(scene.config, *look, checks);
  }
}

}  // namespace rapporteur
