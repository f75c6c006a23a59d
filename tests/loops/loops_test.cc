// Reports that make reports: our relay tells us of the TLS sessions in which it handed over our own
// report mails. docs/design.md, "Scheduling", promises that this comes to rest, and that a domain
// to which we really write is not silenced.

#include <gmock/gmock.h>

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "faults/world.h"

namespace rapporteur {
namespace {

using namespace testing_support;

constexpr const char* kDomain = "a.example";
constexpr Seconds kDay{24 * 3600};
constexpr int kDays = 10;
constexpr Seconds kStep{1200};

const Time kFirstDay = at("2026-11-16T00:00:00Z");  // a Monday

// What our relay does with a report mail.
struct Relay {
  int sessions = 1;      // attempts, the last of which hands it over
  Seconds after{60};     // the first of them, after we have handed the mail over
  Seconds between{300};  // two of them
  bool tls_works = true;
  bool tells = true;  // of them; false: the MTA leaves reports out
};

struct Variant {
  std::string name;
  std::string config;
  Relay relay;
  std::size_t most_reports = 1;  // of one real session
};

std::string datagram(bool success) {
  const auto details =
      success ? std::string(R"("t":0,"f":0)")
              : std::string(R"("failure-details":[{"c":202,"n":"mx.a.example"}],"t":1,"f":1)");
  return R"({"dpv": "1","d": "a.example","pr": "v=TLSRPTv1; rua=mailto:tls@a.example",)"
         R"("policies":[{"policy-type":9,"policy-domain": "a.example",)" +
         details + "}]}";
}

// Ten days of an instance and its relay.
class Days {
 public:
  explicit Days(const Variant& variant)
      : relay_(variant.relay), world_(config_of(variant.config), kFirstDay) {
    world_.table.say("_smtp._tls.a.example", {"v=TLSRPTv1; rua=mailto:tls@a.example"});
    world_.most_ticks = 100'000;
    world_.mailbox.watch([this](const std::string&) { carry(); });
  }

  // A real session at 09:00 of these days, counted from 0.
  void pass(const std::vector<int>& real_days, bool success = true) {
    for (const auto day : real_days) plan(real_time(day), success);
    for (auto now = kFirstDay; now < kFirstDay + (kDays + 9) * kDay; now += kStep) {
      world_.pass_to(now);
      for (const bool told : sessions_until(now)) world_.take("session", datagram(told));
    }
  }

  std::vector<Period> reported() {
    std::vector<Period> periods;
    for (const auto& entry : said(world_.observer->reports(kDomain, 1000))) {
      periods.push_back(entry.window.period);
    }
    return periods;
  }
  // Of those days, how many real sessions were not reported.
  std::vector<int> missing(const std::vector<int>& real_days) {
    auto missing = real_days;
    for (const auto& period : reported()) {
      std::erase_if(missing, [&](int day) { return period.covers(real_time(day)); });
    }
    return missing;
  }
  static Time real_time(int day) { return kFirstDay + day * kDay + 9h; }
  std::size_t mails() { return world_.mailbox.attempts().size(); }
  std::uint64_t own_sessions() const { return own_sessions_; }

 private:
  // In the thread that sends.
  void carry() {
    if (!relay_.tells) return;
    const auto first = world_.clock.right() + relay_.after;
    for (int i = 0; i < relay_.sessions; ++i) plan(first + i * relay_.between, relay_.tls_works);
    own_sessions_ += static_cast<std::uint64_t>(relay_.sessions);
  }
  void plan(Time time, bool success) {
    const std::lock_guard lock(mutex_);
    planned_.emplace(time, success);
  }
  std::vector<bool> sessions_until(Time now) {
    const std::lock_guard lock(mutex_);
    std::vector<bool> found;
    while (!planned_.empty() && planned_.begin()->first <= now) {
      found.push_back(planned_.begin()->second);
      planned_.erase(planned_.begin());
    }
    return found;
  }

  const Relay relay_;
  std::mutex mutex_;
  std::multimap<Time, bool> planned_;
  std::atomic<std::uint64_t> own_sessions_ = 0;
  World world_;  // last: its threads use the others
};

// Ten minutes before midnight everything is handed over.
constexpr const char* kLate = "[schedule]\ngrace = \"23h50m\"\n[schedule.spread]\ndaily = \"1s\"\n";

std::vector<Variant> variants() {
  return {
      {"OneSessionAMail", "", {}},
      {"TwoSessionsAMail", "[schedule]\nownReportSlack = 2\n", {.sessions = 2}},
      {"RelayedAfterMidnight", kLate, {.after = 1800s}},
      // Late, and at once: whose mail it was is known a day later.
      {"RelayedBeforeMidnight", kLate, {}, 2},
      {"EveryHour", "[report.tls]\nsendFrequency = \"hourly\"\n", {.after = 60s}},
      {"EveryHourAndAnHourLate", "[report.tls]\nsendFrequency = \"hourly\"\n", {.after = 3000s}},
      {"EveryWeek", "[report.tls]\nsendFrequency = \"weekly\"\n", {}},
      {"TheMtaLeavesThemOut", "[schedule]\nownReportSlack = 0\n", {.tells = false}},
      {"TlsAlwaysFails", "", {.tls_works = false}, 2},
      {"TlsAlwaysFailsTwice",
       "[schedule]\nownReportSlack = 2\n",
       {.sessions = 2, .tls_works = false},
       2},
  };
}

class LoopTest : public testing::TestWithParam<Variant> {};

TEST_P(LoopTest, OneRealSessionIsReportedAndNothingFollows) {
  Days days(GetParam());
  days.pass({0});
  EXPECT_THAT(days.missing({0}), testing::IsEmpty());
  EXPECT_LE(days.reported().size(), GetParam().most_reports);
  EXPECT_EQ(days.mails(), days.reported().size());
  EXPECT_EQ(days.own_sessions() > 0, GetParam().relay.tells);
}

TEST_P(LoopTest, AFailureIsReportedAndNothingFollows) {
  Days days(GetParam());
  days.pass({0}, false);
  EXPECT_THAT(days.missing({0}), testing::IsEmpty());
  EXPECT_LE(days.reported().size(), GetParam().most_reports);
}

TEST_P(LoopTest, EveryDayWithARealSessionIsReported) {
  const std::vector<int> every_day = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  Days days(GetParam());
  days.pass(every_day);
  EXPECT_THAT(days.missing(every_day), testing::IsEmpty());
  EXPECT_LE(days.reported().size(), every_day.size() + GetParam().most_reports - 1);
}

INSTANTIATE_TEST_SUITE_P(Relays, LoopTest, testing::ValuesIn(variants()),
                         [](const auto& variant) { return variant.param.name; });

}  // namespace
}  // namespace rapporteur
