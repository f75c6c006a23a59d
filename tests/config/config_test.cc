#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "config/config_fixture.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing_support::advice_of;
using testing_support::config_of;
using testing_support::errors_of;
using testing_support::TemporaryFiles;
using testing_support::with_system;

TEST(Config, HasTheDocumentedDefaults) {
  const auto config = config_of("[ingest.datagram]\n[http]\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->path, "r.toml");
  EXPECT_EQ(config->domain, "example.org");
  EXPECT_EQ(config->store.url, "sqlite:/var/lib/rapporteur/rapporteur.db");
  EXPECT_EQ(config->store.flush_every, 1s);
  EXPECT_EQ(config->store.keep_reports, 30 * 24h);
  EXPECT_FALSE(config->store.node.empty());
  EXPECT_EQ(config->store.spill_max_bytes, std::int64_t{1} << 30);
  EXPECT_EQ(config->ingest.details_per_policy, 10000U);
  EXPECT_THAT(config->ingest.sending_ip, IsEmpty());
  EXPECT_EQ(config->ingest.datagram->path, "/run/rapporteur/tlsrpt.sock");
  EXPECT_EQ(config->ingest.datagram->mode, 0660U);
  EXPECT_EQ(config->http->listen, "127.0.0.1:8460");
  EXPECT_EQ(config->http->max_body_bytes, 100 << 20);
  EXPECT_EQ(config->http->max_connections, 256);
  EXPECT_EQ(config->schedule.grace, 60s);
  EXPECT_EQ(config->schedule.spread_weekly, 4h);
  EXPECT_EQ(config->dns.concurrency, 200);
  EXPECT_FALSE(config->delivery.first_only);
  EXPECT_EQ(config->delivery.retry_for, 24h);
  EXPECT_EQ(config->delivery.smtp.transport, MailTransportKind::kSmtp);
  EXPECT_EQ(config->delivery.smtp.tls, RelayTls::kOpportunistic);
  EXPECT_TRUE(config->delivery.https.verify);
  EXPECT_THAT(config->received.count, ElementsAre("dkim", "mta", "local", "https"));
  EXPECT_THAT(config->lookups->by_name, ElementsAre(Pair("local", IsEmpty())));
  EXPECT_EQ(config->log.level, LogLevel::kInfo);
  EXPECT_EQ(config->log.format, LogFormat::kText);
}

TEST(Config, HasNoSocketsWithoutTheirTables) {
  const auto config = config_of("");
  ASSERT_TRUE(config);
  EXPECT_FALSE(config->ingest.datagram);
  EXPECT_FALSE(config->http);
}

TEST(Config, ReadsUnits) {
  const auto config = config_of(
      "[schedule]\ngrace = \"1h30m\"\n[schedule.spread]\nhourly = \"0s\"\n"
      "[store]\nflushEvery = \"250ms\"\nspillMax = \"512KB\"\n[http]\nmaxBody = 2048\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->schedule.grace, 90min);
  EXPECT_EQ(config->schedule.spread_hourly, 0s);
  EXPECT_EQ(config->store.flush_every, 1s);
  EXPECT_EQ(config->store.spill_max_bytes, 512 * 1024);
  EXPECT_EQ(config->http->max_body_bytes, 2048);
}

TEST(Config, BringsNamesAndAddressesIntoOneForm) {
  const auto config = parse_config(R"(
[system]
domain = "Bücher.Example."
[ingest]
sendingIp = { "::ffff:10.0.0.5" = "2001:DB8:0::1" }
[dns]
servers = ["127.0.0.1", "::1", "[::1]:5353"]
[delivery.smtp]
url = "SMTP://Relay.Example:587/"
[delivery.https]
allow = ["Reports.LAN", "10.1.0.0/16", "::1"]
[received]
domains = ["EXAMPLE.org"]
[lookup.local]
keys = ["Bücher.example"]
)",
                                   "r.toml")
                          .config;
  ASSERT_TRUE(config);
  EXPECT_EQ(config->domain, "xn--bcher-kva.example");
  EXPECT_THAT(config->ingest.sending_ip, ElementsAre(Pair("10.0.0.5", "2001:db8::1")));
  EXPECT_THAT(config->dns.servers, ElementsAre("127.0.0.1:53", "[::1]:53", "[::1]:5353"));
  EXPECT_EQ(config->delivery.smtp.url, "smtp://relay.example:587");
  EXPECT_THAT(config->delivery.https.allow, ElementsAre("reports.lan", "10.1.0.0/16", "::1"));
  EXPECT_THAT(config->received.domains, ElementsAre("example.org"));
  EXPECT_THAT(config->lookups->by_name.at("local"), ElementsAre(Pair("xn--bcher-kva.example", "")));
}

TEST(Config, NamesThisHostIfTheFileDoesNot) {
  const auto config = parse_config("[system]\ndomain = \"example.org\"\n", "r.toml").config;
  ASSERT_TRUE(config);
  EXPECT_FALSE(config->hostname.empty());
  EXPECT_EQ(config->hostname, config->store.node);
}

TEST(Config, TellsEverythingInTheOrderOfTheFile) {
  EXPECT_EQ(errors_of(R"([log]
level = "loud"
[delivery]
rate = -1
[report.tls]
orgName = "1 +"
fromName = "rcpt_domian"
[ingest]
sendingip = {}
[dkim]
)"),
            R"(r.toml: error: system.domain is missing
  begin the file with [system], and name the domain that the reports come from: domain = "example.org"
r.toml:2:9: error: 'loud' is no value of log.level, which takes debug, info, warning, error
    level = "loud"
            ^~~~~~
r.toml:4:8: error: delivery.rate must be at least 0
    rate = -1
           ^~
r.toml:6:15: error: expected a value but the expression ends
    orgName = "1 +"
                  ^
r.toml:7:13: error: unknown name 'rcpt_domian'
    fromName = "rcpt_domian"
                ^~~~~~~~~~~
  did you mean rcpt_domain?
r.toml:9:1: error: unknown key 'sendingip' in [ingest]
    sendingip = {}
    ^~~~~~~~~
  did you mean sendingIp?
r.toml:10:1: error: dkim must be an array of tables, not a table
    [dkim]
    ^~~~~~
  write one [[dkim]] for each key
)");
}

TEST(Config, WantsTheDomainInItsTable) {
  EXPECT_EQ(errors_of("[system]\n"),
            "r.toml:1:2: error: system.domain is missing\n    [system]\n     ^~~~~~\n"
            "  name the domain that the reports come from: domain = \"example.org\"\n");
  EXPECT_EQ(errors_of("[system]\ndomain = \"localhost\"\n"),
            "r.toml:2:10: error: 'localhost' is no mail domain: it has only one label\n"
            "    domain = \"localhost\"\n             ^~~~~~~~~~~\n");
}

TEST(Config, WantsADomainThatItsDefaultsCanUse) {
  // Legal as a domain, but 'noreply-tls@' before it makes more than 254 bytes.
  const std::string label(63, 'a');
  const auto domain = label + "." + label + "." + label + "." + std::string(60, 'a');
  EXPECT_THAT(errors_of("[system]\ndomain = \"" + domain + "\"\n"),
              HasSubstr("r.toml:2:10: error: with this domain the default of fromAddress yields"));
}

TEST(Config, NamesAFileThatCannotBeRead) {
  const auto loaded = load_config("/nonexistent/rapporteur.toml");
  EXPECT_FALSE(loaded.config);
  ASSERT_EQ(loaded.diagnostics.size(), 1U);
  EXPECT_EQ(loaded.diagnostics[0].text(),
            "/nonexistent/rapporteur.toml: error: cannot open /nonexistent/rapporteur.toml: "
            "No such file or directory");
}

TEST(Config, IsReadFromAFile) {
  const TemporaryFiles files;
  const auto path = files.write("r.toml", with_system("[log]\nlevel = \"debug\"\n"));
  const auto loaded = load_config(path);
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(loaded.config->path, path);
  EXPECT_EQ(loaded.config->log.level, LogLevel::kDebug);
}

TEST(Config, RefusesSecretsThatEveryoneMayRead) {
  const TemporaryFiles files;
  const auto path = files.write("password", "secret\n", 0644);
  const auto text = "[delivery.smtp]\nusername = \"me\"\npasswordFile = \"" + path + "\"\n";
  const auto quoted = "\"" + path + "\"";
  EXPECT_EQ(errors_of(with_system(text)),
            "r.toml:6:16: error: every user of this machine may read " + path +
                "\n    passwordFile = " + quoted + "\n                   ^" +
                std::string(quoted.size() - 1, '~') + "\n  run: chmod o-rwx " + path + "\n");
  ::chmod(path.c_str(), 0640);
  EXPECT_EQ(errors_of(with_system(text)), "");
  files.write("password", " \n");
  EXPECT_THAT(errors_of(with_system(text)), HasSubstr("6:16: error: " + path + " is empty"));
}

TEST(Config, SendsAPasswordOnlyToAVerifiedRelay) {
  const TemporaryFiles files;
  const auto path = files.write("password", "secret\n");
  const auto text = [&](const std::string& url, const std::string& tls) {
    return with_system("[delivery.smtp]\nurl = \"" + url + "\"\nusername = \"me\"\ntls = \"" + tls +
                       "\"\npasswordFile = \"" + path + "\"\n");
  };
  EXPECT_EQ(errors_of(text("smtp://relay.example", "opportunistic")),
            "r.toml:6:12: error: a password would be sent to a relay that nobody has verified\n"
            "    username = \"me\"\n               ^~~~\n  set tls = \"required\"\n");
  EXPECT_NE(errors_of(text("smtps://relay.example", "opportunistic")), "");
  EXPECT_NE(errors_of(text("smtp://192.0.2.1", "none")), "");
  EXPECT_EQ(errors_of(text("smtp://relay.example", "required")), "");
  for (const auto* loopback : {"smtp://127.0.0.1:25", "smtp://[::1]", "smtp://localhost:587"}) {
    EXPECT_EQ(errors_of(text(loopback, "none")), "") << loopback;
  }
}

TEST(Config, TakesAPublicListenerWithItsFiles) {
  const TemporaryFiles files;
  const auto users = files.write("users", "script:{bearer}" + std::string(64, '0') + "\n");
  const auto paths = "certificate = \"" + files.key("listener.pem") + "\"\nkey = \"" +
                     files.key("listener.key") + "\"\n";
  EXPECT_EQ(errors_of(with_system("[http]\nlisten = \"0.0.0.0:1\"\ncredentials = \"" + users +
                                  "\"\n" + paths)),
            "");
  EXPECT_EQ(errors_of(with_system("[received]\nlisten = \"[::]:1\"\n" + paths)), "");
  EXPECT_EQ(errors_of(with_system("[received]\nlisten = \"127.0.0.2:0\"\n")), "");
}

std::string dkim(const std::string& domain, const std::string& selector, const std::string& key) {
  return "[[dkim]]\ndomain = \"" + domain + "\"\nselector = \"" + selector + "\"\nkey = \"" + key +
         "\"\n";
}

TEST(Config, LoadsKeys) {
  const TemporaryFiles files;
  const auto rsa = files.key("rsa2048.pem");
  const auto ed25519 = files.key("ed25519.pem");
  const auto text = dkim("Example.org", "S1", rsa) + dkim("example.org", "s2", ed25519);
  EXPECT_EQ(advice_of(with_system(text)), "");
  const auto config = config_of(text);
  ASSERT_TRUE(config);
  ASSERT_EQ(config->dkim.size(), 2U);
  EXPECT_EQ(config->dkim[0].domain, "example.org");
  EXPECT_EQ(config->dkim[0].selector, "s1");
  EXPECT_EQ(config->dkim[0].path, rsa);
  EXPECT_EQ(config->dkim[0].key.bits(), 2048);
  EXPECT_EQ(config->dkim[1].key.type(), PrivateKey::Type::kEd25519);
}

TEST(Config, RefusesKeysThatCannotSign) {
  const TemporaryFiles files;
  const auto error = [](const std::string& text) { return errors_of(with_system(text)); };
  const auto rsa = files.key("rsa512.pem");
  EXPECT_THAT(error(dkim("example.org", "a", rsa)),
              HasSubstr("r.toml:7:7: error: " + rsa + ": an RSA key of 512 bits; 1024 are"));
  const auto text = files.write("text", "no key");
  EXPECT_THAT(error(dkim("example.org", "a", text)),
              HasSubstr("r.toml:7:7: error: " + text + ": not an unencrypted private key"));
  const auto open = files.key("ed25519.pem");
  ::chmod(open.c_str(), 0644);
  EXPECT_THAT(error(dkim("example.org", "a", open)),
              HasSubstr("r.toml:7:7: error: every user of this machine may read it"));
  ::chmod(open.c_str(), 0600);
  EXPECT_EQ(error(dkim("example.org", "a", open) + dkim("EXAMPLE.org", "A", open)),
            "r.toml:10:12: error: a second key 'a' of 'example.org'\n"
            "    selector = \"A\"\n               ^~~\n");
}

TEST(ConfigAdvice, NamesShortKeys) {
  const TemporaryFiles files;
  const auto key = files.key("rsa1024.pem");
  const auto advice = advice_of(with_system(dkim("example.org", "a", key)));
  EXPECT_THAT(advice, HasSubstr("r.toml:7:7: advice: an RSA key of 1024 bits; RFC 8301 advises "
                                "2048 at least\n"));
}

TEST(ConfigAdvice, NamesASigningDomainWithoutKeys) {
  EXPECT_EQ(advice_of(with_system("")),
            "r.toml:2:10: advice: no [[dkim]] key signs for example.org: reports stay blocked\n"
            "    domain = \"example.org\"\n             ^~~~~~~~~~~~~\n"
            "  add a [[dkim]] table with a key of example.org; or set relaySigns = true\n");
  EXPECT_EQ(advice_of(with_system("[delivery.smtp]\nrelaySigns = true\n")), "");
  EXPECT_EQ(advice_of(with_system("[report.tls]\ndkimSignDomain = \"rcpt_domain\"\n")), "");
  EXPECT_EQ(advice_of(with_system("[report.tls]\ndkimSignDomain = 5\n")), "");
}

TEST(ConfigAdvice, NamesTheOverrideWithoutKeys) {
  const TemporaryFiles files;
  const auto keys = dkim("example.org", "a", files.key("ed25519.pem"));
  EXPECT_EQ(advice_of(with_system(keys + "[report.tls.domain.\"a.example\"]\n"
                                         "dkimSignDomain = \"'sub.example.org'\"\n")),
            "r.toml:9:18: advice: no [[dkim]] key signs for sub.example.org: reports stay "
            "blocked\n    dkimSignDomain = \"'sub.example.org'\"\n"
            "                     ^~~~~~~~~~~~~~~~~~~\n"
            "  add a [[dkim]] table with a key of sub.example.org; or set relaySigns = true\n");
}

constexpr const char* kSigned = "[delivery.smtp]\nrelaySigns = true\n[report]\n";

TEST(ConfigAdvice, NamesASubmitterOfAnotherDomain) {
  const auto advice = [](const std::string& rest) {
    return advice_of(with_system(kSigned + rest));
  };
  EXPECT_EQ(advice("outboundReportSubmitter = \"'other.example'\"\n"),
            "r.toml:7:27: advice: outboundReportSubmitter is other.example, but contactInfo is in "
            "example.org\n    outboundReportSubmitter = \"'other.example'\"\n"
            "                              ^~~~~~~~~~~~~~~~~\n"
            "  RFC 8460, section 5.3, wants one domain in both\n");
  EXPECT_EQ(advice("outboundReportSubmitter = \"'other.example'\"\n[report.tls]\n"
                   "contactInfo = \"'tls@other.example'\"\n"),
            "");
  EXPECT_EQ(advice("outboundReportSubmitter = \"rcpt_domain\"\n"), "");
}

TEST(ConfigAdvice, NamesASignatureOfAnotherDomain) {
  const auto advice = [](const std::string& rest) {
    return advice_of(with_system(kSigned + ("[report.tls]\n" + rest)));
  };
  EXPECT_EQ(advice("fromAddress = \"'tls@other.example'\"\n"),
            "r.toml:8:15: advice: reports come from other.example but are signed by example.org\n"
            "    fromAddress = \"'tls@other.example'\"\n                  ^~~~~~~~~~~~~~~~~~~~~\n"
            "  DMARC wants a signature of the domain in From\n");
  EXPECT_EQ(advice("fromAddress = \"'tls@mail.example.org'\"\n"), "");
  EXPECT_EQ(advice("dkimSignDomain = \"'mail.example.org'\"\n"), "");
  EXPECT_EQ(advice("fromAddress = \"'tls@' + rcpt_domain\"\n"), "");
}

TEST(ConfigDiagnostic, KeepsTheCaretUnderTabsAndWideText) {
  ConfigDiagnostic diagnostic;
  diagnostic.where = {"f", 3, 6};
  diagnostic.length = 3;
  diagnostic.line = "\t日e\xCC\x81 本x!";
  diagnostic.message = "what";
  EXPECT_EQ(diagnostic.text(), "f:3:6: error: what\n    \t日e\xCC\x81 本x!\n    \t    ^~~~");
  diagnostic.severity = expr::Severity::kAdvice;
  diagnostic.where.column = 99;
  diagnostic.line = "a\x01\x7F\xFF";
  diagnostic.length = 1;
  EXPECT_EQ(diagnostic.text(),
            "f:3:99: advice: what\n    a??\xEF\xBF\xBD\n    " + std::string(98, ' ') + "^");
}

}  // namespace
}  // namespace rapporteur
