// Every expression of [report.tls] for one domain.

#include <cstddef>
#include <string>

#include <fmt/format.h>

#include "cli/check.h"

namespace rapporteur {

namespace {

std::string advice_of(const Answer& answer, const std::string& domain) {
  if (answer.rule != nullptr && !answer.rule->otherwise.file.empty()) {
    const auto& where = answer.rule->otherwise;
    return fmt::format("change it at {}:{}; `rapporteur schedule explain {}` tells more",
                       where.file, where.line, domain);
  }
  return fmt::format("`rapporteur schedule explain {}` tells which rule gave it", domain);
}

std::string value_of(const Answer& with, const Answer& without) {
  const auto value = expr::to_text(*with.value);
  const auto other = expr::to_text(*without.value);
  return value == other ? value : fmt::format("{}, without failures {}", value, other);
}

std::string problem_of(const Answer& with, const Answer& without) {
  if (without.value) return "with a failure: " + with.problem;
  if (with.value) return "without failures: " + without.problem;
  if (with.problem == without.problem) return with.problem;
  return fmt::format("with a failure: {}, without failures: {}", with.problem, without.problem);
}

}  // namespace

void check_settings(const CheckScene& scene, Checks& checks) {
  const auto& domain = scene.question.domain;
  const auto with = evaluate_all(scene.config, scene.question, true);
  const auto without = evaluate_all(scene.config, scene.without_failures, true);
  for (std::size_t i = 0; i < with.size(); ++i) {
    const auto check = fmt::format("{} for {}", to_string(with[i].setting), domain);
    if (with[i].value && without[i].value) {
      checks.ok(check, value_of(with[i], without[i]));
    } else {
      checks.fault(check, problem_of(with[i], without[i]),
                   advice_of(with[i].value ? without[i] : with[i], domain));
    }
  }
}

}  // namespace rapporteur
