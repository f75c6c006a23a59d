#include "cli/cli_fixture.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class ReportTest : public CliTest {
 protected:
  void assemble_example() {
    ingest_window("example.org");
    ASSERT_EQ(run({"schedule", "send-now", "example.org"}).code, 0);
    assemble();
  }
};

// ---- preview

TEST_F(ReportTest, PreviewOfACollectingWindowIsTheReportThatWouldBeSent) {
  ingest_window("example.org");
  resolver.say("_smtp._tls.example.org", {"v=TLSRPTv1; rua=mailto:tls@example.org"});
  const auto outcome = run({"report", "preview", "example.org"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(resolver.asked, ElementsAre("_smtp._tls.example.org"));
  const auto report = outcome.json();
  EXPECT_EQ(report["organization-name"], "reporter.example");
  EXPECT_EQ(report["date-range"]["start-datetime"], "2026-11-20T00:00:00Z");
  EXPECT_EQ(report["policies"][0]["summary"]["total-failure-session-count"], 1);
  EXPECT_THAT(states("example.org"), ElementsAre("collecting"));

  const auto mail = run({"report", "preview", "example.org", "--as", "eml"});
  ASSERT_EQ(mail.code, 0) << mail.err;
  EXPECT_THAT(mail.out, HasSubstr("To: tls@example.org\r\n"));
  EXPECT_THAT(mail.out, HasSubstr("TLS-Report-Domain: example.org\r\n"));
  EXPECT_THAT(mail.out, testing::EndsWith("--\r\n"));
}

TEST_F(ReportTest, PreviewTellsWhatWouldKeepItFromBeingSent) {
  for (const auto* setting : {"sendFrequency = \"never\"", "sendWhen = \"false\""}) {
    configure("");
    ingest_window("kept.example");
    resolver.say("_smtp._tls.kept.example", {"v=TLSRPTv1; rua=mailto:tls@kept.example"});
    configure(std::string("[report.tls]\n") + setting + "\n");
    const auto outcome = run({"report", "preview", "kept.example"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("as things stand it would not be sent: send"));
    const auto json = run({"report", "preview", "kept.example", "--json"}).json();
    EXPECT_THAT(json["not-sent"].get<std::string>(), HasSubstr("send"));
  }
}

TEST_F(ReportTest, PreviewSaysWhyNothingWouldBeSent) {
  ingest_window("example.org");
  const auto outcome = run({"report", "preview", "example.org", "--json"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.json()["error"].get<std::string>(), StartsWith("nothing would be sent: "));
}

TEST_F(ReportTest, PreviewOfAnAssembledWindowIsWhatTheStoreHolds) {
  assemble_example();
  const auto first = run({"report", "preview", "example.org"});
  EXPECT_EQ(first.code, 0);
  EXPECT_EQ(first.out, "{\"part\":1}");
  EXPECT_EQ(first.err, "rapporteur: this is part 1 of 2: --part\n");
  EXPECT_EQ(run({"report", "preview", "example.org", "--part", "2"}).out, "{\"part\":2}");
  EXPECT_EQ(run({"report", "preview", "example.org", "--part", "2", "--as", "eml"}).out,
            "Subject: part 2\r\n\r\n--b\r\nbody 2\r\n--b--\r\n");
  EXPECT_TRUE(resolver.asked.empty());
}

TEST_F(ReportTest, PreviewForProgramsHoldsAllParts) {
  assemble_example();
  EXPECT_EQ(run({"report", "preview", "example.org", "--json"}).json(), OrderedJson::parse(R"({
    "domain": "example.org", "start": "2026-11-20T00:00:00Z", "end": "2026-11-20T12:00:00Z",
    "state": "assembled", "assembled": true, "not-sent": null,
    "parts": [
      {"part": 1, "of": 2, "report-id": "report-1@reporter.example",
       "file-name": "file-1.json.gz", "successful-sessions": 1, "failed-sessions": 1,
       "report": {"part": 1}},
      {"part": 2, "of": 2, "report-id": "report-2@reporter.example",
       "file-name": "file-2.json.gz", "successful-sessions": 1, "failed-sessions": 0,
       "report": {"part": 2}}],
    "deliveries": [
      {"part": 1, "destination": "mailto:tls@decided.example",
       "envelope-from": "noreply@reporter.example"},
      {"part": 1, "destination": "https://decided.example/tls", "envelope-from": null},
      {"part": 2, "destination": "mailto:tls@decided.example",
       "envelope-from": "noreply@reporter.example"},
      {"part": 2, "destination": "https://decided.example/tls", "envelope-from": null}]})"));
}

TEST_F(ReportTest, PreviewOfWhatIsNotThereIsNotFound) {
  EXPECT_EQ(run({"report", "preview", "example.org"}).code, kExitNotFound);
  assemble_example();
  EXPECT_EQ(run({"report", "preview", "example.org", "--window", "2026-11-19"}).code,
            kExitNotFound);
  EXPECT_EQ(run({"report", "preview", "example.org", "--supplement", "1"}).code, kExitNotFound);
  const auto outcome = run({"report", "preview", "example.org", "--part", "3"});
  EXPECT_EQ(outcome.code, kExitNotFound);
  EXPECT_EQ(outcome.err, "rapporteur: the report has no part 3: it has 2 parts\n");
}

// ---- list and show

TEST_F(ReportTest, ListTellsWhatWasAssembled) {
  EXPECT_EQ(run({"report", "list"}).out, "no report was assembled\n");
  assemble_example();
  const auto reports = run({"report", "list", "--json"}).json()["reports"];
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[1], OrderedJson::parse(R"({"report-id": "report-1@reporter.example",
    "domain": "example.org", "start": "2026-11-20T00:00:00Z", "end": "2026-11-20T12:00:00Z",
    "supplement": 0, "part": 1, "of": 2, "successful-sessions": 1, "failed-sessions": 1,
    "file-name": "file-1.json.gz", "assembled": "2026-11-20T12:00:00Z", "state": "assembled"})"));
  EXPECT_EQ(run({"report", "list", "--json", "--limit", "1"}).json()["reports"].size(), 1U);
  EXPECT_EQ(run({"report", "list", "--json", "--domain", "*.com"}).json()["reports"].size(), 0U);
  EXPECT_THAT(run({"report", "list"}).out, HasSubstr("report-2@reporter.example\n"));
}

TEST_F(ReportTest, ShowTellsTheReportAndItsDeliveries) {
  assemble_example();
  const auto json = run({"report", "show", "<report-2@reporter.example>", "--json"}).json();
  EXPECT_EQ(json["report-id"], "report-2@reporter.example");
  EXPECT_EQ(json["report"], OrderedJson::parse(R"({"part": 2})"));
  ASSERT_EQ(json["deliveries"].size(), 2U);
  EXPECT_EQ(json["deliveries"][0]["id"], "mail00000002");
  EXPECT_THAT(run({"report", "show", "report-2@reporter.example"}).out,
              HasSubstr("part: 2 of 2\nsessions: 1 successful, 0 failed\n"));
}

TEST_F(ReportTest, ShowOfAnUnknownIdIsNotFound) {
  const auto outcome = run({"report", "show", "nobody@nowhere.example"});
  EXPECT_EQ(outcome.code, kExitNotFound);
  EXPECT_EQ(outcome.err, "rapporteur: no report has the id nobody@nowhere.example\n");
}

// ---- deliveries

class DeliveryTest : public ReportTest {
 protected:
  void SetUp() override { assemble_example(); }

  std::string state(const std::string& id) {
    const auto json = run({"delivery", "list", "--json"}).json();
    for (const auto& delivery : json["deliveries"]) {
      if (delivery["id"] == id) return delivery["state"];
    }
    return "";
  }
};

TEST_F(DeliveryTest, ListTellsEachDelivery) {
  end_delivery("mail00000001", DeliveryState::kDelivered, "250 ok");
  const auto json = run({"delivery", "list", "--json", "--state", "delivered"}).json();
  EXPECT_EQ(json, OrderedJson::parse(R"({"deliveries": [
      {"id": "mail00000001", "part": 1, "report-id": "report-1@reporter.example",
       "destination": "mailto:tls@decided.example", "state": "delivered", "attempts": 1,
       "next-attempt": null, "last-response": "250 ok", "domain": "example.org"}],
      "next": null})"));
  EXPECT_EQ(run({"delivery", "list", "--domain", "other.example"}).out, "no such delivery\n");
}

TEST_F(DeliveryTest, ListGoesOnAfterAnId) {
  std::vector<std::string> found;
  std::vector<std::string> arguments = {"delivery", "list", "--json", "--limit", "3"};
  auto json = run(arguments).json();
  EXPECT_EQ(json["deliveries"].size(), 3U);
  arguments.insert(arguments.end(), {"--after", json["next"]});
  json = run(arguments).json();
  ASSERT_EQ(json["deliveries"].size(), 1U);
  EXPECT_EQ(json["deliveries"][0]["id"], "post00000002");
  EXPECT_TRUE(json["next"].is_null());
}

TEST_F(DeliveryTest, RetryMakesAFailedOnePendingAgain) {
  end_delivery("mail00000001", DeliveryState::kFailed, "550 no");
  const auto outcome = run({"delivery", "retry", "mail00000001"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "mail00000001 mailto:tls@decided.example (failed): is tried again\n");
  EXPECT_EQ(state("mail00000001"), "pending");
}

TEST_F(DeliveryTest, RetryOfADeliveredOneFails) {
  end_delivery("mail00000001", DeliveryState::kDelivered, "250 ok");
  const auto outcome = run({"delivery", "retry", "mail00000001"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_EQ(outcome.err,
            "rapporteur: delivery mail00000001 is delivered: it cannot be tried again\n");
}

TEST_F(DeliveryTest, RetryByGlobLeavesAbandonedOnesAlone) {
  end_delivery("mail00000001", DeliveryState::kFailed, "550 no");
  ASSERT_EQ(run({"delivery", "abandon", "post*"}).code, 0);
  EXPECT_EQ(run({"delivery", "retry", "*"}).code, 0);
  EXPECT_EQ(state("mail00000001"), "pending");
  EXPECT_EQ(state("post00000001"), "abandoned");
  EXPECT_EQ(run({"delivery", "retry", "*", "--state", "abandoned"}).code, 0);
  EXPECT_EQ(state("post00000001"), "pending");
}

TEST_F(DeliveryTest, AbandonEndsOpenOnes) {
  const auto dry = run({"delivery", "abandon", "mail*", "--dry-run", "--json"}).json();
  EXPECT_EQ(dry["action"], "abandon");
  EXPECT_EQ(dry["changed"], 0);
  EXPECT_EQ(dry["deliveries"].size(), 2U);
  EXPECT_EQ(state("mail00000001"), "pending");

  const auto json = run({"delivery", "abandon", "mail*", "--reason", "wrong", "--json"}).json();
  EXPECT_EQ(json["changed"], 2);
  EXPECT_EQ(json["deliveries"][0],
            OrderedJson::parse(R"({"id": "mail00000001", "domain": "example.org",
      "destination": "mailto:tls@decided.example", "state-before": "pending", "changed": true})"));
  EXPECT_EQ(state("mail00000001"), "abandoned");
  EXPECT_EQ(state("post00000001"), "pending");
  EXPECT_EQ(run({"delivery", "abandon", "mail00000001"}).code, kExitFailed);
}

TEST_F(DeliveryTest, UnknownIdsAreNotFound) {
  EXPECT_EQ(run({"delivery", "retry", "nobody"}).code, kExitNotFound);
  EXPECT_EQ(run({"delivery", "abandon", "x*"}).code, kExitNotFound);
  EXPECT_EQ(run({"delivery", "retry", "*", "--state", "bounced"}).code, kExitNotFound);
}

}  // namespace
}  // namespace rapporteur
