// rapporteur check: whether reports will leave this machine and arrive, looked at before they do.

#include "cli/check.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/domain.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "dns/tlsrpt_record.h"
#include "report/report.h"
#include "schedule/dns_answers.h"

namespace rapporteur {

namespace {

constexpr Seconds kDay{86'400};
constexpr std::string_view kSampleToken = "xxxxxxxx";
constexpr std::string_view kSampleDelivery = "xxxxxxxxxxxx";

Json json_of(const Checks& checks, const std::string& domain) {
  auto list = Json::array();
  for (const auto& result : checks.results()) {
    list.add(Json::object()
                 .set("level", to_string(result.level))
                 .set("name", result.name)
                 .set("seen", result.seen)
                 .set("advice", Json::text_or_null(result.advice)));
  }
  return Json::object()
      .set("domain", domain)
      .set("faults", std::uint64_t{checks.count(CheckLevel::kFault)})
      .set("warnings", std::uint64_t{checks.count(CheckLevel::kWarning)})
      .set("checks", std::move(list));
}

void print_line(Screen& screen, const CheckResult& result) {
  constexpr std::size_t kColumn = 9;
  auto& out = screen.out();
  const auto level = to_string(result.level);
  out << screen.state(level) << std::string(kColumn - level.size(), ' ')
      << fmt::format("{}: {}", printable(result.name), printable(result.seen));
  if (!result.advice.empty()) out << "; " << printable(result.advice);
  out << std::endl;  // at once: the next one may wait for a name server
}

// A day with one success and one failure.
WindowFacts sample_facts(const std::string& domain, const DnsAnswer& answer, Time now) {
  WindowFacts facts;
  const auto today = std::chrono::floor<std::chrono::days>(now);
  facts.period = {today - kDay, today};
  facts.successful = 1;
  facts.failed = 1;
  facts.policy_types = {"sts"};
  facts.result_types = {"validation-failure"};
  facts.rua = read_tlsrpt_answers(answer.records).rua;
  if (facts.rua.empty()) facts.rua = {"mailto:tlsrpt@" + domain};
  return facts;
}

// What the settings are asked about, and what it points to.
struct Sample {
  Sample(const Config& config, const std::string& domain, WindowFacts about, expr::Dns& dns)
      : facts(std::move(about)),
        question{.domain = domain,
                 .window = &facts,
                 .delivery_id = std::string(kSampleDelivery),
                 .dns = &dns} {
    const auto submitter = text_setting(config, Setting::kOutboundReportSubmitter, question);
    part.submitter = submitter ? *submitter : "unknown.invalid";
    part.report_id = report_id(facts.period, domain, 1, std::string(kSampleToken), part.submitter);
    question.part = &part;
  }
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;

  WindowFacts facts;
  PartFacts part;
  Question question;
};

}  // namespace

std::string_view to_string(CheckLevel level) {
  if (level == CheckLevel::kOk) return "ok";
  return level == CheckLevel::kWarning ? "warning" : "fault";
}

void Checks::ok(std::string name, std::string seen) {
  add({CheckLevel::kOk, std::move(name), std::move(seen), {}});
}

void Checks::warning(std::string name, std::string seen, std::string advice) {
  add({CheckLevel::kWarning, std::move(name), std::move(seen), std::move(advice)});
}

void Checks::fault(std::string name, std::string seen, std::string advice) {
  add({CheckLevel::kFault, std::move(name), std::move(seen), std::move(advice)});
}

void Checks::add(CheckResult result) {
  results_.push_back(std::move(result));
  if (tell_) tell_(results_.back());
}

std::size_t Checks::count(CheckLevel level) const {
  return static_cast<std::size_t>(std::ranges::count(results_, level, &CheckResult::level));
}

int check(const Context& context, const std::string& name) {
  const auto config = load(context);
  if (!config) return kExitConfig;
  const auto domain = normalise_domain(name.empty() ? config->domain : name);
  if (!domain) return fail(context, domain.error().text, kExitUsage);
  const auto resolver = make_resolver(context, config->dns);
  if (!resolver) return fail(context, resolver.error());

  Screen screen(context.world);
  Checks checks(context.json ? std::function<void(const CheckResult&)>()
                             : [&](const CheckResult& result) { print_line(screen, result); });
  const auto answer = look_up(**resolver, *domain);
  const auto facts = sample_facts(*domain, answer, context.now());
  auto good_day = facts;
  good_day.failed = 0;
  good_day.result_types.clear();
  DnsAnswers dns(**resolver);
  const Sample sample(*config, *domain, facts, dns);
  const Sample good_sample(*config, *domain, good_day, dns);

  const CheckScene scene{context, *config, **resolver, sample.question, good_sample.question};
  check_clock(scene, checks);
  check_disk(scene, checks);
  check_permissions(scene, checks);
  check_store(scene, checks);
  check_sockets(scene, checks);
  check_resolver(answer, *domain, !name.empty(), checks);
  check_keys(scene, checks);
  check_identity(scene, checks);
  check_settings(scene, checks);
  check_relay(scene, checks);

  const auto faults = checks.count(CheckLevel::kFault);
  if (context.json) {
    context.print(json_of(checks, *domain));
  } else {
    context.world.out << fmt::format("{}, {}\n", count_text(faults, "fault"),
                                     count_text(checks.count(CheckLevel::kWarning), "warning"));
  }
  return faults > 0 ? kExitFailed : kExitDone;
}

}  // namespace rapporteur
