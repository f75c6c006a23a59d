// rapporteur schedule explain: every setting of a domain, its value and what gave it.

#include <fmt/format.h>

#include "base/domain.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "dns/tlsrpt_record.h"
#include "report/report.h"
#include "schedule/dns_answers.h"
#include "schedule/evaluation.h"
#include "schedule/keeping.h"
#include "schedule/window_math.h"
#include "store/open.h"

namespace rapporteur {

namespace {

// Stands for the id of a delivery, which is drawn when the report is assembled.
constexpr std::string_view kSampleDelivery = "xxxxxxxxxxxx";

// What the expressions are asked about: the newest window of the domain, or an empty one.
struct Subject {
  std::optional<Window> window;
  WindowFacts facts;
  PartFacts part;
  std::optional<Time> silent_until;
  std::string_view rua_from = "empty here: no record is known before the DNS is asked at assembly";
};

Result<void> read_newest_window(Store& store, const Config& config, const std::string& domain,
                                Subject& subject) {
  WindowFilter filter;
  filter.domain = domain;
  auto windows = all_windows(store, filter);
  if (!windows) return std::move(windows).error();
  if (windows->empty()) return {};
  sort_by_period(*windows);
  const auto& window = windows->back();
  const auto counts = store.outline(window.id);
  if (!counts) return counts.error();
  auto record = store.deciding_record(window.id);
  if (!record) return std::move(record).error();
  subject.rua_from = "of the record that decided";
  if (record->empty()) {
    *record = window.tlsrpt_record;
    subject.rua_from = "of the record that the MTA saw; at assembly the DNS decides";
  }
  if (record->empty()) subject.rua_from = Subject().rua_from;
  subject.facts = facts_of(config, window, *counts, parse_tlsrpt_record(*record).rua);
  subject.window = window;
  return {};
}

// Without a store yet there is nothing to ask, and none is made.
Result<void> ask_store(const Context& context, const Config& config, const std::string& domain,
                       Subject& subject, std::string& token) {
  if (!store_exists(config.store.url)) return {};
  const auto store = context.world.open_store(config.store.url, store_options(config));
  if (!store) return store.error();
  token = (*store)->token();
  auto silent = silent_until(**store, domain, context.now());
  if (!silent) return std::move(silent).error();
  subject.silent_until = *silent;
  return read_newest_window(**store, config, domain, subject);
}

// The subject of the settings. The store is only asked for facts: without one, they are zero.
Subject subject_of(const Context& context, const Config& config, const std::string& domain,
                   expr::Dns* dns) {
  Subject subject;
  const auto frequency = frequency_setting(config, domain);
  const bool has_period = frequency && *frequency != Frequency::kNever;
  subject.facts.frequency = has_period ? *frequency : Frequency::kDaily;
  subject.facts.period = period_of(subject.facts.frequency, context.now());

  std::string token = "xxxxxxxx";
  if (const auto problem = ask_store(context, config, domain, subject, token); !problem) {
    context.world.err << "rapporteur: counts are taken as 0: " << printable(problem.error().text)
                      << '\n';
  }
  Question question;
  question.domain = domain;
  question.window = &subject.facts;
  question.delivery_id = kSampleDelivery;
  question.dns = dns;
  const auto submitter = text_setting(config, Setting::kOutboundReportSubmitter, question);
  subject.part.submitter = submitter ? *submitter : "unknown.invalid";
  subject.part.report_id =
      report_id(subject.facts.period, domain, 1, token, subject.part.submitter);
  return subject;
}

std::string place(const Location& where) {
  if (where.file.empty()) return "built in";
  return fmt::format("{}:{}:{}", where.file, where.line, where.column);
}

// The condition that could not be evaluated, if it was one.
std::optional<std::size_t> failed_condition(const Answer& answer) {
  if (answer.value || answer.rule == nullptr || answer.trace.branch) return std::nullopt;
  const auto asked = answer.trace.conditions.size();
  if (asked >= answer.rule->block.branches.size()) return std::nullopt;
  return asked;
}

// Where the value stands, or what failed: its branch in an if-block, else the rule.
Location location_of(const Answer& answer) {
  if (answer.rule == nullptr) return {};
  const auto& branches = answer.rule->branches;
  const auto branch = answer.trace.branch ? answer.trace.branch : failed_condition(answer);
  return branch ? branches.at(*branch) : answer.rule->otherwise;
}

Json answer_json(const Answer& answer) {
  auto json =
      Json::object()
          .set("setting", to_string(answer.setting))
          .set("value", answer.value ? Json::of(*answer.value) : Json())
          .set("problem", Json::text_or_null(answer.problem))
          .set("rule", answer.rule ? Json(answer.rule->origin) : Json())
          .set("value-of", answer.derived_from ? Json(to_string(*answer.derived_from)) : Json());
  const bool if_block = answer.rule != nullptr && !answer.rule->block.branches.empty();
  json.set("branch", !if_block                  ? Json()
                     : answer.trace.branch      ? Json(std::uint64_t{*answer.trace.branch + 1})
                     : failed_condition(answer) ? Json()
                                                : Json("else"));
  auto conditions = Json::array();
  for (std::size_t i = 0; if_block && i < answer.trace.conditions.size(); ++i) {
    conditions.add(Json::object()
                       .set("if", answer.rule->block.branches[i].condition.source())
                       .set("value", Json::of(answer.trace.conditions[i])));
  }
  if (const auto failed = failed_condition(answer)) {
    conditions.add(Json::object()
                       .set("if", answer.rule->block.branches[*failed].condition.source())
                       .set("value", Json()));
  }
  json.set("conditions", std::move(conditions));
  const auto where = location_of(answer);
  const bool written = !where.file.empty();
  return std::move(json)
      .set("file", written ? Json(where.file) : Json())
      .set("line", written ? Json(where.line) : Json())
      .set("column", written ? Json(where.column) : Json());
}

// The origin of a value in one line.
std::string origin(const Answer& answer) {
  if (answer.derived_from) {
    const bool domain_only = answer.setting == Setting::kOutboundReportSubmitter;
    return fmt::format("{} of {}", domain_only ? "the domain" : "the value",
                       to_string(*answer.derived_from));
  }
  if (answer.rule == nullptr) return "no rule";
  auto text = answer.rule->origin;
  const auto count = answer.rule->block.branches.size();
  if (const auto failed = failed_condition(answer)) {
    text += fmt::format(", condition {} of {}", *failed + 1, count);
  } else if (count > 0 && answer.trace.branch) {
    text += fmt::format(", condition {} of {}", *answer.trace.branch + 1, count);
  } else if (count > 0) {
    text += ", else";
  }
  const auto where = location_of(answer);
  return where.file.empty() ? text : text + ", " + place(where);
}

void print_people(const Context& context, const std::string& domain, const Subject& subject,
                  const Answers& answers) {
  Screen screen(context.world);
  auto& out = screen.out();
  out << screen.heading(domain) << '\n';
  if (subject.window) {
    out << fmt::format("as of its window {}, {}: {} successful, {} failed sessions\n",
                       period_text(*subject.window), screen.state(to_string(subject.window->state)),
                       subject.facts.successful, subject.facts.failed);
  } else {
    out << "it has no window: all counts are 0\n";
  }
  if (subject.silent_until) out << silence_text(*subject.silent_until, context.now()) << '\n';
  out << "rua is " << subject.rua_from << '\n';
  for (const auto& answer : answers) {
    const auto shown = answer.value ? expr::to_text(*answer.value) : "PROBLEM: " + answer.problem;
    out << fmt::format("\n{} = {}\n  {}\n", screen.heading(to_string(answer.setting)),
                       printable(shown), printable(origin(answer)));
    for (std::size_t i = 0; answer.rule != nullptr && i < answer.trace.conditions.size(); ++i) {
      const auto& branch = answer.rule->block.branches[i];
      out << fmt::format("  if {}: {}\n", printable(branch.condition.source()),
                         printable(expr::to_text(answer.trace.conditions[i])));
    }
    if (const auto failed = failed_condition(answer)) {
      const auto& branch = answer.rule->block.branches[*failed];
      out << fmt::format("  if {}: failed\n", printable(branch.condition.source()));
    }
  }
}

}  // namespace

int schedule_explain(const Context& context, const std::string& name) {
  const auto domain = normalise_domain(name);
  if (!domain) return fail(context, domain.error().text, kExitUsage);
  const auto config = load(context);
  if (!config) return kExitConfig;
  std::unique_ptr<Resolver> resolver;
  std::optional<DnsAnswers> dns;
  if (config->settings.asks_dns()) {
    auto made = make_resolver(context, config->dns);
    if (!made) return fail(context, made.error());
    resolver = *std::move(made);
    dns.emplace(*resolver);
  }
  const auto subject = subject_of(context, *config, *domain, dns ? &*dns : nullptr);
  Question question;
  question.dns = dns ? &*dns : nullptr;
  question.domain = *domain;
  question.window = &subject.facts;
  question.part = &subject.part;
  question.delivery_id = kSampleDelivery;
  if (dns) dns->prepare(*config, std::span(&question, 1));
  const auto answers = evaluate_all(*config, question, true);

  int exit_code = kExitDone;
  auto settings = Json::array();
  for (const auto& answer : answers) {
    if (!answer.value) exit_code = kExitFailed;
    settings.add(answer_json(answer));
  }
  if (!context.json) {
    print_people(context, *domain, subject, answers);
    return exit_code;
  }
  auto window = Json();
  if (subject.window) {
    window = Json::object()
                 .set("start", subject.window->period.start)
                 .set("end", subject.window->period.end)
                 .set("state", to_string(subject.window->state));
  }
  auto json = Json::object().set("domain", *domain).set("window", std::move(window));
  if (subject.silent_until) json.set("silent-until", *subject.silent_until);
  context.print(json.set("settings", std::move(settings)));
  return exit_code;
}

}  // namespace rapporteur
