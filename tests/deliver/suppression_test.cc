#include "deliver/suppression.h"

#include "deliver/courier_setup.h"

namespace rapporteur::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct PatternCase {
  const char* name;
  const char* text;
  const char* want;  // empty: refused
};

class PatternTest : public testing::TestWithParam<PatternCase> {};

TEST_P(PatternTest, IsReadIntoOneForm) {
  const auto& [name, text, want] = GetParam();
  const auto pattern = parse_suppression(text);
  if (*want == '\0') {
    ASSERT_FALSE(pattern) << *pattern;
    EXPECT_THAT(pattern.error().text, HasSubstr("write an address, @domain"));
  } else {
    ASSERT_TRUE(pattern) << pattern.error().text;
    EXPECT_EQ(*pattern, want);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Suppression, PatternTest,
    testing::Values(PatternCase{"Address", " User@B.Example ", "user@b.example"},
                    PatternCase{"Uri", "mailto:tls@b.example", "tls@b.example"},
                    PatternCase{"Domain", "@B.example.", "@b.example"},
                    PatternCase{"Below", "@*.b.example", "@*.b.example"},
                    PatternCase{"ULabel",
                                "@b\xc3\xbc"
                                "cher.example",
                                "@xn--bcher-kva.example"},
                    PatternCase{"Host", "https://Reports.B.example", "https://reports.b.example/*"},
                    PatternCase{"HostWithSlash", "https://b.example/", "https://b.example/*"},
                    PatternCase{"HostWithStar", "https://b.example/*", "https://b.example/*"},
                    PatternCase{"DefaultPort", "https://b.example:443/", "https://b.example/*"},
                    PatternCase{"Port", "https://b.example:8443/", "https://b.example:8443/*"},
                    PatternCase{"ULabelHost",
                                "https://b\xc3\xbc"
                                "cher.example/x#f",
                                "https://xn--bcher-kva.example/x"},
                    PatternCase{"ULabelAddress",
                                "a@b\xc3\xbc"
                                "cher.example",
                                "a@xn--bcher-kva.example"},
                    PatternCase{"StarHost", "https://*/", ""},
                    PatternCase{"SpaceHost", "https://not a host/", ""},
                    PatternCase{"GreatPort", "https://b.example:99999/", ""},
                    PatternCase{"Path", "https://b.example/V1?a=B", "https://b.example/V1?a=B"},
                    PatternCase{"Report", "report:A.example", "report:a.example"},
                    PatternCase{"ReportsBelow", "report:*.a.example", "report:*.a.example"},
                    PatternCase{"Nothing", "", ""}, PatternCase{"BareDomain", "b.example", ""},
                    PatternCase{"NoLocalPart", "mailto:@b.example", ""},
                    PatternCase{"AtAlone", "@", ""}, PatternCase{"Space", "a b@b.example", ""},
                    PatternCase{"Http", "http://b.example/", ""},
                    PatternCase{"User", "https://u@b.example/", ""},
                    PatternCase{"NoHost", "https:///x", ""},
                    PatternCase{"NoReportDomain", "report:", ""}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(SuppressionPatterns, AreEverythingThatMayHoldForADelivery) {
  EXPECT_THAT(suppression_patterns("mailto:Tls@mx.b.example", "sub.a.example"),
              ElementsAre("tls@mx.b.example", "@mx.b.example", "@*.b.example", "@*.example",
                          "report:sub.a.example", "report:*.a.example", "report:*.example"));
  EXPECT_THAT(suppression_patterns("https://B.example:8443/v1", "a.example"),
              ElementsAre("https://b.example:8443/v1", "https://b.example:8443/*",
                          "report:a.example", "report:*.example"));
  EXPECT_THAT(suppression_patterns("https://b.example", "a.example"),
              ElementsAre("https://b.example/", "https://b.example/*", "report:a.example",
                          "report:*.example"));
}

TEST(SuppressionPatterns, EachIsWhatReadingItGives) {
  for (const auto* destination : {"mailto:tls@mx.b.example", "https://b.example:8443/v1?x=Y"}) {
    for (const auto& pattern : suppression_patterns(destination, "sub.a.example")) {
      const auto read = parse_suppression(pattern);
      EXPECT_TRUE(read && *read == pattern) << pattern;
    }
  }
}

// Windows of one domain, a day apart, that report to one dead destination.
class SuppressionTest : public CourierTest {
 protected:
  static constexpr const char* kDead = "mailto:dead@b.example";

  // Assembles another window for the destination; its delivery's id.
  std::string assemble(const std::string& destination = kDead) {
    const auto id = "s" + std::to_string(++reports_);
    CountBatch batch;
    batch.now = clock.now();
    WindowDelta delta;
    delta.domain = "about" + std::to_string(reports_) + ".example";
    delta.period = {clock.now() - 1h, clock.now()};
    delta.first = delta.last = clock.now() - 1s;
    delta.counts = {{{PolicyType::kSts, delta.domain, {}, {}}, 1, 0, {}}};
    delta.due = clock.now();
    delta.supplement_due = delta.due;
    batch.windows = {delta};
    EXPECT_TRUE(real->add(batch));
    const auto due = real->claim_due(clock.now(), 10, std::nullopt);
    EXPECT_TRUE(due && due->size() == 1);
    Assembly assembly;
    assembly.window = due->front().id;
    assembly.now = clock.now();
    Part part;
    part.report_id = id + "@example.org";
    part.file_name = "f";
    part.mail_body = "body\r\n";
    assembly.parts = {part};
    Delivery delivery;
    delivery.id = id;
    delivery.domain = delta.domain;
    delivery.report_id = part.report_id;
    delivery.destination = destination;
    delivery.envelope_from = "noreply-tls@example.org";
    delivery.next_attempt = clock.now();
    assembly.deliveries = {delivery};
    EXPECT_TRUE(real->conclude(assembly));
    if (!courier) courier = std::make_unique<Courier>(*store, clock, random, log, options);
    return id;
  }
  // The same, and lets it be delivered.
  std::string report(const std::string& destination = kDead) {
    auto id = assemble(destination);
    settle();
    return id;
  }

  void SetUp() override {
    CourierTest::SetUp();
    EXPECT_TRUE(real->cancel(window, "not wanted here", clock.now()));
  }

  // The state after three windows failed within four days.
  void suppress() {
    wire.reply_otherwise(permanent());
    for (int day = 0; day < 3; ++day) {
      report();
      clock.advance(36h);
    }
  }

  std::optional<Suppression> entry(const std::string& pattern = "dead@b.example") {
    const auto found = real->suppressions({&pattern, 1});
    EXPECT_TRUE(found);
    return found->empty() ? std::nullopt : std::optional(found->front());
  }

  int reports_ = 0;
};

TEST_F(SuppressionTest, ThreeWindowsOverThreeDaysSuppressADestination) {
  wire.reply_otherwise(permanent());
  report();
  clock.advance(71h);
  report();
  report();
  EXPECT_FALSE(entry()) << "three windows within 71 hours";
  clock.advance(1h);
  report();
  ASSERT_TRUE(entry());
  EXPECT_TRUE(entry()->automatic);
  EXPECT_EQ(entry()->until, clock.now() + 30 * 24h);
  EXPECT_THAT(entry()->reason, HasSubstr("4 windows failed since"));
  EXPECT_THAT(entry()->reason, HasSubstr("550 no user"));
  EXPECT_EQ(log.count("destination-suppressed"), 1U);

  const auto sent = wire.sent().size();
  const auto id = report();
  EXPECT_EQ(state(id), DeliveryState::kSuppressed);
  EXPECT_THAT(delivery(id).last_response, HasSubstr("suppressed until"));
  EXPECT_EQ(delivery(id).attempts, 0);
  EXPECT_EQ(wire.sent().size(), sent) << "nothing goes there";
  EXPECT_EQ(state(report("mailto:alive@b.example")), DeliveryState::kFailed) << "only itself";
}

TEST_F(SuppressionTest, ASuccessBetweenThemKeepsADestination) {
  wire.reply_otherwise(permanent());
  report();
  clock.advance(48h);
  report();
  wire.reply("dead@b.example", accepted());
  report();
  clock.advance(48h);
  report();
  EXPECT_FALSE(entry());
}

TEST_F(SuppressionTest, ReportsOfOneWindowCountOnce) {
  wire.reply_otherwise(permanent());
  const auto id = report();
  for (int again = 0; again < 5; ++again) {
    clock.advance(24h);
    EXPECT_TRUE(real->retry_delivery(id, clock.now()));
    settle();
  }
  EXPECT_FALSE(entry());
}

TEST_F(SuppressionTest, RelayTroubleAndTheGuardCountForNothing) {
  wire.reply_otherwise(relay_down());
  for (int day = 0; day < 6; ++day) {
    report();
    clock.advance(24h);
    settle();
  }
  EXPECT_FALSE(entry());
  EXPECT_EQ(state("s1"), DeliveryState::kPending);

  wire.reply_otherwise(make_reply(Reply::Outcome::kRefusedByGuard, Stage::kConnect, 0, "private"));
  for (int day = 0; day < 6; ++day) {
    report("https://b.example/");
    clock.advance(24h);
  }
  EXPECT_FALSE(entry("https://b.example/"));
}

TEST_F(SuppressionTest, OneReportProbesWhenTheTimeIsOver) {
  suppress();
  const auto held_back = report();
  clock.advance(30 * 24h);
  wire.reply("dead@b.example", temporary());
  const auto probe = report();
  EXPECT_EQ(state(probe), DeliveryState::kPending) << "it is tried, and will be again";
  const auto behind = report();
  EXPECT_EQ(state(behind), DeliveryState::kSuppressed);
  EXPECT_THAT(delivery(behind).last_response, HasSubstr("probes it"));
  wire.reply("dead@b.example", accepted());
  pass(10min, 1min);
  EXPECT_EQ(state(probe), DeliveryState::kDelivered);
  EXPECT_TRUE(entry()->lifted);
  EXPECT_EQ(log.count("suppression-lifted"), 1U);
  wire.reply_otherwise(accepted());
  EXPECT_EQ(state(report()), DeliveryState::kDelivered);
  EXPECT_EQ(state(held_back), DeliveryState::kSuppressed) << "what was given up stays so";
}

TEST_F(SuppressionTest, AProbeThatFailsDoublesTheTimeUpToHalfAYear) {
  suppress();
  std::vector<Seconds> spells;
  for (int spell = 0; spell < 5; ++spell) {
    const auto until = *entry()->until;
    spells.push_back(until - entry()->since);
    clock.advance(until - clock.now());
    const auto sent = wire.sent().size();
    report();
    report();
    EXPECT_EQ(wire.sent().size(), sent + 1) << "one probe";
  }
  EXPECT_THAT(spells, ElementsAre(30 * 24h, 60 * 24h, 120 * 24h, 180 * 24h, 180 * 24h));
}

TEST_F(SuppressionTest, AfterItWasLiftedFailuresCountAnew) {
  suppress();
  clock.advance(31 * 24h);
  wire.reply("dead@b.example", accepted());
  report();
  for (int day = 0; day < 2; ++day) {
    clock.advance(48h);
    report();
  }
  EXPECT_TRUE(entry()->lifted) << "two windows are not enough";
  clock.advance(48h);
  report();
  EXPECT_FALSE(entry()->lifted);
  EXPECT_EQ(entry()->spells, 2) << "not for the first time";
}

TEST_F(SuppressionTest, TheAdministratorsListHoldsForWhatItNames) {
  const auto add = [&](const char* pattern, std::optional<Time> until = {}) {
    EXPECT_TRUE(real->put_suppression(
        {.pattern = pattern, .since = clock.now(), .until = until, .reason = "asked for it"}));
  };
  add("@b.example");
  add("report:about2.example", clock.now() + 1h);
  add("https://c.example/*");
  EXPECT_EQ(state(report("mailto:any@b.example")), DeliveryState::kSuppressed);
  EXPECT_THAT(delivery("s1").last_response,
              testing::AllOf(HasSubstr("until it is removed"), HasSubstr("asked for it")));
  EXPECT_EQ(state(report("mailto:any@c.example")), DeliveryState::kSuppressed);
  EXPECT_EQ(state(report("https://c.example/deep")), DeliveryState::kSuppressed);
  EXPECT_EQ(state(report("mailto:any@c.example")), DeliveryState::kDelivered);
  EXPECT_EQ(courier->counts().suppressed, 3U);
  clock.advance(1h);
  EXPECT_TRUE(real->retry_delivery("s2", clock.now()));
  settle();
  EXPECT_EQ(state("s2"), DeliveryState::kDelivered) << "its time is over, and nothing need probe";
}

// Whoever publishes the root of a host in his record must not silence the host for others.
TEST_F(SuppressionTest, TheRootOfAHostIsOneDestinationOfMany) {
  for (int day = 0; day < 3; ++day) {
    wire.reply("https://vendor.example/", http(404));
    report("https://vendor.example/");
    clock.advance(36h);
  }
  EXPECT_TRUE(entry("https://vendor.example/"));
  EXPECT_EQ(state(report("https://vendor.example/v1/tlsrpt")), DeliveryState::kDelivered);
  EXPECT_EQ(state(report("https://vendor.example/")), DeliveryState::kSuppressed);
}

TEST_F(SuppressionTest, ARelayThatIsMendedSuppressesNobody) {
  wire.reply_otherwise(permanent());
  for (int day = 0; day < 5; ++day) {
    for (int domain = 0; domain < 10; ++domain) {
      report("mailto:tls@d" + std::to_string(domain) + ".example");
    }
    clock.advance(24h);
  }
  wire.reply_otherwise(accepted());
  for (int domain = 0; domain < 10; ++domain) {
    report("mailto:tls@d" + std::to_string(domain) + ".example");
  }
  wire.reply_otherwise(permanent());
  report("mailto:tls@d0.example");
  for (int domain = 0; domain < 10; ++domain) {
    EXPECT_FALSE(entry("tls@d" + std::to_string(domain) + ".example")) << domain;
  }
}

TEST_F(SuppressionTest, OurOwnNetworkSuppressesNobody) {
  wire.reply_otherwise(host_down());
  for (int day = 0; day < 6; ++day) {
    report("https://b.example/");
    pass(25h, 30min);
  }
  EXPECT_FALSE(entry("https://b.example/"));
}

TEST_F(SuppressionTest, AHostThatAloneDoesNotAnswerIsSuppressed) {
  wire.reply_otherwise(host_down());
  for (int day = 0; day < 5; ++day) {
    report("https://b.example/");
    for (int hour = 0; hour < 26; ++hour) {
      wire.reply("https://alive.example/", accepted());
      assemble("https://alive.example/");
      pass(1h, 30min);
    }
  }
  EXPECT_TRUE(entry("https://b.example/"));
}

TEST_F(SuppressionTest, AClockThatWasAheadSuppressesNobodyForLong) {
  clock.advance(24h * 365 * 10);
  suppress();
  ASSERT_TRUE(entry());
  clock.advance(-24h * 365 * 10 - 108h);
  wire.reply_otherwise(accepted());
  EXPECT_EQ(state(report()), DeliveryState::kDelivered) << "as the probe";
  wire.reply_otherwise(permanent());
  report();
  clock.advance(1h);
  report();
  EXPECT_TRUE(!entry() || entry()->lifted) << "two failures within an hour";
}

TEST_F(SuppressionTest, WhatTheAdministratorSaidMeanwhileStands) {
  suppress();
  EXPECT_TRUE(real->put_suppression({.pattern = "dead@b.example", .since = clock.now()}));
  EXPECT_TRUE(real->put_suppression({.pattern = "dead@b.example",
                                     .automatic = true,
                                     .since = clock.now(),
                                     .until = clock.now() + 1h}));
  EXPECT_FALSE(entry()->automatic);
  EXPECT_EQ(entry()->until, std::nullopt);
}

TEST_F(SuppressionTest, AStoreThatFailsPutsTheDecisionOffForTheMoment) {
  wire.reply_otherwise(permanent());
  for (int day = 0; day < 2; ++day) {
    report();
    clock.advance(48h);
  }
  for (const auto* method : {"suppressions", "failure_streak", "put_suppression"}) {
    store->failures[method] = 1;
  }
  assemble();
  int failed = 0;
  for (int step = 0; step < 1000 && (!entry() || courier->under_way() > 0); ++step) {
    if (!courier->step(true, true)) ++failed;
    if (courier->under_way() > 0) courier->wait(10s);
  }
  EXPECT_TRUE(entry());
  EXPECT_EQ(failed, 3);
}

// Twenty domains refused alike are the relay's doing, whatever their destinations did before.
TEST_F(SuppressionTest, WhatMayBeTheRelaysDoingSuppressesNobody) {
  wire.reply_otherwise(permanent());
  options.concurrency = 1;
  for (int day = 0; day < 2; ++day) {
    report();
    wire.reply("alive@c.example", accepted());
    report("mailto:alive@c.example");
    clock.advance(48h);
  }
  for (int domain = 0; domain < 10; ++domain) {
    report("mailto:tls@d" + std::to_string(domain) + ".example");
  }
  report();
  EXPECT_FALSE(entry()) << "it may be one of many";
  for (int domain = 10; domain < 20; ++domain) {
    report("mailto:tls@d" + std::to_string(domain) + ".example");
  }
  EXPECT_NE(courier->relay_problem(), "");
  wire.reply_otherwise(accepted());
  pass(1h, 1min);
  EXPECT_EQ(courier->relay_problem(), "");
  EXPECT_FALSE(entry());
}

}  // namespace
}  // namespace rapporteur::testing_support
