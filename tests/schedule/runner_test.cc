#include "schedule/runner.h"

#include <gmock/gmock.h>

#include <atomic>

#include "schedule/schedule_fixture.h"
#include "support/timed_resolver.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing_support::at;
using testing_support::config_of;

class RunnerTest : public testing_support::ScheduleTest {
 protected:
  std::shared_ptr<const Config> config = config_of("");
  std::atomic<bool> stopping = false;
  Runner runner{*store, resolver, clock, log};

  void add(const std::string& domain) {
    CountBatch batch;
    batch.now = at("2026-11-20T12:00:00Z");
    WindowDelta delta;
    delta.domain = domain;
    delta.period = {at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z")};
    delta.first = delta.last = batch.now;
    delta.counts = counts(3, 0);
    delta.due = at("2026-11-21T00:01:00Z");
    delta.supplement_due = delta.due;
    batch.windows.push_back(delta);
    ASSERT_TRUE(store->add(batch));
  }

  RunSummary run() {
    const auto summary = runner.run_page(*config, signer, stopping);
    EXPECT_TRUE(summary) << summary.error().text;
    return *summary;
  }

  Window window(const std::string& domain) { return store->windows({.domain = domain})->at(0); }
};

TEST_F(RunnerTest, AssemblesWhatIsDueAndNothingElse) {
  add("a.example");
  resolver.say(kName, {"v=TLSRPTv1; rua=mailto:r@a.example"});
  clock.set(at("2026-11-21T00:00:59Z"));
  EXPECT_EQ(run().assembled, 0U);
  EXPECT_THAT(resolver.asked, IsEmpty());
  clock.advance(1s);
  EXPECT_EQ(run().assembled, 1U);
  EXPECT_THAT(resolver.asked, ElementsAre(kName));
  EXPECT_EQ(window("a.example").state, WindowState::kAssembled);
  EXPECT_THAT(*store->due_deliveries({.now = clock.now(), .limit = 10}), SizeIs(1));
  EXPECT_EQ(run().assembled, 0U);
}

TEST_F(RunnerTest, OneDomainsTroubleStopsNoOther) {
  add("a.example");
  add("broken.example");
  add("silent.example");
  resolver.say(kName, {"v=TLSRPTv1; rua=mailto:r@a.example"});
  resolver.say("_smtp._tls.broken.example", {"v=TLSRPTv1; rua=ftp://x"});
  resolver.fail("_smtp._tls.silent.example", "time-out");
  const auto summary = run();
  EXPECT_EQ(summary.assembled, 1U);
  EXPECT_EQ(summary.suppressed, 1U);
  EXPECT_EQ(summary.postponed, 1U);
  EXPECT_EQ(window("broken.example").state, WindowState::kSuppressed);
  EXPECT_NE(window("broken.example").reason, "");
  EXPECT_EQ(window("silent.example").state, WindowState::kDue);
  EXPECT_EQ(window("silent.example").retry, clock.now() + 1min);
}

// As after a night in which the daemon did not run.
TEST_F(RunnerTest, AWindowAndItsSupplementThatAreDueTogetherHaveReportIdsOfTheirOwn) {
  resolver.say(kName, {"v=TLSRPTv1; rua=mailto:r@a.example"});
  due_window(counts(5, 0));
  due_window(counts(7, 0));
  EXPECT_EQ(run().assembled, 2U);
  EXPECT_EQ(log.count("window-failed"), 0U);
  std::vector<int> numbers;
  const auto deliveries = *store->deliveries({});
  for (const auto& delivery : deliveries) numbers.push_back(delivery.part);
  EXPECT_THAT(numbers, ElementsAre(1, 2));
}

TEST_F(RunnerTest, SettingsAskTheDnsForAllWindowsOfAPageAtOnce) {
  config = config_of(
      "[report.tls]\norgName = \"if_then(dns_query(rcpt_domain, 'mx') == ['mx.partner.example'], "
      "'Partner', 'Others')\"\n");
  for (const std::string name : {"a.example", "b.example", "c.example"}) {
    add(name);
    resolver.say("_smtp._tls." + name, {"v=TLSRPTv1; rua=mailto:r@" + name});
    resolver.say(DnsType::kMx, name, {"mx.partner.example"});
  }
  resolver.fail(DnsType::kMx, "c.example", "SERVFAIL");
  const auto summary = run();
  EXPECT_EQ(resolver.calls, 2);  // the records, then what the settings ask
  EXPECT_EQ(summary.assembled, 2U);
  EXPECT_EQ(summary.blocked, 1U);
  EXPECT_EQ(window("c.example").state, WindowState::kBlocked);
  EXPECT_THAT(window("c.example").reason, testing::HasSubstr("SERVFAIL"));

  resolver.say(DnsType::kMx, "c.example", {});
  clock.advance(15min);
  EXPECT_EQ(run().assembled, 1U);
}

TEST_F(RunnerTest, ABlockedWindowGoesOutWhenTheKeyIsThere) {
  add("a.example");
  resolver.say(kName, {"v=TLSRPTv1; rua=mailto:r@a.example"});
  signer.domains.clear();
  EXPECT_EQ(run().blocked, 1U);
  EXPECT_EQ(window("a.example").state, WindowState::kBlocked);
  EXPECT_EQ(run().blocked, 0U) << "it is tried again after 15 minutes or a reload only";
  signer.domains = {"example.org"};
  ASSERT_TRUE(store->retry_now(true, clock.now()));
  EXPECT_EQ(run().assembled, 1U);
}

TEST_F(RunnerTest, ToldToStopWritesWhatWasDecidedAndLeavesTheRestDue) {
  for (const std::string name : {"a.example", "b.example", "c.example"}) {
    add(name);
    resolver.say("_smtp._tls." + name, {"v=TLSRPTv1; rua=mailto:r@" + name});
  }
  signer.on_sign = [this] { stopping = true; };
  EXPECT_EQ(run().assembled, 1U);
  EXPECT_EQ(window("a.example").state, WindowState::kAssembled);
  EXPECT_EQ(window("b.example").state, WindowState::kDue);
  EXPECT_EQ(window("c.example").state, WindowState::kDue);
  EXPECT_EQ(run().assembled, 0U) << "it does not begin again";
  stopping = false;
  signer.on_sign = nullptr;
  EXPECT_EQ(run().assembled, 2U);
}

// Windows of very many domains, a hundredth of which have a name server that is silent.
class SlowRunnerTest : public RunnerTest {
 protected:
  static constexpr std::size_t kWindows = 1200;

  SlowRunnerTest() {
    slow.answers = [](const std::string& name) {
      if (name.ends_with("00.example")) {
        return std::pair{10'000ms, DnsAnswer{.problem = "no answer", .timed_out = true}};
      }
      return std::pair{5ms, DnsAnswer{.status = DnsAnswer::Status::kFound,
                                      .records = {"v=TLSRPTv1; rua=mailto:r@b.example"}}};
    };
    for (std::size_t i = 1; i <= kWindows; ++i) add("d" + std::to_string(i) + ".example");
  }

  testing_support::TimedResolver slow{clock};
  Runner runner{*store, slow, clock, log};
};

TEST_F(SlowRunnerTest, SilentNameServersKeepNoOtherWindowWaiting) {
  RunSummary all;
  std::chrono::milliseconds others_done{0};
  for (bool more = true; more;) {
    const auto summary = runner.run_page(*config, signer, stopping);
    ASSERT_TRUE(summary) << summary.error().text;
    all.assembled += summary->assembled;
    all.postponed += summary->postponed;
    if (summary->assembled > 0) others_done = slow.waited;
    more = summary->more;
  }
  EXPECT_EQ(all.assembled, kWindows * 99 / 100);
  EXPECT_EQ(all.postponed, kWindows / 100);
  // 200 at a time, 5 ms each, would take 30 ms if nobody were silent.
  EXPECT_LE(others_done, 100ms);
  EXPECT_LE(slow.waited, 11s) << "the silent ones wait together";
  EXPECT_LE(slow.most_open, Runner::kPage);
  EXPECT_EQ(slow.asked.size(), kWindows) << "each is asked about once";
}

TEST_F(SlowRunnerTest, WhatIsHeldIsLetGoWhenEverythingIsPaused) {
  ASSERT_TRUE(runner.run_page(*config, signer, stopping));
  ASSERT_TRUE(store->set_pause({.everything = true}));
  const auto paused = runner.run_page(*config, signer, stopping);
  ASSERT_TRUE(paused);
  EXPECT_FALSE(paused->more);
  EXPECT_EQ(paused->assembled, 0U);
  ASSERT_TRUE(store->set_pause({}));
  std::size_t assembled = (*store->window_states())[WindowState::kAssembled];
  for (bool more = true; more;) {
    const auto summary = runner.run_page(*config, signer, stopping);
    ASSERT_TRUE(summary);
    assembled += summary->assembled;
    more = summary->more;
  }
  EXPECT_EQ(assembled, kWindows * 99 / 100);
}

TEST(HeldBy, EndsByItself) {
  const auto now = at("2026-11-21T00:00:00Z");
  EXPECT_TRUE(held_by({.everything = true}, now).everything);
  EXPECT_TRUE(held_by({.everything = true}, now).smtp);
  EXPECT_TRUE(held_by({.smtp = true, .until = now + 1s}, now).smtp);
  EXPECT_FALSE(held_by({.smtp = true, .until = now + 1s}, now).https);
  EXPECT_FALSE(held_by({.everything = true, .until = now}, now).everything);
}

}  // namespace
}  // namespace rapporteur
