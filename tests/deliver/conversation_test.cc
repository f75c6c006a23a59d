#include "deliver/conversation.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deliver/smtp_setup.h"

namespace rapporteur {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// "> EHLO x", "< 250 y", "* note"
class Notebook {
 public:
  ConversationListener listener() {
    return [this](Speaker speaker, std::string_view line) {
      const char* const sign = speaker == Speaker::kUs     ? "> "
                               : speaker == Speaker::kPeer ? "< "
                                                           : "* ";
      lines.push_back(sign + std::string(line));
    };
  }
  std::vector<std::string> lines;
};

TEST(Conversation, IsToldLineByLine) {
  Notebook notebook;
  Conversation conversation(notebook.listener());
  conversation.sent("POST /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
  conversation.received("HTTP/1.1 201 Created\r\n");
  EXPECT_THAT(notebook.lines,
              ElementsAre("> POST /x HTTP/1.1", "> Host: a.example", "< HTTP/1.1 201 Created"));
}

TEST(Conversation, BytesAreSummedUpBeforeWhatComesNext) {
  Notebook notebook;
  Conversation conversation(notebook.listener());
  conversation.sent_bytes(100);
  conversation.sent_bytes(23);
  EXPECT_TRUE(notebook.lines.empty());
  conversation.received("250 ok\r\n");
  conversation.received("221 bye\r\n");
  EXPECT_THAT(notebook.lines, ElementsAre("> (123 bytes)", "< 250 ok", "< 221 bye"));
}

TEST(Conversation, SecretsAreHidden) {
  Notebook notebook;
  Conversation conversation(notebook.listener());
  conversation.sent("AUTH LOGIN\r\n");
  conversation.sent("AUTH PLAIN AHVzZXIAc2VjcmV0\r\n");
  conversation.sent("c2VjcmV0\r\n", true);
  conversation.sent("proxy-authorization: Basic c2VjcmV0\r\nAuthorization:Bearer x\r\n");
  EXPECT_THAT(notebook.lines,
              ElementsAre("> AUTH LOGIN", "> AUTH PLAIN (hidden)", "> (hidden)",
                          "> proxy-authorization: (hidden)", "> Authorization: (hidden)"));
}

TEST(Conversation, NothingMovesATerminal) {
  Notebook notebook;
  Conversation conversation(notebook.listener());
  conversation.received("250 \x1b[2J\xff ok\r\n");
  EXPECT_THAT(notebook.lines, ElementsAre("< 250 [2J\uFFFD ok"));
}

TEST(Conversation, NotesTellOfConnectionAndCertificate) {
  Notebook notebook;
  Conversation conversation(notebook.listener());
  conversation.note("Connected to localhost (127.0.0.1) port 25 (#0)\n");
  conversation.note("Connection #0 to host localhost left intact\n");
  conversation.note("  issuer: CN=Some Authority\n");
  EXPECT_THAT(notebook.lines, ElementsAre("* Connected to localhost (127.0.0.1) port 25 (#0)",
                                          "* issuer: CN=Some Authority"));
}

TEST(Conversation, WithoutAListenerNothingIsDone) {
  Conversation conversation({});
  EXPECT_FALSE(conversation.heard());
  conversation.sent("EHLO x\r\n");
  conversation.received("250 y\r\n");
  conversation.note("Connected to x\n");
}

TEST(Conversation, OfARelayIsHeardWhole) {
  Notebook notebook;
  testing_support::ScriptedSmtp server(
      testing_support::answering("EHLO", {"250-relay.example\r\n250 AUTH PLAIN LOGIN"}));
  auto options = testing_support::options_for(server.url());
  options.username = "user";
  options.password = "secret";
  options.listener = notebook.listener();
  const auto reply = testing_support::send_once(options);
  ASSERT_EQ(reply.outcome, Reply::Outcome::kAccepted) << reply.text;
  server.close();
  ASSERT_FALSE(notebook.lines.empty());
  EXPECT_THAT(notebook.lines.front(), HasSubstr("* Connected to "));
  notebook.lines.erase(notebook.lines.begin());
  std::erase_if(notebook.lines, [](const auto& line) { return line.starts_with("* "); });
  EXPECT_THAT(
      notebook.lines,
      ElementsAre("< 220 relay.example ESMTP", "> EHLO mail.example.org", "< 250-relay.example",
                  "< 250 AUTH PLAIN LOGIN", "> AUTH PLAIN", "< 334 ", "> (hidden)",
                  "< 235 2.7.0 welcome", "> MAIL FROM:<noreply-tls@example.org>",
                  "< 250 2.1.0 sender ok", "> RCPT TO:<tls-reports@example.com>",
                  "< 250 2.1.5 recipient ok", "> DATA", "< 354 go ahead",
                  testing::MatchesRegex("> \\([0-9]+ bytes\\)"), "< 250 2.0.0 queued as 1"));
}

}  // namespace
}  // namespace rapporteur
