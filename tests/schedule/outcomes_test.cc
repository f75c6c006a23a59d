// What becomes of a due window, by what the DNS says about its domain and by what is wrong with us.
// docs/design.md, "Scheduling".

#include <gmock/gmock.h>

#include <atomic>

#include "schedule/runner.h"
#include "schedule/schedule_fixture.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing_support::config_of;
using Status = DnsAnswer::Status;

constexpr const char* kGood = "v=TLSRPTv1; rua=mailto:good@rua.example";
constexpr const char* kSeen = "v=TLSRPTv1; rua=mailto:seen@rua.example";

class OutcomeTest : public testing_support::ScheduleTest {
 protected:
  std::shared_ptr<const Config> config = config_of("");
  std::atomic<bool> stopping = false;
  Runner runner{*store, resolver, clock, log};

  Window run() {
    const auto summary = runner.run_page(*config, signer, stopping);
    EXPECT_TRUE(summary) << summary.error().text;
    const auto windows = store->windows({.domain = "a.example"});
    return windows->at(0);
  }
  // Until it is something else than waiting, at most for `patience`; asks every minute, as often as
  // the daemon does or less.
  Window run_until_decided(Seconds patience) {
    auto window = run();
    const auto end = clock.now() + patience;
    while (window.state == WindowState::kDue && clock.now() < end) {
      clock.advance(60s);
      window = run();
    }
    return window;
  }
  std::vector<std::string> destinations() {
    std::vector<std::string> found;
    const auto deliveries = store->deliveries({});
    for (const auto& delivery : *deliveries) found.push_back(delivery.destination);
    return found;
  }
};

struct AnswerCase {
  std::string name;
  DnsAnswer answer;
  std::string destination;  // empty: it is suppressed for `reason`
  std::string reason;
};

DnsAnswer found(std::vector<std::string> records) {
  return {.status = Status::kFound, .records = std::move(records)};
}

const AnswerCase kDefiniteAnswers[] = {
    {"OneRecord", found({kGood}), "mailto:good@rua.example", ""},
    {"NoSuchName", {.status = Status::kNone}, "", "no TLSRPT record"},
    {"NoRecordOfTheType", found({}), "", "no TLSRPT record"},
    {"TwoRecords", found({kGood, "v=TLSRPTv1; rua=mailto:other@rua.example"}), "",
     "several TLSRPT records"},
    {"TheSameRecordTwice", found({kGood, kGood}), "", "several TLSRPT records"},
    {"AForeignRecordBesideIt", found({"v=spf1 -all", kGood}), "mailto:good@rua.example", ""},
    {"OnlyAForeignRecord", found({"v=spf1 -all"}), "", "no TLSRPT record"},
    {"AnotherVersion", found({"v=TLSRPTv2; rua=mailto:x@rua.example"}), "", "no TLSRPT record"},
    {"NoDestination", found({"v=TLSRPTv1;"}), "", "TLSRPT record is invalid"},
    {"NoUsableDestination", found({"v=TLSRPTv1; rua=ftp://rua.example/"}), "",
     "TLSRPT record is invalid"},
};

class DefiniteAnswerTest : public OutcomeTest, public testing::WithParamInterface<AnswerCase> {};

// What the MTA saw with the sessions is not asked for then.
TEST_P(DefiniteAnswerTest, DecidesAtOnce) {
  due_window(counts(3, 1), kSeen);
  resolver.set(DnsType::kTxt, kName, GetParam().answer);
  const auto window = run();
  if (GetParam().destination.empty()) {
    EXPECT_EQ(window.state, WindowState::kSuppressed);
    EXPECT_THAT(window.reason, HasSubstr(GetParam().reason));
    EXPECT_THAT(destinations(), IsEmpty());
  } else {
    EXPECT_EQ(window.state, WindowState::kAssembled) << window.reason;
    EXPECT_THAT(destinations(), testing::ElementsAre(GetParam().destination));
  }
  EXPECT_THAT(resolver.asked, SizeIs(1));
}

INSTANTIATE_TEST_SUITE_P(Answers, DefiniteAnswerTest, testing::ValuesIn(kDefiniteAnswers),
                         [](const auto& answer) { return answer.param.name; });

const AnswerCase kTemporaryAnswers[] = {
    {"ServerFailure", {.status = Status::kTemporary, .problem = "SERVFAIL"}, "", "SERVFAIL"},
    {"TimeOut",
     {.status = Status::kTemporary, .problem = "no answer within 10s", .timed_out = true},
     "",
     "no answer"},
    {"Bogus", {.status = Status::kTemporary, .problem = "bogus"}, "", "bogus"},
};

class TemporaryAnswerTest : public OutcomeTest, public testing::WithParamInterface<AnswerCase> {
 protected:
  void SetUp() override { resolver.set(DnsType::kTxt, kName, GetParam().answer); }
};

TEST_P(TemporaryAnswerTest, KeepsTheWindowForADay) {
  due_window(counts(3, 1), kSeen);
  const auto window = run_until_decided(23h + 59min);
  EXPECT_EQ(window.state, WindowState::kDue);
  EXPECT_THAT(window.reason, HasSubstr(GetParam().reason));
  EXPECT_LE(*window.retry, clock.now() + 1h);
  // After one minute, then always as long again as it has waited, at last every hour.
  EXPECT_GE(resolver.asked.size(), 24U);
  EXPECT_LE(resolver.asked.size(), 36U);
}

TEST_P(TemporaryAnswerTest, AnAnswerEndsTheWait) {
  due_window(counts(3, 1), kSeen);
  EXPECT_EQ(run_until_decided(23h).state, WindowState::kDue);
  resolver.say(kName, {kGood});
  EXPECT_EQ(run_until_decided(1h).state, WindowState::kAssembled);
  EXPECT_THAT(destinations(), testing::ElementsAre("mailto:good@rua.example"));
}

TEST_P(TemporaryAnswerTest, TheRecordThatTheMtaSawIsUsedAfterADay) {
  const auto since = clock.now();
  due_window(counts(3, 1), kSeen);
  EXPECT_EQ(run_until_decided(48h).state, WindowState::kAssembled);
  EXPECT_THAT(destinations(), testing::ElementsAre("mailto:seen@rua.example"));
  EXPECT_GE(clock.now(), since + 24h);
  EXPECT_LE(clock.now(), since + 25h);
}

TEST_P(TemporaryAnswerTest, WithoutOneItIsSuppressedAfterADay) {
  due_window(counts(3, 1));
  const auto window = run_until_decided(48h);
  EXPECT_EQ(window.state, WindowState::kSuppressed);
  EXPECT_THAT(window.reason, HasSubstr(GetParam().reason));
}

// A virtual machine that was stopped for days has no network in its first seconds.
TEST_P(TemporaryAnswerTest, AFailureAfterALongSleepIsNotTheLast) {
  due_window(counts(3, 1), kSeen);
  EXPECT_EQ(run().state, WindowState::kDue);
  clock.advance(72h);
  EXPECT_EQ(run().state, WindowState::kDue);
  resolver.say(kName, {kGood});
  EXPECT_EQ(run_until_decided(1h).state, WindowState::kAssembled);
  EXPECT_THAT(destinations(), testing::ElementsAre("mailto:good@rua.example"));
}

INSTANTIATE_TEST_SUITE_P(Answers, TemporaryAnswerTest, testing::ValuesIn(kTemporaryAnswers),
                         [](const auto& answer) { return answer.param.name; });

TEST_F(OutcomeTest, NeverDiscardsAWindowThatIsCollecting) {
  due_window(counts(3, 1));
  resolver.say(kName, {kGood});
  config = config_of("[report.tls]\nsendFrequency = \"never\"\n");
  const auto window = run();
  EXPECT_EQ(window.state, WindowState::kSuppressed);
  EXPECT_THAT(window.reason, HasSubstr("never"));
}

struct OurFault {
  std::string name;
  std::string config;
  bool key = true;
  std::string reason;
};

const OurFault kOurFaults[] = {
    {"NoKey", "", false, "no [[dkim]] key"},
    {"AnotherKey", "[report.tls]\ndkimSignDomain = \"'other.example'\"\n", true,
     "no [[dkim]] key for dkimSignDomain 'other.example'"},
    {"AnExpressionThatFails",
     "[report.tls]\norgName = \"if_then(1 / (len(rcpt_domain) - 9) == 0, 'a', 'b')\"\n", true,
     "orgName"},
    {"AFrequencyThatFails",
     "[report.tls]\nsendFrequency = \"if_then(1 / (len(rcpt_domain) - 9), daily, hourly)\"\n", true,
     "sendFrequency"},
    {"ALimitThatIsTooSmall", "[report.tls]\nmaxReportSize = \"100\"\n", true, "maxReportSize"},
    {"ADestinationThatIsNone", "[report.tls]\nreportTo = \"['ftp://' + rcpt_domain]\"\n", true,
     "reportTo"},
};

class OurFaultTest : public OutcomeTest, public testing::WithParamInterface<OurFault> {
 protected:
  void SetUp() override {
    resolver.say(kName, {kGood});
    due_window(counts(3, 1));
    config = config_of(GetParam().config);
    if (!GetParam().key) signer.domains.clear();
  }
  void mend() {
    config = config_of("");
    signer.domains = {"example.org"};
  }
};

TEST_P(OurFaultTest, BlocksTheWindowWithItsReason) {
  const auto window = run();
  EXPECT_EQ(window.state, WindowState::kBlocked);
  EXPECT_THAT(window.reason, HasSubstr(GetParam().reason));
  EXPECT_THAT(destinations(), IsEmpty());
}

TEST_P(OurFaultTest, HealsAfterAQuarterOfAnHourWithoutAReload) {
  EXPECT_EQ(run().state, WindowState::kBlocked);
  mend();
  clock.advance(14min);
  EXPECT_EQ(run().state, WindowState::kBlocked);
  clock.advance(1min);
  const auto window = run();
  EXPECT_EQ(window.state, WindowState::kAssembled);
  EXPECT_THAT(window.reason, IsEmpty());
}

TEST_P(OurFaultTest, HealsAtOnceAfterAReload) {
  EXPECT_EQ(run().state, WindowState::kBlocked);
  mend();
  ASSERT_TRUE(store->retry_now(true, clock.now()));
  EXPECT_EQ(run().state, WindowState::kAssembled);
}

TEST_P(OurFaultTest, IsGivenUpAfterAWeek) {
  auto window = run();
  const auto since = clock.now();
  while (window.state == WindowState::kBlocked && clock.now() < since + 8 * 24h) {
    clock.advance(15min);
    window = run();
  }
  EXPECT_EQ(window.state, WindowState::kSuppressed);
  EXPECT_THAT(window.reason, testing::StartsWith("blocked for too long: "));
  EXPECT_EQ(clock.now(), since + 7 * 24h);
}

INSTANTIATE_TEST_SUITE_P(Faults, OurFaultTest, testing::ValuesIn(kOurFaults),
                         [](const auto& fault) { return fault.param.name; });

}  // namespace
}  // namespace rapporteur
