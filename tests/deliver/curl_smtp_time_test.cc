#include "deliver/curl_smtp.h"

#include <atomic>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deliver/smtp_setup.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using Outcome = Reply::Outcome;
using testing::StartsWith;

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

// A reply of many lines, of which each comes in time and the last never.
TEST(CurlSmtp, AReplyWithoutEndIsGivenUpAfterTheTimeLimit) {
  for (const std::string step : {"greeting", "EHLO", "MAIL", "RCPT", "DATA", "final"}) {
    std::atomic<bool> over{false};
    LoopbackServer server([&](Peer& peer) {
      const auto endless = [&](const std::string& name) {
        if (name != step) return false;
        const auto end = std::chrono::steady_clock::now() + 4s;
        for (auto next = std::chrono::steady_clock::now(); !over && next < end; next += 20ms) {
          peer.write("250-and more\r\n");
          while (!over && std::chrono::steady_clock::now() < next + 20ms) std::this_thread::yield();
        }
        return true;
      };
      if (endless("greeting")) return;
      peer.write("220 hi\r\n");
      while (const auto line = peer.line()) {
        if (endless(line->substr(0, 4))) return;
        if (!line->starts_with("DATA")) {
          peer.write("250 ok\r\n");
          continue;
        }
        peer.write("354 go\r\n");
        while (peer.line() != ".") {
        }
        if (endless("final")) return;
      }
    });
    auto options = options_for("smtp://127.0.0.1:" + server.port());
    options.reply_timeout = 100ms;
    options.final_timeout = 100ms;
    const auto begin = std::chrono::steady_clock::now();
    const auto reply = send_once(options);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s) << step;
    over = true;
    EXPECT_THAT(reply.text, StartsWith("no answer within 1s (")) << step;
    EXPECT_EQ(reply.code, 0) << step;
  }
}

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

}  // namespace
}  // namespace rapporteur
