// Every expression of [report.tls] for one domain.

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

}  // namespace

void check_settings(const CheckScene& scene, Checks& checks) {
  const auto answers = evaluate_all(scene.config, scene.question, true);
  for (const auto& answer : answers) {
    const auto check = fmt::format("{} for {}", to_string(answer.setting), scene.question.domain);
    if (answer.value) {
      checks.ok(check, expr::to_text(*answer.value));
    } else {
      checks.fault(check, answer.problem, advice_of(answer, scene.question.domain));
    }
  }
}

}  // namespace rapporteur
