#include "config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config_fixture.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing_support::config_of;

const std::map<std::string, std::string> kSystem = {{"domain", "example.org"},
                                                    {"hostname", "mail.example.org"}};

std::vector<std::string> variables_of(Setting setting) {
  std::vector<std::string> names;
  for (const auto& variable : schema_for(setting, kSystem).variables)
    names.push_back(variable.name);
  return names;
}

TEST(Schema, OfSendFrequencyKnowsOnlyTheDomain) {
  EXPECT_THAT(variables_of(Setting::kSendFrequency), ElementsAre("rcpt_domain"));
}

TEST(Schema, OfSubjectAlsoKnowsThePart) {
  EXPECT_THAT(variables_of(Setting::kSubject),
              ElementsAre("rcpt_domain", "window_start", "window_end", "frequency",
                          "successful_sessions", "failed_sessions", "policy_types", "result_types",
                          "rua", "submitter", "report_id", "part", "parts"));
}

TEST(Schema, OfEnvelopeFromAlsoKnowsTheDelivery) {
  EXPECT_THAT(
      variables_of(Setting::kEnvelopeFrom),
      ElementsAre("rcpt_domain", "window_start", "window_end", "frequency", "successful_sessions",
                  "failed_sessions", "policy_types", "result_types", "rua", "delivery_id"));
}

TEST(Schema, OfEveryOtherSettingKnowsTheWindow) {
  for (const auto setting : kSettings) {
    if (setting == Setting::kSendFrequency || setting == Setting::kSubject ||
        setting == Setting::kEnvelopeFrom) {
      continue;
    }
    EXPECT_THAT(
        variables_of(setting),
        ElementsAre("rcpt_domain", "window_start", "window_end", "frequency", "successful_sessions",
                    "failed_sessions", "policy_types", "result_types", "rua"))
        << to_string(setting);
  }
}

TEST(Schema, NumbersEachVariableAlikeEverywhere) {
  const std::map<std::string, Variable> want = {
      {"rcpt_domain", Variable::kRcptDomain},
      {"window_start", Variable::kWindowStart},
      {"window_end", Variable::kWindowEnd},
      {"frequency", Variable::kFrequency},
      {"successful_sessions", Variable::kSuccessfulSessions},
      {"failed_sessions", Variable::kFailedSessions},
      {"policy_types", Variable::kPolicyTypes},
      {"result_types", Variable::kResultTypes},
      {"rua", Variable::kRua},
      {"submitter", Variable::kSubmitter},
      {"report_id", Variable::kReportId},
      {"part", Variable::kPart},
      {"parts", Variable::kParts},
      {"delivery_id", Variable::kDeliveryId}};
  ASSERT_EQ(want.size(), kVariableCount);
  for (const auto setting : kSettings) {
    for (const auto& variable : schema_for(setting, kSystem).variables) {
      EXPECT_EQ(variable.slot, static_cast<std::size_t>(want.at(variable.name)))
          << to_string(setting) << " " << variable.name;
      EXPECT_LT(variable.slot, kVariableCount);
    }
  }
}

TEST(Schema, RefusesTheDnsAtIntakeOnly) {
  for (const auto setting : kSettings) {
    const auto compiled =
        expr::compile("count(dns_query(rcpt_domain, 'mx'))", schema_for(setting, kSystem));
    EXPECT_EQ(compiled.program.has_value(), setting != Setting::kSendFrequency)
        << to_string(setting);
  }
}

TEST(Schema, HandsDownTheLookups) {
  const auto lookups = std::make_shared<const expr::Lookups>();
  EXPECT_EQ(schema_for(Setting::kOrgName, kSystem, lookups).lookups, lookups);
  EXPECT_EQ(schema_for(Setting::kOrgName, kSystem).lookups, nullptr);
}

TEST(Schema, ExplainsEachNameThatIsKnownElsewhere) {
  const auto all = {"rcpt_domain",  "window_start",       "window_end",   "frequency",
                    "policy_types", "failed_sessions",    "result_types", "rua",
                    "submitter",    "report_id",          "part",         "parts",
                    "delivery_id",  "successful_sessions"};
  for (const auto setting : kSettings) {
    const auto schema = schema_for(setting, kSystem);
    EXPECT_THAT(schema.constants, ElementsAre("hourly", "daily", "weekly", "never"));
    EXPECT_EQ(schema.system, kSystem);
    for (const std::string name : all) {
      const auto known = variables_of(setting);
      const bool available = std::find(known.begin(), known.end(), name) != known.end();
      EXPECT_NE(available, schema.unavailable.contains(name)) << to_string(setting) << " " << name;
    }
  }
}

// As the language writes it, or the problem.
std::string conformed(Setting setting, const expr::Value& value) {
  const auto result = conform(setting, value);
  return result.value ? "= " + expr::to_text(*result.value) : result.problem;
}

struct Conforming {
  const char* name;
  Setting setting;
  expr::Value value;
  const char* want;
};
class Conform : public testing::TestWithParam<Conforming> {};

TEST_P(Conform, GivesTheOneFormOrTheProblem) {
  EXPECT_EQ(conformed(GetParam().setting, GetParam().value), GetParam().want);
}

const expr::Value kUriArray = expr::Array{"mailto:a@b.example", "HTTPS://c.example/"};
const expr::Value kMixedArray = expr::Array{"mailto:a@b.example", std::int64_t{5}};
constexpr std::int64_t kFive = 5;
constexpr std::int64_t kZero = 0;
constexpr std::int64_t kNegative = -1;

INSTANTIATE_TEST_SUITE_P(
    OfText, Conform,
    testing::Values(Conforming{"Text", Setting::kOrgName, "Example \xC3\xBC", "= Example \xC3\xBC"},
                    Conforming{"Empty", Setting::kFromName, "", "= "},
                    Conforming{"Number", Setting::kFromName, kFive, "yields 5, which is no string"},
                    Conforming{"LineBreak", Setting::kSubject, "a\r\nBcc: b",
                               "yields 'aBcc: b', which holds a control character"},
                    Conforming{"NotUtf8", Setting::kSubject, "a\xFF",
                               "yields 'a\xEF\xBF\xBD', which is not UTF-8"}),
    [](const auto& test) { return test.param.name; });

const std::string kLabel63(63, 'a');
const std::string kLocal64(64, 'l');
// 64 + 1 + 189 bytes.
const std::string kAddress254 =
    kLocal64 + "@" + kLabel63 + "." + kLabel63 + "." + std::string(61, 'b');
const std::string kAddress255 =
    kLocal64 + "@" + kLabel63 + "." + kLabel63 + "." + std::string(62, 'b');

TEST(Conform, BoundsTheLengthOfAddresses) {
  ASSERT_EQ(kAddress254.size(), 254U);
  EXPECT_EQ(conformed(Setting::kFromAddress, kAddress254), "= " + kAddress254);
  EXPECT_FALSE(conform(Setting::kFromAddress, kAddress255).value);
  EXPECT_TRUE(conform(Setting::kFromAddress, kLocal64 + "@b.example").value);
  EXPECT_FALSE(conform(Setting::kFromAddress, "l" + kLocal64 + "@b.example").value);
}

INSTANTIATE_TEST_SUITE_P(
    OfAddresses, Conform,
    testing::Values(
        Conforming{"Plain", Setting::kFromAddress, "A.b+c@Example.ORG", "= A.b+c@example.org"},
        Conforming{"Idn", Setting::kContactInfo,
                   "a@b\xC3\xBC"
                   "cher.example",
                   "= a@xn--bcher-kva.example"},
        Conforming{"NoAt", Setting::kEnvelopeFrom, "nobody",
                   "yields 'nobody', which is no mail address"},
        Conforming{"OneLabel", Setting::kFromAddress, "a@localhost",
                   "yields 'a@localhost', which is no mail address"},
        Conforming{"TwoAts", Setting::kFromAddress, "a@b@c.example",
                   "yields 'a@b@c.example', which is no mail address"},
        Conforming{"Quoted", Setting::kFromAddress, "\"a b\"@c.example",
                   "yields '\"a b\"@c.example', which is no mail address"},
        Conforming{"DotAtTheEnd", Setting::kFromAddress, "a.@c.example",
                   "yields 'a.@c.example', which is no mail address"},
        Conforming{"Literal", Setting::kFromAddress, "a@[192.0.2.1]",
                   "yields 'a@[192.0.2.1]', which is no mail address"},
        Conforming{"LineBreak", Setting::kFromAddress, "a@b.example\r\nBcc: c@d.example",
                   "yields 'a@b.exampleBcc: c@d.example', which is no mail address"},
        Conforming{"Constant", Setting::kFromAddress, expr::Constant{"daily"},
                   "yields daily, which is no mail address"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(OfDomains, Conform,
                         testing::Values(Conforming{"Plain", Setting::kDkimSignDomain,
                                                    "Example.ORG.", "= example.org"},
                                         Conforming{"Spaces", Setting::kOutboundReportSubmitter,
                                                    "a b", "yields 'a b', which is no domain"},
                                         Conforming{"Number", Setting::kDkimSignDomain, kFive,
                                                    "yields 5, which is no domain"}),
                         [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    OfFrequencies, Conform,
    testing::Values(
        Conforming{"Constant", Setting::kSendFrequency, expr::Constant{"weekly"}, "= weekly"},
        Conforming{"String", Setting::kSendFrequency, "hourly", "= hourly"},
        Conforming{"Synonym", Setting::kSendFrequency, expr::Constant{"disable"}, "= never"},
        Conforming{"OtherCase", Setting::kSendFrequency, "Daily",
                   "yields 'Daily', which is none of hourly, daily, weekly and never"},
        Conforming{"Empty", Setting::kSendFrequency, "",
                   "yields '', which is none of hourly, daily, weekly and never"},
        Conforming{"Number", Setting::kSendFrequency, kZero,
                   "yields 0, which is none of hourly, daily, weekly and never"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    OfSizes, Conform,
    testing::Values(Conforming{"Integer", Setting::kMaxReportSize, kFive, "= 5"},
                    Conforming{"NoLimit", Setting::kMaxReportSize, kZero, "= 0"},
                    Conforming{"String", Setting::kMaxReportSize, "5242880", "= 5242880"},
                    Conforming{"Unit", Setting::kMaxReportSize, "5mb", "= 5242880"},
                    Conforming{"Fraction", Setting::kMaxReportSize, 2.5, "= 2"},
                    Conforming{"Negative", Setting::kMaxReportSize, kNegative,
                               "yields -1, which is no size in bytes"},
                    Conforming{"NegativeString", Setting::kMaxReportSize, "-1",
                               "yields '-1', which is no size in bytes"},
                    Conforming{"Huge", Setting::kMaxReportSize, 1e19,
                               "yields 10000000000000000000, which is no size in bytes"},
                    Conforming{"Text", Setting::kMaxReportSize, "big",
                               "yields 'big', which is no size in bytes"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(OfTruths, Conform,
                         testing::Values(Conforming{"Five", Setting::kSendWhen, kFive, "= 1"},
                                         Conforming{"Zero", Setting::kSendWhen, kZero, "= 0"},
                                         Conforming{"EmptyText", Setting::kSendWhen, "", "= 0"},
                                         Conforming{"Array", Setting::kSendWhen, kUriArray, "= 1"},
                                         Conforming{"Constant", Setting::kSendWhen,
                                                    expr::Constant{"never"},
                                                    "yields never, which is no truth value"}),
                         [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    OfUris, Conform,
    testing::Values(
        Conforming{"Array", Setting::kReportTo, kUriArray,
                   "= ['mailto:a@b.example', 'HTTPS://c.example/']"},
        Conforming{"One", Setting::kReportTo, "mailto:a@b.example", "= ['mailto:a@b.example']"},
        Conforming{"None", Setting::kReportTo, expr::Array{}, "= []"},
        Conforming{"OtherScheme", Setting::kReportTo, "http://a.example",
                   "yields 'http://a.example', which is neither a mailto: nor an https: URI"},
        Conforming{"LineBreak", Setting::kReportTo, "mailto:a@b.example\n",
                   "yields 'mailto:a@b.example', which is neither a mailto: nor an https: URI"},
        Conforming{"NumberInArray", Setting::kReportTo, kMixedArray,
                   "yields 5, which is neither a mailto: nor an https: URI"}),
    [](const auto& test) { return test.param.name; });

constexpr const char* kOverrides = R"(
[report.tls]
orgName = "'common'"
fromName = "'common'"
[report.tls.domain."*.example.org"]
orgName = "'suffix'"
fromName = "'suffix'"
[report.tls.domain."*.sub.example.org"]
orgName = "'longer suffix'"
[report.tls.domain."a.sub.example.org"]
orgName = "'exact'"
[report.tls.domain."b.sub.example.org"]
[report.tls.domain."*.test"]
orgName = "'whole tld'"
)";

std::string source_of(const Config& config, Setting setting, std::string_view domain) {
  const auto* rule = config.settings.rule(setting, domain);
  return rule == nullptr ? "none" : rule->block.otherwise.source();
}

TEST(SettingTable, PrefersTheExactNameThenTheLongestSuffix) {
  const auto config = config_of(kOverrides);
  ASSERT_TRUE(config);
  const std::map<std::string, std::string> want = {{"other.example", "'common'"},
                                                   {"example.org", "'common'"},
                                                   {"x.example.org", "'suffix'"},
                                                   {"sub.example.org", "'suffix'"},
                                                   {"y.x.example.org", "'suffix'"},
                                                   {"x.sub.example.org", "'longer suffix'"},
                                                   {"a.sub.example.org", "'exact'"},
                                                   {"x.a.sub.example.org", "'longer suffix'"},
                                                   {"notexample.org", "'common'"},
                                                   {"a.test", "'whole tld'"},
                                                   {"test", "'common'"},
                                                   {"", "'common'"},
                                                   {"b.sub.example.org", "'common'"}};
  for (const auto& [domain, source] : want) {
    EXPECT_EQ(source_of(*config, Setting::kOrgName, domain), source) << domain;
  }
}

TEST(SettingTable, TakesWhatOneOverrideLeavesOutFromTheCommonSettings) {
  const auto config = config_of(kOverrides);
  ASSERT_TRUE(config);
  EXPECT_EQ(source_of(*config, Setting::kFromName, "x.example.org"), "'suffix'");
  EXPECT_EQ(source_of(*config, Setting::kFromName, "x.sub.example.org"), "'common'");
  EXPECT_EQ(source_of(*config, Setting::kSendFrequency, "x.example.org"), "daily");
}

TEST(SettingTable, HasNoRuleForWhatDerivesFromAnotherSetting) {
  const auto config = config_of("");
  ASSERT_TRUE(config);
  for (const auto setting : kSettings) {
    const bool derived = setting == Setting::kContactInfo || setting == Setting::kEnvelopeFrom ||
                         setting == Setting::kOutboundReportSubmitter;
    EXPECT_EQ(config->settings.rule(setting, "a.example") == nullptr, derived)
        << to_string(setting);
  }
}

TEST(SettingTable, GivesAllRulesOfADomainAtOnce) {
  const auto config = config_of(kOverrides);
  ASSERT_TRUE(config);
  for (const auto* domain : {"other.example", "x.example.org", "x.sub.example.org",
                             "a.sub.example.org", "b.sub.example.org", "test", ""}) {
    const auto rules = config->settings.rules(domain);
    for (const auto setting : kSettings) {
      EXPECT_EQ(rules[setting], config->settings.rule(setting, domain))
          << domain << " " << to_string(setting);
    }
  }
}

TEST(SettingTable, SharesItsRulesWithCopies) {
  const auto config = config_of(kOverrides);
  ASSERT_TRUE(config);
  auto copy = config->settings;
  const auto* before = config->settings.rule(Setting::kOrgName, "a.test");
  EXPECT_EQ(copy.rule(Setting::kOrgName, "a.test"), before);
  copy.set(Setting::kOrgName, "*.test", Rule{.block = before->block, .origin = "test"});
  EXPECT_EQ(copy.rule(Setting::kOrgName, "a.test")->origin, "test");
  EXPECT_EQ(config->settings.rule(Setting::kOrgName, "a.test"), before);
}

TEST(SettingTable, KnowsWhetherAnyRuleAsksTheDns) {
  const std::string asks = "\"count(dns_query(rcpt_domain, 'mx')) > 0\"";
  const auto asks_dns = [](const std::string& rest) {
    const auto config = config_of(rest);
    return config && config->settings.asks_dns();
  };
  EXPECT_FALSE(asks_dns(kOverrides));
  EXPECT_TRUE(asks_dns("[report.tls]\nsendWhen = " + asks + "\n"));
  EXPECT_TRUE(asks_dns("[report.tls.domain.\"a.example\"]\nsendWhen = [ { if = " + asks +
                       ", then = \"false\" }, { else = \"true\" } ]\n"));
  EXPECT_TRUE(asks_dns("[report.tls]\nsendWhen = [ { if = \"rcpt_domain\", then = " + asks +
                       " }, { else = \"true\" } ]\n"));

  auto config = *config_of("[report.tls]\nsendWhen = " + asks + "\n");
  const auto quiet = *config_of("")->settings.common(Setting::kSendWhen);
  const auto loud = *config.settings.common(Setting::kSendWhen);
  config.settings.set(Setting::kSendWhen, "a.example", loud);
  config.settings.set(Setting::kSendWhen, quiet);
  EXPECT_TRUE(config.settings.asks_dns());
  config.settings.set(Setting::kSendWhen, "a.example", quiet);
  EXPECT_FALSE(config.settings.asks_dns());
}

// As the language writes it; "-" for what is not known beforehand.
std::string settled(const Config& config, Setting setting, std::size_t branch) {
  const auto* value = config.settings.rule(setting, "a.example")->settled_result(branch);
  return value == nullptr ? "-" : expr::to_literal(*value);
}

TEST(Rule, KnowsTheResultsThatDependOnNothing) {
  const auto config = config_of(R"~(
[report.tls]
fromAddress = "'TLS@Bücher.Example'"
maxReportSize = "'5mb'"
sendFrequency = [ { if = "rcpt_domain == 'b.example'", then = "'disable'" },
                  { if = "rcpt_domain == 'c.example'", then = "if_then(rcpt_domain, weekly, daily)" },
                  { else = "hourly" } ]
sendWhen = 5
reportTo = "'mailto:a@b.example'"
dkimSignDomain = "system('domain')"
)~");
  ASSERT_TRUE(config);
  EXPECT_EQ(settled(*config, Setting::kFromAddress, 0), "'TLS@xn--bcher-kva.example'");
  EXPECT_EQ(settled(*config, Setting::kMaxReportSize, 0), "5242880");
  EXPECT_EQ(settled(*config, Setting::kSendFrequency, 0), "never");
  EXPECT_EQ(settled(*config, Setting::kSendFrequency, 1), "-");
  EXPECT_EQ(settled(*config, Setting::kSendFrequency, 2), "hourly");
  EXPECT_EQ(settled(*config, Setting::kSendFrequency, 3), "-");
  EXPECT_EQ(settled(*config, Setting::kSendWhen, 0), "1");
  EXPECT_EQ(settled(*config, Setting::kReportTo, 0), "['mailto:a@b.example']");
  EXPECT_EQ(settled(*config, Setting::kDkimSignDomain, 0), "'example.org'");
  // The defaults, too.
  EXPECT_EQ(settled(*config, Setting::kFromName, 0), "'Report Subsystem'");
  EXPECT_EQ(settled(*config, Setting::kOrgName, 0), "'example.org'");
}

TEST(SettingTable, KnowsItsOverrides) {
  const auto config = config_of(kOverrides);
  ASSERT_TRUE(config);
  const auto& settings = config->settings;
  EXPECT_THAT(settings.patterns(), ElementsAre("a.sub.example.org", "b.sub.example.org",
                                               "*.example.org", "*.sub.example.org", "*.test"));
  EXPECT_EQ(settings.pattern_for("x.example.org"), "*.example.org");
  EXPECT_EQ(settings.pattern_for("b.sub.example.org"), "b.sub.example.org");
  EXPECT_EQ(settings.pattern_for("other.example"), "");
  EXPECT_NE(settings.override_rule(Setting::kOrgName, "*.test"), nullptr);
  EXPECT_EQ(settings.override_rule(Setting::kFromName, "*.test"), nullptr);
  EXPECT_EQ(settings.override_rule(Setting::kFromName, "no.such.example"), nullptr);
}

}  // namespace
}  // namespace rapporteur
