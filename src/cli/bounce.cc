// rapporteur bounce: takes notices about our report mails, from a pipe, files or Maildirs.

#include <fmt/format.h>

#include "base/file.h"
#include "base/maildir.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "deliver/bounce.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMostBytes = 64U << 20;

// EX_TEMPFAIL: the MTA whose pipe runs this keeps the message and tries again. Nothing that goes
// wrong here is worth a bounce to whoever sent it.
constexpr int kExitTryAgain = 75;

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
  const auto message =
      path == "-" ? read_file("/dev/stdin", kMostBytes) : read_regular_file(path, kMostBytes);
  if (!message) {
    taken.error = message.error().text;
    return taken;
  }
  auto outcome = take_bounce(store, suppressor, log, *message, context.now());
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

}  // namespace

int bounce(const Context& context, const std::vector<std::string>& paths) {
  const bool piped = paths.size() == 1 && paths.front() == "-";
  const auto opened = open(context);
  if (!opened) return piped ? kExitTryAgain : opened.exit_code;
  const auto log = make_log(context, opened.config->log);
  Suppressor suppressor(*opened.store, *log);
  suppressor.set_suppress_after(opened.config->delivery.suppress_after);

  auto list = Json::array();
  bool failed = false;
  for (const auto& path : paths) {
    if (is_maildir(path)) {
      const auto taken =
          take_bounces(*opened.store, suppressor, *log, Maildir(path), context.now());
      if (taken) {
        list.add(Json::object().set("maildir", path).set("taken", std::uint64_t{*taken}));
        if (!context.json) {
          context.world.out << fmt::format("{}: {} taken\n", printable(path),
                                           count_text(*taken, "message"));
        }
        continue;
      }
      const Taken none{path, {}, taken.error().text};
      print_taken(context, none);
      list.add(taken_json(none));
      failed = true;
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
