#include "deliver/curl_smtp.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "deliver/scripted_smtp.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using Outcome = Reply::Outcome;
using Tls = SmtpOptions::Tls;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using testing_support::DeadPort;
using testing_support::LoopbackServer;
using testing_support::Peer;
using testing_support::ScriptedSmtp;
using testing_support::TestCertificate;

constexpr const char* kFrom = "noreply-tls@example.org";
constexpr const char* kTo = "tls-reports@example.com";
constexpr const char* kMessage = "Subject: x\r\n\r\nbody\r\n";

SmtpOptions options_for(const std::string& url, Tls tls = Tls::kOpportunistic) {
  SmtpOptions options;
  options.url = url;
  options.tls = tls;
  options.ehlo_name = "mail.example.org";
  options.connect_timeout = 5s;
  options.reply_timeout = 5s;
  options.final_timeout = 5s;
  return options;
}

ScriptedSmtp::Script answering(const std::string& step, std::deque<std::string> answers) {
  ScriptedSmtp::Script script;
  script[step] = std::move(answers);
  return script;
}

Reply send_once(const SmtpOptions& options, std::string_view message = kMessage) {
  const Interrupt interrupt;
  return make_smtp_transport(options, interrupt)->send(kFrom, kTo, message);
}

TEST(CurlSmtp, SubmitsOneMessageToOneRecipient) {
  ScriptedSmtp server({});
  const auto reply = send_once(options_for(server.url()));
  EXPECT_EQ(reply.outcome, Outcome::kAccepted);
  EXPECT_EQ(reply.stage, Stage::kFinal);
  EXPECT_EQ(reply.code, 250);
  EXPECT_EQ(reply.text, "250 2.0.0 queued as 1 (end of data)");
  server.close();
  EXPECT_THAT(server.commands(),
              ElementsAre("EHLO mail.example.org", "MAIL FROM:<noreply-tls@example.org>",
                          "RCPT TO:<tls-reports@example.com>", "DATA", "QUIT"));
  EXPECT_THAT(server.messages(), ElementsAre(kMessage));
}

TEST(CurlSmtp, ReusesItsConnection) {
  ScriptedSmtp server({});
  const Interrupt interrupt;
  {
    const auto transport = make_smtp_transport(options_for(server.url()), interrupt);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(transport->send(kFrom, kTo, kMessage).outcome, Outcome::kAccepted);
    }
  }
  EXPECT_EQ(server.connections(), 1);
  EXPECT_THAT(server.messages(), SizeIs(3));
}

TEST(CurlSmtp, KeepsEveryByteOfALargeMessageWithLeadingDots) {
  std::string message = "Subject: x\r\n\r\n";
  while (message.size() < 400'000)
    message += ".\r\n..dots\r\nline " + std::string(60, 'x') + "\r\n";
  ScriptedSmtp server({});
  EXPECT_EQ(send_once(options_for(server.url()), message).outcome, Outcome::kAccepted);
  server.close();
  ASSERT_THAT(server.messages(), SizeIs(1));
  EXPECT_TRUE(server.messages().front() == message);
}

struct StageCase {
  const char* name;
  ScriptedSmtp::Script script;
  Outcome want;
  Stage stage;
  int code;
  const char* text;  // how it begins
};
void PrintTo(const StageCase& stage, std::ostream* out) {
  *out << stage.name;
}
class RelayAnswer : public testing::TestWithParam<StageCase> {};

TEST_P(RelayAnswer, IsJudgedByItsStage) {
  const auto& test = GetParam();
  ScriptedSmtp server(test.script);
  const auto reply = send_once(options_for(server.url()));
  EXPECT_EQ(reply.outcome, test.want);
  EXPECT_EQ(reply.stage, test.stage);
  EXPECT_EQ(reply.code, test.code);
  EXPECT_THAT(reply.text, AllOf(StartsWith(test.text),
                                EndsWith("(" + std::string(to_string(test.stage)) + ")")));
  server.close();
  const bool reached_the_end = test.stage == Stage::kFinal;
  EXPECT_THAT(server.messages(), SizeIs(reached_the_end ? 1 : 0));
}

INSTANTIATE_TEST_SUITE_P(
    Refusal, RelayAnswer,
    testing::Values(StageCase{"Greeting",
                              {{"greeting", {"554 5.3.2 go away"}}},
                              Outcome::kRelayTrouble,
                              Stage::kGreeting,
                              554,
                              "554 5.3.2 go away"},
                    StageCase{"GreetingLater",
                              {{"greeting", {"421 4.3.2 busy"}}},
                              Outcome::kRelayTrouble,
                              Stage::kGreeting,
                              421,
                              "421 4.3.2 busy"},
                    StageCase{"Ehlo",
                              {{"EHLO", {"550 no"}}, {"HELO", {"550 neither"}}},
                              Outcome::kRelayTrouble,
                              Stage::kEhlo,
                              550,
                              "550 neither"},
                    StageCase{"Sender",
                              {{"MAIL", {"553 5.1.8 bad sender"}}},
                              Outcome::kRelayTrouble,
                              Stage::kMailFrom,
                              553,
                              "553 5.1.8 bad sender"},
                    StageCase{"SenderLater",
                              {{"MAIL", {"452 4.3.1 disk full"}}},
                              Outcome::kRelayTrouble,
                              Stage::kMailFrom,
                              452,
                              "452 4.3.1 disk full"},
                    StageCase{"Recipient",
                              {{"RCPT", {"550-5.1.1 no such\r\n550 5.1.1 user"}}},
                              Outcome::kPermanent,
                              Stage::kRcptTo,
                              550,
                              "550 5.1.1 no such user"},
                    StageCase{"RecipientLater",
                              {{"RCPT", {"450 4.2.0 greylisted"}}},
                              Outcome::kTemporary,
                              Stage::kRcptTo,
                              450,
                              "450 4.2.0 greylisted"},
                    StageCase{"Data",
                              {{"DATA", {"554 5.5.1 no valid recipients"}}},
                              Outcome::kPermanent,
                              Stage::kData,
                              554,
                              "554 5.5.1 no valid recipients"},
                    StageCase{"DataLater",
                              {{"DATA", {"451 4.3.0 later"}}},
                              Outcome::kTemporary,
                              Stage::kData,
                              451,
                              "451 4.3.0 later"},
                    StageCase{"Content",
                              {{"final", {"554 5.7.1 spam"}}},
                              Outcome::kPermanent,
                              Stage::kFinal,
                              554,
                              "554 5.7.1 spam"},
                    StageCase{"ContentLater",
                              {{"final", {"451 4.7.1 later"}}},
                              Outcome::kTemporary,
                              Stage::kFinal,
                              451,
                              "451 4.7.1 later"},
                    StageCase{"AcceptedWithAnotherCode",
                              {{"final", {"252 fine"}}},
                              Outcome::kAccepted,
                              Stage::kFinal,
                              252,
                              "252 fine"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    LostConnection, RelayAnswer,
    testing::Values(
        StageCase{"Greeting",
                  {{"greeting", {ScriptedSmtp::kDrop}}},
                  Outcome::kRelayTrouble,
                  Stage::kGreeting,
                  0,
                  ""},
        StageCase{
            "Ehlo", {{"EHLO", {ScriptedSmtp::kDrop}}}, Outcome::kRelayTrouble, Stage::kEhlo, 0, ""},
        StageCase{"Sender",
                  {{"MAIL", {ScriptedSmtp::kDrop}}},
                  Outcome::kRelayTrouble,
                  Stage::kMailFrom,
                  0,
                  ""},
        StageCase{"Recipient",
                  {{"RCPT", {ScriptedSmtp::kDrop}}},
                  Outcome::kTemporary,
                  Stage::kRcptTo,
                  0,
                  ""},
        StageCase{"RecipientReset",
                  {{"RCPT", {ScriptedSmtp::kReset}}},
                  Outcome::kTemporary,
                  Stage::kRcptTo,
                  0,
                  ""},
        StageCase{
            "Data", {{"DATA", {ScriptedSmtp::kDrop}}}, Outcome::kTemporary, Stage::kData, 0, ""},
        StageCase{"FinalReply",
                  {{"final", {ScriptedSmtp::kDrop}}},
                  Outcome::kUncertain,
                  Stage::kFinal,
                  0,
                  ""},
        StageCase{"FinalReplyReset",
                  {{"final", {ScriptedSmtp::kReset}}},
                  Outcome::kUncertain,
                  Stage::kFinal,
                  0,
                  ""}),
    [](const auto& test) { return test.param.name; });

// A server that answers more often than it is asked must not pass for one that has accepted.
INSTANTIATE_TEST_SUITE_P(Junk, RelayAnswer,
                         testing::Values(StageCase{"AfterTheGreeting",
                                                   {{"greeting", {"220 hello\r\n250 junk"}}},
                                                   Outcome::kTemporary,
                                                   Stage::kData,
                                                   0,
                                                   ""},
                                         StageCase{"NoSmtpAtAll",
                                                   {
                                                       {"greeting", {"SSH-2.0-OpenSSH_9.2"}},
                                                       {"EHLO", {"\x01"}},
                                                   },
                                                   Outcome::kRelayTrouble,
                                                   Stage::kGreeting,
                                                   0,
                                                   ""},
                                         StageCase{"AfterTheRecipient",
                                                   {{"RCPT", {"550 no\r\n250 yes"}}},
                                                   Outcome::kPermanent,
                                                   Stage::kRcptTo,
                                                   550,
                                                   "550 no"}),
                         [](const auto& test) { return test.param.name; });

TEST(CurlSmtp, ARefusedConnectionIsTroubleOfTheRelay) {
  const DeadPort dead;
  const auto reply = send_once(options_for("smtp://127.0.0.1:" + dead.port()));
  EXPECT_EQ(reply.outcome, Outcome::kRelayTrouble);
  EXPECT_EQ(reply.stage, Stage::kConnect);
  EXPECT_THAT(reply.text, AllOf(HasSubstr(dead.port()), EndsWith("(connect)")));
}

TEST(CurlSmtp, AUrlThatIsNotSmtpIsTroubleOfTheRelay) {
  for (const std::string url : {"", "http://127.0.0.1:25", "smtp://", "file:///etc/passwd"}) {
    EXPECT_EQ(send_once(options_for(url)).text, "the relay's URL is not usable (connect)") << url;
  }
}

TEST(CurlSmtp, RefusesAddressesThatWouldBecomeCommands) {
  ScriptedSmtp server({});
  const Interrupt interrupt;
  const auto transport = make_smtp_transport(options_for(server.url()), interrupt);
  const auto to = transport->send(kFrom, "a@b.example>\r\nRCPT TO:<c@d.example", kMessage);
  EXPECT_EQ(to.outcome, Outcome::kPermanent);
  EXPECT_EQ(to.text, "refused: the recipient is no usable address (RCPT TO)");
  const auto from = transport->send("a@b.example\nDATA", kTo, kMessage);
  EXPECT_EQ(from.outcome, Outcome::kPermanent);
  EXPECT_EQ(from.text, "refused: the envelope sender is no usable address (MAIL FROM)");
  EXPECT_EQ(server.connections(), 0);
}

TEST(CurlSmtp, OpensANewConnectionWhenTheRelayHasClosedTheOldOne) {
  // The second MAIL FROM is answered like a relay that closes idle connections.
  for (const std::string answer : {ScriptedSmtp::kDrop, "421 4.4.2 idle"}) {
    ScriptedSmtp server(answering("MAIL", {"250 ok", answer, "250 ok"}));
    const Interrupt interrupt;
    const auto transport = make_smtp_transport(options_for(server.url()), interrupt);
    EXPECT_EQ(transport->send(kFrom, kTo, kMessage).outcome, Outcome::kAccepted);
    EXPECT_EQ(transport->send(kFrom, kTo, kMessage).outcome, Outcome::kAccepted);
    EXPECT_EQ(server.connections(), 2);
  }
}

TEST(CurlSmtp, ANewConnectionThatIsRefusedIsNotTriedTwice) {
  ScriptedSmtp server(answering("MAIL", {"421 4.3.2 closing"}));
  EXPECT_EQ(send_once(options_for(server.url())).outcome, Outcome::kRelayTrouble);
  EXPECT_EQ(server.connections(), 1);
}

TEST(CurlSmtp, GoesOnAfterARefusedRecipient) {
  ScriptedSmtp server(answering("RCPT", {"550 no", "250 ok"}));
  const Interrupt interrupt;
  const auto transport = make_smtp_transport(options_for(server.url()), interrupt);
  EXPECT_EQ(transport->send(kFrom, kTo, kMessage).outcome, Outcome::kPermanent);
  EXPECT_EQ(transport->send(kFrom, kTo, kMessage).outcome, Outcome::kAccepted);
}

// ---- Time limits and interruption

struct SilenceCase {
  const char* name;
  const char* step;
  Outcome want;
  Stage stage;
};
class SilentRelay : public testing::TestWithParam<SilenceCase> {};

TEST_P(SilentRelay, IsGivenUpAfterTheTimeLimit) {
  const auto& test = GetParam();
  ScriptedSmtp server(answering(test.step, {ScriptedSmtp::kSilence}));
  auto options = options_for(server.url());
  auto& limit = test.stage == Stage::kFinal ? options.final_timeout : options.reply_timeout;
  limit = 100ms;
  const auto reply = send_once(options);
  EXPECT_EQ(reply.outcome, test.want);
  EXPECT_EQ(reply.stage, test.stage);
  EXPECT_THAT(reply.text, StartsWith("no answer within 1s ("));
}

INSTANTIATE_TEST_SUITE_P(
    Step, SilentRelay,
    testing::Values(SilenceCase{"Greeting", "greeting", Outcome::kRelayTrouble, Stage::kGreeting},
                    SilenceCase{"Ehlo", "EHLO", Outcome::kRelayTrouble, Stage::kEhlo},
                    SilenceCase{"Sender", "MAIL", Outcome::kRelayTrouble, Stage::kMailFrom},
                    SilenceCase{"Recipient", "RCPT", Outcome::kTemporary, Stage::kRcptTo},
                    SilenceCase{"Data", "DATA", Outcome::kTemporary, Stage::kData},
                    SilenceCase{"Final", "final", Outcome::kUncertain, Stage::kFinal}),
    [](const auto& test) { return test.param.name; });

TEST(CurlSmtp, WaitsForALateFinalReplyLongerThanForOthers) {
  std::atomic<bool> answered{false};
  LoopbackServer server([&](Peer& peer) {
    peer.write("220 hi\r\n");
    while (const auto line = peer.line()) {
      if (line->starts_with("DATA")) {
        peer.write("354 go\r\n");
        continue;
      }
      if (line->find(' ') == line->npos && *line != ".") continue;  // the message
      if (*line == ".") {
        // Longer than reply_timeout: the client must not have closed meanwhile.
        const auto end = std::chrono::steady_clock::now() + 400ms;
        while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
        answered = true;
      }
      peer.write("250 ok\r\n");
    }
  });
  auto options = options_for("smtp://127.0.0.1:" + server.port());
  options.reply_timeout = 200ms;
  options.final_timeout = 30s;
  EXPECT_EQ(send_once(options, "body\r\n").outcome, Outcome::kAccepted);
  EXPECT_TRUE(answered);
}

TEST(CurlSmtp, AQuitThatIsNotAnsweredHoldsNobodyUp) {
  ScriptedSmtp server({{"RCPT", {"550 no"}}, {"QUIT", {ScriptedSmtp::kSilence}}});
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(send_once(options_for(server.url())).outcome, Outcome::kPermanent);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
  ScriptedSmtp other(answering("QUIT", {ScriptedSmtp::kSilence}));
  EXPECT_EQ(send_once(options_for(other.url())).outcome, Outcome::kAccepted);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 6s);
}

// Sends to a server that falls silent at `step`, and interrupts as soon as the server is there.
Reply interrupted_at(const std::string& step, std::atomic<bool> Interrupt::*how,
                     std::size_t message_size, bool* saw_dot) {
  Interrupt interrupt;
  std::atomic<bool> saw{false};
  LoopbackServer server([&](Peer& peer) {
    const auto arrived = [&](const std::string& name) {
      if (name != step) return false;
      interrupt.*how = true;
      return true;
    };
    peer.write("220 hi\r\n");
    while (const auto line = peer.line()) {
      if (arrived(line->substr(0, 4))) break;
      if (!line->starts_with("DATA")) {
        peer.write("250 ok\r\n");
        continue;
      }
      peer.write("354 go\r\n");
      if (step == "body") {
        peer.bytes(1000);  // the rest stays in the client
        arrived("body");
      }
      while (const auto text = peer.line()) {
        if (*text == ".") {
          saw = true;
          arrived("final");
        }
      }
    }
    peer.await_close();
  });
  const auto transport =
      make_smtp_transport(options_for("smtp://127.0.0.1:" + server.port()), interrupt);
  std::string message;
  while (message.size() < message_size) message += std::string(70, 'x') + "\r\n";
  auto reply = transport->send(kFrom, kTo, message);
  server.close();
  *saw_dot = saw;
  return reply;
}

TEST(CurlSmtp, BreaksOffBeforeTheFinalDotWithoutSendingIt) {
  for (const std::string step : {"EHLO", "MAIL", "RCPT"}) {
    bool saw_dot = false;
    const auto reply = interrupted_at(step, &Interrupt::before_final, 100, &saw_dot);
    EXPECT_EQ(reply.outcome, Outcome::kInterrupted) << step;
    EXPECT_THAT(reply.text, StartsWith("broken off by a stop (")) << step;
    EXPECT_FALSE(saw_dot) << step;
  }
}

TEST(CurlSmtp, BreaksOffInTheMiddleOfTheMessageWithoutSendingTheFinalDot) {
  bool saw_dot = false;
  const auto reply =
      interrupted_at("body", &Interrupt::before_final, std::size_t{64} << 20, &saw_dot);
  EXPECT_EQ(reply.outcome, Outcome::kInterrupted);
  EXPECT_EQ(reply.stage, Stage::kData);
  EXPECT_FALSE(saw_dot);
}

TEST(CurlSmtp, AMessageThatIsBrokenOffWhileItWaitsForTheFinalReplyIsUncertain) {
  bool saw_dot = false;
  const auto reply = interrupted_at("final", &Interrupt::everything, 100, &saw_dot);
  EXPECT_EQ(reply.outcome, Outcome::kUncertain);
  EXPECT_EQ(reply.text, "broken off by a stop (end of data)");
  EXPECT_TRUE(saw_dot);
}

TEST(CurlSmtp, AFirstInterruptLeavesTheFinalReplyItsTime) {
  Interrupt interrupt;
  LoopbackServer server([&](Peer& peer) {
    peer.write("220 hi\r\n");
    while (const auto line = peer.line()) {
      if (line->starts_with("DATA")) {
        peer.write("354 go\r\n");
        while (peer.line() != ".") {
        }
        interrupt.before_final = true;
      }
      peer.write("250 ok\r\n");
    }
  });
  const auto transport =
      make_smtp_transport(options_for("smtp://127.0.0.1:" + server.port()), interrupt);
  EXPECT_EQ(transport->send(kFrom, kTo, kMessage).outcome, Outcome::kAccepted);
}

TEST(CurlSmtp, ARelayThatClosesInTheMiddleOfTheMessageHasNotAcceptedIt) {
  LoopbackServer server([](Peer& peer) {
    peer.write("220 hi\r\n");
    while (const auto line = peer.line()) {
      if (line->starts_with("DATA")) {
        peer.write("354 go\r\n");
        peer.bytes(1000);
        peer.reset_when_closed();
        return;
      }
      peer.write("250 ok\r\n");
    }
  });
  std::string message;
  while (message.size() < std::size_t{16} << 20) message += std::string(70, 'x') + "\r\n";
  const auto reply = send_once(options_for("smtp://127.0.0.1:" + server.port()), message);
  EXPECT_EQ(reply.outcome, Outcome::kTemporary);
  EXPECT_EQ(reply.stage, Stage::kData);
}

// ---- TLS and AUTH

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
