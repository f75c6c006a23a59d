#include "schedule/evaluation.h"

#include <array>
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

// The values of the variables, each made when an expression first asks for it.
class QuestionEnvironment final : public expr::Environment {
 public:
  // The question outlives this object.
  explicit QuestionEnvironment(const Question& question) : question_(question) {}

  const expr::Value* variable(std::size_t slot, std::string_view) const override {
    auto& value = values_.at(slot);
    if (!value) value = make(static_cast<Variable>(slot));
    return value ? &*value : nullptr;
  }
  std::optional<expr::Value> own(std::size_t slot, std::string_view) const override {
    const auto& value = values_.at(slot);
    return value ? value : make(static_cast<Variable>(slot));
  }
  expr::Dns* dns() const override { return question_.dns; }

 private:
  std::optional<expr::Value> make(Variable variable) const {
    if (variable == Variable::kRcptDomain) return question_.domain;
    if (variable == Variable::kDeliveryId) return question_.delivery_id;
    if (variable < Variable::kSubmitter) {
      if (question_.window == nullptr) return std::nullopt;
      return of_window(variable, *question_.window);
    }
    if (question_.part == nullptr) return std::nullopt;
    return of_part(variable, *question_.part);
  }

  static std::optional<expr::Value> of_window(Variable variable, const WindowFacts& facts) {
    switch (variable) {
      case Variable::kWindowStart:
        return std::int64_t{facts.period.start.time_since_epoch().count()};
      case Variable::kWindowEnd:
        return std::int64_t{facts.period.end.time_since_epoch().count()};
      case Variable::kFrequency:
        return expr::Constant{std::string(to_string(facts.frequency))};
      case Variable::kSuccessfulSessions:
        return integer(facts.successful);
      case Variable::kFailedSessions:
        return integer(facts.failed);
      case Variable::kPolicyTypes:
        return strings(facts.policy_types);
      case Variable::kResultTypes:
        return strings(facts.result_types);
      case Variable::kRua:
        return strings(facts.rua);
      default:
        return std::nullopt;
    }
  }

  static std::optional<expr::Value> of_part(Variable variable, const PartFacts& facts) {
    switch (variable) {
      case Variable::kSubmitter:
        return facts.submitter;
      case Variable::kReportId:
        return facts.report_id;
      case Variable::kPart:
        return std::int64_t{facts.part};
      case Variable::kParts:
        return std::int64_t{facts.parts};
      default:
        return std::nullopt;
    }
  }

  const Question& question_;
  mutable std::array<std::optional<expr::Value>, kVariableCount> values_;
};

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

// Evaluates settings of one domain. Made for one question and thrown away.
class Evaluator {
 public:
  // All outlive this object.
  Evaluator(const Config& config, const Question& question, bool traced)
      : rules_(config.settings.rules(question.domain)), environment_(question), traced_(traced) {}

  Answer answer(Setting setting) {
    Answer answer;
    fill(setting, answer);
    return answer;
  }

  // `answer` is new.
  void fill(Setting setting, Answer& answer) {
    answer.setting = setting;
    answer.rule = rules_[setting];
    if (answer.rule != nullptr) {
      evaluate(answer);
    } else if (const auto source = source_of(setting)) {
      derive(*source, answer);
    } else {
      answer.problem = "has no value";
    }
  }

 private:
  void evaluate(Answer& answer) {
    const auto& rule = *answer.rule;
    if (const auto* settled = rule.block.branches.empty() ? rule.settled_result(0) : nullptr) {
      answer.value = *settled;
      return;
    }
    expr::Evaluation evaluation(rule.block, environment_);
    const auto chosen = evaluation.choose(traced_ ? &answer.trace : nullptr);
    if (const auto* failure = std::get_if<expr::Failure>(&chosen)) return fail(*failure, answer);
    const auto branch = std::get<std::size_t>(chosen);
    if (branch < rule.block.branches.size()) answer.trace.branch = branch;
    if (const auto* settled = rule.settled_result(branch)) {
      answer.value = *settled;
      return;
    }
    auto outcome = evaluation.result(branch);
    if (const auto* failure = std::get_if<expr::Failure>(&outcome)) return fail(*failure, answer);
    auto conformed = conform(answer.setting, std::get<expr::Value>(std::move(outcome)));
    answer.value = std::move(conformed.value);
    answer.problem = std::move(conformed.problem);
  }

  static void fail(const expr::Failure& failure, Answer& answer) {
    answer.problem = "failed: " + failure.message;
  }

  void derive(Setting source, Answer& derived) {
    Answer given = answer(source);
    derived.derived_from = source;
    if (!given.value) {
      derived.problem =
          "takes its value from " + std::string(to_string(source)) + ", which " + given.problem;
    } else if (derived.setting == Setting::kOutboundReportSubmitter) {
      derived.value = std::string(domain_of_address(std::get<std::string>(*given.value)));
    } else {
      derived.value = std::move(given.value);
    }
  }

  const RuleSet rules_;
  const QuestionEnvironment environment_;
  const bool traced_;
};

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

WindowFacts facts_of(const Config& config, const Window& window, const WindowCounts& counts,
                     std::vector<std::string> rua) {
  const auto most = static_cast<std::size_t>(config.delivery.max_destinations);
  if (rua.size() > most) rua.resize(most);
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
  return Evaluator(config, question, false).answer(setting);
}

Answers evaluate_all(const Config& config, const Question& question, bool traced) {
  Evaluator evaluator(config, question, traced);
  Answers answers;
  for (std::size_t i = 0; i < answers.size(); ++i) evaluator.fill(kSettings[i], answers[i]);
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
