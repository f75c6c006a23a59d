// rapporteur received add, list, show and summary.

#include <map>
#include <string>

#include "cli/cli_fixture.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class ReceivedCommandTest : public CliTest {
 protected:
  // A report of a day about the domain.
  static std::string report(const std::string& organization, const std::string& day,
                            std::uint64_t successful, std::uint64_t failed,
                            const std::string& domain = "a.example") {
    OrderedJson policy = {
        {"policy", {{"policy-type", "sts"}, {"policy-domain", domain}}},
        {"summary",
         {{"total-successful-session-count", successful}, {"total-failure-session-count", failed}}},
        {"failure-details", OrderedJson::array()}};
    if (failed > 0) {
      policy["failure-details"].push_back({{"result-type", "certificate-expired"},
                                           {"receiving-mx-hostname", "mx." + domain},
                                           {"failed-session-count", failed}});
    }
    return OrderedJson(
               {{"organization-name", organization},
                {"date-range",
                 {{"start-datetime", day + "T00:00:00Z"}, {"end-datetime", day + "T23:59:59Z"}}},
                {"contact-info", "tls@b.example"},
                {"report-id", day + "." + organization},
                {"policies", {policy}}})
        .dump();
  }

  std::string file(const std::string& content) {
    const auto path = folder / ("report" + std::to_string(++files) + ".json");
    write(path, content);
    return path.string();
  }

  std::string add(const std::string& content) {
    const auto outcome = run({"received", "add", "--json", file(content)});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const auto id = outcome.json()["id"];
    return id.is_string() ? id.get<std::string>() : std::string();
  }

  // A mail whose sender may be anybody.
  std::string unverified(const std::string& content) {
    return add("From: a@b.example\nContent-Type: application/tlsrpt+json\n\n" + content);
  }
};

TEST_F(ReceivedCommandTest, AddTellsWhatBecameOfEachInput) {
  const auto good = file(report("B", "2026-11-19", 5, 0));
  const auto bad = file("hello");
  const auto outcome = run({"received", "add", good, good, bad});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr(good + ": stored as "));
  EXPECT_THAT(outcome.out, HasSubstr(good + ": duplicate as "));
  EXPECT_THAT(outcome.out, HasSubstr(bad + ": refused: it is neither JSON"));
}

TEST_F(ReceivedCommandTest, AddPrintsAnObjectALineForPrograms) {
  const auto good = file(report("B", "2026-11-19", 5, 0));
  const auto outcome = run({"received", "add", "--json", good, file("hello")});
  std::istringstream lines(outcome.out);
  std::vector<OrderedJson> objects;
  for (std::string line; std::getline(lines, line);) objects.push_back(OrderedJson::parse(line));
  ASSERT_THAT(objects, SizeIs(2));
  EXPECT_EQ(objects[0]["status"], "stored");
  EXPECT_THAT(objects[0]["id"].get<std::string>(), SizeIs(16));
  EXPECT_TRUE(objects[0]["why"].is_null());
  EXPECT_EQ(objects[1]["status"], "refused");
  EXPECT_TRUE(objects[1]["id"].is_null());
  EXPECT_TRUE(objects[1]["why"].is_string());
}

TEST_F(ReceivedCommandTest, TroubleOfOursIsOneAndNotARefusal) {
  const auto missing = run({"received", "add", "--json", (folder / "missing").string()});
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.json()["status"], "failed");
  EXPECT_THAT(missing.err, HasSubstr("No such file or directory"));
  EXPECT_EQ(run({"received", "add", folder.string()}).code, 1) << "a folder is no Maildir";
  configure("[broken\n");
  EXPECT_EQ(run({"received", "add", "x"}).code, 78);
  EXPECT_EQ(run({"received", "add", "-"}).code, 75);
}

TEST_F(ReceivedCommandTest, APipeNeverEndsSoThatTheMtaBounces) {
  EXPECT_EQ(run({"received", "add", "--no-such-option", "-"}).code, 75);
  EXPECT_EQ(run({"bounce", "--no-such-option", "-"}).code, 75);
  EXPECT_EQ(run({"received", "list", "--no-such-option"}).code, 2);
}

TEST_F(ReceivedCommandTest, AMaildirIsEmptiedIntoItsCur) {
  const auto maildir = folder / "maildir";
  for (const auto* part : {"tmp", "new", "cur"})
    std::filesystem::create_directories(maildir / part);
  write(maildir / "new" / "1", "From: a@b.example\n\n" + report("B", "2026-11-19", 5, 0));
  write(maildir / "new" / "2", "Subject: hello\n\nno report\n");
  const auto outcome = run({"received", "add", maildir.string()});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(std::filesystem::is_empty(maildir / "new"));
  EXPECT_TRUE(std::filesystem::exists(maildir / "cur" / "1:2,S"));
  EXPECT_THAT(run({"received", "list", "--json"}).json(), SizeIs(1));
}

TEST_F(ReceivedCommandTest, AMailWhoseKeyCannotBeLookedUpStaysWhereItIs) {
  const auto maildir = folder / "maildir";
  for (const auto* part : {"tmp", "new", "cur"})
    std::filesystem::create_directories(maildir / part);
  const auto mail =
      "DKIM-Signature: v=1; a=rsa-sha256; d=b.example; s=s; h=from; bh=AAAA; b=AAAA\n"
      "From: a@b.example\nDate: Fri, 20 Nov 2026 11:00:00 +0000\n\n" +
      report("B", "2026-11-19", 5, 0);
  write(maildir / "new" / "1", mail);
  resolver.fail("s._domainkey.b.example", "no answer");
  const auto outcome = run({"received", "add", maildir.string()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("1 message left, whose keys cannot be looked up"));
  EXPECT_TRUE(std::filesystem::exists(maildir / "new" / "1"));
  EXPECT_EQ(run({"received", "add", file(mail)}).code, 1);
}

TEST_F(ReceivedCommandTest, ListShowsTheNewestFirst) {
  add(report("B", "2026-11-18", 5, 0));
  const auto id = add(report("C Organization With A Long Name", "2026-11-19", 7, 2));
  const auto list = run({"received", "list", "--json"}).json();
  ASSERT_THAT(list, SizeIs(2));
  const OrderedJson expected = {{"id", id},
                                {"organization", "C Organization With A Long Name"},
                                {"report-id", "2026-11-19.C Organization With A Long Name"},
                                {"start", "2026-11-19T00:00:00Z"},
                                {"end", "2026-11-19T23:59:59Z"},
                                {"successful", 7},
                                {"failed", 2},
                                {"trust", "local"},
                                {"domains", {"a.example"}},
                                {"new-failures", 1},
                                {"received", "2026-11-20T12:00:00Z"},
                                {"source", "file"}};
  EXPECT_EQ(list[0], expected);
  const auto people = run({"received", "list"}).out;
  EXPECT_THAT(people, HasSubstr(id.substr(0, 8) + "  C Organization W…  a.example"));
  EXPECT_THAT(people, HasSubstr("2026-11-19  7   2 new   local"));
  EXPECT_THAT(run({"received", "list", "--limit", "1"}).out,
              HasSubstr("older ones: --after " + id));
  EXPECT_THAT(run({"received", "list", "--after", id, "--json"}).json(), SizeIs(1));
  EXPECT_THAT(run({"received", "list", "--failed", "--json"}).json(), SizeIs(1));
  EXPECT_THAT(run({"received", "list", "--organization", "b", "--json"}).json(), SizeIs(1));
  EXPECT_THAT(run({"received", "list", "--domain", "*.example", "--json"}).json(), SizeIs(2));
  EXPECT_THAT(run({"received", "list", "--domain", "z.example", "--json"}).json(), IsEmpty());
  EXPECT_EQ(run({"received", "list", "--after", "nothing"}).code, 3);
}

TEST_F(ReceivedCommandTest, ShowGivesTheWholeReportOrItsBytes) {
  const auto json = "  " + report("B", "2026-11-19", 5, 2);
  const auto id = add(json);
  const auto shown = run({"received", "show", id.substr(0, 8)});
  EXPECT_EQ(shown.code, 0);
  for (const auto* text : {"organization: B", "period: 2026-11-19\n", "5 successful, 2 failed",
                           "class: local", "sts policy for a.example", "certificate-expired",
                           "to mx.a.example", "new when it came: 1 failure"}) {
    EXPECT_THAT(shown.out, HasSubstr(text));
  }
  EXPECT_EQ(run({"received", "show", id, "--json"}).out, json);
  EXPECT_EQ(run({"received", "show", "2026-11-19.B"}).code, 0);
  EXPECT_EQ(run({"received", "show", "0000"}).code, 3);
}

TEST_F(ReceivedCommandTest, ShowTellsWhatIsOdd) {
  const auto id =
      unverified(R"({"report-id":"1","date-range":{"start-datetime":)"
                 R"("2026-11-19T00:00:00","end-datetime":"2026-11-19T23:59:59Z"},)"
                 R"("contact-info":null,"policies":[{"policy":{"policy-type":"\u001b[2J"}}]})");
  const auto shown = run({"received", "show", id}).out;
  for (const auto* text :
       {"odd: start-datetime has no time zone", "odd: contact-info is null",
        "odd: policy-domain is missing", "odd: organization-name is missing",
        "odd: unverified: no DKIM signature of b.example", "odd: TLS-Report-Domain is missing"}) {
    EXPECT_THAT(shown, HasSubstr(text));
  }
  EXPECT_THAT(shown, Not(HasSubstr("\x1b")));
}

TEST_F(ReceivedCommandTest, SummaryComparesWithThePeriodBefore) {
  add(report("B", "2026-11-19", 90, 10));
  add(report("B", "2026-11-10", 40, 5));
  add(report("C", "2026-11-18", 100, 0, "c.example"));
  unverified(report("Forged", "2026-11-18", 1, 999));
  const auto json = run({"received", "summary", "--since", "2026-11-14", "--json"}).json();
  EXPECT_EQ(json["since"], "2026-11-14T00:00:00Z");
  EXPECT_EQ(json["until"], "2026-11-21T00:00:00Z");
  EXPECT_EQ(json["before-since"], "2026-11-07T00:00:00Z");
  EXPECT_EQ(json["total"]["reports"], 2);
  EXPECT_EQ(json["total"]["successful"], 190);
  EXPECT_EQ(json["total"]["failed"], 10);
  EXPECT_EQ(json["total"]["failed-before"], 5);
  EXPECT_EQ(json["left-out"], OrderedJson({{"unverified", 1}}));
  ASSERT_THAT(json["domains"], SizeIs(2));
  EXPECT_EQ(json["domains"][0]["domain"], "a.example");
  EXPECT_EQ(json["domains"][0]["successful-before"], 40);
  EXPECT_EQ(json["organizations"][0]["organization"], "B");
  ASSERT_THAT(json["failures"], SizeIs(1));
  EXPECT_EQ(json["failures"][0]["mx"], "mx.a.example");
  EXPECT_EQ(json["failures"][0]["sessions"], 10);
  EXPECT_EQ(json["failures"][0]["new"], false);
  EXPECT_THAT(json["steps"], SizeIs(7));
  EXPECT_FALSE(json.contains("record"));
  const auto people = run({"received", "summary", "--since", "2026-11-14"}).out;
  EXPECT_THAT(people, HasSubstr("failed               10  +100%  (5.00% of all, 11.11% before)"));
  EXPECT_THAT(people, HasSubstr("left out: 1 report of the class unverified"));
  EXPECT_THAT(people, HasSubstr("successful ····██·"));
  EXPECT_THAT(people, HasSubstr("failed     ·····█·"));
}

TEST_F(ReceivedCommandTest, SummaryIsACsvFileThatRunsNoFormula) {
  add(report("=cmd()", "2026-11-19", 5, 2));
  add(report("He said \"hi\", twice", "2026-11-19", 1, 0));
  const auto csv = run({"received", "summary", "--since", "7d", "--csv"}).out;
  EXPECT_TRUE(
      csv.starts_with("by,name,mx,reports,successful,failed,reports-before,"
                      "successful-before,failed-before\r\n"));
  EXPECT_THAT(csv, HasSubstr("\r\norganization,'=cmd(),,1,5,2,0,0,0\r\n"));
  EXPECT_THAT(csv, HasSubstr("\r\norganization,\"He said \"\"hi\"\", twice\",,1,1,0,0,0,0\r\n"));
  EXPECT_THAT(csv, HasSubstr("\r\nfailure,certificate-expired,mx.a.example,,,2,,,0\r\n"));
  std::istringstream lines(csv);
  for (std::string line; std::getline(lines, line);) {
    if (line.find('"') != line.npos) continue;
    EXPECT_EQ(std::ranges::count(line, ','), 8) << line;
  }
}

TEST_F(ReceivedCommandTest, SummaryOfOurDomainTellsBothSides) {
  for (int day = 1; day <= 12; ++day) {
    const auto date = "2026-11-" + std::string(day < 10 ? "0" : "") + std::to_string(day);
    add(report("Daily", date, 1, 0));
  }
  add(report("Seldom", "2026-11-02", 1, 0));
  resolver.say("_smtp._tls.a.example", {"v=TLSRPTv1; rua=mailto:tls@a.example"});
  const auto json =
      run({"received", "summary", "--domain", "A.Example", "--since", "30d", "--json"}).json();
  EXPECT_EQ(json["domain"], "a.example");
  EXPECT_EQ(json["record"]["state"], "ok");
  EXPECT_EQ(json["record"]["rua"], OrderedJson({"mailto:tls@a.example"}));
  ASSERT_THAT(json["record"]["stopped"], SizeIs(1));
  EXPECT_EQ(json["record"]["stopped"][0]["organization"], "Daily");
  EXPECT_EQ(json["record"]["stopped"][0]["last"], "2026-11-12T00:00:00Z");
  const auto people = run({"received", "summary", "--domain", "a.example"}).out;
  EXPECT_THAT(people, HasSubstr("our record, _smtp._tls.a.example: ok"));
  EXPECT_THAT(people, HasSubstr("asks for reports at mailto:tls@a.example"));
  EXPECT_THAT(people, HasSubstr("Daily reported daily and has stopped: its last report is about "
                                "2026-11-12"));
  EXPECT_THAT(run({"received", "summary", "--domain", "z.example"}).out,
              HasSubstr("nobody is asked for reports"));
  EXPECT_FALSE(
      run({"received", "summary", "--domain", "*.example", "--json"}).json().contains("record"));
}

TEST_F(ReceivedCommandTest, WrongUsageIsSaid) {
  EXPECT_EQ(run({"received"}).code, 2);
  EXPECT_EQ(run({"received", "add"}).code, 2);
  EXPECT_EQ(run({"received", "summary", "--since", "yesterday"}).code, 2);
  EXPECT_EQ(run({"received", "summary", "--since", "2026-11-10", "--until", "2026-11-09"}).code, 2);
  EXPECT_EQ(run({"received", "list", "--domain", "not a domain"}).code, 2);
}

TEST_F(ReceivedCommandTest, OldReportsAreRemovedWhenOthersAreAdded) {
  configure("[received]\nkeep = \"10d\"\n");
  add(report("B", "2026-11-19", 5, 0));
  clock.advance(std::chrono::hours(24 * 11));
  EXPECT_THAT(run({"received", "list", "--json"}).json(), SizeIs(1));
  add(report("C", "2026-11-30", 5, 0));
  const auto list = run({"received", "list", "--json"}).json();
  ASSERT_THAT(list, SizeIs(1));
  EXPECT_EQ(list[0]["organization"], "C");
}

TEST_F(ReceivedCommandTest, StatsTellsOfThem) {
  add(report("B", "2026-11-19", 5, 2));
  add(report("B", "2026-11-19", 5, 2));
  add("rubbish");
  const auto json = run({"stats", "--json"}).json()["received"];
  EXPECT_EQ(json["kept"], OrderedJson({{"local", 1}}));
  EXPECT_EQ(json["stored"], OrderedJson({{"local", 1}}));
  EXPECT_EQ(json["duplicates"], 1);
  EXPECT_EQ(json["refused"], OrderedJson({{"unreadable", 1}}));
  EXPECT_EQ(json["new-failures"], 1);
}

}  // namespace
}  // namespace rapporteur
