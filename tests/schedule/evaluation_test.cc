#include "schedule/evaluation.h"

#include <gmock/gmock.h>

#include "schedule/schedule_fixture.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing_support::at;
using testing_support::config_of;

WindowFacts some_facts() {
  return {.period = {at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z")},
          .frequency = Frequency::kDaily,
          .successful = 7,
          .failed = 3,
          .policy_types = {"sts"},
          .result_types = {"certificate-expired"},
          .rua = {"mailto:r@a.example"}};
}

std::string text(const Config& config, Setting setting, const Question& question) {
  const auto value = text_setting(config, setting, question);
  return value ? *value : "error: " + value.error().text;
}

TEST(Evaluation, GivesTheDefaultsOfTheDesign) {
  const auto config = config_of("");
  const auto facts = some_facts();
  const Question question{.domain = "a.example", .window = &facts};
  EXPECT_EQ(text(*config, Setting::kFromName, question), "Report Subsystem");
  EXPECT_EQ(text(*config, Setting::kFromAddress, question), "noreply-tls@example.org");
  EXPECT_EQ(text(*config, Setting::kEnvelopeFrom, question), "noreply-tls@example.org");
  EXPECT_EQ(text(*config, Setting::kContactInfo, question), "noreply-tls@example.org");
  EXPECT_EQ(text(*config, Setting::kOutboundReportSubmitter, question), "example.org");
  EXPECT_EQ(text(*config, Setting::kOrgName, question), "example.org");
  EXPECT_EQ(text(*config, Setting::kDkimSignDomain, question), "example.org");
  EXPECT_EQ(*number_setting(*config, Setting::kMaxReportSize, question), 5'242'880);
  EXPECT_EQ(*number_setting(*config, Setting::kSendWhen, question), 1);
  EXPECT_EQ(*frequency_setting(*config, "a.example"), Frequency::kDaily);
  EXPECT_THAT(*list_setting(*config, Setting::kReportTo, question),
              ElementsAre("mailto:r@a.example"));
}

TEST(Evaluation, FollowsTheLongestOverrideAndInheritsTheRest) {
  const auto config = config_of(R"toml(
[report.tls]
orgName = "'Common'"
fromName = "'Common'"
[report.tls.domain."*.example"]
orgName = "'Below'"
[report.tls.domain."a.example"]
orgName = "'Exact'"
)toml");
  EXPECT_EQ(text(*config, Setting::kOrgName, {.domain = "a.example"}), "Exact");
  EXPECT_EQ(text(*config, Setting::kOrgName, {.domain = "b.example"}), "Below");
  EXPECT_EQ(text(*config, Setting::kOrgName, {.domain = "b.org"}), "Common");
  EXPECT_EQ(text(*config, Setting::kFromName, {.domain = "a.example"}), "Common");
}

TEST(Evaluation, TellsWhichBranchGaveTheValue) {
  const auto config = config_of(
      "[report.tls]\n"
      "sendFrequency = [ { if = \"ends_with(rcpt_domain, '.gov')\", then = \"hourly\" },\n"
      "                  { if = \"contains(rcpt_domain, 'a.ex')\", then = \"weekly\" },\n"
      "                  { else = \"daily\" } ]\n");
  const auto answer = evaluate(*config, Setting::kSendFrequency, {.domain = "a.example"});
  ASSERT_TRUE(answer.value);
  EXPECT_EQ(std::get<expr::Constant>(*answer.value).name, "weekly");
  EXPECT_EQ(answer.trace.branch, 1U);
  ASSERT_NE(answer.rule, nullptr);
  EXPECT_EQ(answer.rule->where.line, 7);
}

TEST(Evaluation, SaysSettingPlaceAndProblemOfAFailure) {
  const auto config =
      config_of("[report.tls]\nmaxReportSize = \"1000 / (len(rcpt_domain) - 9)\"\n");
  const auto value = number_setting(*config, Setting::kMaxReportSize, {.domain = "a.example"});
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().fault, Fault::kConfig);
  EXPECT_THAT(value.error().text, testing::StartsWith("maxReportSize failed: "));
  EXPECT_THAT(value.error().text, testing::EndsWith("(test.toml:7)"));
}

TEST(Evaluation, SuppliesEveryNameThatTheSchemaDeclares) {
  const auto facts = some_facts();
  const PartFacts part{"example.org", "id@example.org", 1, 2};
  for (const auto setting : kSettings) {
    const auto schema = schema_for(setting, {{"domain", "example.org"}, {"hostname", "h"}});
    for (const auto& variable : schema.variables) {
      const auto compiled = expr::compile("[" + variable.name + "]", schema);
      ASSERT_TRUE(compiled.program) << to_string(setting) << " " << variable.name;
      SettingTable table;
      auto config = *config_of("");
      Rule rule{.block = {.branches = {}, .otherwise = *compiled.program}, .origin = "test"};
      config.settings.set(setting, std::move(rule));
      const auto answer =
          evaluate(config, setting,
                   {.domain = "a.example", .window = &facts, .part = &part, .delivery_id = "abc"});
      EXPECT_EQ(answer.problem.find("failed: "), std::string::npos)
          << to_string(setting) << " " << variable.name << ": " << answer.problem;
    }
  }
}

TEST(FactsOf, ListsEachPolicyAndResultTypeOnce) {
  WindowCounts counts(2);
  counts[0].policy.type = PolicyType::kTlsa;
  counts[1].policy.type = PolicyType::kSts;
  FailureDetail expired;
  expired.result_type = ResultType::kCertificateExpired;
  for (auto& policy : counts) policy.details = {{expired, 1}};
  const auto facts = facts_of(*config_of(""), Window{}, counts, {});
  EXPECT_THAT(facts.policy_types, ElementsAre("sts", "tlsa"));
  EXPECT_THAT(facts.result_types, ElementsAre("certificate-expired"));
}

}  // namespace
}  // namespace rapporteur
