#include "deliver/sendmail.h"

#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using Outcome = Reply::Outcome;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kFrom = "noreply-tls@example.org";
constexpr const char* kTo = "tls-reports@example.com";

class SendmailTest : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // as every thread that sends does (deliver/transport.h)
    std::string name = (std::filesystem::temp_directory_path() / "sendmail-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  // A sendmail program that does what the shell script says; $OUT is a file that it may write to.
  std::string program(const std::string& script) {
    const auto path = folder / "sendmail";
    std::ofstream(path) << "#!/bin/sh\nOUT=" << (folder / "out").string() << "\n" << script << "\n";
    ::chmod(path.c_str(), 0755);
    return path.string();
  }
  std::string out() const { return *read_file((folder / "out").string()); }

  Reply send(const std::string& command, const std::string& message = "a: b\r\n\r\nbody\r\n",
             std::chrono::milliseconds timeout = 30s) {
    return make_sendmail_transport({command, timeout}, interrupt)->send(kFrom, kTo, message);
  }

  std::filesystem::path folder;
  Interrupt interrupt;
};

TEST_F(SendmailTest, GivesSenderRecipientAndTheMessageWithLocalLineEnds) {
  const auto reply =
      send(program("(for a in \"$@\"; do echo \"[$a]\"; done; cat) > $OUT") + "  -i  -odb ");
  EXPECT_EQ(reply.outcome, Outcome::kAccepted);
  EXPECT_EQ(reply.text, "exit code 0 (end of data)");
  EXPECT_EQ(out(),
            "[-i]\n[-odb]\n[-f]\n[noreply-tls@example.org]\n[--]\n[tls-reports@example.com]\n"
            "a: b\n\nbody\n");
}

TEST_F(SendmailTest, UsesNoShell) {
  const auto reply = send(program("echo \"$1\" > $OUT; cat > /dev/null") + " $(id);`id`");
  EXPECT_EQ(reply.outcome, Outcome::kAccepted);
  EXPECT_EQ(out(), "$(id);`id`\n");
}

TEST_F(SendmailTest, WritesALargeMessageWhole) {
  std::string message;
  while (message.size() < 1'000'000) message += std::string(70, 'x') + "\r\n";
  EXPECT_EQ(send(program("wc -c > $OUT"), message).outcome, Outcome::kAccepted);
  EXPECT_EQ(std::stoul(out()), message.size() / 72 * 71);
}

TEST_F(SendmailTest, JudgesByTheExitCodeAndTellsWhatTheProgramSaid) {
  const auto unknown = send(program("cat > /dev/null; echo 'no such\nuser' >&2; exit 67"));
  EXPECT_EQ(unknown.outcome, Outcome::kPermanent);
  EXPECT_EQ(unknown.stage, Stage::kRcptTo);
  EXPECT_EQ(unknown.code, 67);
  EXPECT_EQ(unknown.text, "exit code 67 EX_NOUSER: no such user (RCPT TO)");
  const auto later = send(program("cat > /dev/null; exit 75"));
  EXPECT_EQ(later.outcome, Outcome::kRelayTrouble);
  EXPECT_EQ(later.text, "exit code 75 EX_TEMPFAIL (connect)");
}

TEST_F(SendmailTest, AProgramThatCannotRunIsTroubleOfTheRelay) {
  EXPECT_EQ(send("/nonexistent/sendmail -i").text,
            "cannot run /nonexistent/sendmail: No such file or directory (connect)");
  EXPECT_EQ(send("  ").text, "no sendmail command is configured (connect)");
  const auto killed = send(program("kill -9 $$"));
  EXPECT_EQ(killed.outcome, Outcome::kRelayTrouble);
  EXPECT_THAT(killed.text, StartsWith("the sendmail program was ended by signal 9"));
}

TEST_F(SendmailTest, AProgramThatDoesNotReadTheMessageHasNotTakenIt) {
  const auto reply = send(program("exec < /dev/null; exit 0"), std::string(1'000'000, 'x'));
  EXPECT_EQ(reply.outcome, Outcome::kRelayTrouble);
  EXPECT_THAT(reply.text, HasSubstr("before it had read the message"));
}

TEST_F(SendmailTest, AProgramThatTakesTooLongIsEnded) {
  const auto uncertain =
      send(program("cat > /dev/null; echo $$ > $OUT; exec sleep 1000"), "a: b\r\n\r\n", 300ms);
  EXPECT_EQ(uncertain.outcome, Outcome::kUncertain);
  EXPECT_EQ(uncertain.text, "not finished within 1s (end of data)");
  const auto unread = send(program("exec sleep 1000"), std::string(1'000'000, 'x'), 100ms);
  EXPECT_EQ(unread.outcome, Outcome::kRelayTrouble);
}

TEST_F(SendmailTest, IsBrokenOffByAStop) {
  interrupt.before_final = true;
  const auto unread = send(program("exec sleep 1000"), std::string(1'000'000, 'x'));
  EXPECT_EQ(unread.outcome, Outcome::kInterrupted);
  interrupt.everything = true;
  const auto read = send(program("cat > /dev/null; exec sleep 1000"));
  EXPECT_THAT(read.outcome, testing::AnyOf(Outcome::kUncertain, Outcome::kInterrupted));
}

TEST_F(SendmailTest, RefusesAddressesWithSyntaxOfTheirOwn) {
  const auto transport = make_sendmail_transport({program("exit 0"), 1s}, interrupt);
  EXPECT_EQ(transport->send(kFrom, "a b@c.example", "x").outcome, Outcome::kPermanent);
  EXPECT_EQ(transport->send("a\n@c.example", kTo, "x").outcome, Outcome::kPermanent);
}

TEST_F(SendmailTest, ProbeTellsWhetherItCanBeRun) {
  EXPECT_EQ(make_sendmail_transport({program("exit 0"), 1s}, interrupt)->probe().outcome,
            Outcome::kAccepted);
  EXPECT_EQ(make_sendmail_transport({"/nonexistent/x", 1s}, interrupt)->probe().outcome,
            Outcome::kRelayTrouble);
}

}  // namespace
}  // namespace rapporteur
