#include "schedule/assembler.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "schedule/schedule_fixture.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using testing_support::at;
using testing_support::config_of;
using Kind = Decision::Kind;

class AssemblerTest : public testing_support::ScheduleTest {
 protected:
  std::shared_ptr<const Config> config = config_of("");

  void SetUp() override {
    resolver.say(kName, {"v=TLSRPTv1; rua=mailto:r@a.example,https://r.a.example/v1"});
  }

  Dossier dossier_of(const Window& window) {
    const auto question = question_about(window);
    const auto dossiers = store->dossiers({&question, 1});
    EXPECT_TRUE(dossiers) << dossiers.error().text;
    return dossiers->at(0);
  }

  Decision decided(const Window& window) {
    auto decision = decide({*config, signer, *store}, window, dossier_of(window),
                           resolver.answer(kName), clock.now());
    EXPECT_TRUE(decision) << decision.error().text;
    return *std::move(decision);
  }

  Decision decided(const WindowCounts& with) { return decided(due_window(with)); }
};

TEST_F(AssemblerTest, MakesAPartAndADeliveryForEachDestination) {
  const auto decision = decided(counts(5, 0));
  ASSERT_EQ(decision.kind, Kind::kAssembled) << decision.reason;
  ASSERT_THAT(decision.assembly.parts, SizeIs(1));
  const auto& part = decision.assembly.parts[0];
  const auto id =
      "20261120T000000Z-20261121T000000Z.a.example.1." + store->token() + "@example.org";
  EXPECT_EQ(part.report_id, id);
  EXPECT_EQ(part.file_name,
            "example.org!a.example!1795132800!1795219199!001" + store->token() + ".json.gz");
  EXPECT_EQ(part.successful, 5U);

  ASSERT_THAT(decision.assembly.deliveries, SizeIs(2));
  const auto& mail = decision.assembly.deliveries[0];
  EXPECT_EQ(mail.destination, "mailto:r@a.example");
  EXPECT_EQ(mail.envelope_from, "noreply-tls@example.org");
  EXPECT_EQ(mail.next_attempt, clock.now());
  EXPECT_THAT(mail.header, StartsWith("DKIM-Signature: d=example.org; t=1795222800\r\n"));
  for (const auto* line :
       {"TLS-Report-Domain: a.example\r\n", "TLS-Report-Submitter: example.org\r\n",
        "TLS-Required: No\r\n", "Subject: TLS Aggregate Report\r\n", "To: r@a.example\r\n",
        "Date: Sat, 21 Nov 2026 01:00:00 +0000\r\n"}) {
    EXPECT_THAT(mail.header, HasSubstr(line));
  }
  EXPECT_THAT(mail.header,
              HasSubstr("Message-ID: <" + mail.id + "." + store->token() + "@example.org>\r\n"));
  const auto& post = decision.assembly.deliveries[1];
  EXPECT_EQ(post.destination, "https://r.a.example/v1");
  EXPECT_THAT(post.header, IsEmpty());
  EXPECT_EQ(post.report_id, id);
}

struct RecordCase {
  const char* name;
  std::vector<std::string> records;
  const char* want_reason;
};
class AssemblerWithoutRecord : public AssemblerTest,
                               public testing::WithParamInterface<RecordCase> {};

TEST_P(AssemblerWithoutRecord, Suppresses) {
  resolver.answers.clear();
  if (!GetParam().records.empty()) resolver.say(kName, GetParam().records);
  const auto with = counts(5, 0);
  const auto window = due_window(with, "v=TLSRPTv1; rua=mailto:seen@a.example");
  const auto decision = decided(window);
  EXPECT_EQ(decision.kind, Kind::kSuppressed);
  EXPECT_THAT(decision.reason, StartsWith(GetParam().want_reason));
}

INSTANTIATE_TEST_SUITE_P(
    Table, AssemblerWithoutRecord,
    testing::Values(RecordCase{"NoSuchName", {}, "no TLSRPT record"},
                    RecordCase{"ForeignTextOnly", {"v=spf1 -all"}, "no TLSRPT record"},
                    RecordCase{"Two",
                               {"v=TLSRPTv1; rua=mailto:a@a.example",
                                "v=TLSRPTv1; rua=mailto:b@a.example"},
                               "several TLSRPT records"},
                    RecordCase{"WithoutRua", {"v=TLSRPTv1; x=y"}, "TLSRPT record is invalid: "}),
    [](const auto& test) { return test.param.name; });

TEST_F(AssemblerTest, WaitsForTheNameServerWithGrowingDistance) {
  resolver.fail(kName, "SERVFAIL");
  const auto with = counts(5, 0);
  auto window = due_window(with);
  auto decision = decided(window);
  EXPECT_EQ(decision.kind, Kind::kPostponed);
  EXPECT_EQ(decision.retry, clock.now() + 1min);
  EXPECT_THAT(decision.reason, EndsWith("SERVFAIL"));

  window.lookup_since = clock.now() - 10min;
  EXPECT_EQ(decided(window).retry, clock.now() + 10min);
  window.lookup_since = clock.now() - 20h;
  EXPECT_EQ(decided(window).retry, clock.now() + 1h);
}

TEST_F(AssemblerTest, UsesTheRecordThatTheMtaSawAfterADayOfFailures) {
  resolver.fail(kName, "SERVFAIL");
  const auto with = counts(5, 0);
  auto window = due_window(with, "v=TLSRPTv1; rua=mailto:seen@a.example");
  window.lookup_since = clock.now() - 24h;
  const auto decision = decided(window);
  ASSERT_EQ(decision.kind, Kind::kAssembled) << decision.reason;
  EXPECT_EQ(decision.assembly.deliveries.at(0).destination, "mailto:seen@a.example");

  window.tlsrpt_record.clear();
  EXPECT_EQ(decided(window).kind, Kind::kSuppressed);
}

TEST_F(AssemblerTest, BlocksWithoutAKeyAndGivesUpAfterAWeek) {
  signer.domains.clear();
  const auto with = counts(5, 0);
  auto window = due_window(with);
  auto decision = decided(window);
  EXPECT_EQ(decision.kind, Kind::kBlocked);
  EXPECT_EQ(decision.retry, clock.now() + 15min);
  EXPECT_THAT(decision.reason, HasSubstr("no [[dkim]] key for dkimSignDomain 'example.org'"));

  window.first_attempt = clock.now() - 168h;
  decision = decided(window);
  EXPECT_EQ(decision.kind, Kind::kSuppressed);
  EXPECT_THAT(decision.reason, StartsWith("blocked for too long: "));
}

TEST_F(AssemblerTest, AWindowThatWasBlockedForLongStillWaitsForTheNameServer) {
  resolver.fail(kName, "SERVFAIL");
  const auto with = counts(5, 0);
  auto window = due_window(with);
  window.first_attempt = clock.now() - 48h;
  EXPECT_EQ(decided(window).kind, Kind::kPostponed);
}

TEST_F(AssemblerTest, NumbersOnAfterASupplementThatWentFirst) {
  resolver.say(kName, {"v=TLSRPTv1; rua=mailto:r@a.example"});
  const auto with = counts(5, 0);
  const auto window = due_window(with);
  auto supplement = due_window(with);
  ASSERT_EQ(supplement.supplement, 1);
  auto first = decided(supplement);
  ASSERT_TRUE(*store->conclude(first.assembly));
  const auto second = decided(window);
  EXPECT_EQ(second.assembly.parts.at(0).number, 2);
  EXPECT_TRUE(*store->conclude(second.assembly));
}

TEST_F(AssemblerTest, NeedsNoKeyForHttpsAlone) {
  signer.domains.clear();
  resolver.say(kName, {"v=TLSRPTv1; rua=https://r.a.example/v1"});
  EXPECT_EQ(decided(counts(5, 0)).kind, Kind::kAssembled);
}

TEST_F(AssemblerTest, LeavesSigningToTheRelayIfToldSo) {
  signer.domains.clear();
  config = config_of("[delivery.smtp]\nrelaySigns = true\n");
  const auto decision = decided(counts(5, 0));
  ASSERT_EQ(decision.kind, Kind::kAssembled) << decision.reason;
  EXPECT_THAT(decision.assembly.deliveries.at(0).header, testing::Not(HasSubstr("DKIM")));
}

TEST_F(AssemblerTest, SuppressesWhatTheAdministratorDoesNotWantSent) {
  config = config_of("[report.tls]\nsendWhen = \"failed_sessions > 0\"\n");
  auto decision = decided(counts(5, 0));
  EXPECT_EQ(decision.kind, Kind::kSuppressed);
  EXPECT_EQ(decision.reason, "sendWhen");

  config = config_of("[report.tls]\nsendFrequency = \"never\"\n");
  decision = decided(due_window(counts(5, 0)));
  EXPECT_EQ(decision.kind, Kind::kSuppressed);
  EXPECT_EQ(decision.reason, "sendFrequency is never");
}

TEST_F(AssemblerTest, SendsWhereReportToSays) {
  config = config_of(
      "[report.tls]\nreportTo = \"rua + ['mailto:copy@example.org', 'mailto:r@a.example']\"\n");
  const auto decision = decided(counts(5, 0));
  ASSERT_EQ(decision.kind, Kind::kAssembled) << decision.reason;
  ASSERT_THAT(decision.assembly.deliveries, SizeIs(3));
  EXPECT_EQ(decision.assembly.deliveries[2].destination, "mailto:copy@example.org");

  config = config_of("[report.tls]\nreportTo = \"rua - rua[0] - rua[1]\"\n");
  EXPECT_EQ(decided(due_window(counts(5, 0))).reason, "no destination");
}

TEST_F(AssemblerTest, UsesNoMoreDestinationsThanAllowed) {
  config = config_of("[delivery]\nmaxDestinations = 1\n");
  const auto decision = decided(counts(5, 0));
  ASSERT_THAT(decision.assembly.deliveries, SizeIs(1));
  EXPECT_EQ(decision.assembly.deliveries[0].destination, "mailto:r@a.example");
}

TEST_F(AssemblerTest, LetsLaterDestinationsWaitIfOnlyTheFirstIsWanted) {
  config = config_of("[delivery]\ndeliverTo = \"first\"\n");
  const auto decision = decided(counts(5, 0));
  ASSERT_THAT(decision.assembly.deliveries, SizeIs(2));
  EXPECT_FALSE(decision.assembly.deliveries[0].fallback);
  EXPECT_TRUE(decision.assembly.deliveries[1].fallback);
  EXPECT_FALSE(decision.assembly.deliveries[1].next_attempt);
}

TEST_F(AssemblerTest, SplitsSoThatEveryMailFitsAndTheSumsStay) {
  config = config_of("[report.tls]\nmaxReportSize = \"8192\"\n");
  const auto decision = decided(counts(5, 400, 400));
  ASSERT_EQ(decision.kind, Kind::kAssembled) << decision.reason;
  EXPECT_GT(decision.assembly.parts.size(), 1U);
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;
  for (const auto& part : decision.assembly.parts) {
    EXPECT_EQ(part.of, static_cast<int>(decision.assembly.parts.size()));
    successful += part.successful;
    failed += part.failed;
    for (const auto& delivery : decision.assembly.deliveries) {
      if (delivery.part != part.number || !is_mail(delivery.destination)) continue;
      EXPECT_LE(delivery.header.size() + 2 + part.mail_body.size(), 8192U);
    }
  }
  EXPECT_EQ(successful, 5U);
  EXPECT_EQ(failed, 400U);
}

TEST_F(AssemblerTest, KeepsToTheLimitWhateverTheSubjectDoes) {
  config = config_of(R"toml(
[report.tls]
maxReportSize = "8192"
subject = "if_then(part == 2, 'a subject that is very much longer than the others are, by far and without reason, as only the second part has it', 'short')"
)toml");
  const auto decision = decided(counts(5, 400, 400));
  ASSERT_EQ(decision.kind, Kind::kAssembled) << decision.reason;
  for (const auto& delivery : decision.assembly.deliveries) {
    if (!is_mail(delivery.destination)) continue;
    const auto& body =
        decision.assembly.parts.at(static_cast<std::size_t>(delivery.part - 1)).mail_body;
    EXPECT_LE(delivery.header.size() + 2 + body.size(), 8192U);
  }
}

// A mail is measured with the largest part number only where its report may have to be split.
TEST_F(AssemblerTest, BlocksASubjectThatFailsForSomePartOnlyIfThatMatters) {
  const std::string subject = "subject = \"if_then(1 / (part - 10000) == 0, 'even', 'odd')\"\n";
  config = config_of("[report.tls]\nmaxReportSize = \"8192\"\n" + subject);
  const auto split = decided(counts(5, 400, 400));
  EXPECT_EQ(split.kind, Kind::kBlocked);
  EXPECT_THAT(split.reason, testing::StartsWith("subject failed: "));
  config = config_of("[report.tls]\n" + subject);
  EXPECT_EQ(decided(counts(5, 0)).kind, Kind::kAssembled);
}

TEST_F(AssemblerTest, BlocksWhenNothingFits) {
  config = config_of("[report.tls]\nmaxReportSize = \"500\"\n");
  EXPECT_EQ(decided(counts(5, 0)).kind, Kind::kBlocked);
}

TEST_F(AssemblerTest, PutsTheDeliveryIdIntoTheEnvelope) {
  config = config_of("[report.tls]\nenvelopeFrom = \"'b+' + delivery_id + '@example.org'\"\n");
  const auto decision = decided(counts(5, 0));
  const auto& delivery = decision.assembly.deliveries.at(0);
  EXPECT_EQ(delivery.envelope_from, "b+" + delivery.id + "@example.org");
}

TEST_F(AssemblerTest, PreviewsWhatWouldBeSentWithoutAskingWhether) {
  config = config_of("[report.tls]\nsendFrequency = \"never\"\nsendWhen = \"false\"\n");
  const auto with = counts(5, 0);
  const auto window = due_window(with);
  const auto shown = preview({*config, signer, *store}, window, dossier_of(window),
                             resolver.answer(kName), clock.now());
  ASSERT_TRUE(shown);
  EXPECT_EQ(shown->kind, Kind::kAssembled) << shown->reason;
}

class OwnReportTest : public AssemblerTest {
 protected:
  // One mail of ours was delivered to r@a.example within the window of 2026-11-20.
  void SetUp() override {
    AssemblerTest::SetUp();
    resolver.say(kName, {"v=TLSRPTv1; rua=mailto:r@a.example"});
    clock.set(at("2026-11-20T05:00:00Z"));
    CountBatch batch;
    batch.now = clock.now();
    WindowDelta delta;
    delta.domain = "a.example";
    delta.period = {at("2026-11-19T00:00:00Z"), at("2026-11-20T00:00:00Z")};
    delta.first = delta.last = at("2026-11-19T12:00:00Z");
    delta.counts = counts(1, 1);
    delta.due = at("2026-11-20T00:01:00Z");
    delta.supplement_due = delta.due;
    batch.windows.push_back(delta);
    ASSERT_TRUE(store->add(batch));
    const auto due = store->claim_due(clock.now(), 10, {});
    ASSERT_THAT(*due, SizeIs(1));
    auto decision = decided(due->front());
    ASSERT_EQ(decision.kind, Kind::kAssembled);
    ASSERT_TRUE(*store->conclude(decision.assembly));
    const auto& delivery = decision.assembly.deliveries.at(0);
    ASSERT_TRUE(store->record_attempt({.delivery = delivery.id,
                                       .state = DeliveryState::kDelivered,
                                       .last_response = "250 ok",
                                       .now = clock.now()}));
    clock.set(at("2026-11-21T01:00:00Z"));
  }
};

TEST_F(OwnReportTest, AWindowThatHoldsOnlyTheReportMailIsSuppressed) {
  EXPECT_EQ(decided(counts(1, 0)).reason, "own reports only");
}

TEST_F(OwnReportTest, ADomainThatWeWriteToIsNotSilenced) {
  EXPECT_EQ(decided(counts(2, 0)).kind, Kind::kAssembled);
}

TEST_F(OwnReportTest, TheSlackAllowsForGreylisting) {
  config = config_of("[schedule]\nownReportSlack = 2\n");
  EXPECT_EQ(decided(counts(2, 0)).kind, Kind::kSuppressed);
}

TEST_F(OwnReportTest, TheSameFailureIsToldOnceInSevenDays) {
  EXPECT_THAT(decided(counts(0, 1)).reason, StartsWith("own reports only: the same failures"));
  clock.set(at("2026-11-27T05:00:01Z"));
  EXPECT_EQ(decided(due_window(counts(0, 1))).kind, Kind::kAssembled);
}

}  // namespace
}  // namespace rapporteur
