#include "config/stalwart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "config/config_fixture.h"

namespace rapporteur {

namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Status = ImportedSetting::Status;

Result<StalwartImport> import(const std::string& text) {
  return import_stalwart(text, "dir/s.json", "example.org", "mail.example.org");
}

std::string toml_of(const std::string& text) {
  const auto result = import(text);
  return result ? result->toml : "error: " + result.error().text;
}

std::string error_of(const std::string& text) {
  const auto result = import(text);
  return result ? "" : result.error().text;
}

// What is told of one setting.
ImportedSetting told_of(const std::string& text, const std::string& setting) {
  const auto result = import(text);
  if (!result) {
    ADD_FAILURE() << result.error().text;
    return {};
  }
  const auto found = std::ranges::find(result->settings, setting, &ImportedSetting::setting);
  if (found != result->settings.end()) return *found;
  ADD_FAILURE() << "nothing is told of " << setting;
  return {};
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

TEST(Stalwart, TextsThatCannotBeReadAreRefusedWithTheirPlace) {
  struct Case {
    std::string name;
    std::string text;
    std::string want;  // how the error begins
  };
  const std::vector<Case> cases = {
      {"nothing", "", "dir/s.json is empty"},
      {"space", " \n\t", "dir/s.json is empty"},
      {"words", "hello world\n", "dir/s.json:1:7: neither JSON nor TOML: "},
      {"object that ends", "{\"fromName\":\n  {\"else\": \"'x'\"", "dir/s.json:2:17: no JSON: "},
      {"missing comma", "{\"fromName\": \"'a'\"\n \"orgName\": 1}", "dir/s.json:2:10: no JSON: "},
      {"array that ends", "[\n {\"fromName\": \"'a'\"},\n", "dir/s.json:3:1: no JSON: "},
      {"second line", "{\"fromName\": \"'a'\"}\n{\"orgName\" 5}\n", "dir/s.json:2:12: no JSON: "},
      {"table", "[report.tls.aggregate]\nsend = daily\n", "dir/s.json:2:8: no TOML: "},
      {"a key twice", "[report.tls.aggregate]\nsend = \"daily\"\nsend = \"daily\"\n",
       "dir/s.json:3:"},
      {"NUL", std::string("{\"fromName\": \0\"x\"}", 18), "dir/s.json:1:14: no JSON: "},
      {"NUL in TOML", std::string("[report]\nsubmitter = \"\0\"", 23), "dir/s.json:2:"},
      {"no UTF-8", "{\"fromName\": \"'\xff'\"}", "dir/s.json:1:16: no JSON: "},
      {"no UTF-8 in TOML", "[report]\nsubmitter = \"'\xff'\"\n", "dir/s.json:2:"},
      {"UTF-16", std::string("\xff\xfe{\0}\0", 6), "dir/s.json:1:"},
      {"large number", "{\"maxReportSize\": 1e999}", "dir/s.json:1:23: no JSON: number overflow"},
  };
  for (const auto& [name, text, want] : cases) {
    EXPECT_THAT(error_of(text), StartsWith(want)) << name;
  }
}

TEST(Stalwart, TextsWithoutReportSettingsAreRefused) {
  const std::vector<std::string> texts = {
      "{}",
      "[]",
      "5",
      "\"fromName\"",
      "{\"subject\": \"a mail\"}",
      "{\"DkimReportSettings\": {\"fromName\": {\"else\": \"'x'\"}}}",
      "{\"@type\": \"SpfReportSettings\", \"sendFrequency\": {\"else\": \"[1, 1d]\"}}",
      "{\"ReportSettings\": {\"inboundReportForwarding\": true}}",
      "[\"x:TlsReportSettings/get\", {\"ids\": [\"singleton\"]}, \"c1\"]",
      "[report.dmarc.aggregate]\nsend = \"daily\"\n",
      "[report.tls]\naggregate = 1\n",
  };
  for (const auto& text : texts) {
    EXPECT_THAT(error_of(text), StartsWith("dir/s.json: neither TlsReportSettings")) << text;
  }
}

TEST(Stalwart, SeveralObjectsWithoutATypeAreRefusedUnlessOneIsSurelyTheRightOne) {
  const std::string other = R"({"fromName": "'a'"})";
  EXPECT_THAT(error_of("[" + other + "," + other + "]"), HasSubstr("several objects"));
  EXPECT_THAT(toml_of("[" + other + R"(, {"fromName": "'b'", "orgName": "'c'"}])"),
              HasSubstr("fromName = \"'b'\""));
}

TEST(Stalwart, DepthAndSizeAreLimited) {
  const auto deep = repeated("[", 200'000);
  EXPECT_EQ(error_of(deep), "dir/s.json:1:65: no JSON: nested more than 64 deep");
  EXPECT_EQ(error_of(repeated("{\"a\":", 200'000)),
            "dir/s.json:1:321: no JSON: nested more than 64 deep");
  EXPECT_THAT(error_of("{}\n" + deep), HasSubstr("dir/s.json:2:65: no JSON: nested"));
  EXPECT_THAT(error_of("a = " + deep), HasSubstr("dir/s.json:1:"));
  EXPECT_THAT(error_of(repeated("a.", 300'000) + "b = 1"), HasSubstr("too many dots"));
  EXPECT_THAT(error_of(R"({"report.tls.aggregate)" + repeated(".a", 300'000) + "\": 1}"), "");

  const std::string start = R"({"fromName": "'a'", "x": ")";
  const auto largest = start + std::string(kMaxStalwartFile - start.size() - 2, 'x') + "\"}";
  EXPECT_EQ(error_of(largest), "");
  EXPECT_THAT(error_of(largest + " "), HasSubstr("larger than 1 MiB"));
}

TEST(Stalwart, ManyUnknownFieldsAreCounted) {
  std::string text = R"({"fromName": "'a'")";
  for (int i = 0; i < 60; ++i) text += ", \"unknown" + std::to_string(i) + "\": 1";
  const auto result = import(text + "}");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->settings.size(), 9U + 50U + 1U);
  EXPECT_EQ(result->settings.back().setting, "10 more");
}

TEST(Stalwart, AByteOrderMarkAndWindowsLineEndsAreReadOver) {
  EXPECT_THAT(toml_of("\xEF\xBB\xBF{\"fromName\":\r\n\"'a'\"}\r\n"), HasSubstr("\"'a'\""));
  EXPECT_THAT(toml_of("\xEF\xBB\xBF[report.tls.aggregate]\r\nfrom-name = \"'a'\"\r\n"),
              HasSubstr("\"'a'\""));
}

TEST(Stalwart, SettingsThatCannotBeTakenOverAreLeftOutWithTheReason) {
  struct Case {
    std::string setting;
    std::string value;
    std::string want;  // in the reason
  };
  const std::vector<Case> cases = {
      {"fromName", R"({"match": {"0": {"if": "1"}}, "else": "'a'"})", "'then' is missing"},
      {"fromName", R"({"match": {"0": {"then": "1"}}, "else": "'a'"})", "'if' is missing"},
      {"fromName", R"({"match": {"0": {"if": "1", "then": "'a'"}}})", "'else' is missing"},
      {"fromName", R"({"match": {"a": {"if": "1", "then": "'a'"}}, "else": "'a'"})",
       "'a' is no number of a branch"},
      {"fromName", R"({"match": {"-1": {"if": "1", "then": "'a'"}}, "else": "'a'"})", "'-1' is no"},
      {"fromName", R"({"match": {"1": {"if": "1", "then": "'a'"}, "01": {}}, "else": "'a'"})",
       "two branches are number 1"},
      {"fromName", R"({"match": 5, "else": "'a'"})", "match is neither"},
      {"fromName", R"({"match": [5], "else": "'a'"})", "not of { if, then }"},
      {"fromName", R"({"match": [{"if": [], "then": "'a'"}], "else": "'a'"})", "no expression"},
      {"fromName", R"({"match": [{"else": "'a'"}], "else": "'b'"})", "a second 'else'"},
      {"fromName", R"([{"else": "'a'"}, {"if": "1", "then": "'b'"}])", "'else' is not the last"},
      {"fromName", R"({"else": "'a'", "otherwise": "'b'"})", "'otherwise' is not known"},
      {"fromName", R"({"else": "'a'", "else": "'b'"})", "'else' stands twice"},
      {"fromName", R"({"else": null})", "'else' is no expression"},
      {"fromName", R"({})", "'else' is missing"},
      {"fromName", R"({"else": ""})", "expected a value"},
      {"fromName", R"({"else": "'a' + rcpt_domian"})", "did you mean rcpt_domain?"},
      {"fromName", R"({"else": "'\u0000'"})", ""},
      {"fromName", R"({"match": [{"if": "1 +", "then": "'a'"}], "else": "5"})", "branch 1: "},
      {"fromName", R"({"match": [{"if": "1", "then": "'a'"}], "else": "5"})", "else: yields 5"},
      {"fromAddress", R"({"else": "'nobody'"})", "no mail address"},
      {"contactInfo", R"({"else": "'https://example.org'"})", "no mail address"},
      {"contactInfo", R"({"match": [{"if": "1", "then": "'a@example.org'"}], "else": "false"})",
       "else: yields "},
      {"sendFrequency", R"({"else": "fortnightly"})", "unknown name"},
      {"sendFrequency", R"({"else": "3"})", "none of hourly, daily, weekly and never"},
      {"maxReportSize", R"({"else": "-1"})", "no size"},
      {"maxReportSize", R"({"else": 1.5e7})", ""},
      {"dkimSignDomain", R"({"else": "false"})", "does not sign"},
      {"orgName", R"_({"else": "sql_query('s', 'select 1', [])"})_", "sql_query"},
      {"orgName", R"_({"else": "key_get('store', rcpt_domain)"})_", "[lookup.NAME]"},
  };
  for (const auto& [setting, value, want] : cases) {
    const auto text = "{\"" + setting + "\": " + value + "}";
    const auto told = told_of(text, setting);
    EXPECT_EQ(told.status, Status::kLeftOut) << text;
    EXPECT_THAT(told.reason, HasSubstr(want)) << text;
    const auto toml = toml_of(text);
    EXPECT_THAT(toml, HasSubstr("# " + setting + " is left out: ")) << text;
    EXPECT_THAT(toml, HasSubstr("#     " + setting + " = " + told.source)) << text;
    EXPECT_THAT(toml, HasSubstr("# Without it our default holds: ")) << text;
    EXPECT_THAT(toml, Not(HasSubstr("\n" + setting))) << text;
    EXPECT_EQ(testing_support::errors_of(testing_support::with_system(toml)), "") << text;
  }
}

TEST(Stalwart, ASettingThatStandsTwiceIsLeftOut) {
  const auto told =
      told_of(R"({"orgName": "'a'", "fromName": "'x'", "orgName": "'b'"})", "orgName");
  EXPECT_EQ(told.status, Status::kLeftOut);
  EXPECT_EQ(told.reason, "the source names it twice.");
}

TEST(Stalwart, WhatFollowsAControlCharacterStaysInTheComment) {
  const auto toml =
      toml_of(R"({"fromName": "5", "orgName": "'a\n[system]\r\u0085' +", "x\n[y]": 1})");
  EXPECT_EQ(testing_support::errors_of(testing_support::with_system(toml)), "") << toml;
  EXPECT_THAT(toml, Not(HasSubstr("\n[system]")));
  EXPECT_THAT(toml, Not(HasSubstr("\n[y]")));
}

TEST(Stalwart, ExpressionsStayWhatTheyAre) {
  const std::vector<std::string> expressions = {
      "'a'",
      "\"a\"",
      "'a\\.b'",
      "'it' + \"'s\"",
      "'a' + matches('^\\d+\"$', rcpt_domain)",
      "'a'\n + 'b'",
      "\t'tab'",
      "'Ünïcode ✓'",
      "\"'''\" + '\\\\'",
      "$0 + ''",
      "\"\\\\\"",
  };
  for (const auto& expression : expressions) {
    std::string json;
    for (const char c : expression) {
      if (c == '"' || c == '\\') json += '\\';
      if (c == '\n') {
        json += "\\n";
      } else if (c == '\t') {
        json += "\\t";
      } else {
        json += c;
      }
    }
    const auto toml = toml_of("{\"orgName\": {\"else\": \"" + json + "\"}}");
    const auto config = testing_support::config_of(toml);
    ASSERT_TRUE(config) << toml;
    const auto* rule = config->settings.common(Setting::kOrgName);
    ASSERT_NE(rule, nullptr) << toml;
    EXPECT_EQ(rule->block.otherwise.source(), expression) << toml;
  }
}

TEST(Stalwart, NumberedBranchesKeepTheOrderOfTheirNumbers) {
  const auto toml = toml_of(R"({"sendFrequency": {"match": {
      "10": {"if": "rcpt_domain == 'c'", "then": "never"},
      "2": {"if": "rcpt_domain == 'b'", "then": "weekly"},
      "0": {"if": "rcpt_domain == 'a'", "then": "hourly"}}, "else": "daily"}})");
  const auto config = testing_support::config_of(toml);
  ASSERT_TRUE(config);
  const auto& block = config->settings.common(Setting::kSendFrequency)->block;
  ASSERT_EQ(block.branches.size(), 3U);
  EXPECT_EQ(block.branches[0].condition.source(), "rcpt_domain == 'a'");
  EXPECT_EQ(block.branches[1].condition.source(), "rcpt_domain == 'b'");
  EXPECT_EQ(block.branches[2].condition.source(), "rcpt_domain == 'c'");
}

TEST(Stalwart, OfAbsentSettingsThoseAreWrittenWhoseDefaultsDiffer) {
  const auto objects = toml_of(R"({"TlsReportSettings": {}})");
  EXPECT_THAT(objects, HasSubstr("outboundReportSubmitter = \"system('hostname')\"\n"));
  EXPECT_THAT(objects, Not(HasSubstr("\nfromName")));
  EXPECT_THAT(objects, Not(HasSubstr("\nmaxReportSize")));
  const auto keys = toml_of("report.tls.aggregate.send = \"daily\"");
  EXPECT_THAT(keys, HasSubstr("outboundReportSubmitter = \"system('hostname')\"\n"));
  EXPECT_THAT(keys, HasSubstr("\nfromName      = \"'TLS Aggregate Report'\"\n"));
  EXPECT_THAT(keys, HasSubstr("\nmaxReportSize = \"26214400\"\n"));
  EXPECT_EQ(told_of(R"({"fromName": null, "orgName": "'a'"})", "fromName").status,
            Status::kDefault);
  EXPECT_EQ(told_of(R"({"contactInfo": {"else": "false"}})", "contactInfo").status,
            Status::kDefault);
}

TEST(Stalwart, KeysOf015HaveOtherNamesForTheSame) {
  struct Case {
    std::string line;
    std::string want;
  };
  const std::vector<Case> cases = {
      {"from-name = \"config_get('server.hostname')\"",
       "\nfromName      = \"system('hostname')\"\n"},
      {"from-name = \"key_get('default', \\\"domain\\\")\"",
       "\nfromName      = \"system('domain')\"\n"},
      {"from-name = \"'config_get(x)'\"", "\nfromName      = \"'config_get(x)'\"\n"},
      {"from-name = \"config_get( rcpt_domain )\"", "fromName is left out: config_get has no"},
      {"from-name = '''\"\\\" + config_get('x')\"'''", "fromName      = '''"},
      {"send = 0", "\nsendFrequency = \"never\"\n"},
      {"send = 2", "\nsendFrequency = \"hourly\"\n"},
      {"send = \"4\"", "\nsendFrequency = \"weekly\"\n"},
      {"send = false", "\nsendFrequency = \"never\"\n"},
      {"send = 1", "sendFrequency is left out: "},
      {"send = \"if_then(ends_with(rcpt_domain, 'day'), day, week)\"",
       "\"if_then(ends_with(rcpt_domain, 'day'), daily, weekly)\"\n"},
      {"sign = false", "dkimSignDomain is left out: Stalwart does not sign"},
      {"sign = \"['rsa-example.net', 'ed25519-example.net']\"", "= \"'example.net'\"\n"},
      {"sign = \"'rsa-' + config_get('report.domain')\"", "# report.tls.aggregate.sign: The sig"},
      {"sign = \"['rsa-a.example', 'rsa-b.example']\"", "dkimSignDomain is left out: it names"},
      {"sign = \"['rsa-' + rcpt_domain]\"", "dkimSignDomain is left out: it names"},
      {"sign = [\"rsa\"]", "dkimSignDomain is left out: it is a list"},
  };
  for (const auto& [line, want] : cases) {
    EXPECT_THAT(toml_of("[report.tls.aggregate]\n" + line + "\n"), HasSubstr(want)) << line;
  }
}

TEST(Stalwart, FlatKeysOf015MayStandInJson) {
  const auto toml = toml_of(R"({"data": {"items": {}}, "report.tls.aggregate.from-name": "'a'",
      "report.tls.aggregate.send.0000.if": "rcpt_domain == 'x'",
      "report.tls.aggregate.send.0000.then": "weekly",
      "report.tls.aggregate.send.0001.else": "daily",
      "report.submitter": "'mx.example.org'"})");
  EXPECT_THAT(toml, HasSubstr("{ if = \"rcpt_domain == 'x'\", then = \"weekly\" },\n  { else"));
  EXPECT_THAT(toml, HasSubstr("outboundReportSubmitter = \"'mx.example.org'\""));
}

TEST(Stalwart, TheSystemOfTheConfigurationCounts) {
  const std::string text = R"_({"fromAddress": {"else": "'tls@' + system('hostname')"}})_";
  EXPECT_EQ(told_of(text, "fromAddress").status, Status::kImported);
  const auto result = import_stalwart(text, "s", "example.org", "localhost");
  ASSERT_TRUE(result);
  EXPECT_THAT(result->toml, HasSubstr("fromAddress is left out: yields 'tls@localhost'"));
}

}  // namespace

}  // namespace rapporteur
