#include "received/reception.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "dkim/signer.h"
#include "mime/message.h"
#include "report/gzip.h"
#include "store/open.h"
#include "support/fixed_random.h"
#include "support/recording_log.h"
#include "support/table_resolver.h"

namespace rapporteur {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Status = ReceptionOutcome::Status;
using Way = Arrival::Way;

const Time kNow = *parse_time("2026-11-21T03:00:00Z");

std::string json_of(const std::string& id, std::uint64_t failed = 0,
                    const std::string& domain = "a.example") {
  return R"({"organization-name":"B","date-range":{"start-datetime":"2026-11-20T00:00:00Z",)"
         R"("end-datetime":"2026-11-20T23:59:59Z"},"contact-info":"a@b.example","report-id":")" +
         id + R"(","policies":[{"policy":{"policy-type":"sts","policy-domain":")" + domain +
         R"("},"summary":{"total-successful-session-count":5,"total-failure-session-count":)" +
         std::to_string(failed) + R"(},"failure-details":[{"result-type":"certificate-expired",)" +
         R"("receiving-mx-hostname":"mx.)" + domain + R"(","failed-session-count":)" +
         std::to_string(failed) + "}]}]}";
}

PrivateKey key() {
  std::ifstream file(TEST_ROOT "/dkim/keys/rsa2048.pem");
  return *PrivateKey::from_pem(std::string(std::istreambuf_iterator<char>(file), {}));
}

// A report mail from b.example, signed by it, that arrived an hour ago.
std::string mail_of(const std::string& json) {
  ReportMail mail;
  mail.from_name = "B";
  mail.from_address = "noreply@b.example";
  mail.to = "tls@a.example";
  mail.subject = "Report Domain: a.example Submitter: b.example Report-ID: <1@b.example>";
  mail.message_id = "1@b.example";
  mail.report_domain = "a.example";
  mail.submitter = "b.example";
  mail.summary_text = "A summary.\n";
  mail.file_name = "b.example!a.example!1795132800!1795219199!001.json.gz";
  mail.gz = gzip(json);
  mail.date = kNow - std::chrono::hours(1);
  mail.boundary = boundary_for(mail.message_id);
  const auto message = make_message(mail);
  return *make_signer({{"b.example", "s", key()}})->sign("b.example", message, mail.date) +
         message.text();
}

class ReceptionTest : public testing::Test {
 protected:
  ReceptionTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "receptionXXXXXX").string();
    folder = mkdtemp(pattern.data());
    resolver.say("s._domainkey.b.example", {"v=DKIM1; p=" + key().dns_public_key()});
  }
  ~ReceptionTest() override { std::filesystem::remove_all(folder); }

  Reception::Batch take_all(const std::vector<Arrival>& arrivals, Time now = kNow) {
    Reception reception({.store = *store, .log = log, .resolver = &resolver, .stopping = &stopping},
                        rules);
    auto batch = reception.take(arrivals, now);
    NewFailureCommand runner(log, &stopping);
    for (const auto& news : reception.take_news()) {
      if (!command.empty()) runner.run(command, news, now);
    }
    if (batch) return *std::move(batch);
    ADD_FAILURE() << batch.error().text;
    return {};
  }
  ReceptionOutcome take(Way way, const std::string& bytes, const std::string& name = "x",
                        Time now = kNow) {
    const auto batch = take_all({{way, bytes, name}}, now);
    EXPECT_THAT(batch.outcomes, SizeIs(1));
    EXPECT_THAT(batch.undecided, ElementsAre(false));
    return batch.outcomes.empty() ? ReceptionOutcome() : batch.outcomes.front();
  }
  KeptReport only() {
    const auto kept = *store->received({});
    EXPECT_THAT(kept, SizeIs(1));
    return kept.empty() ? KeptReport() : kept.front();
  }
  std::uint64_t counted(const std::string& name) { return (*store->counters())[name]; }

  // A command that appends its input to a file, and the file's content.
  void alert_into(const std::string& name) {
    command = {"/bin/sh", "-c", "cat >> \"$0\"", (folder / name).string()};
  }
  std::string content(const std::string& name) {
    std::ifstream file(folder / name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  std::filesystem::path folder;
  testing_support::FixedRandom random;
  testing_support::RecordingLog log;
  testing_support::TableResolver resolver;
  std::unique_ptr<Store> store = *open_store("sqlite::memory:", random);
  ReceptionRules rules{.counted = {Trust::kDkim, Trust::kMta, Trust::kLocal, Trust::kHttps}};
  std::vector<std::string> command;
  std::atomic<bool> stopping = false;
};

TEST_F(ReceptionTest, EachWayHasItsClass) {
  take(Way::kFile, json_of("1"));
  EXPECT_EQ(only().trust, Trust::kLocal);
  take(Way::kPost, json_of("2"));
  take(Way::kMail, mail_of(json_of("3")));
  take(Way::kMail, "From: a@b.example\n\n" + json_of("4"));
  take(Way::kFile, mail_of(json_of("5")));
  std::vector<Trust> classes;
  const auto all = store->received({});
  for (const auto& kept : *all) classes.push_back(kept.trust);
  EXPECT_THAT(classes, ElementsAre(Trust::kDkim, Trust::kUnverified, Trust::kDkim, Trust::kHttps,
                                   Trust::kLocal));
}

TEST_F(ReceptionTest, AVerifiedMailSaysWhoVouchesForIt) {
  const auto outcome = take(Way::kMail, mail_of(json_of("1", 2)));
  EXPECT_EQ(outcome.status, Status::kStored);
  const auto kept = only();
  EXPECT_EQ(kept.id, outcome.id);
  EXPECT_EQ(kept.signer, "b.example");
  EXPECT_EQ(kept.source, "mail");
  EXPECT_EQ(kept.failed, 2U);
  EXPECT_THAT(kept.oddities, IsEmpty());
  EXPECT_EQ(gunzip(**store->received_json(kept.number), 10'000).operator*(), json_of("1", 2));
}

TEST_F(ReceptionTest, WhatAnMtaSaysCountsIfItIsBelieved) {
  resolver.answers.clear();
  const auto mail = "Authentication-Results: mx.a.example; dkim=pass header.d=b.example\r\n" +
                    mail_of(json_of("1"));
  take(Way::kMail, mail);
  EXPECT_EQ(only().trust, Trust::kUnverified);
  EXPECT_THAT(only().oddities, Contains(HasSubstr("unverified: signature of s._domainkey")));
  rules.trusted_authserv_ids = {"mx.a.example"};
  EXPECT_EQ(take(Way::kMail, mail).status, Status::kDuplicate);
  EXPECT_EQ(only().trust, Trust::kMta);
  EXPECT_EQ(only().voucher, "mx.a.example");
  EXPECT_EQ(only().signer, "b.example");
}

TEST_F(ReceptionTest, TheSameReportIsKeptOnceWhicheverWayItComes) {
  const auto first = take(Way::kMail, mail_of(json_of("1")));
  for (const auto way : {Way::kPost, Way::kFile, Way::kMail}) {
    const auto again = take(way, way == Way::kMail ? mail_of(json_of("1")) : gzip(json_of("1")));
    EXPECT_EQ(again.status, Status::kDuplicate);
    EXPECT_EQ(again.id, first.id);
  }
  EXPECT_EQ(only().trust, Trust::kDkim);
  // Another form of the same text is the same report.
  EXPECT_EQ(take(Way::kFile, " " + json_of("1") + "\n").status, Status::kDuplicate);
}

TEST_F(ReceptionTest, AForgeryNeitherBlocksNorReplacesTheGenuine) {
  EXPECT_EQ(take(Way::kMail, "From: a@evil.example\n\n" + json_of("1", 99)).status,
            Status::kStored);
  const auto genuine = take(Way::kMail, mail_of(json_of("1", 2)));
  EXPECT_EQ(genuine.status, Status::kStored);
  EXPECT_EQ(only().failed, 2U);
  const auto again = take(Way::kMail, "From: a@evil.example\n\n" + json_of("1", 99));
  EXPECT_EQ(again.status, Status::kDuplicate);
  EXPECT_THAT(again.why, HasSubstr("tells something else"));
  EXPECT_EQ(only().failed, 2U);
}

TEST_F(ReceptionTest, WithoutAKeyAMailWaitsADayAndIsTakenThen) {
  resolver.fail("s._domainkey.b.example", "no answer");
  const auto batch = take_all({{Way::kMail, mail_of(json_of("1")), "x"},
                               {Way::kMail, "From: a@c.example\n\n" + json_of("2"), "y"}});
  EXPECT_THAT(batch.undecided, ElementsAre(true, false));
  EXPECT_EQ(only().report_id, "2");
  EXPECT_EQ(counted("received.refused.unreadable"), 0U);
  take(Way::kMail, mail_of(json_of("1")), "x", kNow + std::chrono::hours(24));
  ASSERT_THAT(*store->received({}), SizeIs(2));
  EXPECT_EQ(store->received({})->front().trust, Trust::kUnverified);
}

TEST_F(ReceptionTest, ADateInTheFutureLetsNoMailWait) {
  resolver.fail("s._domainkey.b.example", "no answer");
  EXPECT_EQ(take(Way::kMail, mail_of(json_of("1")), "x", kNow - std::chrono::hours(48)).status,
            Status::kStored);
}

TEST_F(ReceptionTest, WhatCannotBeAReportDoesNotWaitForAKey) {
  resolver.fail("s._domainkey.b.example", "no answer");
  EXPECT_EQ(take(Way::kMail, mail_of("{}")).status, Status::kRefused);
}

TEST_F(ReceptionTest, RefusalsHaveTheirReasonAndAreCounted) {
  EXPECT_THAT(take(Way::kFile, "hello").why, HasSubstr("neither JSON"));
  EXPECT_THAT(take(Way::kFile, "").why, HasSubstr("empty"));
  EXPECT_THAT(take(Way::kMail, "Subject: hi\n\nhello").why, HasSubstr("no TLS report"));
  EXPECT_EQ(counted("received.refused.unreadable"), 3U);
  EXPECT_THAT(take(Way::kFile, R"({"report-id":"1","policies":[]})").why, HasSubstr("date-range"));
  EXPECT_EQ(counted("received.refused.no-period"), 1U);
  EXPECT_THAT(take(Way::kMail, std::string(kMostMailBytes + 1, 'x')).why, HasSubstr("larger"));
  EXPECT_EQ(counted("received.refused.too-large"), 1U);
  EXPECT_THAT(*store->received({}), IsEmpty());
  EXPECT_EQ(log.count("report-refused"), 5U);
}

TEST_F(ReceptionTest, OnlyReportsAboutOurDomainsAreKept) {
  rules.domains = {"a.example"};
  EXPECT_EQ(take(Way::kFile, json_of("1")).status, Status::kStored);
  const auto outcome = take(Way::kFile, json_of("2", 0, "other.example"));
  EXPECT_EQ(outcome.status, Status::kRefused);
  EXPECT_EQ(outcome.why, "it is not about our domains but about other.example");
  EXPECT_EQ(take(Way::kFile, json_of("3", 0, "sub.a.example")).status, Status::kRefused);
  EXPECT_EQ(counted("received.refused.not-ours"), 2U);
}

TEST_F(ReceptionTest, OfAMixedReportOnlyOurPoliciesCount) {
  rules.domains = {"a.example"};
  auto mixed = json_of("1", 2);
  const auto other = json_of("1", 3, "other.example");
  const auto begin = other.find("{\"policy\":");
  mixed.insert(mixed.rfind("]}"), "," + other.substr(begin, other.rfind("]}") - begin));
  take(Way::kFile, mixed);
  EXPECT_EQ(only().failed, 2U);
  EXPECT_THAT(only().domains, ElementsAre("a.example"));
  EXPECT_THAT(only().oddities, Contains(HasSubstr("were left out")));
}

TEST_F(ReceptionTest, TheFileNameFillsInWhatTheReportLacks) {
  auto json = json_of("1");
  const auto range = json.find("\"date-range\"");
  json.replace(range, json.find("\"contact-info\"") - range, "");
  take(Way::kFile, json, "/tmp/b.example!a.example!1795132800!1795219199!001.json");
  EXPECT_EQ(only().start, parse_time("2026-11-20T00:00:00Z"));
  EXPECT_EQ(only().end, parse_time("2026-11-20T23:59:59Z"));
  EXPECT_THAT(only().oddities, Contains(HasSubstr("the file name's was taken")));
}

TEST_F(ReceptionTest, TheReportIsAuthoritativeOverItsMail) {
  take(Way::kMail, mail_of(json_of("1", 0, "c.example")));
  EXPECT_THAT(only().domains, ElementsAre("c.example"));
  EXPECT_THAT(only().oddities,
              Contains("TLS-Report-Domain is a.example, which no policy is about"));
}

TEST_F(ReceptionTest, NewFailuresAreLoggedAndHandedToTheCommandOnce) {
  alert_into("alert");
  take(Way::kPost, json_of("1", 2));
  const auto lines = log.lines("new-tls-failure");
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0].level, LogLevel::kWarning);
  EXPECT_EQ(lines[0].fields.at("mx"), "mx.a.example");
  EXPECT_EQ(lines[0].fields.at("sessions"), "2");
  EXPECT_EQ(content("alert"), json_of("1", 2));
  take(Way::kPost, json_of("2", 2));
  take(Way::kPost, json_of("1", 2));
  EXPECT_EQ(content("alert"), json_of("1", 2));
  EXPECT_EQ(counted("received.new-failures"), 1U);
}

TEST_F(ReceptionTest, StrangersCannotRunTheCommandAsOftenAsTheyLike) {
  alert_into("runs");
  NewFailureCommand runner(log, nullptr);
  const ReportNews news{"id", gzip("x")};
  const auto runs_of = [&](int count, Time now) {
    const auto before = content("runs").size();
    for (int i = 0; i < count; ++i) runner.run(command, news, now);
    return content("runs").size() - before;
  };
  EXPECT_EQ(runs_of(70, kNow), 60U);
  EXPECT_EQ(log.count("new-failure-command-held-back"), 10U);
  EXPECT_EQ(runs_of(2, kNow + std::chrono::seconds(59)), 0U);
  EXPECT_EQ(runs_of(5, kNow + std::chrono::minutes(3)), 3U);
}

TEST_F(ReceptionTest, AfterAStopNoCommandBegins) {
  alert_into("runs");
  stopping = true;
  NewFailureCommand(log, &stopping).run(command, {"id", gzip("x")}, kNow);
  EXPECT_EQ(content("runs"), "");
  EXPECT_THAT(log.lines("new-failure-command-failed").at(0).fields.at("error"),
              HasSubstr("because of a stop"));
}

TEST_F(ReceptionTest, OnlySoManyMailsMayWait) {
  resolver.fail("s._domainkey.b.example", "no answer");
  Reception reception({.store = *store, .log = log, .resolver = &resolver}, rules);
  reception.let_wait(1);
  const auto first = mail_of(json_of("1"));
  const auto second = mail_of(json_of("2"));
  const auto batch = reception.take({{Way::kMail, first, "1"}, {Way::kMail, second, "2"}}, kNow);
  ASSERT_TRUE(batch);
  EXPECT_THAT(batch->undecided, ElementsAre(true, false));
  EXPECT_EQ(only().trust, Trust::kUnverified);
}

TEST_F(ReceptionTest, AStopDowngradesNoMail) {
  resolver.fail("s._domainkey.b.example", "interrupted");
  stopping = true;
  const auto batch =
      take_all({{Way::kMail, mail_of(json_of("1")), "x"}}, kNow + std::chrono::hours(72));
  EXPECT_THAT(batch.undecided, ElementsAre(true));
}

TEST_F(ReceptionTest, RowsOfAReportAreBounded) {
  std::string details;
  for (int i = 0; i < 3000; ++i) {
    details += std::string(i == 0 ? "" : ",") + "{\"result-type\":\"t" + std::to_string(i) +
               std::string(1000, 'x') + "\",\"failed-session-count\":1}";
  }
  std::string policies;
  for (int i = 0; i < 3000; ++i) {
    policies += ",{\"policy\":{\"policy-type\":\"" + std::to_string(i) +
                "\",\"policy-domain\":\"d" + std::to_string(i) +
                "\"},\"summary\":{\"total-successful-session-count\":1}}";
  }
  take(Way::kFile,
       R"({"organization-name":")" + std::string(3000, 'o') +
           R"(","report-id":"1","date-range":{"start-datetime":"2026-11-20T00:00:00Z",)"
           R"("end-datetime":"2026-11-20T23:59:59Z"},"policies":[{"policy":{"policy-domain":)"
           R"("a.example"},"failure-details":[)" +
           details + "]}" + policies + "]}");
  EXPECT_LE(only().organization.size(), 255U);
  EXPECT_LE(only().domains.size(), 2001U);
  EXPECT_EQ(only().successful, 3000U);
  std::uint64_t sessions = 0;
  std::size_t rows = 0;
  ASSERT_TRUE(store->received_failures("", {}, kNow, [&](const FailureRow& row) {
    ++rows;
    sessions += row.tally.sessions;
    EXPECT_LE(row.tally.result_type.size(), 255U);
  }));
  EXPECT_EQ(sessions, 3000U);
  EXPECT_LE(rows, 2001U);
  std::uint64_t successful = 0;
  ASSERT_TRUE(store->received_policies(
      "", {}, kNow, [&](const PolicyRow& row) { successful += row.tally.successful; }));
  EXPECT_EQ(successful, 3000U);
}

TEST_F(ReceptionTest, WhatIsNotCountedIsNoNews) {
  alert_into("alert");
  take(Way::kMail, "From: a@b.example\n\n" + json_of("1", 2));
  EXPECT_EQ(log.count("new-tls-failure"), 0U);
  EXPECT_EQ(content("alert"), "");
}

TEST_F(ReceptionTest, NoShellReadsTheCommand) {
  command = {"/bin/sh", "-c", "printf '%s' \"$1\" > \"$0\"", (folder / "arguments").string(),
             "$(id); `id` && x"};
  take(Way::kFile, json_of("1", 2));
  EXPECT_EQ(content("arguments"), "$(id); `id` && x");
}

TEST_F(ReceptionTest, ACommandThatFailsIsLoggedAndChangesNothing) {
  command = {"/bin/sh", "-c", "echo broken >&2; exit 3"};
  EXPECT_EQ(take(Way::kFile, json_of("1", 2)).status, Status::kStored);
  ASSERT_EQ(log.count("new-failure-command-failed"), 1U);
  EXPECT_EQ(log.lines("new-failure-command-failed")[0].fields.at("error"), "exit code 3: broken");
  command = {"/nowhere/at/all"};
  EXPECT_EQ(take(Way::kFile, json_of("2", 2, "b.example")).status, Status::kStored);
  EXPECT_THAT(log.lines("new-failure-command-failed")[1].fields.at("error"),
              HasSubstr("cannot run /nowhere/at/all"));
}

TEST_F(ReceptionTest, AStopEndsACommandThatHangs) {
  // It says that it runs by making the file for which the other thread looks.
  const auto mark = folder / "mark";
  command = {"/bin/sh", "-c", "touch \"$0\"; exec sleep 600", mark.string()};
  std::thread stopper([&] {
    while (!std::filesystem::exists(mark)) std::this_thread::yield();
    stopping = true;
  });
  EXPECT_EQ(take(Way::kFile, json_of("1", 2)).status, Status::kStored);
  stopper.join();
  EXPECT_THAT(log.lines("new-failure-command-failed")[0].fields.at("error"),
              HasSubstr("broken off"));
}

TEST_F(ReceptionTest, ManyArrivalsAreTakenTogether) {
  std::vector<std::string> texts;
  for (int i = 0; i < 50; ++i) texts.push_back(i == 7 ? "rubbish" : json_of(std::to_string(i)));
  std::vector<Arrival> arrivals;
  for (const auto& text : texts) arrivals.push_back({Way::kPost, text, "192.0.2.1"});
  const auto batch = take_all(arrivals);
  ASSERT_THAT(batch.outcomes, SizeIs(50));
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(batch.outcomes[i].status, i == 7 ? Status::kRefused : Status::kStored) << i;
  }
}

}  // namespace
}  // namespace rapporteur
