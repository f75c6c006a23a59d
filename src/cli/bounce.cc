// rapporteur bounce: takes notices about our report mails, from a pipe, files or Maildirs.

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "base/maildir.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/print.h"
#include "deliver/bounce.h"
#include "mime/dsn.h"

namespace rapporteur {

namespace {

constexpr auto kEvery = std::numeric_limits<std::size_t>::max();

struct Taken {
  std::string source;
  BounceOutcome outcome;
  std::string error;  // of ours; empty: it was taken
};

Json taken_json(const Taken& taken) {
  if (!taken.error.empty()) {
    return Json::object().set("status", "failed").set("delivery", Json()).set("why", taken.error);
  }
  return Json::object()
      .set("status", to_string(taken.outcome.kind))
      .set("delivery", Json::text_or_null(taken.outcome.delivery))
      .set("why", Json::text_or_null(taken.outcome.why));
}

Taken take_file(const Context& context, Store& store, Suppressor& suppressor, Log& log,
                const std::string& path) {
  Taken taken{path, {}, {}};
  const auto message = read_input(path, kMostDsnBytes);
  if (!message) {
    taken.error = message.error().text;
    return taken;
  }
  if (message->bytes > kLargestNotice) {
    taken.outcome = too_large();
    return taken;
  }
  auto outcome = take_bounce(store, suppressor, log, message->start, context.now());
  if (outcome) {
    taken.outcome = *std::move(outcome);
  } else {
    taken.error = outcome.error().text;
  }
  return taken;
}

void print_taken(const Context& context, const Taken& taken) {
  const auto source = taken.source == "-" ? std::string("the notice") : taken.source;
  if (!taken.error.empty()) {
    context.world.err << fmt::format("rapporteur: {}: {}\n", printable(source),
                                     printable(taken.error));
  } else if (!context.json) {
    const auto& outcome = taken.outcome;
    context.world.out << fmt::format(
        "{}: {}{}: {}\n", printable(source), to_string(outcome.kind),
        outcome.delivery.empty() ? "" : " for delivery " + outcome.delivery,
        printable(outcome.why));
  }
}

// Until no message waits at which it was not looked. Whether none stayed because of trouble.
bool take_maildir(const Context& context, Store& store, Suppressor& suppressor, Log& log,
                  const std::string& path, Json& list) {
  BounceMaildir maildir(path);
  BounceMaildir::Round all;
  do {
    const auto round = maildir.take(store, suppressor, log, kEvery, context.now());
    all.taken += round.taken;
    all.early += round.early;
    if (!all.problem) all.problem = round.problem;
  } while (maildir.has_more());
  list.add(Json::object()
               .set("maildir", path)
               .set("taken", std::uint64_t{all.taken})
               .set("early", std::uint64_t{all.early})
               .set("why", Json::text_or_null(all.problem ? all.problem->text : "")));
  if (!context.json) {
    context.world.out << fmt::format("{}: {} taken\n", printable(path),
                                     count_text(all.taken, "message"));
    if (all.early > 0) {
      context.world.out << fmt::format("{}: {} left, whose delivery is under way\n",
                                       printable(path), count_text(all.early, "message"));
    }
  }
  if (all.problem) print_taken(context, {path, {}, all.problem->text});
  return !all.problem;
}

}  // namespace

int bounce(const Context& context, const std::vector<std::string>& paths) {
  const bool piped = std::ranges::find(paths, "-") != paths.end();
  const auto opened = open(context);
  if (!opened) return piped ? kExitTryAgain : opened.exit_code;
  const auto log = make_log(context, opened.config->log);
  Suppressor suppressor(*opened.store, *log);
  suppressor.set_suppress_after(opened.config->delivery.suppress_after);

  auto list = Json::array();
  bool failed = false;
  for (const auto& path : paths) {
    if (is_maildir(path)) {
      const bool done = take_maildir(context, *opened.store, suppressor, *log, path, list);
      failed = failed || !done;
      continue;
    }
    const auto taken = take_file(context, *opened.store, suppressor, *log, path);
    print_taken(context, taken);
    list.add(taken_json(taken));
    failed = failed || !taken.error.empty();
  }
  if (context.json) context.print(list);
  if (!failed) return kExitDone;
  return piped ? kExitTryAgain : kExitFailed;
}

}  // namespace rapporteur
