// The administrator's orders while intake, assembly and delivery work on the same file: whoever
// comes first, each session is counted once, each window is reported at most once, and nothing gets
// stuck.

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregate/recorder.h"
#include "base/clock.h"
#include "deliver/courier.h"
#include "schedule/planner.h"
#include "schedule/runner.h"
#include "store/open.h"
#include "support/fixed_random.h"
#include "support/marking_signer.h"
#include "support/recording_log.h"
#include "support/table_resolver.h"

namespace rapporteur::testing_support {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

constexpr int kDomains = 12;
constexpr int kOrders = 300;
constexpr int kSessionsEach = 40;

// A clock that all threads read and that goes on by itself, an hour for each few looks.
class RacingClock final : public Clock {
 public:
  Time now() const override { return kBegin + Seconds(seconds_.fetch_add(1)); }
  void advance(Seconds by) { seconds_ += by.count(); }

 private:
  static constexpr Time kBegin{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}};
  mutable std::atomic<std::int64_t> seconds_{0};
};

// Accepts everything, and remembers what came for whom.
class Acceptor final : public MailTransport, public HttpsTransport {
 public:
  struct Book {
    std::mutex mutex;
    std::map<std::string, std::set<std::string>> messages;  // by recipient
    std::size_t submissions = 0;
  };
  explicit Acceptor(Book& book) : book_(book) {}
  Reply send(const std::string&, const std::string& recipient, std::string_view message) override {
    const std::scoped_lock lock(book_.mutex);
    book_.messages[recipient].insert(std::string(message));
    ++book_.submissions;
    return {Reply::Outcome::kAccepted, Stage::kFinal, 250, "250 ok (end of data)", {}};
  }
  Reply probe() override { return {Reply::Outcome::kAccepted, Stage::kMailFrom, 250, "", {}}; }
  Reply post(const std::string&, std::string_view) override { return {}; }

 private:
  Book& book_;
};

class SteeringRaceTest : public testing::Test {
 protected:
  SteeringRaceTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "raceXXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    for (int i = 0; i < kDomains; ++i) {
      resolver_.say("_smtp._tls." + domain(i), {"v=TLSRPTv1; rua=mailto:tls@" + domain(i)});
    }
    auto loaded = parse_config(
        "[system]\ndomain = \"example.org\"\nhostname = \"mail.example.org\"\n[store]\nurl = \"" +
            url() +
            "\"\n[report.tls]\nsendFrequency = \"hourly\"\n[schedule]\nownReportSlack = 0\n"
            "spread = { hourly = \"0s\", daily = \"0s\", weekly = \"0s\" }\n"
            "[delivery.smtp]\nrelaySigns = true\n",
        "race.toml");
    EXPECT_TRUE(loaded.config);
    config_ = std::move(loaded.config);
  }
  ~SteeringRaceTest() override { std::filesystem::remove_all(folder_); }

  static std::string domain(int i) { return "d" + std::to_string(i) + ".example"; }
  std::string url() const { return "sqlite:" + (folder_ / "store.db").string(); }
  std::unique_ptr<Store> open() {
    FixedRandom random;
    auto opened = open_store(url(), random);
    EXPECT_TRUE(opened);
    return *std::move(opened);
  }

  void intake() {
    const auto store = open();
    SettingsPlanner planner(config_);
    Recorder recorder(*store, planner, clock_, {});
    for (int round = 0; round < kSessionsEach; ++round) {
      Tally tally("test", std::make_shared<SessionTable>());
      for (int i = 0; i < kDomains; ++i) {
        Session session;
        session.time = clock_.now();
        session.recipient_domain = domain(i);
        session.outcomes.push_back({{PolicyType::kSts, domain(i), {}, {}}, true, {}});
        EXPECT_EQ(tally.count(session, clock_.now(), {}), Counted::kAccepted);
      }
      const Tally* const one = &tally;
      EXPECT_TRUE(recorder.record({&one, 1}));
    }
  }

  void assembly() {
    const auto store = open();
    RecordingLog log;
    Runner runner(*store, resolver_, clock_, log);
    const std::atomic<bool> stopping{false};
    while (!finished_) {
      EXPECT_TRUE(runner.run_page(*config_, signer_, stopping));
      clock_.advance(20s);
    }
  }

  void delivery() {
    const auto store = open();
    SystemRandom random;
    RecordingLog log;
    CourierOptions options;
    options.mail = [this](const Interrupt&) { return std::make_unique<Acceptor>(book_); };
    options.https = [this](const Interrupt&) { return std::make_unique<Acceptor>(book_); };
    Courier courier(*store, clock_, random, log, options);
    while (!finished_ || courier.under_way() > 0) {
      EXPECT_TRUE(courier.step(true, true));
      courier.wait(1ms);
    }
  }

  // Each order in turn, to whatever windows there are.
  void orders() {
    const auto store = open();
    SystemRandom random;
    for (int order = 0; order < kOrders; ++order) {
      const auto windows = store->windows({.limit = 1000});
      ASSERT_TRUE(windows);
      if (windows->empty()) {
        --order;
        continue;
      }
      const auto& window = (*windows)[random.next() % windows->size()];
      switch (random.next() % 5) {
        case 0:
          EXPECT_TRUE(store->hold(window.id, "race", clock_.now()));
          break;
        case 1:
          EXPECT_TRUE(store->release(window.id, clock_.now()));
          break;
        case 2:
          EXPECT_TRUE(store->send_now(window.id, clock_.now()));
          break;
        case 3:
          EXPECT_TRUE(store->retry_now(true, clock_.now()));
          break;
        default:
          if (order % 10 == 0) {
            EXPECT_TRUE(store->cancel(window.id, "race", clock_.now()));
          }
          break;
      }
    }
  }

  RacingClock clock_;
  TableResolver resolver_;
  MarkingSigner signer_;
  Acceptor::Book book_;
  std::shared_ptr<const Config> config_;
  std::atomic<bool> finished_{false};
  std::filesystem::path folder_;
};

TEST_F(SteeringRaceTest, LosesNothingAndSendsNothingTwice) {
  open();
  std::thread assembling([this] { assembly(); });
  std::thread delivering([this] { delivery(); });
  std::thread taking([this] { intake(); });
  std::thread ordering([this] { orders(); });
  taking.join();
  ordering.join();

  // All that was held goes, all that collects falls due.
  const auto store = open();
  for (bool open_ones = true; open_ones;) {
    open_ones = false;
    const auto windows = store->windows({.limit = 10'000});
    ASSERT_TRUE(windows);
    for (const auto& window : *windows) {
      if (window.state == WindowState::kHeld) {
        EXPECT_TRUE(store->release(window.id, clock_.now()));
      }
      open_ones = open_ones ||
                  (window.state != WindowState::kDone && window.state != WindowState::kSuppressed);
    }
    clock_.advance(60s);
    std::this_thread::yield();
  }
  finished_ = true;
  assembling.join();
  delivering.join();

  std::map<std::string, std::uint64_t> counted;
  std::size_t reported = 0;
  const auto windows = store->windows({.limit = 10'000});
  ASSERT_TRUE(windows);
  for (const auto& window : *windows) {
    counted[window.domain] += window.successful;
    EXPECT_EQ(window.failed, 0U);
    if (window.state == WindowState::kDone && window.reason != "race") ++reported;
    const auto deliveries = store->deliveries({.window = window.id});
    ASSERT_TRUE(deliveries);
    EXPECT_LE(deliveries->size(), 1U) << "reported once";
  }
  for (int i = 0; i < kDomains; ++i) EXPECT_EQ(counted[domain(i)], kSessionsEach) << domain(i);
  std::size_t messages = 0;
  for (const auto& [recipient, texts] : book_.messages) messages += texts.size();
  EXPECT_EQ(book_.submissions, messages) << "no message went twice";
  EXPECT_GE(messages, reported);
  EXPECT_GT(reported, static_cast<std::size_t>(kDomains));
}

}  // namespace
}  // namespace rapporteur::testing_support
