#include "cli/cli_fixture.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Takes what is sent and gives one reply to all of it.
class ReportTestTest : public CliTest {
 protected:
  struct Sent {
    std::string from;  // of a mail
    std::string target;
    std::string payload;
  };

  class Mail final : public MailTransport {
   public:
    Mail(ReportTestTest& test, ConversationListener listener)
        : test_(test), listener_(std::move(listener)) {}
    Reply send(const std::string& from, const std::string& to, std::string_view message) override {
      listener_(Speaker::kUs, "RCPT TO:<" + to + ">");
      listener_(Speaker::kPeer, "250 ok");
      test_.sent.push_back({from, to, std::string(message)});
      return test_.reply;
    }
    Reply probe() override { return test_.reply; }

   private:
    ReportTestTest& test_;
    ConversationListener listener_;
  };

  class Https final : public HttpsTransport {
   public:
    explicit Https(ReportTestTest& test) : test_(test) {}
    Reply post(const std::string& url, std::string_view gz) override {
      test_.sent.push_back({"", url, std::string(gz)});
      return test_.reply;
    }

   private:
    ReportTestTest& test_;
  };

  ReportTestTest() {
    make_transports = [this](const Config&,
                             const ConversationListener& listener) -> Result<Transports> {
      return Transports{
          .mail = [this,
                   listener](const Interrupt&) { return std::make_unique<Mail>(*this, listener); },
          .https = [this](const Interrupt&) { return std::make_unique<Https>(*this); }};
    };
  }

  static Reply reply_of(Reply::Outcome outcome, const std::string& text) {
    return {outcome, Stage::kFinal, 0, text, {}};
  }

  Reply reply = reply_of(Reply::Outcome::kAccepted, "250 ok (end of data)");
  std::vector<Sent> sent;
};

TEST_F(ReportTestTest, AMailIsMarkedAndLeavesTheStoreAlone) {
  const auto outcome = run({"report", "test", "--to", "tls@A.Example"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].from, "noreply-tls@reporter.example");
  EXPECT_EQ(sent[0].target, "tls@a.example");
  EXPECT_THAT(sent[0].payload, HasSubstr("Subject: TEST: TLS Aggregate Report\r\n"));
  EXPECT_THAT(sent[0].payload, HasSubstr("TLS-Report-Domain: a.example\r\n"));
  EXPECT_THAT(sent[0].payload, HasSubstr("reporter.example (TEST)"));
  EXPECT_THAT(outcome.out,
              HasSubstr("\n> RCPT TO:<tls@a.example>\n< 250 ok\n250 ok (end of data)\n"));
  EXPECT_FALSE(std::filesystem::exists(folder / "store.db"));
}

TEST_F(ReportTestTest, APostIsTheReportOfYesterday) {
  const auto outcome =
      run({"report", "test", "--to", "https://r.example/v1", "--domain", "a.example", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].target, "https://r.example/v1");
  const auto text = gunzip(sent[0].payload, 1 << 20);
  ASSERT_TRUE(text);
  const auto report = OrderedJson::parse(*text);
  EXPECT_EQ(report["organization-name"], "reporter.example (TEST)");
  EXPECT_EQ(report["date-range"]["start-datetime"], "2026-11-19T00:00:00Z");
  EXPECT_EQ(report["date-range"]["end-datetime"], "2026-11-19T23:59:59Z");
  ASSERT_EQ(report["policies"].size(), 1U);
  EXPECT_EQ(report["policies"][0]["policy"]["policy-domain"], "a.example");
  EXPECT_EQ(report["policies"][0]["summary"]["total-successful-session-count"], 1);
  EXPECT_EQ(report["policies"][0]["summary"]["total-failure-session-count"], 1);
  const auto json = outcome.json();
  EXPECT_EQ(json["domain"], "a.example");
  EXPECT_EQ(json["deliveries"][0]["report-id"], report["report-id"]);
  EXPECT_EQ(json["deliveries"][0]["outcome"], "accepted");
  EXPECT_TRUE(json["deliveries"][0]["envelope-from"].is_null());
}

TEST_F(ReportTestTest, TheHostOfAUrlIsTheDomainUnlessAnotherIsNamed) {
  EXPECT_EQ(run({"report", "test", "--to", "https://r.example:8443/", "--json"}).json()["domain"],
            "r.example");
}

TEST_F(ReportTestTest, AnAddressInAUrlIsNoDomain) {
  for (const std::string host : {"192.0.2.1", "192.0.2.1:8443", "[2001:db8::1]", "[::1]:8443"}) {
    const auto to = "https://" + host + "/v1";
    const auto outcome = run({"report", "test", "--to", to});
    EXPECT_EQ(outcome.code, kExitUsage) << to;
    EXPECT_EQ(outcome.err, "rapporteur: --to '" + to +
                               "' names an address and no domain; --domain "
                               "names a recipient domain\n");
    EXPECT_EQ(run({"report", "test", "--to", to, "--domain", "a.example"}).code, 0) << to;
  }
  EXPECT_EQ(sent.size(), 4U);
}

TEST_F(ReportTestTest, SettingsOfTheDomainHold) {
  configure(
      "[report.tls.domain.\"a.example\"]\norgName = \"'Other'\"\nsubject = \"'Number ' + part\"\n");
  ASSERT_EQ(run({"report", "test", "--to", "mailto:tls@a.example"}).code, 0);
  EXPECT_THAT(sent[0].payload, HasSubstr("Subject: TEST: Number 1\r\n"));
  EXPECT_THAT(sent[0].payload, HasSubstr("Other (TEST)"));
}

struct Answered {
  const char* name;
  Reply::Outcome outcome;
  const char* want;
  const char* advice;
};
class ReportTestAnswer : public ReportTestTest, public testing::WithParamInterface<Answered> {};

TEST_P(ReportTestAnswer, IsExplained) {
  reply = reply_of(GetParam().outcome, "what was said");
  const auto outcome = run({"report", "test", "--to", "tls@a.example"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.out, HasSubstr("\nwhat was said\n" + std::string(GetParam().advice)));
  const auto json = run({"report", "test", "--to", "tls@a.example", "--json"}).json();
  EXPECT_EQ(json["deliveries"][0]["outcome"], GetParam().want);
  EXPECT_EQ(json["deliveries"][0]["response"], "what was said");
}

INSTANTIATE_TEST_SUITE_P(
    EachRefusal, ReportTestAnswer,
    testing::Values(Answered{"Later", Reply::Outcome::kTemporary, "temporary", "not accepted now"},
                    Answered{"Never", Reply::Outcome::kPermanent, "permanent", "refused for good"},
                    Answered{"Relay", Reply::Outcome::kRelayTrouble, "relay-trouble",
                             "the relay is in trouble; look at url"},
                    Answered{"Lost", Reply::Outcome::kUncertain, "uncertain",
                             "all was handed over"},
                    Answered{"Guard", Reply::Outcome::kRefusedByGuard, "refused-by-guard",
                             "nothing was connected to; [delivery.https] allow"}),
    [](const auto& test) { return test.param.name; });

TEST_F(ReportTestTest, NothingIsSentUnsigned) {
  write(config_path,
        "[system]\ndomain = \"reporter.example\"\n[store]\nurl = \"" + store_url() + "\"\n");
  const auto outcome = run({"report", "test", "--to", "tls@a.example"});
  EXPECT_NE(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("no [[dkim]] key"));
  EXPECT_TRUE(sent.empty());
}

TEST_F(ReportTestTest, WhatIsNoDestinationIsRefused) {
  for (const char* to : {"tls", "ftp://a.example/", "tls@localhost", "http://a.example/"}) {
    const auto outcome = run({"report", "test", "--to", to});
    EXPECT_EQ(outcome.code, kExitUsage) << to;
    EXPECT_THAT(outcome.err, StartsWith("rapporteur: --to '")) << to;
  }
  EXPECT_TRUE(sent.empty());
}

}  // namespace
}  // namespace rapporteur
