// The grammar of the command line: which subcommands and options there are, and which function of
// commands.h each of them calls. Only the parser's files know CLI11.

#include <algorithm>
#include <functional>
#include <map>
#include <memory>

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/parser_config.h"
#include "cli/parser_dkim.h"
#include "cli/parser_options.h"
#include "cli/parser_received.h"
#include "cli/parser_report.h"
#include "cli/parser_store.h"
#include "cli/print.h"

namespace rapporteur {

namespace {

constexpr const char* kDefaultConfig = "/etc/rapporteur/rapporteur.toml";
constexpr const char* kGlobal = "Everywhere";

// A positional argument is told by its name alone.
class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(32); }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_positional() ? "" : CLI::Formatter::make_option_opts(option);
  }
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    const auto text = CLI::Formatter::make_help(app, std::move(name), mode);
    return CLI::detail::find_and_replace(text, "\n\n\n", "\n\n");
  }
};

// Adds an option whose text is read by `read`, which returns an optional; `target` takes what is in
// it.
template <class Read, class Target>
void add_read(CLI::App* app, const std::string& name, const std::string& value_name, Read read,
              Target& target, const std::string& help) {
  const auto take = [read, &target, name, value_name](const std::string& text) {
    const auto value = read(text);
    if (!value) {
      throw CLI::ValidationError(name, fmt::format("'{}' is no {}", text, to_lower(value_name)));
    }
    target = *value;
  };
  app->add_option_function<std::string>(name, take, help)->option_text(value_name);
}

class Parser {
 public:
  explicit Parser(const World& world)
      : context_{world, kDefaultConfig, false}, app_("", "rapporteur") {
    if (auto path = world.environment("RAPPORTEUR_CONFIG"); !path.empty()) {
      context_.config_path = std::move(path);
    }
    app_.description("Sends TLS reports (RFC 8460) about the mail that this host delivers.");
    app_.formatter(std::make_shared<HelpFormatter>());
    app_.set_help_flag();  // add_common() adds it, after the options of each command
    app_.set_version_flag("--version", std::string("rapporteur " RAPPORTEUR_VERSION),
                          "print the version")
        ->group(kGlobal);
    app_.require_subcommand(1);
    add_intake();
    add_schedule();
    add_schedule_actions();
    add_pause();
    add_reports();
    add_deliveries();
    add_suppression();
    add_received();
    add_store();
    add_lookups();
    add_common(&app_);
    app_.footer(
        "`rapporteur COMMAND --help` tells the options of a command and gives an example.\n"
        "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 78 configuration.");
  }

  int run(const std::vector<std::string>& arguments) {
    auto reversed = arguments;
    std::ranges::reverse(reversed);  // as CLI11 wants them
    try {
      app_.parse(std::move(reversed));
    } catch (const CLI::ParseError& error) {
      return refuse(error, arguments);
    }
    const auto action = actions_.find(chosen());
    return action == actions_.end() ? fail(context_, "no such command", kExitUsage)
                                    : action->second();
  }

  // Whether it is one of the commands that an MTA's pipe runs.
  bool is_pipe(const std::vector<std::string>& arguments) const {
    const auto path = path_of_chosen();
    return (path == "rapporteur bounce" || path == "rapporteur received add") &&
           std::ranges::find(arguments, "-") != arguments.end();
  }

 private:
  using Action = std::function<int()>;

  // What every command takes, before or after its name.
  void add_common(CLI::App* app) {
    app->add_option("--config", context_.config_path,
                    "configuration; default $RAPPORTEUR_CONFIG or " + std::string(kDefaultConfig))
        ->option_text("FILE")
        ->group(kGlobal);
    app->add_flag("--json", context_.json, "print JSON, for programs")->group(kGlobal);
    app->set_help_flag("-h,--help", "print this help")->group(kGlobal);
    for (auto* command : app->get_subcommands({})) add_common(command);
  }

  // A command; one without an action only groups others.
  CLI::App* add(CLI::App* parent, const std::string& name, const std::string& help,
                const std::string& example, Action action = {}) {
    auto* app = parent->add_subcommand(name, help);
    app->footer(example.empty() ? "" : "Example:\n  rapporteur " + example);
    if (action) {
      actions_[app] = std::move(action);
    } else {
      app->require_subcommand(1);
    }
    app->group("Commands");
    return app;
  }

  CLI::App* add_top(const std::string& group, const std::string& name, const std::string& help,
                    const std::string& example, Action action = {}) {
    auto* app = add(&app_, name, help, example, std::move(action));
    app->group(group);
    return app;
  }

  // A time, or a duration from the present second on.
  void add_when(CLI::App* app, const std::string& name, std::optional<Time>& target,
                const std::string& help) {
    const auto read = [now = context_.now()](const std::string& text) -> std::optional<Time> {
      if (const auto time = parse_time(text)) return time;
      const auto duration = parse_duration(text);
      return duration ? std::optional<Time>(now + *duration) : std::nullopt;
    };
    add_read(app, name, "TIME", read, target, help + ", or a duration from now on (2h)");
  }

  static void add_window_state(CLI::App* app, std::optional<WindowState>& target) {
    add_read(app, "--state", "STATE", parse_window_state, target,
             "only windows that are collecting, due, assembled, done, blocked, held or suppressed");
  }

  static void add_delivery_state(CLI::App* app, std::optional<DeliveryState>& target) {
    add_read(app, "--state", "STATE", parse_delivery_state, target,
             "only those that are pending, delivered, bounced, failed, suppressed, abandoned or "
             "uncertain");
  }

  static void add_bulk_flags(CLI::App* app, bool& dry_run, bool& yes) {
    app->add_flag("--dry-run", dry_run, "show what would be changed, change nothing");
    app->add_flag("--yes", yes, "do not ask before touching more than 100 rows");
  }

  void add_intake() {
    auto* run = add_top("Daemon and intake", "run", "be the daemon",
                        "run --config /etc/rapporteur/rapporteur.toml", [this] {
                          run_.config_path = context_.config_path;
                          return context_.world.run_daemon(run_);
                        });
    run->add_option("--role", run_.role,
                    "ingest: take sessions; schedule: assemble and deliver; all: both (all)")
        ->option_text("ROLE")
        ->check(CLI::IsMember({"ingest", "schedule", "all"}));

    auto* ingest = add_top("Daemon and intake", "ingest", "count the sessions of files",
                           "ingest --format auto /var/log/tls-sessions.jsonl",
                           [this] { return ingest_files(context_, ingest_); });
    ingest->add_option("FILE", ingest_.paths, "files of one session a line; - is standard input")
        ->required();
    ingest
        ->add_option_function<std::string>(
            "--format", [this](const std::string& format) { take_format(format); },
            "auto, tlsrpt, momentum, halon or native (auto: each line by itself); sys4: the files "
            "are databases of tlsrpt-collectd")
        ->option_text("FORMAT");
    add_time(ingest, "--at", ingest_.file.at, "the time of lines that carry none (now)");
    ingest->add_flag("--again", ingest_.file.again, "count files again that were taken before");
    ingest->add_flag("--send-old", ingest_.send_old,
                     "report windows older than [ingest] maxAge, too, instead of holding them");
    ingest->add_flag("--progress", ingest_.progress,
                     "tell on standard error how far it is, where that is no terminal, too");
  }

  void take_format(const std::string& text) {
    ingest_.sys4 = text == "sys4";
    const auto format = ingest_.sys4 ? Format::kAuto : parse_format(text);
    if (!format) throw CLI::ValidationError("--format", fmt::format("'{}' is no format", text));
    ingest_.file.format = *format;
  }

  void add_list_options(CLI::App* app) {
    add_domain_filter(app, list_.domain);
    add_window_state(app, list_.state);
    add_when(app, "--due-before", list_.due_before, "only windows due before a time");
    add_limit(app, list_.limit);
    add_read(app, "--after", "CURSOR", parse_cursor, list_.after,
             "go on where the page before ended");
    app->add_flag("--all", list_.all, "windows that are done or suppressed, too");
  }

  void add_schedule() {
    const auto list = [this] { return schedule_list(context_, list_); };
    schedule_ = add_top("Schedule", "schedule", "windows: what is counted and when it is sent",
                        "schedule --domain '*.example.org' --due-before 2h", list);
    schedule_->require_subcommand(0, 1);
    add_list_options(schedule_);
    add_list_options(add(schedule_, "list", "windows by due time (also without `list`)",
                         "schedule list --state blocked", list));
    add(schedule_, "show", "everything about one domain", "schedule show example.org --json",
        [this] { return schedule_show(context_, domain_); })
        ->add_option("DOMAIN", domain_, "recipient domain")
        ->required();
    add(schedule_, "explain", "every setting of a domain, and which rule gave it",
        "schedule explain example.org", [this] { return schedule_explain(context_, domain_); })
        ->add_option("DOMAIN", domain_, "recipient domain")
        ->required();
  }

  void add_schedule_action(ScheduleAction action, const std::string& name, const std::string& help,
                           const std::string& example) {
    auto* app = add(schedule_, name, help, example, [this, action] {
      act_.action = action;
      return schedule_act(context_, act_);
    });
    app->add_option("DOMAIN", act_.target, "recipient domain, or a glob such as '*.example.org'")
        ->required();
    add_time(app, "--window", act_.window, "only the window that begins then");
    add_window_state(app, act_.state);
    app->add_option("--reason", act_.reason, "kept with the window by hold and cancel")
        ->option_text("TEXT");
    add_bulk_flags(app, act_.dry_run, act_.yes);
  }

  void add_schedule_actions() {
    add_schedule_action(ScheduleAction::kSendNow, "send-now",
                        "make windows due now; collecting ones end at this second",
                        "schedule send-now example.org");
    add_schedule_action(ScheduleAction::kHold, "hold", "keep windows from being sent",
                        "schedule hold '*.example.org' --reason 'migration under way'");
    add_schedule_action(ScheduleAction::kRelease, "release", "let held windows go",
                        "schedule release example.org");
    add_schedule_action(ScheduleAction::kCancel, "cancel",
                        "never send windows; open deliveries are abandoned",
                        "schedule cancel example.org --window 2026-11-20 --dry-run");
  }

  void add_pause() {
    auto* app = add_top("Schedule", "pause", "stop assembly and delivery, not intake",
                        "pause --smtp --until 2h", [this] { return pause(context_, pause_); });
    add_when(app, "--until", pause_.until, "ends by itself at a time");
    app->add_flag("--smtp", pause_.smtp, "only deliveries by SMTP");
    app->add_flag("--https", pause_.https, "only deliveries by HTTPS");
    add_top("Schedule", "resume", "end every pause", "resume", [this] { return resume(context_); });
    add_top("Schedule", "stats", "windows by state, sessions by outcome", "stats --json", [this] {
      return nodes_ ? stats_nodes(context_) : stats(context_);
    })->add_flag("--nodes", nodes_, "the daemons that work on the store, instead");
  }

  void add_reports() {
    auto* group = add_top("Reports", "report", "reports: what is sent", "");
    add_report_commands(below(group), context_, report_);
  }

  void add_delivery_action(CLI::App* parent, DeliveryAction action, const std::string& name,
                           const std::string& help, const std::string& example) {
    auto* app = add(parent, name, help, example, [this, action] {
      delivery_.action = action;
      return delivery_act(context_, delivery_);
    });
    app->add_option("ID", delivery_.target, "id of a delivery, or a glob such as '*'")->required();
    add_domain_filter(app, delivery_.domain);
    add_delivery_state(app, delivery_.state);
    if (action == DeliveryAction::kAbandon) {
      app->add_option("--reason", delivery_.reason, "kept with the delivery")->option_text("TEXT");
    }
    add_bulk_flags(app, delivery_.dry_run, delivery_.yes);
  }

  void add_deliveries() {
    auto* delivery = add_top("Reports", "delivery", "deliveries: a report to a destination", "");
    auto* list =
        add(delivery, "list", "deliveries and their states", "delivery list --state failed",
            [this] { return delivery_list(context_, deliveries_); });
    add_domain_filter(list, deliveries_.domain);
    add_delivery_state(list, deliveries_.state);
    add_limit(list, deliveries_.limit);
    list->add_option("--after", deliveries_.after, "go on after this id")->option_text("ID");
    add_delivery_action(delivery, DeliveryAction::kRetry, "retry",
                        "try again now; a glob takes failed and waiting ones unless --state says "
                        "otherwise",
                        "delivery retry '*' --domain example.org");
    add_delivery_action(delivery, DeliveryAction::kAbandon, "abandon", "give up on deliveries",
                        "delivery abandon '*' --domain example.org --dry-run");
  }

  void add_suppression() {
    auto* suppress = add_top("Reports", "suppress", "destinations that get no reports", "");
    add(suppress, "list", "which, until when, and why", "suppress list",
        [this] { return suppress_list(context_); });
    auto* put = add(suppress, "add", "send no reports there",
                    "suppress add @example.org --until 30d --reason 'asked for it'",
                    [this] { return suppress_add(context_, suppress_); });
    const std::string forms = "an address, @domain, @*.domain, https://host/ or report:DOMAIN";
    put->add_option("DESTINATION", suppress_.pattern, forms)->required();
    add_when(put, "--until", suppress_.until, "ends by itself at a time");
    put->add_option("--reason", suppress_.reason, "kept with it")->option_text("TEXT");
    add(suppress, "remove", "send reports there again", "suppress remove user@example.org",
        [this] { return suppress_remove(context_, suppress_.pattern); })
        ->add_option("DESTINATION", suppress_.pattern, forms)
        ->required();
    add_top("Reports", "bounce", "take notices about undeliverable report mails",
            "bounce - < notice.eml", [this] { return bounce(context_, paths_); })
        ->add_option("FILE", paths_, "messages or Maildirs; - is standard input")
        ->required();
  }

  // Makes commands below a group.
  AddCommand below(CLI::App* group) {
    return [this, group](const auto& name, const auto& help, const auto& example, auto action) {
      return add(group, name, help, example, std::move(action));
    };
  }

  void add_received() {
    auto* group = add_top("Reports of others", "received", "TLS reports that others sent", "");
    add_received_commands(below(group), context_, received_);
  }

  void add_store() {
    auto* group = add_top("Keeping", "store", "the database: copies, checks, removal", "");
    add_store_commands(below(group), context_, store_);
  }

  void add_lookups() {
    add_top("Look and check", "record", "look up and explain a domain's TLSRPT record",
            "record example.org", [this] { return record(context_, domain_); })
        ->add_option("DOMAIN", domain_, "recipient domain")
        ->required();
    add_top("Look and check", "check",
            "ask DNS, relay, sockets and store whether reports will leave and arrive",
            "check --domain example.org", [this] { return check(context_, domain_); })
        ->add_option("--domain", domain_, "the recipient domain whose settings are evaluated")
        ->option_text("DOMAIN");
    auto* config = add_top("Look and check", "config", "the configuration file", "");
    add_config_commands(below(config), context_, import_path_);
    auto* dkim = add_top("Look and check", "dkim", "keys that sign the reports", "");
    add_dkim_commands(below(dkim), context_, dkim_);
    auto* expr = add_top("Look and check", "expr", "expressions of the configuration", "");
    auto* eval = add(expr, "eval", "evaluate an expression",
                     "expr eval --domain a.example \"'tls@' + rcpt_domain\"",
                     [this] { return expr_eval(context_, eval_); });
    eval->add_option("EXPR", eval_.expression,
                     "the expression; put -- before one that begins with -")
        ->required();
    eval->add_option("--domain", eval_.domain, "the value of rcpt_domain (example.com)")
        ->option_text("DOMAIN");
    eval->add_option("--set", eval_.set, "declare a name; the value is JSON, or else a text")
        ->allow_extra_args(false)
        ->option_text("NAME=VALUE");
    eval->add_flag("--dump", eval_.dump, "print the checked program instead of its value");
  }

  // The command that was typed, as far as it was understood.
  const CLI::App* chosen() const {
    const CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
    return app;
  }

  // "rapporteur schedule show"
  std::string path_of_chosen() const {
    std::string path = "rapporteur";
    for (const CLI::App* app = &app_; app != chosen();) {
      app = app->get_subcommands().front();
      path += " " + app->get_name();
    }
    return path;
  }

  // Prints the help that was asked for, or what is wrong with the arguments.
  int refuse(const CLI::ParseError& error, const std::vector<std::string>& arguments) {
    if (error.get_exit_code() == 0) return app_.exit(error, context_.world.out, context_.world.err);
    const auto not_understood = app_.remaining(true);
    const auto unknown = std::ranges::find_if(arguments, [&](const std::string& argument) {
      return std::ranges::find(not_understood, argument) != not_understood.end();
    });
    std::string text = error.what();
    if (unknown != arguments.end()) {
      text = fmt::format("'{}' is not understood", *unknown);
      if (const auto near = nearest(*unknown); !near.empty()) {
        text += fmt::format(": did you mean '{}'?", near);
      }
    }
    const auto path = path_of_chosen();
    context_.json |= std::ranges::find(arguments, "--json") != arguments.end();
    const int code = fail(context_, fmt::format("{}; see `{} --help`", text, path), kExitUsage);
    return is_pipe(arguments) ? kExitTryAgain : code;
  }

  // The command or option here that is spelled most like `word`; empty: none is.
  std::string nearest(const std::string& word) const {
    std::vector<std::string> names;
    for (const auto* app : chosen()->get_subcommands({})) names.push_back(app->get_name());
    for (const auto* option : chosen()->get_options()) {
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    }
    std::string best;
    std::size_t least = 3;  // more differences are no misspelling
    for (const auto& name : names) {
      const auto distance = edit_distance(word, name);
      if (distance >= least) continue;
      least = distance;
      best = name;
    }
    return best;
  }

  Context context_;
  CLI::App app_;
  CLI::App* schedule_ = nullptr;
  std::map<const CLI::App*, Action> actions_;

  RunRequest run_;
  IngestRequest ingest_;
  ScheduleListRequest list_;
  ScheduleActionRequest act_;
  PauseRequest pause_;
  ReportArguments report_;
  DeliveryListRequest deliveries_;
  DeliveryActionRequest delivery_;
  SuppressRequest suppress_;
  ReceivedArguments received_;
  StoreArguments store_;
  bool nodes_ = false;
  std::vector<std::string> paths_;
  ExprEvalRequest eval_;
  std::string import_path_;
  std::string domain_;
  DkimGenerateRequest dkim_;
};

}  // namespace

int run_command_line(const std::vector<std::string>& arguments, const World& world) {
  Parser parser(world);
  const int exit_code = parser.run(arguments);
  world.out.flush();
  if (!world.out) {
    world.err << "rapporteur: cannot write to standard output\n";
    // A mail that was stored does not come back for that.
    return parser.is_pipe(arguments) ? exit_code : kExitFailed;
  }
  return exit_code;
}

}  // namespace rapporteur
