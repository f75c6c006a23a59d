// Damage that a check of an SQLite store finds, and backups of it.

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/open.h"
#include "store/store_suite.h"

namespace rapporteur::testing_support {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SqliteKeptTest : public testing::Test {
 protected:
  SqliteKeptTest() {
    auto name = (fs::temp_directory_path() / "kept_test.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    folder = name;
  }
  ~SqliteKeptTest() override {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  std::string path(const std::string& name = "store.db") const { return (folder / name).string(); }
  std::string url(const std::string& name = "store.db") const { return "sqlite:" + path(name); }
  std::unique_ptr<Store> open(const std::string& name = "store.db") {
    auto opened = open_store(url(name), random);
    if (!opened) {
      ADD_FAILURE() << opened.error().text;
      std::abort();
    }
    return *std::move(opened);
  }

  static void add(Store& store, std::vector<WindowDelta> windows) {
    CountBatch batch;
    batch.windows = std::move(windows);
    batch.now = kDay + 3h;
    ok(store.add(batch));
  }

  // Window 1 of a.example, assembled, with policy 1, two details, and one open delivery "mail";
  // window 2 of b.example, collecting.
  void fill() {
    const auto store = open();
    add(*store, {delta("a.example", 3, 2, {{detail("x"), 1}, {detail("y"), 1}})});
    const auto due = ok(store->claim_due(kDue, 10, std::nullopt));
    ASSERT_THAT(due, SizeIs(1));
    Part part{.number = 1, .of = 1, .report_id = "r", .file_name = "f", .gz = "z"};
    Delivery delivery{.id = "mail", .window = due[0].id, .destination = "mailto:a@b.example"};
    delivery.next_attempt = kDue;
    EXPECT_TRUE(ok(store->conclude(Assembly{.window = due[0].id,
                                            .parts = {part},
                                            .deliveries = {delivery},
                                            .fingerprint = "p",
                                            .record = "v=TLSRPTv1",
                                            .now = kDue})));
    add(*store, {delta("b.example")});
  }

  // Runs SQL past the store, without its triggers and foreign keys.
  void damage(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &database), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK)
        << message;
    sqlite3_free(message);
    sqlite3_close(database);
  }

  // "kind: where: what" of each.
  std::vector<std::string> findings(const std::string& name = "store.db") {
    std::vector<std::string> found;
    ok(open(name)->check([&](const Finding& finding) {
      EXPECT_NE(advice(finding.kind), "");
      found.push_back(std::string(to_string(finding.kind)) + ": " + finding.where + ": " +
                      finding.what);
    }));
    return found;
  }

  fs::path folder;
  CountingRandom random;
};

struct Damage {
  const char* name;
  const char* sql;
  std::vector<std::string> want;
};

void PrintTo(const Damage& damage, std::ostream* out) {
  *out << damage.name;
}

class DamagedStore : public SqliteKeptTest, public testing::WithParamInterface<Damage> {};

TEST_P(DamagedStore, IsFound) {
  fill();
  ASSERT_THAT(findings(), IsEmpty());
  damage(GetParam().sql);
  EXPECT_THAT(findings(), testing::UnorderedElementsAreArray(GetParam().want));
}

constexpr const char* kA = "window 1 of a.example from 2026-11-20T00:00:00Z";

std::string in_a(const std::string& kind, const std::string& what) {
  return kind + ": " + kA + what;
}

INSTANTIATE_TEST_SUITE_P(
    OfEachKind, DamagedStore,
    testing::Values(
        Damage{"Sums",
               "UPDATE windows SET failed = 7 WHERE id = 1",
               {in_a("window-sums",
                     ": its sums are 3 successful and 7 failed, those of its "
                     "policies 3 and 2")}},
        Damage{"NoPolicies",
               "DELETE FROM policies WHERE window_id = 2",
               {"window-sums: window 2 of b.example from 2026-11-20T00:00:00Z: its sums are 1 "
                "successful and 0 failed, those of its policies 0 and 0"}},
        Damage{"DetailNumber",
               "DELETE FROM details WHERE failure_reason_code = 'x'",
               {in_a("detail-number", ", policy 1: it counts 2 failure details and has 1")}},
        Damage{"NegativeCount",
               "UPDATE details SET sessions = -1 WHERE failure_reason_code = 'x'",
               {in_a("impossible", ", policy 1: a failure detail counts -1 sessions")}},
        Damage{"NegativePolicy",
               "UPDATE policies SET successful = -1 WHERE id = 1;"
               "UPDATE windows SET successful = -1 WHERE id = 1",
               {in_a("impossible", ", policy 1: it counts -1 successful and 2 failed sessions")}},
        Damage{"OrphanPolicy",
               "UPDATE policies SET window_id = 77 WHERE window_id = 2;"
               "UPDATE windows SET successful = 0 WHERE id = 2",
               {"orphan: table policies: 1 row without the row of windows that they belong to"}},
        Damage{"OrphanDetails",
               "UPDATE details SET policy_id = 77; UPDATE policies SET details = 0",
               {"orphan: table details: 2 rows without the row of policies that they belong to"}},
        Damage{"OrphanDelivery",
               "UPDATE deliveries SET part = 9",
               {"orphan: table deliveries: 1 row without the row of parts that they belong to"}},
        Damage{"OrphanPart",
               "INSERT INTO parts (window_id, number, parts_total, report_id, file_name, "
               "successful, failed, gz, mail_body) VALUES (99, 1, 1, 's', 'f', 0, 0, x'', x'')",
               {"orphan: table parts: 1 row without the row of windows that they belong to"}},
        Damage{"NeverAssembled",
               "UPDATE windows SET assembled = NULL WHERE id = 1",
               {in_a("window-state", ": it is assembled and was never assembled")}},
        Damage{"CollectingAssembled",
               "UPDATE windows SET assembled = 1 WHERE id = 2",
               {"window-state: window 2 of b.example from 2026-11-20T00:00:00Z: it is collecting "
                "and was assembled"}},
        Damage{"FinishedTooEarly",
               "UPDATE windows SET finished = 1 WHERE id = 2",
               {"window-state: window 2 of b.example from 2026-11-20T00:00:00Z: it is collecting "
                "and was finished"}},
        Damage{"NoOpenDelivery",
               "UPDATE deliveries SET state = 'failed', next_attempt = NULL, ended = 1",
               {in_a("window-state", ": it is assembled and none of its deliveries is open")}},
        Damage{"DoneWithOpen",
               "UPDATE windows SET state = 'done', finished = 1 WHERE id = 1",
               {in_a("window-state", ": it is done and has open deliveries")}},
        Damage{"DueWithReport",
               "UPDATE windows SET state = 'due', assembled = NULL WHERE id = 1",
               {in_a("window-state", ": it is due and has a report"),
                in_a("delivery-state",
                     ", delivery mail: an attempt is planned and its window is "
                     "due")}},
        Damage{"FinalAndPlanned",
               "UPDATE deliveries SET state = 'delivered', ended = 1;"
               "UPDATE windows SET state = 'done', finished = 1 WHERE id = 1",
               {in_a("delivery-state",
                     ", delivery mail: it is delivered and another attempt is "
                     "planned")}},
        Damage{
            "NeverTried",
            "UPDATE deliveries SET next_attempt = NULL",
            {in_a("delivery-state", ", delivery mail: it is pending and no attempt is planned")}},
        Damage{
            "WaitsAndIsPlanned",
            "UPDATE deliveries SET waiting = 1",
            {in_a("delivery-state", ", delivery mail: it waits for another one and is planned")}},
        Damage{"OpenAndEnded",
               "UPDATE deliveries SET ended = 1",
               {in_a("delivery-state", ", delivery mail: it is pending and has ended")}},
        Damage{"Overlap",
               "UPDATE windows SET domain = 'a.example', starts = starts + 3600 WHERE id = 2",
               {in_a("overlap",
                     ": it ends after the next one has begun, at "
                     "2026-11-20T01:00:00Z")}},
        Damage{"WindowNumber",
               "UPDATE state_counts SET value = 5 WHERE name = 'windows.assembled'",
               {"state-count: windows.assembled: it says 5, the rows are 1"}},
        Damage{"DeliveryNumber",
               "DELETE FROM state_counts WHERE name = 'deliveries.pending'",
               {"state-count: deliveries.pending: it says 0, the rows are 1"}},
        Damage{"EndedNumber",
               "UPDATE deliveries SET state = 'delivered', ended = 1, next_attempt = NULL;"
               "UPDATE windows SET state = 'done', finished = 1 WHERE id = 1;"
               "UPDATE state_counts SET value = 0 WHERE name = 'ended.delivered'",
               {"state-count: ended.delivered: it says 0, the rows are 1"}},
        Damage{"UnknownFrequency",
               "UPDATE windows SET frequency = 'yearly' WHERE id = 2",
               {"unknown-word: table windows: 1 row with the unknown frequency 'yearly'"}},
        Damage{"UnknownState",
               "UPDATE windows SET state = 'asleep' WHERE id = 2;"
               "UPDATE state_counts SET value = 0 WHERE name = 'windows.collecting';"
               "INSERT INTO state_counts (name, value) VALUES ('windows.asleep', 1)",
               {"unknown-word: table windows: 1 row with the unknown state 'asleep'"}},
        Damage{"UnknownResult",
               "UPDATE details SET result_type = 'bad-luck'",
               {"unknown-word: table details: 2 rows with the unknown result_type 'bad-luck'"}},
        Damage{"UnreadableTexts",
               "UPDATE policies SET strings = '9:abc,' WHERE id = 1",
               {"unknown-word: policy 1: its strings or MX patterns cannot be read"}}),
    [](const auto& test) { return std::string(test.param.name); });

// A row that an index has lost, as a page that went bad on the disk would lose it.
TEST_F(SqliteKeptTest, ADamagedFileIsFound) {
  fill();
  damage(
      "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, '(due)', "
      "'(starts)') WHERE name = 'windows_by_due'");
  const auto found = findings();
  ASSERT_THAT(found, testing::Not(IsEmpty()));
  EXPECT_THAT(found.front(), HasSubstr("database: database file: "));
  EXPECT_THAT(found.front(), HasSubstr("windows_by_due"));
}

TEST_F(SqliteKeptTest, ACheckKeepsNobodyFromWriting) {
  fill();
  damage("UPDATE windows SET failed = 7 WHERE id = 1");
  const auto checking = open();
  const auto writing = open();
  writing->set_patience(0ms);
  int found = 0;
  ok(checking->check([&](const Finding&) {
    ++found;
    add(*writing, {delta("c" + std::to_string(found) + ".example")});
  }));
  EXPECT_EQ(found, 1);
  EXPECT_THAT(ok(writing->windows({})), SizeIs(3));
}

TEST_F(SqliteKeptTest, ABackupIsAStoreThatGoesOn) {
  fill();
  const auto backup = ok(back_up(url(), path("copy.db")));
  EXPECT_EQ(backup.bytes, fs::file_size(path("copy.db")));
  struct stat status {};
  ASSERT_EQ(stat(path("copy.db").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640U);
  EXPECT_THAT(findings("copy.db"), IsEmpty());
  const auto copy = open("copy.db");
  EXPECT_EQ(copy->token(), open()->token());
  EXPECT_THAT(ok(copy->windows({})), SizeIs(2));
  add(*copy, {delta("b.example")});
  EXPECT_EQ(ok(copy->windows({.domain = "b.example"})).at(0).successful, 2U);
  EXPECT_EQ(ok(open()->windows({.domain = "b.example"})).at(0).successful, 1U);
}

TEST_F(SqliteKeptTest, ABackupLeavesNothingBesideIt) {
  fill();
  ok(back_up(url(), path("copy.db")));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with("store.db")) names.push_back(name);
  }
  EXPECT_THAT(names, ElementsAre("copy.db"));
}

TEST_F(SqliteKeptTest, ABackupIsOfOneStateWhateverIsWrittenMeanwhile) {
  fill();
  {
    const auto store = open();
    for (int i = 0; i < 40; ++i) {
      std::vector<WindowDelta> more;
      for (int j = 0; j < 500; ++j) {
        more.push_back(delta("d" + std::to_string(i * 500 + j) + ".example"));
      }
      add(*store, std::move(more));
    }
  }
  const auto writing = open();
  writing->set_patience(0ms);
  int steps = 0;
  std::uint64_t last = 0;
  ok(back_up(url(), path("copy.db"), [&](std::uint64_t copied, std::uint64_t total) {
    EXPECT_GT(copied, last) << "it begins anew";
    EXPECT_LE(copied, total);
    last = copied;
    add(*writing, {delta("late" + std::to_string(++steps) + ".example")});
  }));
  EXPECT_GT(steps, 1);
  EXPECT_THAT(findings("copy.db"), IsEmpty());
  EXPECT_EQ(ok(open("copy.db")->window_states()).at(WindowState::kCollecting), 20'001U);
  EXPECT_THAT(ok(open()->windows({.domain = "late*.example"})), SizeIs(steps));
}

TEST_F(SqliteKeptTest, ABackupOverwritesNothing) {
  fill();
  ok(back_up(url(), path("copy.db")));
  const auto before = fs::last_write_time(path("copy.db"));
  const auto again = back_up(url(), path("copy.db"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().fault, Fault::kPermanent);
  EXPECT_THAT(again.error().text, HasSubstr("is there already"));
  EXPECT_EQ(fs::last_write_time(path("copy.db")), before);
  fs::create_symlink("nowhere", path("link.db"));
  EXPECT_FALSE(back_up(url(), path("link.db")));
}

TEST_F(SqliteKeptTest, ABackupSaysWhyItCannotBeMade) {
  fill();
  const auto nowhere = back_up(url(), path("none/copy.db"));
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error().text, HasSubstr("No such file or directory"));
  const auto missing = back_up(url("other.db"), path("copy.db"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fault, Fault::kConfig);
  EXPECT_FALSE(fs::exists(path("other.db")));
  EXPECT_FALSE(fs::exists(path("copy.db")));
  const auto other = back_up("postgresql://u@host/db", path("copy.db"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().fault, Fault::kPermanent);
  EXPECT_THAT(other.error().text, HasSubstr("pg_dump"));
}

TEST_F(SqliteKeptTest, ADamagedStoreGivesNoBackup) {
  fill();
  damage(
      "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, '(due)', "
      "'(starts)') WHERE name = 'windows_by_due'");
  const auto backup = back_up(url(), path("copy.db"));
  ASSERT_FALSE(backup);
  EXPECT_EQ(backup.error().fault, Fault::kCorrupt);
  EXPECT_FALSE(fs::exists(path("copy.db")));
}

}  // namespace
}  // namespace rapporteur::testing_support
