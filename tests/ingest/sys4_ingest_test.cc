#include "ingest/sys4_ingest.h"

#include <gmock/gmock.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "ingest/ingest_fixture.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

// A database with the tables of tlsrpt-collectd 0.6.
class Sys4IngestTest : public testing_support::IngestFixture {
 protected:
  Sys4IngestTest() {
    path = (folder / "collectd.sqlite").string();
    run("CREATE TABLE finalresults(day, domain, tlsrptrecord, policy, cntrtotal, cntrfailure, its "
        "datetime default CURRENT_TIMESTAMP, PRIMARY KEY(day, domain, tlsrptrecord, policy));"
        "CREATE TABLE failures(day, domain, tlsrptrecord, policy, reason, cntr, PRIMARY KEY(day, "
        "domain, tlsrptrecord, policy, reason));"
        "CREATE TABLE daystatus(daycomplete, its datetime default CURRENT_TIMESTAMP, PRIMARY "
        "KEY(daycomplete));");
  }

  void run(const std::string& sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }

  void add_result(const std::string& domain, int total, int failures,
                  const std::string& policy = R"({"policy-type": 9})",
                  const std::string& day = "2026-11-19") {
    run("INSERT INTO finalresults(day, domain, tlsrptrecord, policy, cntrtotal, cntrfailure) "
        "VALUES('" +
        day + "', '" + domain + "', 'v=TLSRPTv1; rua=mailto:t@" + domain + "', '" + policy + "', " +
        std::to_string(total) + ", " + std::to_string(failures) + ")");
  }
  void add_failure(const std::string& domain, int count, const std::string& reason,
                   const std::string& policy = R"({"policy-type": 9})") {
    run("INSERT INTO failures VALUES('2026-11-19', '" + domain + "', 'v=TLSRPTv1; rua=mailto:t@" +
        domain + "', '" + policy + "', '" + reason + "', " + std::to_string(count) + ")");
  }

  Result<FileIngestResult> ingest(const IngestProgress& progress = {}) {
    return ingest_sys4(path, options, recorder, *store, clock, log, progress);
  }

  std::string sums(const std::string& domain) {
    const auto windows = store->windows({.domain = domain});
    std::string text;
    for (const auto& window : *windows) {
      text += format_rfc3339(window.period.start) + " " + std::to_string(window.successful) + "+" +
              std::to_string(window.failed) + ";";
    }
    return text;
  }

  std::string path;
};

TEST_F(Sys4IngestTest, ADayIsCountedWithAllItsSums) {
  add_result("a.example", 10, 4);
  add_failure("a.example", 3, R"({"c": 201, "n": "mx1.a.example"})");
  add_failure("a.example", 2, R"({"c": 204, "n": "mx2.a.example"})");
  add_result("b.example", 1, 0, R"({"policy-type": 9})", "2026-11-18");
  const auto result = ingest();
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ(result->counts.rejected, 0U);
  EXPECT_EQ(sums("a.example"), "2026-11-19T00:00:00Z 6+4;");
  EXPECT_EQ(sums("b.example"), "2026-11-18T00:00:00Z 1+0;");
  const auto window = store->windows({.domain = "a.example"})->front();
  EXPECT_EQ(window.tlsrpt_record, "v=TLSRPTv1; rua=mailto:t@a.example");
  const auto counts = store->counts(window.id);
  ASSERT_TRUE(counts);
  ASSERT_THAT(*counts, SizeIs(1));
  std::map<std::string, std::uint64_t> details;
  for (const auto& detail : counts->front().details) {
    details[detail.detail.receiving_mx_hostname] = detail.count;
  }
  EXPECT_THAT(details, UnorderedElementsAre(Pair("mx1.a.example", 3), Pair("mx2.a.example", 2)));
}

TEST_F(Sys4IngestTest, TakenTwiceItCountsOnceWhateverHappenedToTheFile) {
  add_result("a.example", 2, 0);
  ASSERT_TRUE(ingest());
  run("INSERT INTO daystatus(daycomplete) VALUES('2026-11-19'); VACUUM;");
  std::filesystem::rename(path, folder / "collectd.yesterday");
  path = (folder / "collectd.yesterday").string();
  const auto again = ingest();
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->already_ingested);
  EXPECT_EQ(sums("a.example"), "2026-11-19T00:00:00Z 2+0;");
  options.again = true;
  EXPECT_FALSE(ingest()->already_ingested);
  EXPECT_EQ(sums("a.example"), "2026-11-19T00:00:00Z 4+0;");
}

TEST_F(Sys4IngestTest, GoesOnAfterTheLastBatchThatWasStored) {
  for (const char* domain : {"a.example", "b.example", "c.example", "d.example", "e.example"}) {
    add_result(domain, 2, 0);
  }
  options.batch_lines = 2;
  struct Stopped {};
  const auto stop = [](const IngestStep& step) {
    if (step.stored > 0) throw Stopped();
  };
  EXPECT_THROW(static_cast<void>(ingest(stop)), Stopped);
  EXPECT_EQ(sums("b.example"), "2026-11-19T00:00:00Z 2+0;");
  EXPECT_EQ(sums("c.example"), "");
  std::string told;
  const auto result = ingest([&](const IngestStep& step) {
    EXPECT_EQ(step.from, 2U);
    if (step.stored < step.read) return;
    told += std::to_string(step.stored) + "/" + std::to_string(step.total) + " ";
  });
  ASSERT_TRUE(result);
  EXPECT_EQ(result->resumed_at, 2U);
  EXPECT_EQ(told, "4/5 5/5 ");
  for (const char* domain : {"a.example", "b.example", "c.example", "d.example", "e.example"}) {
    EXPECT_EQ(sums(domain), "2026-11-19T00:00:00Z 2+0;") << domain;
  }
}

TEST_F(Sys4IngestTest, BadRowsAreToldAndStopNothing) {
  add_result("a.example", 2, 0, "nonsense");
  add_result("b.example", 2, 3);
  add_result("c.example", 2, 1);
  add_failure("c.example", 1, R"({"c": "x"})");
  add_failure("d.example", 1, R"({"c": 201})");
  const auto result = ingest();
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_THAT(result->counts.by_reason,
              UnorderedElementsAre(Pair("not-json", 1), Pair("bad-count", 1),
                                   Pair("bad-failure-code", 1), Pair("no-final-result", 1)));
  EXPECT_EQ(result->counts.rejected, 4U);
  EXPECT_EQ(sums("c.example"), "2026-11-19T00:00:00Z 1+1;");
  EXPECT_THAT(log.lines("session-rejected"), SizeIs(4));
}

TEST_F(Sys4IngestTest, AnEmptyDatabaseIsTaken) {
  const auto result = ingest();
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ(result->counts.accepted, 0U);
}

TEST_F(Sys4IngestTest, TheFileIsOnlyRead) {
  add_result("a.example", 2, 0);
  const auto content = [&] {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const auto before = content();
  ASSERT_TRUE(ingest());
  EXPECT_EQ(content(), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST_F(Sys4IngestTest, TellsWhatToDoWhereSqliteMayNotPutItsFilesBesideTheDatabase) {
  add_result("a.example", 2, 0);
  run("PRAGMA journal_mode = WAL");
  // Where the folder cannot be written, this cannot be made either, whoever asks.
  std::filesystem::create_symlink("nowhere/none", path + "-shm");
  const auto result = ingest();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().fault, Fault::kInput);
  EXPECT_EQ(
      result.error().text,
      path +
          " cannot be read as a database of tlsrpt-collectd: unable to open database file: it "
          "is in write-ahead-log mode, for which a file has to be made beside it. Run this as "
          "its collector's user, or take a copy of the database and its -wal in a folder that "
          "can be written");
}

TEST_F(Sys4IngestTest, WhatIsNoSuchDatabaseIsRefused) {
  run("DROP TABLE failures");
  const auto other = ingest();
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().fault, Fault::kInput);
  EXPECT_EQ(other.error().text, path +
                                    " cannot be read as a database of tlsrpt-collectd: no such "
                                    "table: failures");
  std::ofstream(path) << "no database, " << std::string(1000, 'x');
  EXPECT_THAT(ingest().error().text, HasSubstr("file is not a database"));
  path = (folder / "none").string();
  EXPECT_THAT(ingest().error().text, HasSubstr("cannot open " + path));
}

}  // namespace
}  // namespace rapporteur
