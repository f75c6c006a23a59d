// rapporteur bounce and what comes through a pipe. How notices are taken is tested in
// tests/deliver.

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli_fixture.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;

// The file as standard input, as long as this lives.
class StandardInput {
 public:
  explicit StandardInput(const std::filesystem::path& path)
      : saved_(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)),
        file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    EXPECT_EQ(::dup2(file_.get(), STDIN_FILENO), STDIN_FILENO);
  }
  ~StandardInput() {
    if (saved_) {
      ::dup2(saved_.get(), STDIN_FILENO);
    } else {
      ::close(STDIN_FILENO);
    }
  }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;

  off_t position() const { return ::lseek(file_.get(), 0, SEEK_CUR); }

 private:
  Fd saved_;
  Fd file_;
};

class BouncePipeTest : public CliTest {
 protected:
  void SetUp() override {
    ingest_window("decided.example");
    clock.advance(std::chrono::hours(24));
    assemble();
    token = store()->token();
  }
  // An attempt of the report mail.
  void begin() {
    const std::vector<std::string> ids = {kId};
    ASSERT_TRUE(store()->begin_attempts(ids, clock.now()));
  }
  std::string notice() const {
    return "Content-Type: multipart/report; boundary=b\n\n--b\n"
           "Content-Type: message/delivery-status\n\nReporting-MTA: dns; a.example\n\n"
           "Final-Recipient: rfc822; tls@decided.example\nAction: failed\nStatus: 5.1.1\n\n--b\n"
           "Content-Type: message/rfc822\n\nMessage-ID: <" +
           std::string(kId) + "." + token + "@reporter.example>\n\n--b--\n";
  }

  static constexpr const char* kId = "mail00000001";
  std::string token;
};

TEST_F(BouncePipeTest, ANoticeIsTaken) {
  end_delivery(kId, DeliveryState::kDelivered, "250 ok");
  write(folder / "mail", notice() + std::string(3 << 20, 'x'));
  const StandardInput input(folder / "mail");
  const auto outcome = run({"bounce", "-", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json()[0]["status"], "recorded");
  EXPECT_EQ(outcome.json()[0]["delivery"], kId);
}

TEST_F(BouncePipeTest, ItIsKeptWhileTheDeliveryIsUnderWay) {
  begin();
  write(folder / "mail", notice());
  const StandardInput input(folder / "mail");
  const auto outcome = run({"bounce", "-"});
  EXPECT_EQ(outcome.code, 75);
  EXPECT_THAT(outcome.err, HasSubstr("an attempt of the delivery is under way"));
}

TEST_F(BouncePipeTest, WhatIsTooLargeIsReadToItsEndAndIgnored) {
  constexpr std::uintmax_t kBytes = 65 << 20;
  write(folder / "mail", "Subject: large\n\n");
  std::filesystem::resize_file(folder / "mail", kBytes);
  const StandardInput input(folder / "mail");
  const auto outcome = run({"bounce", "-", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json()[0]["status"], "ignored");
  EXPECT_EQ(outcome.json()[0]["why"], "it is larger than a notice can be");
  EXPECT_EQ(input.position(), static_cast<off_t>(kBytes));
}

TEST_F(BouncePipeTest, APipeInThePlaceOfAFileIsRefused) {
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  const auto outcome = run({"bounce", (folder / "pipe").string()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("is no regular file"));
}

TEST_F(BouncePipeTest, AMaildirIsTakenAsFarAsItGoes) {
  begin();
  std::filesystem::create_directories(folder / "bounces" / "new");
  write(folder / "bounces" / "new" / "1", notice());
  write(folder / "bounces" / "new" / "2", "no notice");
  const auto outcome = run({"bounce", (folder / "bounces").string(), "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json()[0]["taken"], 1);
  EXPECT_EQ(outcome.json()[0]["early"], 1);
  EXPECT_THAT(run({"bounce", (folder / "bounces").string()}).out,
              HasSubstr("1 message left, whose delivery is under way"));
}

}  // namespace
}  // namespace rapporteur
