#include "deliver/smtp_dialogue.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rapporteur {
namespace {

using testing::Le;
using testing::SizeIs;

TEST(SmtpDialogue, FollowsATransactionStepByStep) {
  SmtpDialogue dialogue;
  EXPECT_EQ(dialogue.stage(), Stage::kConnect);
  dialogue.connected();
  EXPECT_EQ(dialogue.stage(), Stage::kGreeting);
  EXPECT_FALSE(dialogue.greeted());
  dialogue.reply("220 relay.example\r\n");
  EXPECT_TRUE(dialogue.greeted());
  dialogue.command("EHLO me.example\r\n");
  EXPECT_EQ(dialogue.stage(), Stage::kEhlo);
  EXPECT_EQ(dialogue.code(), 0);
  dialogue.reply("250-relay.example\r\n");
  EXPECT_EQ(dialogue.code(), 0);
  EXPECT_FALSE(dialogue.answered());
  dialogue.reply("250 STARTTLS\r\n");
  EXPECT_EQ(dialogue.code(), 250);
  EXPECT_TRUE(dialogue.answered());
  dialogue.command("STARTTLS\r\n");
  EXPECT_FALSE(dialogue.in_handshake());
  dialogue.reply("220 go\r\n");
  EXPECT_TRUE(dialogue.in_handshake());
  dialogue.command("EHLO me.example\r\n");
  EXPECT_TRUE(dialogue.in_handshake());
  dialogue.reply("250 AUTH PLAIN\r\n");
  EXPECT_FALSE(dialogue.in_handshake());
  dialogue.command("AUTH LOGIN\r\n");
  dialogue.reply("334 VXNlcm5hbWU6\r\n");
  dialogue.command("bWU=\r\n");
  EXPECT_EQ(dialogue.stage(), Stage::kAuth);
  dialogue.reply("235 2.7.0 ok\r\n");
  EXPECT_TRUE(dialogue.authenticated());
  dialogue.command("MAIL FROM:<a@b.example>\r\n");
  EXPECT_EQ(dialogue.stage(), Stage::kMailFrom);
  dialogue.reply("250 ok\r\n");
  dialogue.command("RCPT TO:<c@d.example>\r\n");
  EXPECT_EQ(dialogue.stage(), Stage::kRcptTo);
  dialogue.reply("250 ok\r\n");
  dialogue.command("DATA\r\n");
  EXPECT_EQ(dialogue.stage(), Stage::kData);
  dialogue.reply("354 go\r\n");
  dialogue.message_sent();
  EXPECT_EQ(dialogue.stage(), Stage::kFinal);
  EXPECT_EQ(dialogue.code(), 0);
  dialogue.reply("250 2.0.0 queued\r\n");
  dialogue.command("QUIT\r\n");
  EXPECT_TRUE(dialogue.quitting());
  dialogue.reply("221 bye\r\n");
  EXPECT_EQ(dialogue.code(), 250);
  EXPECT_EQ(dialogue.text(), "250 2.0.0 queued");
}

// Base64 may spell anything.
TEST(SmtpDialogue, AnAnswerInAnAuthExchangeIsNoCommand) {
  for (const auto* const answer : {"QUITabcd", "dataabcd", "EHLOabcd", "MAIL FROM:"}) {
    SmtpDialogue dialogue;
    dialogue.connected();
    dialogue.reply("220 relay");
    dialogue.command("EHLO us");
    dialogue.reply("250 relay");
    EXPECT_FALSE(dialogue.challenged());
    dialogue.command("AUTH LOGIN");
    EXPECT_FALSE(dialogue.challenged());
    dialogue.reply("334 VXNlcm5hbWU6");
    EXPECT_TRUE(dialogue.challenged());
    dialogue.command(answer);
    EXPECT_EQ(dialogue.stage(), Stage::kAuth) << answer;
    EXPECT_FALSE(dialogue.quitting()) << answer;
    EXPECT_FALSE(dialogue.challenged()) << answer;
    dialogue.reply("235 2.7.0 welcome");
    EXPECT_TRUE(dialogue.authenticated()) << answer;
    dialogue.command("QUIT");
    EXPECT_TRUE(dialogue.quitting());
  }
}

TEST(SmtpDialogue, JoinsTheLinesOfAReplyAndSaysItsEnhancedCodeOnce) {
  SmtpDialogue dialogue;
  dialogue.command("RCPT TO:<c@d.example>\r\n");
  dialogue.reply("550-5.1.1 The address\r\n");
  dialogue.reply("550-5.1.1 does not exist;\r\n");
  dialogue.reply("550 5.7.26 see https://x.example\r\n");
  EXPECT_EQ(dialogue.text(), "550 5.1.1 The address does not exist; 5.7.26 see https://x.example");
  EXPECT_EQ(dialogue.code(), 550);
}

TEST(SmtpDialogue, SurvivesLinesThatAreNoReplies) {
  for (const std::string line : {"", "\r\n", "2", "25", "250", "abc def\r\n", "2x0 ok\r\n", "-"}) {
    SmtpDialogue dialogue;
    dialogue.command("MAIL FROM:<a@b.example>\r\n");
    dialogue.reply(line);
    EXPECT_EQ(dialogue.code(), line == "250" ? 250 : 0) << line;
  }
}

TEST(SmtpDialogue, IgnoresALineThatNobodyAskedFor) {
  SmtpDialogue dialogue;
  dialogue.command("RCPT TO:<c@d.example>\r\n");
  dialogue.reply("550 no\r\n");
  dialogue.reply("250 yes after all\r\n");
  EXPECT_EQ(dialogue.code(), 550);
  EXPECT_EQ(dialogue.text(), "550 no");
}

TEST(SmtpDialogue, BoundsWhatItKeepsOfALongReply) {
  SmtpDialogue dialogue;
  dialogue.command("RCPT TO:<c@d.example>\r\n");
  for (int i = 0; i < 1000; ++i) dialogue.reply("550-" + std::string(50'000, 'x') + "\r\n");
  EXPECT_THAT(dialogue.text(), SizeIs(Le(5 * kMaxReplyText)));
}

}  // namespace
}  // namespace rapporteur
