#include "deliver/curl_smtp.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deliver/smtp_setup.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using Outcome = Reply::Outcome;
using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

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

TEST(CurlSmtp, AServerOfAnotherKindIsTroubleOfTheRelay) {
  LoopbackServer server([](Peer& peer) { peer.write("SSH-2.0-OpenSSH_9.2\r\n"); });
  const auto reply = send_once(options_for("smtp://127.0.0.1:" + server.port()));
  EXPECT_EQ(reply.outcome, Outcome::kRelayTrouble);
  EXPECT_EQ(reply.stage, Stage::kGreeting);
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

// A relay that takes so many messages of a connection says so with 421, at MAIL FROM.
TEST(CurlSmtp, GoesOnInANewConnectionWhenTheRelayHasHadEnoughOfTheOldOne) {
  ScriptedSmtp server(
      answering("MAIL", {"250 ok", "250 ok", "250 ok", "421 4.7.0 too many", "250 ok", "250 ok",
                         "250 ok", "421 4.7.0 too many", "250 ok"}));
  const Interrupt interrupt;
  const auto transport = make_smtp_transport(options_for(server.url()), interrupt);
  for (int i = 0; i < 7; ++i) {
    EXPECT_EQ(transport->send(kFrom, kTo, kMessage).outcome, Outcome::kAccepted) << i;
  }
  EXPECT_EQ(server.connections(), 3);
  EXPECT_THAT(server.messages(), SizeIs(7)) << "each once";
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

}  // namespace
}  // namespace rapporteur
