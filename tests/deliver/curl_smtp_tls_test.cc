#include "deliver/curl_smtp.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "deliver/smtp_setup.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using Outcome = Reply::Outcome;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

using Tls = SmtpOptions::Tls;

ScriptedSmtp::Script offering(const std::string& extension) {
  return {{"EHLO", {"250-relay.example\r\n250 " + extension}}};
}

TEST(CurlSmtpTls, OpportunisticUsesStarttlsWithAnUnverifiedCertificate) {
  const TestCertificate certificate;
  ScriptedSmtp server(offering("STARTTLS"), certificate.server());
  EXPECT_EQ(send_once(options_for(server.url())).outcome, Outcome::kAccepted);
  EXPECT_THAT(server.commands(), Contains("STARTTLS"));
  EXPECT_THAT(server.messages(), SizeIs(1));
}

TEST(CurlSmtpTls, NoneNeverAsksForStarttls) {
  const TestCertificate certificate;
  ScriptedSmtp server(offering("STARTTLS"), certificate.server());
  EXPECT_EQ(send_once(options_for(server.url(), Tls::kNone)).outcome, Outcome::kAccepted);
  EXPECT_THAT(server.commands(), Not(Contains("STARTTLS")));
}

struct HandshakeCase {
  const char* name;
  const char* answer;  // to STARTTLS, and what follows it
};
class FailedHandshake : public testing::TestWithParam<HandshakeCase> {};

TEST_P(FailedHandshake, OpportunisticGoesOnInClearInTheSameAttempt) {
  auto script = offering("STARTTLS");
  script["STARTTLS"] = {GetParam().answer};
  script["\x16\x03\x01"] = {ScriptedSmtp::kDrop};
  ScriptedSmtp server(script);
  const Interrupt interrupt;
  {
    auto options = options_for(server.url());
    options.connect_timeout = 500ms;
    const auto transport = make_smtp_transport(options, interrupt);
    EXPECT_EQ(transport->send(kFrom, kTo, kMessage).outcome, Outcome::kAccepted);
    // The next message neither repeats the handshake nor needs another connection.
    EXPECT_EQ(transport->send(kFrom, kTo, kMessage).outcome, Outcome::kAccepted);
  }
  EXPECT_EQ(server.connections(), 2);
  EXPECT_THAT(server.messages(), SizeIs(2));
}

TEST_P(FailedHandshake, RequiredStaysTroubleOfTheRelay) {
  auto script = offering("STARTTLS");
  script["STARTTLS"] = {GetParam().answer};
  ScriptedSmtp server(script);
  auto options = options_for(server.url(), Tls::kRequired);
  options.connect_timeout = 500ms;
  const auto reply = send_once(options);
  EXPECT_EQ(reply.outcome, Outcome::kRelayTrouble);
  EXPECT_EQ(reply.stage, Stage::kStarttls);
  EXPECT_EQ(server.connections(), 1);
  EXPECT_THAT(server.messages(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(After220, FailedHandshake,
                         testing::Values(HandshakeCase{"Garbage",
                                                       "220 go ahead\r\nthis is no TLS at all"},
                                         HandshakeCase{"NothingButSilence", "220 go ahead"}),
                         [](const auto& test) { return test.param.name; });

TEST(CurlSmtpTls, OpportunisticGoesOnWhenStarttlsIsRefused) {
  auto script = offering("STARTTLS");
  script["STARTTLS"] = {"454 4.7.0 not available"};
  ScriptedSmtp server(script);
  EXPECT_EQ(send_once(options_for(server.url())).outcome, Outcome::kAccepted);
}

TEST(CurlSmtpTls, RequiredNeedsStarttls) {
  ScriptedSmtp server({});
  const auto reply = send_once(options_for(server.url(), Tls::kRequired));
  EXPECT_EQ(reply.outcome, Outcome::kRelayTrouble);
  EXPECT_EQ(reply.stage, Stage::kEhlo);
  EXPECT_THAT(reply.text, HasSubstr("STARTTLS"));
  EXPECT_THAT(server.messages(), IsEmpty());
}

TEST(CurlSmtpTls, RequiredVerifiesChainAndName) {
  const TestCertificate certificate;
  const TestCertificate other;
  for (const bool implicit : {false, true}) {
    ScriptedSmtp server(offering("STARTTLS"), certificate.server(), implicit);
    auto options = options_for(server.url("localhost"), Tls::kRequired);
    options.ca_file = certificate.path();
    EXPECT_EQ(send_once(options).outcome, Outcome::kAccepted);
    options.ca_file = other.path();
    EXPECT_EQ(send_once(options).outcome, Outcome::kRelayTrouble) << "a chain that is not trusted";
    options.ca_file = certificate.path();
    options.url = server.url("127.0.0.2");
    EXPECT_EQ(send_once(options).outcome, Outcome::kRelayTrouble) << "another name";
    EXPECT_THAT(server.messages(), SizeIs(1));
  }
}

TEST(CurlSmtpTls, SmtpsIsTlsFromTheFirstByte) {
  const TestCertificate certificate;
  ScriptedSmtp server({}, certificate.server(), true);
  EXPECT_EQ(send_once(options_for(server.url())).outcome, Outcome::kAccepted);
  EXPECT_THAT(server.commands(), Not(Contains("STARTTLS")));
}

TEST(CurlSmtpAuth, SaysUserAndPassword) {
  ScriptedSmtp server(offering("AUTH PLAIN LOGIN"));
  auto options = options_for(server.url());
  options.username = "me";
  options.password = "secret";
  EXPECT_EQ(send_once(options).outcome, Outcome::kAccepted);
  EXPECT_THAT(server.commands(), Contains(base64(std::string("\0me\0secret", 10))));
}

TEST(CurlSmtpAuth, ARefusedPasswordIsTroubleOfTheRelay) {
  auto script = offering("AUTH PLAIN");
  script["AUTH"] = {"535 5.7.8 authentication failed"};
  ScriptedSmtp server(script);
  auto options = options_for(server.url());
  options.username = "me";
  options.password = "wrong";
  const auto reply = send_once(options);
  EXPECT_EQ(reply.outcome, Outcome::kRelayTrouble);
  EXPECT_EQ(reply.text, "535 5.7.8 authentication failed (AUTH)");
  EXPECT_THAT(reply.text, Not(HasSubstr("wrong")));
}

TEST(CurlSmtpAuth, ARelayThatDoesNotOfferItIsInTroubleBeforeAnyMailIsBegun) {
  ScriptedSmtp server({});
  auto options = options_for(server.url());
  options.username = "me";
  options.password = "secret";
  const auto reply = send_once(options);
  EXPECT_EQ(reply.outcome, Outcome::kRelayTrouble);
  EXPECT_THAT(reply.text, StartsWith("the relay does not offer AUTH"));
  server.close();
  EXPECT_THAT(server.commands(), Not(Contains(StartsWith("MAIL"))));
}

TEST(CurlSmtpProbe, GoesAsFarAsAuthAndSendsNothing) {
  ScriptedSmtp server(offering("AUTH PLAIN"));
  auto options = options_for(server.url());
  options.username = "me";
  options.password = "secret";
  const Interrupt interrupt;
  const auto transport = make_smtp_transport(options, interrupt);
  const auto reply = transport->probe();
  EXPECT_EQ(reply.outcome, Outcome::kAccepted);
  EXPECT_EQ(reply.text, "250 2.0.0 ok (AUTH)");
  EXPECT_EQ(transport->send(kFrom, kTo, kMessage).outcome, Outcome::kAccepted);
  EXPECT_EQ(server.connections(), 1);
}

TEST(CurlSmtpProbe, SaysWhatIsWrong) {
  ScriptedSmtp server(answering("greeting", {"554 5.3.2 go away"}));
  const Interrupt interrupt;
  const auto reply = make_smtp_transport(options_for(server.url()), interrupt)->probe();
  EXPECT_EQ(reply.outcome, Outcome::kRelayTrouble);
  EXPECT_EQ(reply.text, "554 5.3.2 go away (greeting)");
}

}  // namespace
}  // namespace rapporteur
