#include "cli/cli_fixture.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kStsSession =
    R"({"epoch": 1795168800, "recipient-domain": "example.org",
        "tlsrpt-record": "v=TLSRPTv1; rua=mailto:tls@example.org", "policies": [
        {"policy": {"policy-type": "sts", "policy-domain": "example.org", "policy-string":
          ["version: STSv1", "mode: enforce", "mx: mx.example.org", "max_age: 86400"]}, "type": 0,
         "failure-details": [{"result-type": "certificate-expired", "sending-mta-ip": "192.0.2.1",
          "receiving-mx-hostname": "mx.example.org", "receiving-mx-helo": "mx.example.org",
          "receiving-ip": "198.51.100.1", "additional-information": "https://a.example/why",
          "failure-reason-code": "X509 10"}]},
        {"policy": {"policy-type": "tlsa", "policy-domain": "mx.example.org", "policy-string":
          ["3 1 1 AB"]}, "type": 1}]})";

std::string one_line(std::string text) {
  std::erase(text, '\n');
  return text + "\n";
}

TEST_F(CliTest, ShowTellsAWindowInTheKeysThatProgramsRelyOn) {
  ingest(one_line(kStsSession));
  const auto outcome = run({"schedule", "show", "example.org", "--json"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.json(), OrderedJson::parse(R"({
    "domain": "example.org",
    "windows": [{
      "start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z", "frequency": "daily",
      "state": "collecting", "reason": null, "due": "2026-11-21T00:01:00Z",
      "successful-sessions": 1, "failed-sessions": 1,
      "policies": [
        {"policy-type": "tlsa", "policy-domain": "mx.example.org", "policy-string": ["3 1 1 ab"],
         "mx-host": [], "successful": 1, "failed": 0, "failure-details": []},
        {"policy-type": "sts", "policy-domain": "example.org",
         "policy-string": ["version: STSv1", "mode: enforce", "mx: mx.example.org",
                           "max_age: 86400"],
         "mx-host": ["mx.example.org"], "successful": 0, "failed": 1,
         "failure-details": [{"result-type": "certificate-expired", "sending-mta-ip": "192.0.2.1",
           "receiving-mx-hostname": "mx.example.org", "receiving-mx-helo": "mx.example.org",
           "receiving-ip": "198.51.100.1", "failed-session-count": 1,
           "additional-information": "https://a.example/why",
           "failure-reason-code": "X509 10"}]}],
      "deliveries": []}]})"))
      << outcome.out;
}

TEST_F(CliTest, ShowLeavesAbsentFieldsOutAndPutsTheLargestCountFirst) {
  ingest(session("example.org", "2026-11-20T10:00:00Z", "certificate-expired") +
         session("example.org", "2026-11-20T10:00:00Z", "starttls-not-supported") +
         session("example.org", "2026-11-20T10:00:01Z", "starttls-not-supported"));
  const auto windows = run({"schedule", "show", "example.org", "--json"}).json()["windows"];
  EXPECT_EQ(windows[0]["policies"][0]["failure-details"], OrderedJson::parse(R"([
    {"result-type": "starttls-not-supported", "sending-mta-ip": "192.0.2.1",
     "receiving-mx-hostname": "mx.example.org", "failed-session-count": 2},
    {"result-type": "certificate-expired", "sending-mta-ip": "192.0.2.1",
     "receiving-mx-hostname": "mx.example.org", "failed-session-count": 1}])"));
}

TEST_F(CliTest, ShowTellsDeliveriesAndTheRecordThatDecided) {
  ingest_window("example.org");
  ASSERT_EQ(run({"schedule", "send-now", "example.org"}).code, 0);
  assemble();
  end_delivery("mail00000001", DeliveryState::kFailed, "550 5.1.1 no such user (RCPT TO)");
  const auto window = run({"schedule", "show", "example.org", "--json"}).json()["windows"][0];
  EXPECT_EQ(window["state"], "assembled");
  EXPECT_EQ(window["record"]["deciding"], "v=TLSRPTv1; rua=mailto:tls@decided.example");
  ASSERT_EQ(window["deliveries"].size(), 4U);
  EXPECT_EQ(window["deliveries"][0], OrderedJson::parse(R"json(
      {"id": "mail00000001", "part": 1, "report-id": "report-1@reporter.example",
       "destination": "mailto:tls@decided.example", "state": "failed", "attempts": 1,
       "next-attempt": null, "last-response": "550 5.1.1 no such user (RCPT TO)"})json"));
  EXPECT_EQ(window["deliveries"][1], OrderedJson::parse(R"(
      {"id": "post00000001", "part": 1, "report-id": "report-1@reporter.example",
       "destination": "https://decided.example/tls", "state": "pending", "attempts": 0,
       "next-attempt": "2026-11-20T12:00:00Z", "last-response": null})"));
}

TEST_F(CliTest, ShowListsWindowsFromTheOldest) {
  ingest(session("example.org", "2026-11-20T10:00:00Z") +
         session("example.org", "2026-11-18T10:00:00Z") +
         session("example.org", "2026-11-19T10:00:00Z"));
  const auto windows = run({"schedule", "show", "example.org", "--json"}).json()["windows"];
  ASSERT_EQ(windows.size(), 3U);
  EXPECT_EQ(windows[0]["start"], "2026-11-18T00:00:00Z");
  EXPECT_EQ(windows[2]["start"], "2026-11-20T00:00:00Z");
}

TEST_F(CliTest, ShowForPeopleTellsTheSame) {
  ingest_window("example.org");
  const auto outcome = run({"schedule", "show", "example.org"});
  EXPECT_EQ(outcome.out,
            "example.org\n"
            "\n"
            "2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z, daily: collecting\n"
            "  due: 2026-11-21T00:01:00Z (in 12h1m)\n"
            "  sessions: 1 successful, 1 failed\n"
            "  record that the MTA saw: v=TLSRPTv1; rua=mailto:tls@example.org\n"
            "  policy no-policy-found for example.org: 1 successful, 1 failed\n"
            "    1 × certificate-expired, sending-mta-ip 192.0.2.1, receiving-mx-hostname "
            "mx.example.org\n");
}

TEST_F(CliTest, ShowFindsADomainHoweverItIsWritten) {
  ingest_window("xn--bcher-kva.example");
  for (const char* name : {"xn--bcher-kva.example", "XN--BCHER-KVA.Example.", "Bücher.example"}) {
    const auto outcome = run({"schedule", "show", name, "--json"});
    EXPECT_EQ(outcome.code, 0) << name;
    EXPECT_EQ(outcome.json()["domain"], "xn--bcher-kva.example");
  }
}

TEST_F(CliTest, ShowOfAnUnknownDomainIsNotFound) {
  const auto outcome = run({"schedule", "show", "unknown.example", "--json"});
  EXPECT_EQ(outcome.code, kExitNotFound);
  EXPECT_EQ(outcome.json(), (OrderedJson{{"error", "no window of unknown.example is known"}}));
  EXPECT_EQ(outcome.err, "rapporteur: no window of unknown.example is known\n");
}

TEST_F(CliTest, ListingsSayOnTopThatAllIsPaused) {
  ingest_window("example.org");
  EXPECT_FALSE(run({"schedule", "--json"}).json().contains("paused"));
  ASSERT_EQ(run({"pause", "--until", "2h"}).code, 0);
  const auto want = OrderedJson::parse(R"({"everything": true, "smtp": true, "https": true,
                                     "until": "2026-11-20T14:00:00Z"})");
  for (const auto& command :
       std::vector<std::vector<std::string>>{{"schedule", "list"},
                                             {"schedule", "show", "example.org"},
                                             {"report", "list"},
                                             {"delivery", "list"}}) {
    EXPECT_THAT(run(command).out,
                StartsWith("PAUSED until 2026-11-20T14:00:00Z (in 2h): nothing is assembled or "
                           "delivered\n"));
    auto for_programs = command;
    for_programs.emplace_back("--json");
    const auto json = run(for_programs).json();
    EXPECT_EQ(json.begin().key(), "paused");
    EXPECT_EQ(json["paused"]["everything"], want["everything"]);
    EXPECT_EQ(json["paused"]["until"], want["until"]);
  }
  clock.advance(Seconds{7200});
  EXPECT_FALSE(run({"schedule", "--json"}).json().contains("paused"));
}

// ---- schedule list

TEST_F(CliTest, ListTellsEachWindow) {
  ingest_window("example.org");
  const auto outcome = run({"schedule", "list", "--json"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.json(), OrderedJson::parse(R"({"windows": [
    {"domain": "example.org", "start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z",
     "supplement": 0, "frequency": "daily", "state": "collecting", "reason": null,
     "due": "2026-11-21T00:01:00Z", "retry": null, "successful-sessions": 1,
     "failed-sessions": 1}], "next": null})"));
  EXPECT_EQ(run({"schedule", "--json"}).out, outcome.out);
}

TEST_F(CliTest, ListForPeopleIsATable) {
  ingest_window("example.org");
  EXPECT_EQ(run({"schedule"}).out,
            "DOMAIN       FREQUENCY  PERIOD                                        STATE       DUE"
            "                              OK  FAILED  REASON\n"
            "example.org  daily      2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z  collecting  "
            "2026-11-21T00:01:00Z (in 12h1m)  1   1\n"
            "\n"
            "In the store: 1 collecting. --all lists finished windows, too.\n");
}

TEST_F(CliTest, ListOfAnEmptyStoreSaysSo) {
  EXPECT_EQ(run({"schedule"}).out, "The store holds no windows.\n");
  EXPECT_EQ(run({"schedule", "--json"}).json(),
            OrderedJson::parse(R"({"windows": [], "next": null})"));
}

TEST_F(CliTest, ListGoesOnWhereThePageBeforeEnded) {
  for (const char* domain : {"a.example", "b.example", "c.example", "d.example", "e.example"}) {
    ingest_window(domain);
  }
  ASSERT_EQ(run({"schedule", "hold", "b.example"}).code, 0);
  std::vector<std::string> found;
  std::vector<std::string> arguments = {"schedule", "list", "--json", "--limit", "2"};
  for (int page = 0; page < 3; ++page) {
    const auto json = run(arguments).json();
    for (const auto& window : json["windows"]) found.push_back(window["domain"]);
    EXPECT_EQ(json["next"].is_null(), page == 2);
    if (page == 2) break;
    arguments = {"schedule", "list", "--json", "--limit", "2", "--after", json["next"]};
  }
  EXPECT_THAT(
      found, testing::ElementsAre("a.example", "b.example", "c.example", "d.example", "e.example"));
}

TEST_F(CliTest, ListLeavesFinishedWindowsOutUnlessAsked) {
  ingest_window("a.example");
  ingest_window("b.example");
  ASSERT_EQ(run({"schedule", "cancel", "a.example"}).code, 0);
  const auto domains = [this](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"schedule", "--json"});
    std::vector<std::string> found;
    const auto json = run(arguments).json();
    for (const auto& window : json["windows"]) found.push_back(window["domain"]);
    return found;
  };
  EXPECT_THAT(domains({}), testing::ElementsAre("b.example"));
  EXPECT_THAT(domains({"--all"}), testing::UnorderedElementsAre("a.example", "b.example"));
  EXPECT_THAT(domains({"--state", "suppressed"}), testing::ElementsAre("a.example"));
  EXPECT_THAT(domains({"--all", "--domain", "A.*"}), testing::ElementsAre("a.example"));
  EXPECT_THAT(domains({"--due-before", "1h"}), testing::IsEmpty());
  EXPECT_THAT(domains({"--due-before", "13h"}), testing::ElementsAre("b.example"));
}

// ---- schedule explain

class ExplainTest : public CliTest {
 protected:
  OrderedJson setting(const std::string& name, const std::string& domain, int want_code = 0) {
    const auto outcome = run({"schedule", "explain", domain, "--json"});
    EXPECT_EQ(outcome.code, want_code) << outcome.err;
    const auto json = outcome.json();
    for (const auto& entry : json["settings"]) {
      if (entry["setting"] == name) return entry;
    }
    return {};
  }
};

TEST_F(ExplainTest, TellsDefaultsAndDerivedValues) {
  EXPECT_EQ(setting("fromAddress", "a.example"), OrderedJson::parse(R"(
      {"setting": "fromAddress", "value": "noreply-tls@reporter.example", "problem": null,
       "rule": "default", "value-of": null, "branch": null, "conditions": [], "file": null,
       "line": null, "column": null})"));
  EXPECT_EQ(setting("contactInfo", "a.example"), OrderedJson::parse(R"(
      {"setting": "contactInfo", "value": "noreply-tls@reporter.example", "problem": null,
       "rule": null, "value-of": "fromAddress", "branch": null, "conditions": [], "file": null,
       "line": null, "column": null})"));
}

TEST_F(ExplainTest, TellsTheBranchThatWasTakenAndTheConditionsBefore) {
  configure(
      "[report.tls]\n"
      "sendFrequency = [ { if = \"ends_with(rcpt_domain, '.gov')\", then = \"hourly\" },\n"
      "                  { if = \"rcpt_domain == 'a.example'\", then = \"weekly\" },\n"
      "                  { else = \"daily\" } ]\n");
  auto entry = setting("sendFrequency", "a.example");
  EXPECT_EQ(entry["value"], "weekly");
  EXPECT_EQ(entry["rule"], "report.tls");
  EXPECT_EQ(entry["branch"], 2);
  EXPECT_EQ(entry["conditions"], OrderedJson::parse(R"json([
      {"if": "ends_with(rcpt_domain, '.gov')", "value": 0},
      {"if": "rcpt_domain == 'a.example'", "value": 1}])json"));
  EXPECT_EQ(entry["file"], config_path.string());
  EXPECT_EQ(entry["line"], 12);

  entry = setting("sendFrequency", "b.example");
  EXPECT_EQ(entry["value"], "daily");
  EXPECT_EQ(entry["branch"], "else");
}

TEST_F(ExplainTest, TellsWhichOverrideHolds) {
  configure("[report.tls.domain.\"*.example.org\"]\norgName = \"'Example Group'\"\n");
  const auto entry = setting("orgName", "mail.example.org");
  EXPECT_EQ(entry["value"], "Example Group");
  EXPECT_EQ(entry["rule"], "report.tls.domain.\"*.example.org\"");
  EXPECT_EQ(entry["line"], 11);
}

TEST_F(ExplainTest, AsksAboutTheNewestWindow) {
  configure("[report.tls]\norgName = \"if_then(failed_sessions == 1, 'failures', 'none')\"\n");
  EXPECT_EQ(setting("orgName", "example.org")["value"], "none");
  ingest_window("example.org");
  EXPECT_EQ(setting("orgName", "example.org")["value"], "failures");
  EXPECT_EQ(setting("reportTo", "example.org")["value"],
            OrderedJson::parse(R"(["mailto:tls@example.org"])"));
}

TEST_F(ExplainTest, AProblemEndsItWithOne) {
  configure("[report.tls]\nfromAddress = \"rcpt_domain\"\n");
  const auto entry = setting("fromAddress", "a.example", kExitFailed);
  EXPECT_TRUE(entry["value"].is_null());
  EXPECT_THAT(entry["problem"].get<std::string>(), HasSubstr("a.example"));
}

TEST_F(ExplainTest, ForPeopleNamesValueRuleAndPlace) {
  configure(
      "[report.tls]\norgName = [ { if = \"rcpt_domain == 'a.example'\", then = \"'A'\" }, "
      "{ else = \"'B'\" } ]\n");
  const auto outcome = run({"schedule", "explain", "a.example"});
  EXPECT_THAT(outcome.out, StartsWith("a.example\nit has no window: all counts are 0\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\norgName = A\n  report.tls, condition 1 of 1, " +
                                     config_path.string() + ":11:"));
  EXPECT_THAT(outcome.out, HasSubstr("\n  if rcpt_domain == 'a.example': 1\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\nenvelopeFrom = noreply-tls@reporter.example\n  the value "
                                     "of fromAddress\n"));
}

TEST_F(CliTest, ShowAndExplainTellUntilWhenADomainIsSilent) {
  auto line = nlohmann::json::parse(session("example.org", "2026-11-20T10:00:00Z"));
  line.erase("tlsrpt-record");
  ingest(line.dump() + "\n");
  {
    const auto opened = store();
    const auto window = opened->windows({.domain = "example.org"})->at(0).id;
    const LookupNote note{window, "example.org", std::nullopt, clock.now(),
                          clock.now() + std::chrono::hours(2)};
    ASSERT_EQ(*opened->note_lookups(std::span(&note, 1), clock.now()), 1U);
  }
  const auto shown = run({"schedule", "show", "example.org"});
  EXPECT_EQ(shown.code, 0);
  EXPECT_THAT(shown.out, HasSubstr("until 2026-11-20T14:00:00Z (in 2h)"));
  EXPECT_EQ(
      run({"schedule", "show", "example.org", "--json"}).json(),
      OrderedJson::parse(
          R"({"domain": "example.org", "silent-until": "2026-11-20T14:00:00Z", "windows": []})"));
  EXPECT_THAT(run({"schedule", "explain", "example.org"}).out,
              HasSubstr("until 2026-11-20T14:00:00Z (in 2h)"));
  EXPECT_EQ(run({"schedule", "explain", "example.org", "--json"}).json()["silent-until"],
            "2026-11-20T14:00:00Z");

  clock.advance(std::chrono::hours(2));
  EXPECT_EQ(run({"schedule", "show", "example.org"}).code, 3);
  EXPECT_FALSE(
      run({"schedule", "explain", "example.org", "--json"}).json().contains("silent-until"));
}

}  // namespace
}  // namespace rapporteur
