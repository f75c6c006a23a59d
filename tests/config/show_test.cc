// config_text(), and that the schema, docs/configuration.md and the installed file say the same.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/text.h"
#include "config/config_fixture.h"
#include "config/schema.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;
using testing_support::config_of;
using testing_support::shown;
using testing_support::TemporaryFiles;
using testing_support::with_system;

std::string content_of(const std::string& path) {
  std::ifstream file(std::string(SOURCE_ROOT) + "/" + path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

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

// The lines between the heading of a table and the next one.
std::vector<std::string> section(const std::string& text, const std::string& heading,
                                 std::string_view next) {
  std::vector<std::string> lines;
  bool inside = false;
  for (const auto line : split(text, '\n')) {
    if (line == heading) {
      inside = true;
    } else if (inside && line.starts_with(next)) {
      break;
    } else if (inside) {
      lines.emplace_back(line);
    }
  }
  return lines;
}

std::string heading_in_docs(std::string_view table) {
  if (table == "dkim") return "## [[dkim]]";
  if (table == "lookup") return "## [lookup.NAME]";
  return "## [" + std::string(table) + "]";
}

TEST(ConfigurationPage, DescribesEveryKeyWithItsDefault) {
  const auto page = content_of("docs/configuration.md");
  for (const auto& spec : key_specs()) {
    std::string found;
    for (const auto& line : section(page, heading_in_docs(spec.table), "## ")) {
      if (line.starts_with("| `" + std::string(spec.key) + "` |")) found = line;
    }
    EXPECT_FALSE(found.empty()) << full_name(spec) << " is not on the page";
    auto fallback = default_as_toml(spec);
    if (spec.required) fallback = "required";
    EXPECT_THAT(found, HasSubstr(fallback)) << full_name(spec);
  }
}

TEST(ConfigurationPage, DescribesNoKeyThatDoesNotExist) {
  const auto page = content_of("docs/configuration.md");
  for (const auto& table : table_specs()) {
    for (const auto& line : section(page, heading_in_docs(table.name), "##")) {
      if (!line.starts_with("| `")) continue;
      const auto key = line.substr(3, line.find('`', 3) - 3);
      EXPECT_NE(find_key_spec(table.name, key), nullptr) << table.name << "." << key;
    }
  }
}

TEST(ConfigurationPage, HasExamplesThatLoad) {
  int examples = 0;
  std::string example;
  bool inside = false;
  const auto page = content_of("docs/configuration.md");
  for (const auto line : split(page, '\n')) {
    if (line == "```toml") {
      inside = true;
      example.clear();
    } else if (inside && line == "```") {
      inside = false;
      ++examples;
      EXPECT_TRUE(config_of("[report.tls]\n" + example)) << example;
    } else if (inside) {
      example += std::string(line) + "\n";
    }
  }
  EXPECT_EQ(examples, 3);
}

TEST(InstalledFile, Loads) {
  const auto loaded = parse_config(content_of("config/rapporteur.toml"), "rapporteur.toml");
  ASSERT_TRUE(loaded.config) << shown(loaded);
  ASSERT_EQ(loaded.diagnostics.size(), 1U) << shown(loaded);
  EXPECT_THAT(loaded.diagnostics[0].message, HasSubstr("no [[dkim]] key"));
  EXPECT_TRUE(loaded.config->ingest.datagram);
  EXPECT_EQ(loaded.config->settings.rule(Setting::kSubject, "a.example")->block.otherwise.source(),
            "'Report Domain: ' + rcpt_domain + ' Submitter: ' + submitter + ' Report-ID: <' + "
            "report_id + '>'");
}

// A file whose every disabled line is enabled.
std::string all_enabled(const std::string& text) {
  std::string enabled;
  for (const auto line : split(text, '\n')) {
    const bool disabled = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    enabled += std::string(line.substr(disabled ? 1 : 0)) + "\n";
  }
  return enabled;
}

TEST(InstalledFile, NamesEveryKeyWithItsDefault) {
  const auto text = all_enabled(content_of("config/rapporteur.toml"));
  for (const auto& spec : key_specs()) {
    if (spec.table == "lookup") continue;
    const auto header = spec.table == "dkim" ? "[[dkim]]" : "[" + std::string(spec.table) + "]";
    std::string found;
    for (const auto& line : section(text, header, "[")) {
      if (line.starts_with(std::string(spec.key) + " = ")) found = line;
    }
    EXPECT_FALSE(found.empty()) << full_name(spec) << " is not in the file";
    const auto fallback = default_as_toml(spec);
    if (fallback.empty() || spec.key == "subject") continue;
    EXPECT_EQ(found, std::string(spec.key) + " = " + fallback);
  }
}

TEST(InstalledFile, LoadsWithEveryLineEnabled) {
  const TemporaryFiles files;
  auto text = all_enabled(content_of("config/rapporteur.toml"));
  const std::string path = "/etc/rapporteur/example.org.pem";
  text.replace(text.find(path + "\"\n"), path.size(), files.key("ed25519.pem"));
  const auto loaded = parse_config(text, "rapporteur.toml");
  EXPECT_TRUE(loaded.config);
  EXPECT_EQ(shown(loaded), "");
}

TEST(Config, LoadsThousandsOfOverridesInLinearTime) {
  const auto text_of = [](int overrides) {
    auto text = with_system("");
    for (int i = 0; i < overrides; ++i) {
      text += "[report.tls.domain.\"" + std::string(i % 2 == 0 ? "*." : "") + "d" +
              std::to_string(i) + ".example\"]\nsendFrequency = \"weekly\"\n";
    }
    return text;
  };
  const auto seconds_for = [&](int overrides) {
    const auto text = text_of(overrides);
    const auto begin = std::clock();  // of this process: others may be busy
    const auto loaded = parse_config(text, "r.toml");
    const auto end = std::clock();
    EXPECT_TRUE(loaded.config);
    EXPECT_EQ(loaded.config->settings.patterns().size(), static_cast<std::size_t>(overrides));
    return static_cast<double>(end - begin) / CLOCKS_PER_SEC;
  };
  const auto few = seconds_for(1000);
  const auto many = seconds_for(5000);
  RecordProperty("milliseconds", static_cast<int>(many * 1000));
  EXPECT_LT(many, few * 20) << "five times as many";
}

}  // namespace
}  // namespace rapporteur
