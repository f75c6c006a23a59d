// rapporteur pause and resume: stop and start what all daemons of a store do, intake excepted.

#include "cli/commands.h"
#include "schedule/runner.h"

namespace rapporteur {

namespace {

// Prints what holds after the change.
int tell(const Context& context, Store& store) {
  auto notice = pause_notice(context, store);
  if (!notice) return fail(context, notice.error());
  if (context.json) {
    context.print(Json::object().set("paused", *notice ? std::move((*notice)->json) : Json()));
  } else {
    context.world.out << (*notice ? (*notice)->text : "nothing is paused") << '\n';
  }
  return kExitDone;
}

}  // namespace

int pause(const Context& context, const PauseRequest& request) {
  if (request.until && *request.until <= context.now()) {
    return fail(context, "--until: " + format_rfc3339(*request.until) + " is past", kExitUsage);
  }
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  auto current = opened.store->pause();
  if (!current) return fail(context, current.error());

  // What is paused already stays paused. There is one end for all of it: a command that would move
  // the end of what it does not name is refused.
  const auto held = held_by(*current, context.now());
  const bool names_all = !request.smtp && !request.https;
  const bool moves_others = !names_all && (held.everything || (held.smtp && !request.smtp) ||
                                           (held.https && !request.https));
  if (moves_others && current->until != request.until) {
    return fail(context, "something else is paused " +
                             (current->until ? "until " + format_rfc3339(*current->until)
                                             : std::string("without an end")) +
                             ": give the same end, or run 'rapporteur resume' first");
  }
  Pause pause;
  pause.everything = held.everything || (!request.smtp && !request.https);
  pause.smtp = request.smtp || (held.smtp && !held.everything);
  pause.https = request.https || (held.https && !held.everything);
  pause.until = request.until;
  const auto stored = opened.store->set_pause(pause);
  if (!stored) return fail(context, stored.error());
  return tell(context, *opened.store);
}

int resume(const Context& context) {
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  const auto stored = opened.store->set_pause(Pause());
  if (!stored) return fail(context, stored.error());
  return tell(context, *opened.store);
}

}  // namespace rapporteur
