// The configuration as config_text() shows it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/config_fixture.h"
#include "config/schema.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;
using testing_support::config_of;
using testing_support::shown;
using testing_support::TemporaryFiles;
using testing_support::with_system;

constexpr const char* kEverything = R"~(
[report]
outboundReportSubmitter = "'example.org'"
[report.tls]
subject = "'a \"quoted\" \\. \t part ' + part"
contactInfo = "'tls@example.org'"
envelopeFrom = "'tls+' + delivery_id + '@example.org'"
maxReportSize = 1_048_576
sendWhen = true
sendFrequency = [ { if = "ends_with(rcpt_domain, '.gov')", then = "hourly" }, { else = "daily" } ]
orgName.match.10 = { if = "rcpt_domain == 'b.example'", then = "'ten'" }
orgName.match.9 = { if = "rcpt_domain == 'a.example'", then = "'nine'" }
orgName.else = "'none'"
[report.tls.domain."*.Example.net"]
orgName = "'net'"
[report.tls.domain."empty.example.net"]
[ingest]
sendingIp = { "10.0.0.5" = "192.0.2.1" }
[ingest.datagram]
mode = "0600"
[http]
maxBody = "3mb"
[schedule]
spread = { hourly = "90s", daily = "0s" }
[delivery]
deliverTo = "first"
[delivery.smtp]
tls = "required"
relaySigns = true
[dns]
servers = ["127.0.0.1"]
[received]
count = []
onNewFailure = ["/bin/sh", "-c", "a \"b\" \\ c"]
[lookup.partners]
keys = ["b", "a"]
[lookup."with values"]
keys = { a = "1" }
[log]
level = "warning"
format = "json"
)~";

TEST(ConfigText, LoadsAgainAsTheSame) {
  const auto config = config_of(kEverything);
  ASSERT_TRUE(config);
  const auto text = config_text(*config);
  const auto again = parse_config(text, "again.toml");
  ASSERT_TRUE(again.config) << shown(again) << text;
  EXPECT_EQ(config_text(*again.config), text);
  EXPECT_EQ(again.config->settings.patterns(), config->settings.patterns());
  EXPECT_EQ(again.config->lookups->by_name, config->lookups->by_name);
  EXPECT_EQ(again.config->ingest.datagram->mode, 0600U);
  EXPECT_EQ(again.config->received.on_new_failure, config->received.on_new_failure);
  EXPECT_EQ(again.config->delivery.smtp.tls, RelayTls::kRequired);
}

TEST(ConfigText, ShowsEachWrittenForm) {
  const auto config = config_of(kEverything);
  ASSERT_TRUE(config);
  const auto text = config_text(*config);
  EXPECT_THAT(text, HasSubstr("maxReportSize = \"1048576\"\n"));
  EXPECT_THAT(text, HasSubstr("sendWhen = \"true\"\n"));
  EXPECT_THAT(text, HasSubstr(R"~(sendFrequency = [
  { if = "ends_with(rcpt_domain, '.gov')", then = "hourly" },
  { else = "daily" },
]
)~"));
  EXPECT_THAT(text, HasSubstr(R"~(orgName = [
  { if = "rcpt_domain == 'a.example'", then = "'nine'" },
  { if = "rcpt_domain == 'b.example'", then = "'ten'" },
  { else = "'none'" },
]
)~"));
  EXPECT_THAT(text, HasSubstr("[report.tls.domain.\"*.example.net\"]\norgName = \"'net'\"\n"));
  EXPECT_THAT(text, HasSubstr("[lookup.\"with values\"]\nkeys = { \"a\" = \"1\" }\n"));
  EXPECT_THAT(text, HasSubstr("maxBody = \"3mb\"\n"));
  EXPECT_THAT(text, HasSubstr("hourly = \"1m30s\"\ndaily = \"0s\"\n"));
}

TEST(ConfigText, ShowsNoSecrets) {
  const TemporaryFiles files;
  const auto password = files.write("password", "geheim\n");
  const auto key = files.key("ed25519.pem");
  const auto config = config_of(
      "[[dkim]]\ndomain = \"example.org\"\nselector = \"s\"\nkey = \"" + key +
      "\"\n[store]\nurl = \"postgresql://me:geheim@db.example/x?sslmode=require&password=geheim\"\n"
      "[delivery.https]\nproxy = \"http://me:geheim@proxy.example:3128\"\n"
      "[delivery.smtp]\nusername = \"me\"\npasswordFile = \"" +
      password + "\"\n");
  ASSERT_TRUE(config);
  const auto text = config_text(*config);
  EXPECT_EQ(text.find("geheim"), text.npos) << text;
  EXPECT_EQ(text.find("PRIVATE KEY"), text.npos);
  EXPECT_THAT(text, HasSubstr("key = \"" + key + "\"\n"));
  EXPECT_THAT(text, HasSubstr("passwordFile = \"" + password + "\"\n"));
  EXPECT_THAT(
      text, HasSubstr("url = \"postgresql://me:***@db.example/x?sslmode=require&password=***\"\n"));
  EXPECT_TRUE(parse_config(text, "again.toml").config);
}

TEST(ConfigText, ShowsEveryKeyThatHasAValue) {
  const auto config = config_of("[ingest.datagram]\n[http]\n");
  ASSERT_TRUE(config);
  const auto text = config_text(*config);
  for (const auto& spec : key_specs()) {
    if (std::holds_alternative<std::monostate>(spec.slot)) continue;
    EXPECT_THAT(text, HasSubstr("\n" + std::string(spec.key) + " = ")) << full_name(spec);
  }
}

}  // namespace
}  // namespace rapporteur
