#include "daemon/intake.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "base/file.h"
#include "base/hash.h"
#include "config/config.h"
#include "store/open.h"
#include "support/fake_clock.h"
#include "support/fixed_random.h"
#include "support/recording_log.h"

namespace rapporteur {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing_support::FakeClock;
using testing_support::FixedRandom;
using testing_support::RecordingLog;

constexpr const char* kGood =
    R"({"dpv":"1","d":"a.example","pr":"v=TLSRPTv1; rua=mailto:r@a.example",)"
    R"("policies":[{"policy-type":9,"policy-domain":"a.example","t":0,"f":0}]})";

std::shared_ptr<const Config> config_of(const std::string& rest) {
  auto loaded = parse_config("[system]\ndomain = \"example.org\"\n" + rest, "test.toml");
  for (const auto& diagnostic : loaded.diagnostics) {
    EXPECT_NE(diagnostic.severity, expr::Severity::kError) << diagnostic.text();
  }
  return std::move(loaded.config);
}

class IntakeTest : public testing::Test {
 protected:
  FakeClock clock;
  FixedRandom random;
  RecordingLog log;
  std::unique_ptr<Store> store = std::move(*open_store("sqlite::memory:", random));
  SharedState state{config_of("")};
  Recording recording{*store, clock, log, state};
  Intake intake{recording, clock, log, *config_of("")};

  void flush() {
    intake.hand_over();
    recording.store_waiting();
  }
  bool settled() { return intake.empty() && recording.idle(); }
  void use(const std::shared_ptr<const Config>& config) {
    intake.use(*config);
    state.config.set(config);
  }

  std::map<std::string, std::uint64_t> counters() { return *store->counters(); }
  Window window() { return store->windows({.domain = "a.example"})->at(0); }
};

TEST_F(IntakeTest, CountsADatagramAtTheTimeOfItsArrival) {
  intake.take(kGood);
  EXPECT_FALSE(settled());
  flush();
  EXPECT_TRUE(settled());
  EXPECT_EQ(window().successful, 1U);
  EXPECT_TRUE(window().period.covers(clock.now()));
  EXPECT_EQ(window().tlsrpt_record, "v=TLSRPTv1; rua=mailto:r@a.example");
  EXPECT_THAT(counters(), Contains(Pair("datagram.accepted", 1)));
}

TEST_F(IntakeTest, RubbishIsCountedByReasonAndStopsNothing) {
  intake.take("garbage");
  intake.take(std::string("\xff\x00{", 3));
  intake.take(kGood);
  flush();
  EXPECT_EQ(window().successful, 1U);
  std::uint64_t rejected = 0;
  for (const auto& [name, count] : counters()) {
    if (name.starts_with("datagram.rejected.")) rejected += count;
  }
  EXPECT_EQ(rejected, 2U);
}

TEST_F(IntakeTest, AFloodOfRubbishIsOneLineAMinute) {
  for (int i = 0; i < 1000; ++i) intake.take("garbage");
  EXPECT_THAT(log.lines("session-rejected"), SizeIs(1));
  clock.advance(Seconds{60});
  intake.take("garbage");
  EXPECT_THAT(log.lines("session-rejected"), SizeIs(2));
}

TEST_F(IntakeTest, ARejectionIsSampledAfterTheClockWasSetBack) {
  intake.take("garbage");
  clock.advance(Seconds{-86'400});
  intake.take("garbage");
  EXPECT_THAT(log.lines("session-rejected"), SizeIs(2));
}

TEST_F(IntakeTest, SessionsWaitUntilTheClockIsSet) {
  const auto right = clock.now();
  clock.set(Time(Seconds{30}));
  intake.take(kGood);
  flush();
  flush();
  EXPECT_FALSE(settled());
  EXPECT_THAT(*store->windows({.domain = "a.example"}), IsEmpty());
  ASSERT_THAT(log.lines("flush-failed"), SizeIs(1));
  EXPECT_EQ(log.lines("flush-failed")[0].fields.at("error"),
            "the clock is not set: it shows 1970-01-01T00:00:30Z");
  clock.set(right);
  flush();
  EXPECT_TRUE(settled());
  EXPECT_EQ(window().successful, 1U);
  EXPECT_TRUE(window().period.covers(right));
  EXPECT_EQ(log.count("flush-recovered"), 1U);
}

TEST_F(IntakeTest, GoesOnCountingWhileAHandOverIsBeingStored) {
  intake.take(kGood);
  intake.hand_over();
  intake.take(kGood);
  intake.hand_over();
  EXPECT_FALSE(intake.empty()) << "one at a time";
  recording.store_waiting();
  flush();
  EXPECT_TRUE(settled());
  EXPECT_EQ(window().successful, 2U);
}

TEST_F(IntakeTest, RequestsThatAreBeingStoredDoNotHoldItUp) {
  recording.submit(std::make_unique<Tally>("http", std::make_shared<SessionTable>()),
                   [](const Result<Recorded>&) {});
  intake.take(kGood);
  EXPECT_TRUE(intake.hand_over());
  EXPECT_TRUE(intake.empty());
  intake.take(kGood);
  EXPECT_FALSE(intake.hand_over()) << "its own counts are one tally at a time";
  recording.store_waiting();
  EXPECT_TRUE(intake.hand_over());
}

TEST_F(IntakeTest, FollowsANewConfigurationForWindowsThatItOpens) {
  use(config_of("[report.tls]\nsendFrequency = \"never\"\n"));
  intake.take(kGood);
  flush();
  EXPECT_THAT(*store->windows({.domain = "a.example"}), IsEmpty());
  EXPECT_THAT(counters(), Contains(Pair("datagram.ignored.never", 1)));
  use(config_of("[report.tls]\nsendFrequency = \"hourly\"\n"));
  intake.take(kGood);
  flush();
  EXPECT_EQ(window().frequency, Frequency::kHourly);
}

TEST_F(IntakeTest, AFailingFrequencyBlocksADailyWindowThatGoesOnCounting) {
  use(
      config_of("[report.tls]\nsendFrequency = "
                "\"if_then(1 / (len(rcpt_domain) - 9), daily, hourly)\"\n"));
  intake.take(kGood);
  flush();
  intake.take(kGood);
  flush();
  EXPECT_EQ(window().state, WindowState::kBlocked);
  EXPECT_EQ(window().frequency, Frequency::kDaily);
  EXPECT_EQ(window().successful, 2U);
  EXPECT_THAT(window().reason, testing::HasSubstr("sendFrequency"));
}

class ServedIntakeTest : public IntakeTest {
 protected:
  std::string folder = [] {
    std::string name = (std::filesystem::temp_directory_path() / "intake-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    return name;
  }();
  std::string path = folder + "/tlsrpt.sock";

  ~ServedIntakeTest() override { std::filesystem::remove_all(folder); }

  void send(std::string_view datagram) const {
    const Fd fd(socket(AF_UNIX, SOCK_DGRAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const auto* to = reinterpret_cast<const sockaddr*>(&address);
    ASSERT_EQ(sendto(fd.get(), datagram.data(), datagram.size(), 0, to, sizeof address),
              static_cast<ssize_t>(datagram.size()));
  }
};

TEST_F(ServedIntakeTest, WhatWaitsInTheSocketWhenItStopsIsCounted) {
  auto opened = DatagramSocket::open({.path = path, .mode = 0600});
  ASSERT_TRUE(opened) << opened.error().text;
  auto& served = **opened;
  for (int i = 0; i < 5; ++i) send(kGood);
  SharedState shared(config_of(""));
  shared.stopping = true;
  intake.serve(served, shared);
  EXPECT_TRUE(intake.empty());
  recording.store_waiting();
  EXPECT_EQ(window().successful, 5U);
}

TEST_F(ServedIntakeTest, CountsWhileItServesUntilItIsStopped) {
  auto opened = DatagramSocket::open({.path = path, .mode = 0600});
  ASSERT_TRUE(opened) << opened.error().text;
  auto& served = **opened;
  SharedState shared(config_of("[store]\nflushEvery = \"1s\"\n"));
  bool stored = false;
  std::thread recorder([&] { stored = recording.serve(); });
  std::thread thread([&] { intake.serve(served, shared); });
  for (int i = 0; i < 200; ++i) send(kGood);
  shared.stopping = true;
  served.wake();
  thread.join();
  recording.stop();
  recorder.join();
  EXPECT_TRUE(stored);
  EXPECT_EQ(window().successful, 200U);
}

}  // namespace
}  // namespace rapporteur
