// [lookup.NAME], from the file to what expressions ask.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "config/config_fixture.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing_support::config_of;
using testing_support::errors_of;
using testing_support::TemporaryFiles;
using testing_support::with_system;

TEST(Lookups, AreReadFromKeysAndFiles) {
  const TemporaryFiles files;
  const auto path =
      files.write("partners", "# who\n\na.example\nb.example  gold partner \r\nc.example\tx\n");
  const auto config = config_of("[lookup.f]\nfile = \"" + path +
                                "\"\n[lookup.k]\nkeys = [\"x\", \"y\"]\n"
                                "[lookup.t]\nkeys = { x = \"1\", \"y z\" = \"2\" }\n");
  ASSERT_TRUE(config);
  const auto& lists = config->lookups->by_name;
  EXPECT_THAT(lists.at("f"), ElementsAre(Pair("a.example", ""), Pair("b.example", "gold partner"),
                                         Pair("c.example", "x")));
  EXPECT_THAT(lists.at("k"), ElementsAre(Pair("x", ""), Pair("y", "")));
  EXPECT_THAT(lists.at("t"), ElementsAre(Pair("x", "1"), Pair("y z", "2")));
}

TEST(Lookups, ReadNothingButRegularFiles) {
  for (const std::string path : {"/dev/zero", "/tmp"}) {
    EXPECT_THAT(errors_of(with_system("[lookup.l]\nfile = \"" + path + "\"\n")),
                HasSubstr("is no regular file"))
        << path;
  }
}

TEST(Configurations, AreReadUpToTheirGreatestSize) {
  const auto loaded = load_config("/dev/zero");
  EXPECT_EQ(loaded.config, nullptr);
  ASSERT_EQ(loaded.diagnostics.size(), 1U);
  EXPECT_THAT(loaded.diagnostics[0].message, HasSubstr("is larger than 16 MiB"));
}

// Each of them is allowed alone.
TEST(Configurations, MayNotTakeMoreThanSixteenMebibytesOfRegularExpressions) {
  std::string text = "[report.tls]\norgName = [\n";
  for (int i = 0; i < 400; ++i) {
    text += "{ if = \"matches('\\\\pL{40}" + std::to_string(i) +
            "', rcpt_domain)\", then = \"'x'\" },\n";
  }
  text += "{ else = \"'y'\" } ]\n";
  EXPECT_THAT(errors_of(with_system(text)), HasSubstr("take more than 16 MiB when compiled"));
}

TEST(Lookups, NameTheLineOfTheirFile) {
  const TemporaryFiles files;
  const auto error = [&](const std::string& list, const std::string& content) {
    const auto path = files.write("list", content);
    auto errors = errors_of(with_system("[lookup." + list + "]\nfile = \"" + path + "\"\n"));
    const auto begin = errors.find(path) + path.size();
    return errors.substr(begin, errors.find('\n') - begin);
  };
  EXPECT_EQ(error("local", "ok.example\nnot_ok.-\n"),
            ":2: 'not_ok.-' is no host name: a label begins or ends with '-'");
  EXPECT_EQ(error("any", "\n\na \xFF\n"), ":3: the line is not UTF-8");
  EXPECT_EQ(error("any", "a b\x1B[2J\n"), ":1: the line holds a control character");
}

std::string evaluated(const Config& config, Setting setting, const std::string& domain) {
  expr::MapEnvironment environment;
  environment.set("rcpt_domain", domain);
  const auto outcome = expr::evaluate(config.settings.rule(setting, domain)->block, environment);
  const auto* value = std::get_if<expr::Value>(&outcome);
  return value == nullptr ? std::get<expr::Failure>(outcome).message : expr::to_literal(*value);
}

TEST(Lookups, AnswerExpressions) {
  const auto config = config_of(R"~(
[report.tls]
sendWhen = "is_local_domain(rcpt_domain)"
fromName = "key_get('names', rcpt_domain)"
orgName = [ { if = "key_exists('partners', rcpt_domain)", then = "'partner'" }, { else = "'other'" } ]
[lookup.names]
keys = { "a.example" = "Example A" }
[lookup.partners]
keys = ["b.example"]
[lookup.local]
keys = ["Bücher.Example.", "a.example"]
)~");
  ASSERT_TRUE(config);
  EXPECT_EQ(evaluated(*config, Setting::kFromName, "a.example"), "'Example A'");
  EXPECT_EQ(evaluated(*config, Setting::kFromName, "b.example"), "''");
  EXPECT_EQ(evaluated(*config, Setting::kOrgName, "a.example"), "'other'");
  EXPECT_EQ(evaluated(*config, Setting::kOrgName, "b.example"), "'partner'");
  EXPECT_EQ(evaluated(*config, Setting::kSendWhen, "a.example"), "1");
  EXPECT_EQ(evaluated(*config, Setting::kSendWhen, "b.example"), "0");
}

TEST(Lookups, KnowLocalDomainsHoweverTheyAreWritten) {
  const auto config = config_of("[lookup.local]\nkeys = [\"Bücher.Example.\", \"a.example\"]\n");
  ASSERT_TRUE(config);
  const std::map<std::string, bool> want = {{"a.example", true},
                                            {"A.Example.", true},
                                            {"xn--bcher-kva.example", true},
                                            {"bücher.example", true},
                                            {"b.a.example", false},
                                            {"example", false},
                                            {"", false},
                                            {"not a domain", false},
                                            {"\xFF", false},
                                            {"a@a.example", false}};
  // The function may outlive the configuration.
  const auto is_local = config->lookups->is_local_domain;
  for (const auto& [domain, local] : want) EXPECT_EQ(is_local(domain), local) << domain;
}

TEST(Lookups, AreThereWithoutTheirTables) {
  const auto config = config_of("");
  ASSERT_TRUE(config);
  EXPECT_FALSE(config->lookups->is_local_domain("example.org"));
  EXPECT_TRUE(config->lookups->by_name.at("local").empty());
}

TEST(Lookups, MustBeConfiguredWhereTheyAreNamed) {
  EXPECT_EQ(errors_of(with_system("[report.tls]\nsendWhen = \"key_exists('prtners', 'a')\"\n"
                                  "[lookup.partners]\nkeys = []\n")),
            "r.toml:5:24: error: there is no lookup 'prtners'\n"
            "    sendWhen = \"key_exists('prtners', 'a')\"\n                           ^~~~~~~~~\n"
            "  did you mean partners?\n");
  // A list that was refused is not called missing.
  EXPECT_THAT(errors_of(with_system("[report.tls]\nsendWhen = \"key_exists('partners', 'a')\"\n"
                                    "[lookup]\npartners = 5\n")),
              testing::Not(HasSubstr("there is no lookup")));
}

}  // namespace
}  // namespace rapporteur
