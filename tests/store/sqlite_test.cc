// The SQLite store: the suite that every store passes, and what is its own.

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "store/open.h"
#include "store/received_suite.h"
#include "store/sqlite_store.h"
#include "store/store_suite.h"
#include "support/temporary_folder.h"

namespace rapporteur::testing_support {

namespace {

namespace fs = std::filesystem;

using testing::EndsWith;
using testing::HasSubstr;
using testing::SizeIs;

class SqlitePlace final : public StorePlace {
 public:
  std::unique_ptr<Store> open() override {
    auto opened = open_store("sqlite:" + folder_.file(), random_);
    if (!opened) {
      ADD_FAILURE() << opened.error().text;
      std::abort();
    }
    return *std::move(opened);
  }

 private:
  TemporaryFolder folder_;
  CountingRandom random_;
};

std::unique_ptr<StorePlace> make_sqlite() {
  return std::make_unique<SqlitePlace>();
}

const auto kKinds = testing::Values(
    StoreKind{"Sqlite", make_sqlite, StoreKind::Access::kOne, 5},
    StoreKind{"SqliteReopenedForEachCall", make_sqlite, StoreKind::Access::kReopened, 5},
    StoreKind{"SqliteByTwoInTurns", make_sqlite, StoreKind::Access::kTwo, 5});

std::string kind_name(const testing::TestParamInfo<StoreKind>& test) {
  return test.param.name;
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreTest, kKinds, kind_name);
INSTANTIATE_TEST_SUITE_P(Sqlite, StatesOfStoreTest, kKinds, kind_name);
INSTANTIATE_TEST_SUITE_P(Sqlite, ReceivedTest, kKinds, kind_name);

class SqliteStoreTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Store>> open() { return open_store("sqlite:" + path, random); }

  // Runs SQL past the store.
  void run(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK)
        << message;
    sqlite3_free(message);
    sqlite3_close(database);
  }

  static CountBatch batch(const std::string& domain, std::uint64_t successful = 1) {
    CountBatch made;
    made.windows = {delta(domain, successful)};
    made.now = kDay;
    return made;
  }

  TemporaryFolder folder;
  std::string path = folder.file();
  SystemRandom random;
};

void expect_fault(const Result<std::unique_ptr<Store>>& opened, Fault fault,
                  const std::string& text) {
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, fault) << opened.error().text;
  EXPECT_THAT(opened.error().text, HasSubstr(text));
}

TEST_F(SqliteStoreTest, NothingIsWrittenToAFileThatIsNoLongerInItsPlace) {
  const auto store = ok(open());
  ok(store->add(batch("example.com")));
  std::filesystem::rename(path, path + ".away");
  const auto lost = store->add(batch("example.com"));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().fault, Fault::kTransient);
  EXPECT_THAT(lost.error().text, HasSubstr("moved, replaced or deleted"));
  EXPECT_FALSE(store->windows({}));
  std::filesystem::rename(path + ".away", path);
  ok(store->add(batch("example.com")));
  EXPECT_EQ(ok(store->windows({})).at(0).successful, 2U) << "work goes on by itself";
}

TEST_F(SqliteStoreTest, AFileThatWasMovedAwayIsNotReplacedByAnEmptyOne) {
  {
    const auto store = ok(open());
    ok(store->add(batch("example.com")));
    std::filesystem::rename(path, path + ".away");
    expect_fault(open(), Fault::kTransient, "put the file back");
    EXPECT_FALSE(std::filesystem::exists(path));
    std::filesystem::rename(path + ".away", path);
    ok(store->add(batch("example.com")));
  }
  EXPECT_EQ(ok(ok(open())->windows({})).at(0).successful, 2U);
}

TEST_F(SqliteStoreTest, WhatALateWindowReportsHasNoIdOfOneThatWasPruned) {
  const auto store = ok(open());
  const auto reported = [&](Time now) {
    auto one = batch("example.com");
    one.now = now;
    ok(store->add(one));
    const auto due = ok(store->claim_due(kDay + 1000h, 10, std::nullopt));
    EXPECT_EQ(due.size(), 1U);
    Assembly assembly;
    assembly.window = due.front().id;
    assembly.now = now;
    Part part;
    part.number = first_part(*store, "example.com", due.front().period);
    part.report_id = std::to_string(part.number);
    assembly.parts = {part};
    EXPECT_TRUE(ok(store->conclude(assembly)));
    return part.number;
  };
  EXPECT_EQ(reported(kDay + 30h), 1);
  EXPECT_EQ(ok(store->prune(kDay + 900h, kDay, 10)), 1U);
  const auto second = reported(kDay + 950h);
  EXPECT_GT(second, 1000);
  EXPECT_EQ(ok(store->prune(kDay + 1900h, kDay, 10)), 1U);
  EXPECT_GT(reported(kDay + 1901h), second + 1000);
  auto later = batch("later.example");
  later.windows[0].period = {kDay + 2400h, kDay + 2424h};
  later.windows[0].first = later.windows[0].last = kDay + 2401h;
  ok(store->add(later));
  EXPECT_EQ(first_part(*store, "later.example", later.windows[0].period), 1);
}

TEST_F(SqliteStoreTest, TheFileAndItsCompanionsMayBeReadByTheGroupOnly) {
  const auto store = ok(open());
  ok(store->add(batch("example.com")));
  for (const char* const suffix : {"", "-wal", "-shm"}) {
    struct stat status {};
    ASSERT_EQ(stat((path + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 07777U, 0640U) << suffix;
  }
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(path).parent_path())) {
    files += entry.is_regular_file() ? 1U : 0U;
  }
  EXPECT_EQ(files, 3U);
}

TEST_F(SqliteStoreTest, IsOfOneNode) {
  EXPECT_FALSE(store_is_shared("sqlite::memory:"));
  EXPECT_FALSE(store_is_shared("sqlite:/x/postgres://y"));
  EXPECT_TRUE(store_is_shared("postgresql://user@host/database"));
  EXPECT_TRUE(store_is_shared("postgres://host/database"));
}

TEST_F(SqliteStoreTest, AStoreInMemoryIsForgotten) {
  {
    const auto store = ok(open_store("sqlite::memory:", random));
    ok(store->add(batch("example.com")));
    EXPECT_THAT(ok(store->windows({})), SizeIs(1));
  }
  EXPECT_THAT(ok(ok(open_store("sqlite::memory:", random))->windows({})), SizeIs(0));
}

TEST_F(SqliteStoreTest, TwoStoresGetTwoTokens) {
  EXPECT_NE(ok(open())->token(), ok(open_store("sqlite::memory:", random))->token());
}

TEST_F(SqliteStoreTest, OtherUrlsAreRefused) {
  expect_fault(open_store("mysql://u@host/db", random), Fault::kConfig,
               "'mysql://u@host/db' names no store that this program has: write sqlite:PATH");
  expect_fault(open_store("sqlite:", random), Fault::kConfig, "names no file");
  expect_fault(open_store("", random), Fault::kConfig, "'' names no store");
}

TEST_F(SqliteStoreTest, AFolderThatIsNotThereIsTheAdministratorsFault) {
  path = folder.file("none/store.db");
  expect_fault(open(), Fault::kConfig, "No such file or directory");
}

TEST_F(SqliteStoreTest, AFolderInPlaceOfTheFileIsTheAdministratorsFault) {
  path = fs::path(path).parent_path().string();
  expect_fault(open(), Fault::kConfig, "is not a file");
}

TEST_F(SqliteStoreTest, AFileThatMayNotBeWrittenIsTheAdministratorsFault) {
  // The superuser may write everything: be an ordinary user meanwhile.
  constexpr uid_t kNobody = 65534;
  const bool superuser = geteuid() == 0;
  if (superuser) {
    ASSERT_EQ(chown(fs::path(path).parent_path().c_str(), kNobody, kNobody), 0);
    ASSERT_EQ(seteuid(kNobody), 0);
  }
  ok(open());
  fs::permissions(path, fs::perms::owner_read);
  expect_fault(open(), Fault::kConfig, "");
  if (superuser) {
    ASSERT_EQ(seteuid(0), 0);
  }
}

TEST_F(SqliteStoreTest, AFileThatIsNoDatabaseIsCorruptAndStaysAsItIs) {
  const std::string text(5000, 'x');
  std::ofstream(path) << text;
  expect_fault(open(), Fault::kCorrupt, "file is not a database");
  EXPECT_EQ(ok(read_file(path)), text);
}

TEST_F(SqliteStoreTest, ADamagedDatabaseIsCorrupt) {
  {
    const auto store = ok(open());
    for (int index = 0; index < 200; ++index) {
      ok(store->add(batch("d" + std::to_string(index) + ".example")));
    }
  }
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const auto size = static_cast<std::streamoff>(fs::file_size(path));
    for (std::streamoff page = 4096; page < size; page += 4096) {
      file.seekp(page);
      file << std::string(64, static_cast<char>(0xa5));
    }
  }
  const auto opened = open();
  if (!opened) return expect_fault(opened, Fault::kCorrupt, "");
  const auto listed = (*opened)->windows({});
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().fault, Fault::kCorrupt) << listed.error().text;
}

TEST_F(SqliteStoreTest, AnUnknownWordInTheDatabaseIsCorrupt) {
  const auto store = ok(open());
  ok(store->add(batch("example.com")));
  run("UPDATE windows SET state = 'singing'");
  const auto listed = store->windows({});
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().fault, Fault::kCorrupt);
  EXPECT_THAT(listed.error().text, EndsWith("a window has the unknown state 'singing'"));
  run("UPDATE windows SET state = 'due'; UPDATE policies SET strings = '12:x'");
  const auto counts = store->counts(1);
  ASSERT_FALSE(counts);
  EXPECT_EQ(counts.error().fault, Fault::kCorrupt);
}

TEST_F(SqliteStoreTest, AnotherProgramsDatabaseIsRefusedAndStaysAsItIs) {
  run("CREATE TABLE songs (title TEXT)");
  const auto before = ok(read_file(path));
  expect_fault(open(), Fault::kCorrupt, "the database belongs to another program");
  EXPECT_EQ(ok(read_file(path)), before);
}

TEST_F(SqliteStoreTest, ANewerSchemaIsRefused) {
  ok(open());
  run("UPDATE meta SET value = '999' WHERE name = 'schema_version'");
  expect_fault(open(), Fault::kCorrupt,
               "its tables have version 999, this program knows versions up to 5");
}

TEST_F(SqliteStoreTest, AnOlderSchemaMovesForwardAndKeepsItsData) {
  const auto token = ok(open())->token();
  ok(ok(open())->add(batch("example.com")));
  run("INSERT INTO parts SELECT 1, id, 1, 1, 'r', 'f', 1, 0, x'', x'' FROM windows;"
      "INSERT INTO deliveries (id, window_id, part, rank, state, mail, fallback, waiting, attempts,"
      " destination, envelope_from, last_response, header)"
      " SELECT 'd', id, 1, 0, 'failed', 1, 0, 0, 1, 'mailto:a@b.example', '', '', '' FROM windows");
  run("DROP TABLE nodes; DROP TABLE flushes; DROP TABLE silent_domains; DROP INDEX "
      "deliveries_by_key;"
      "ALTER TABLE deliveries DROP COLUMN destination_key; DROP INDEX windows_by_lookup;"
      "ALTER TABLE windows DROP COLUMN absent_since; ALTER TABLE windows DROP COLUMN lookup;");
  run("DROP TABLE received_failures; DROP TABLE received_policies; DROP TABLE received_json;"
      "DROP TABLE received;");
  run("DROP TRIGGER windows_made; DROP TRIGGER windows_moved; DROP TRIGGER windows_removed;"
      "DROP TRIGGER deliveries_made; DROP TRIGGER deliveries_moved; DROP TRIGGER "
      "deliveries_removed; DROP TABLE state_counts; DROP TABLE journal;"
      "DROP TABLE suppressions; DROP INDEX deliveries_by_destination;"
      "ALTER TABLE deliveries DROP COLUMN blamed; DELETE FROM meta WHERE name = 'secret';"
      "UPDATE meta SET value = '1' WHERE name = 'schema_version'");
  const auto store = ok(open());
  EXPECT_EQ(store->token(), token);
  EXPECT_EQ(store->secret().size(), 32U);
  EXPECT_EQ(ok(store->windows({})).size(), 1U);
  const auto summary = ok(store->summary(kDay));
  EXPECT_EQ(summary.windows.at(WindowState::kCollecting), 1U);
  EXPECT_EQ(summary.deliveries.at(DeliveryState::kFailed), 1U);
  EXPECT_EQ(summary.deliveries_ended.at(DeliveryState::kFailed), 1U);
  EXPECT_EQ(summary.deliveries_ended.at(DeliveryState::kDelivered), 0U);
  EXPECT_EQ(summary.received.at(Trust::kDkim), 0U);
  const auto addition = report("b.example", "1", {kExpired});
  EXPECT_EQ(ok(store->add_received(std::span(&addition, 1))).size(), 1U);
  ok(store->put_suppression({.pattern = "@b.example", .since = kDay}));
  EXPECT_EQ(ok(store->failure_streak("mailto:a@b.example", {}, kDay)).windows, 0U);
}

TEST_F(SqliteStoreTest, ASchemaWithoutVersionOrTokenIsCorrupt) {
  ok(open());
  run("DELETE FROM meta WHERE name = 'token'");
  expect_fault(open(), Fault::kCorrupt, "it has no token");
  run("DELETE FROM meta");
  expect_fault(open(), Fault::kCorrupt, "it does not tell the version of its tables");
}

TEST_F(SqliteStoreTest, ManyCreatorsAtOnceMakeOneStore) {
  constexpr std::size_t kCreators = 8;
  std::array<std::string, kCreators> tokens;
  {
    std::vector<std::thread> creators;
    for (auto& token : tokens) {
      creators.emplace_back([&token, this] {
        const auto store = ok(open());
        ok(store->add(batch("example.com")));
        token = store->token();
      });
    }
    for (auto& creator : creators) creator.join();
  }
  for (const auto& token : tokens) EXPECT_EQ(token, tokens[0]);
  const auto windows = ok(ok(open())->windows({}));
  ASSERT_THAT(windows, SizeIs(1));
  EXPECT_EQ(windows[0].successful, kCreators);
}

TEST_F(SqliteStoreTest, ALockedDatabaseIsATransientFailureThatLeavesNothing) {
  const auto store = ok(SqliteStore::open(path, random, std::chrono::milliseconds(20)));
  ok(store->add(batch("example.com")));
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto refused = store->add(batch("example.com"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::kTransient);
  EXPECT_THAT(refused.error().text, EndsWith("database is locked"));
  EXPECT_THAT(ok(store->windows({})), SizeIs(1)) << "reading goes on";
  sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  EXPECT_TRUE(ok(store->add(batch("example.com"))).stored());
  EXPECT_EQ(ok(store->windows({})).at(0).successful, 2U);
}

// Lets no file of this process grow beyond a size while it lives.
class FullDisk {
 public:
  explicit FullDisk(std::uintmax_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST_F(SqliteStoreTest, WhereverTheDiskFillsUpABatchIsStoredWholeOrNotAtAll) {
  CountBatch large;
  large.now = kDay;
  for (int index = 0; index < 300; ++index) {
    large.windows.push_back(delta("d" + std::to_string(index) + ".example", 1, 1,
                                  {{detail(std::string(200, 'x')), 1}}));
  }
  large.session_ids = {"one"};
  large.file = FileProgress{"ab", "f", 1, false, 300};
  large.counters = {{"accepted", 300}};
  std::size_t refused = 0;
  for (std::uintmax_t room = 0;; room += 40'000) {
    path = folder.file("full" + std::to_string(room));
    auto store = ok(open());
    ok(store->add(batch("d0.example")));
    bool stored = false;
    {
      const FullDisk disk(fs::file_size(path + "-wal") + room);
      const auto added = store->add(large);
      stored = static_cast<bool>(added);
      if (!added) {
        EXPECT_EQ(added.error().fault, Fault::kTransient) << added.error().text;
      }
    }
    const auto check = [&](Store& opened) {
      WindowFilter all;
      all.limit = 1000;
      const auto windows = ok(opened.windows(all));
      EXPECT_EQ(windows.size(), stored ? 300U : 1U) << room;
      EXPECT_EQ(ok(opened.counters()).size(), stored ? 1U : 0U) << room;
      EXPECT_EQ(ok(opened.file("ab")).has_value(), stored) << room;
    };
    check(*store);
    store = ok(open());
    check(*store);
    if (stored) break;
    ++refused;
    EXPECT_TRUE(ok(store->add(large)).stored()) << "there is room again";
  }
  EXPECT_GT(refused, 0U);
}

TEST_F(SqliteStoreTest, WhatIsStoredSurvivesAProcessThatDies) {
  const auto child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto opened = open();
    if (!opened) _exit(1);
    for (int round = 0; round < 5; ++round) {
      if (!(*opened)->add(batch("example.com"))) _exit(1);
    }
    std::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto windows = ok(ok(open())->windows({}));
  ASSERT_THAT(windows, SizeIs(1));
  EXPECT_EQ(windows[0].successful, 5U);
}

}  // namespace
}  // namespace rapporteur::testing_support
