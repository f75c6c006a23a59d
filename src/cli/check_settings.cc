// Every expression of [report.tls] for one domain.

#include <fmt/format.h>

#include "cli/check.h"
#include "dns/tlsrpt_record.h"

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

// What is wrong with a destination of reportTo; empty: nothing.
std::string unusable(const CheckScene& scene) {
  const auto uris = list_setting(scene.config, Setting::kReportTo, scene.question);
  if (!uris) return uris.error().text;
  for (const auto& uri : *uris) {
    const auto usable = usable_destination(uri);
    if (usable.uri.empty()) return fmt::format("it yields '{}': {}", uri, usable.why);
  }
  return {};
}

}  // namespace

void check_settings(const CheckScene& scene, Checks& checks) {
  const auto answers = evaluate_all(scene.config, scene.question, true);
  for (const auto& answer : answers) {
    const auto check = fmt::format("{} for {}", to_string(answer.setting), scene.question.domain);
    auto problem = answer.value ? std::string() : answer.problem;
    if (problem.empty() && answer.setting == Setting::kReportTo) problem = unusable(scene);
    if (problem.empty()) {
      checks.ok(check, expr::to_text(*answer.value));
    } else {
      checks.fault(check, problem, advice_of(answer, scene.question.domain));
    }
  }
}

}  // namespace rapporteur
