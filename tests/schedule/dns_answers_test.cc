#include "schedule/dns_answers.h"

#include <gmock/gmock.h>

#include "schedule/schedule_fixture.h"
#include "support/table_resolver.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::config_of;
using testing_support::TableResolver;

constexpr const char* kAsking =
    "[report.tls]\n"
    "orgName = \"dns_query(rcpt_domain, 'mx')[0]\"\n"
    "fromName = \"dns_query(dns_query(rcpt_domain, 'mx')[0], 'txt')\"\n";

std::string text(const Config& config, Setting setting, const std::string& domain, expr::Dns* dns) {
  const auto value =
      text_setting(config, setting, {.domain = domain, .delivery_id = {}, .dns = dns});
  return value ? *value : "error: " + value.error().text;
}

TEST(DnsAnswers, GivesWhatTheResolverSays) {
  TableResolver resolver;
  resolver.say(DnsType::kTxt, "a.example", {"one", "two"});
  resolver.say(DnsType::kMx, "a.example", {"mx1.example", "mx2.example"});
  resolver.say(DnsType::kIpv4, "a.example", {"192.0.2.1"});
  resolver.say(DnsType::kIpv6, "a.example", {"2001:db8::1"});
  resolver.say(DnsType::kPtr, "192.0.2.1", {"a.example"});
  DnsAnswers dns(resolver);
  EXPECT_THAT(dns.query("a.example", expr::DnsType::kTxt).records, ElementsAre("one", "two"));
  EXPECT_THAT(dns.query("a.example", expr::DnsType::kMx).records,
              ElementsAre("mx1.example", "mx2.example"));
  EXPECT_THAT(dns.query("a.example", expr::DnsType::kIp).records,
              ElementsAre("192.0.2.1", "2001:db8::1"));
  EXPECT_THAT(dns.query("a.example", expr::DnsType::kIpv4).records, ElementsAre("192.0.2.1"));
  EXPECT_THAT(dns.query("a.example", expr::DnsType::kIpv6).records, ElementsAre("2001:db8::1"));
  EXPECT_THAT(dns.query("192.0.2.1", expr::DnsType::kPtr).records, ElementsAre("a.example"));
}

TEST(DnsAnswers, TellsNothingThereFromNothingKnown) {
  TableResolver resolver;
  resolver.fail(DnsType::kMx, "silent.example", "SERVFAIL");
  resolver.say(DnsType::kIpv4, "half.example", {"192.0.2.1"});
  resolver.fail(DnsType::kIpv6, "half.example", "SERVFAIL");
  DnsAnswers dns(resolver);
  EXPECT_EQ(dns.query("a.example", expr::DnsType::kMx).problem, "");
  EXPECT_THAT(dns.query("a.example", expr::DnsType::kMx).records, IsEmpty());
  EXPECT_EQ(dns.query("half.example", expr::DnsType::kIp).problem, "SERVFAIL");
}

TEST(DnsAnswers, AsksEveryQuestionOnce) {
  TableResolver resolver;
  resolver.fail(DnsType::kMx, "silent.example", "SERVFAIL");
  DnsAnswers dns(resolver);
  for (int i = 0; i < 3; ++i) dns.query("a.example", expr::DnsType::kMx);
  for (int i = 0; i < 3; ++i) dns.query("silent.example", expr::DnsType::kMx);
  EXPECT_THAT(resolver.asked, ElementsAre("a.example", "silent.example"));
}

TEST(DnsAnswers, StopsAskingOnceTheDnsIsSilent) {
  TableResolver resolver;
  const DnsAnswer silence{.status = DnsAnswer::Status::kTemporary,
                          .problem = "no answer within 10s",
                          .timed_out = true};
  for (const std::string name : {"a.example", "b.example", "c.example", "d.example"}) {
    resolver.set(DnsType::kMx, name, silence);
  }
  DnsAnswers dns(resolver);
  for (const std::string name : {"a.example", "b.example", "c.example"}) {
    EXPECT_EQ(dns.query(name, expr::DnsType::kMx).problem, "no answer within 10s");
  }
  EXPECT_NE(dns.query("d.example", expr::DnsType::kMx).problem, "");
  EXPECT_THAT(resolver.asked, ElementsAre("a.example", "b.example", "c.example"));
}

TEST(DnsAnswers, AsksOnAfterAFailureThatCameAtOnce) {
  TableResolver resolver;
  for (int i = 0; i < 10; ++i) {
    resolver.fail(DnsType::kMx, "broken" + std::to_string(i) + ".example", "SERVFAIL");
  }
  resolver.say(DnsType::kMx, "a.example", {"mx.a.example"});
  DnsAnswers dns(resolver);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(dns.query("broken" + std::to_string(i) + ".example", expr::DnsType::kMx).problem,
              "SERVFAIL");
  }
  EXPECT_THAT(dns.query("a.example", expr::DnsType::kMx).records, ElementsAre("mx.a.example"));
}

TEST(DnsAnswers, PreparesAllQuestionsInOneBatchForEachLevel) {
  TableResolver resolver;
  std::vector<Question> questions;
  for (const std::string name : {"a.example", "b.example", "c.example"}) {
    resolver.say(DnsType::kMx, name, {"mx." + name});
    resolver.say(DnsType::kTxt, "mx." + name, {"host of " + name});
    questions.push_back({.domain = name, .delivery_id = {}});
  }
  const auto config = config_of(kAsking);
  DnsAnswers dns(resolver);
  dns.prepare(*config, questions);
  EXPECT_EQ(resolver.calls, 2);
  EXPECT_EQ(resolver.asked.size(), 6U);
  EXPECT_EQ(text(*config, Setting::kOrgName, "b.example", &dns), "mx.b.example");
  EXPECT_EQ(text(*config, Setting::kFromName, "c.example", &dns), "host of c.example");
  EXPECT_EQ(resolver.calls, 2);
}

TEST(DnsAnswers, PreparesSilenceToo) {
  TableResolver resolver;
  resolver.fail(DnsType::kMx, "a.example", "SERVFAIL");
  resolver.say(DnsType::kMx, "b.example", {"mx.b.example"});
  const std::vector<Question> questions = {{.domain = "a.example", .delivery_id = {}},
                                           {.domain = "b.example", .delivery_id = {}}};
  const auto config = config_of("[report.tls]\norgName = \"dns_query(rcpt_domain, 'mx')[0]\"\n");
  DnsAnswers dns(resolver);
  dns.prepare(*config, questions);
  EXPECT_THAT(text(*config, Setting::kOrgName, "a.example", &dns), testing::HasSubstr("SERVFAIL"));
  EXPECT_EQ(text(*config, Setting::kOrgName, "b.example", &dns), "mx.b.example");
  EXPECT_EQ(resolver.calls, 1);
}

TEST(DnsAnswers, PreparesNothingWhereNoSettingAsks) {
  TableResolver resolver;
  DnsAnswers dns(resolver);
  const std::vector<Question> questions = {{.domain = "a.example", .delivery_id = {}}};
  dns.prepare(*config_of(""), questions);
  EXPECT_EQ(resolver.calls, 0);
}

}  // namespace
}  // namespace rapporteur
