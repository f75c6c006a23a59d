#include "schedule/evaluation.h"

#include <limits>
#include <set>
#include <utility>

#include "base/domain.h"

namespace rapporteur {

namespace {

expr::Array strings(const std::vector<std::string>& texts) {
  expr::Array array;
  array.reserve(texts.size());
  for (const auto& text : texts) array.emplace_back(text);
  return array;
}

std::int64_t integer(std::uint64_t number) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  return number > static_cast<std::uint64_t>(kMax) ? kMax : static_cast<std::int64_t>(number);
}

expr::MapEnvironment environment_of(const Question& question) {
  expr::MapEnvironment environment;
  environment.set("rcpt_domain", question.domain);
  if (question.window != nullptr) {
    const auto& facts = *question.window;
    environment.set("window_start", std::int64_t{facts.period.start.time_since_epoch().count()});
    environment.set("window_end", std::int64_t{facts.period.end.time_since_epoch().count()});
    environment.set("frequency", expr::Constant{std::string(to_string(facts.frequency))});
    environment.set("successful_sessions", integer(facts.successful));
    environment.set("failed_sessions", integer(facts.failed));
    environment.set("policy_types", strings(facts.policy_types));
    environment.set("result_types", strings(facts.result_types));
    environment.set("rua", strings(facts.rua));
  }
  if (question.part != nullptr) {
    environment.set("submitter", question.part->submitter);
    environment.set("report_id", question.part->report_id);
    environment.set("part", std::int64_t{question.part->part});
    environment.set("parts", std::int64_t{question.part->parts});
  }
  environment.set("delivery_id", question.delivery_id);
  return environment;
}

// Where an unset setting takes its value from.
std::optional<Setting> source_of(Setting setting) {
  switch (setting) {
    case Setting::kContactInfo:
    case Setting::kEnvelopeFrom:
      return Setting::kFromAddress;
    case Setting::kOutboundReportSubmitter:
      return Setting::kContactInfo;
    default:
      return std::nullopt;
  }
}

Answer derived(const Config& config, Setting setting, Setting source, const Question& question) {
  Answer answer = evaluate(config, source, question);
  answer.setting = setting;
  answer.derived_from = source;
  answer.rule = nullptr;
  answer.trace = {};
  if (!answer.value) {
    answer.problem = std::string(to_string(source)) + " " + answer.problem;
  } else if (setting == Setting::kOutboundReportSubmitter) {
    answer.value = std::string(domain_of_address(std::get<std::string>(*answer.value)));
  }
  return answer;
}

Result<expr::Value> value_of(const Config& config, Setting setting, const Question& question) {
  auto answer = evaluate(config, setting, question);
  if (answer.value) return *std::move(answer.value);
  std::string text = std::string(to_string(setting)) + " " + answer.problem;
  if (answer.rule != nullptr && answer.rule->where.line > 0) {
    text += " (" + answer.rule->where.file + ":" + std::to_string(answer.rule->where.line) + ")";
  }
  return Error{Fault::kConfig, text};
}

}  // namespace

WindowFacts facts_of(const Window& window, const WindowCounts& counts,
                     std::vector<std::string> rua) {
  WindowFacts facts{.period = window.period,
                    .frequency = window.frequency,
                    .successful = window.successful,
                    .failed = window.failed,
                    .policy_types = {},
                    .result_types = {},
                    .rua = std::move(rua)};
  std::set<std::string> policies;
  std::set<std::string> results;
  for (const auto& policy : counts) {
    policies.emplace(to_string(policy.policy.type));
    for (const auto& detail : policy.details) results.emplace(to_string(detail.detail.result_type));
  }
  facts.policy_types.assign(policies.begin(), policies.end());
  facts.result_types.assign(results.begin(), results.end());
  return facts;
}

Answer evaluate(const Config& config, Setting setting, const Question& question) {
  Answer answer;
  answer.setting = setting;
  answer.rule = config.settings.rule(setting, question.domain);
  if (answer.rule == nullptr) {
    if (const auto source = source_of(setting)) return derived(config, setting, *source, question);
    answer.problem = "has no value";
    return answer;
  }
  const auto environment = environment_of(question);
  auto outcome = expr::evaluate(answer.rule->block, environment, &answer.trace);
  if (const auto* failure = std::get_if<expr::Failure>(&outcome)) {
    answer.problem = "failed: " + failure->message;
    return answer;
  }
  auto conformed = conform(setting, std::get<expr::Value>(outcome));
  answer.value = std::move(conformed.value);
  answer.problem = std::move(conformed.problem);
  return answer;
}

std::vector<Answer> evaluate_all(const Config& config, const Question& question) {
  std::vector<Answer> answers;
  answers.reserve(kSettings.size());
  for (const auto setting : kSettings) answers.push_back(evaluate(config, setting, question));
  return answers;
}

Result<std::string> text_setting(const Config& config, Setting setting, const Question& question) {
  auto value = value_of(config, setting, question);
  if (!value) return std::move(value).error();
  return std::get<std::string>(*std::move(value));
}

Result<std::vector<std::string>> list_setting(const Config& config, Setting setting,
                                              const Question& question) {
  const auto value = value_of(config, setting, question);
  if (!value) return value.error();
  std::vector<std::string> texts;
  for (const auto& item : std::get<expr::Array>(*value)) {
    texts.push_back(std::get<std::string>(item));
  }
  return texts;
}

Result<std::int64_t> number_setting(const Config& config, Setting setting,
                                    const Question& question) {
  const auto value = value_of(config, setting, question);
  if (!value) return value.error();
  return std::get<std::int64_t>(*value);
}

Result<Frequency> frequency_setting(const Config& config, const std::string& domain) {
  const auto value = value_of(config, Setting::kSendFrequency, {.domain = domain});
  if (!value) return value.error();
  const auto& name = std::get<expr::Constant>(*value).name;
  if (const auto frequency = parse_frequency(name)) return *frequency;
  return Error{Fault::kConfig, "sendFrequency yields '" + name + "', which is no frequency"};
}

}  // namespace rapporteur
