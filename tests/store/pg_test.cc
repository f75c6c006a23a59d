// The suite that every store passes, for the PostgreSQL store, and how it is opened.

#include <array>
#include <thread>

#include "store/open.h"
#include "store/pg_server.h"
#include "store/received_suite.h"
#include "store/store_suite.h"

namespace rapporteur::testing_support {

namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

[[maybe_unused]] const auto* const kServer = testing::AddGlobalTestEnvironment(new PostgresIsThere);

class PgPlace final : public StorePlace {
 public:
  std::unique_ptr<Store> open() override {
    auto opened = open_store(schema_.url(), random_,
                             {.node = "mail1", .summary_age = Seconds(0), .id_block = 1});
    if (!opened) {
      ADD_FAILURE() << opened.error().text;
      std::abort();
    }
    return *std::move(opened);
  }

 private:
  PgSchema schema_;
  CountingRandom random_;
};

std::unique_ptr<StorePlace> make_postgres() {
  return std::make_unique<PgPlace>();
}

const auto kKinds = testing::Values(
    StoreKind{"Pg", make_postgres, StoreKind::Access::kOne, 1},
    StoreKind{"PgReopenedForEachCall", make_postgres, StoreKind::Access::kReopened, 1},
    StoreKind{"PgByTwoInTurns", make_postgres, StoreKind::Access::kTwo, 1});

std::string kind_name(const testing::TestParamInfo<StoreKind>& test) {
  return test.param.name;
}

INSTANTIATE_TEST_SUITE_P(Pg, StoreTest, kKinds, kind_name);
INSTANTIATE_TEST_SUITE_P(Pg, StatesOfStoreTest, kKinds, kind_name);
INSTANTIATE_TEST_SUITE_P(Pg, ReceivedTest, kKinds, kind_name);

class PgStoreTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Store>> open() {
    return open_store(schema.url(), random, {.node = "mail1"});
  }

  // Runs SQL past the store.
  void run(const std::string& sql) {
    const auto database = connection_to(schema.url());
    ok(database->set_up([&] { database->run_script(sql); }));
  }

  static CountBatch batch(const std::string& domain) {
    CountBatch made;
    made.windows = {delta(domain)};
    made.now = kDay;
    return made;
  }

  PgSchema schema;
  SystemRandom random;
};

void expect_fault(const Result<std::unique_ptr<Store>>& opened, Fault fault,
                  const std::string& text) {
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, fault) << opened.error().text;
  EXPECT_THAT(opened.error().text, HasSubstr(text));
}

TEST_F(PgStoreTest, AStoreIsThereOnceItsTablesAre) {
  EXPECT_FALSE(store_exists(schema.url()));
  const auto token = ok(open())->token();
  EXPECT_THAT(token, SizeIs(8));
  EXPECT_TRUE(store_exists(schema.url()));
  EXPECT_TRUE(has_disk_room(schema.url()));
  EXPECT_EQ(ok(open())->token(), token);
}

TEST_F(PgStoreTest, ADatabaseThatCannotBeAskedMayHaveAStore) {
  EXPECT_TRUE(store_exists("postgresql://me@/none?host=/nowhere/at/all"));
}

TEST_F(PgStoreTest, ManyDaemonsMayWorkOnIt) {
  const auto one = ok(lock_for_daemon(schema.url()));
  const auto two = ok(lock_for_daemon(schema.url()));
  EXPECT_TRUE(one);
  EXPECT_TRUE(two);
}

TEST_F(PgStoreTest, ManyCreatorsAtOnceMakeOneStore) {
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

TEST_F(PgStoreTest, TablesOfANewerProgramAreLeftAlone) {
  ok(open());
  run("UPDATE meta SET value = '1000' WHERE name = 'schema_version'");
  expect_fault(open(), Fault::kCorrupt, "it needs a newer program");
  run("UPDATE meta SET value = 'new' WHERE name = 'schema_version'");
  expect_fault(open(), Fault::kCorrupt, "it does not tell the version of its tables");
}

TEST_F(PgStoreTest, AStoreWithoutTokenIsCorrupt) {
  ok(open());
  run("DELETE FROM meta WHERE name = 'token'");
  expect_fault(open(), Fault::kCorrupt, "it has no token");
}

TEST_F(PgStoreTest, WhomTheDatabaseDoesNotKnowIsRefused) {
  auto url = schema.url();
  const auto user = url.find("://") + 3;
  url.replace(user, url.find('@') - user, "nobody-of-this-name:geheim");
  const auto refused = open_store(url, random);
  expect_fault(refused, Fault::kConfig, "nobody-of-this-name");
  EXPECT_THAT(refused.error().text, Not(HasSubstr("geheim")));
}

TEST_F(PgStoreTest, AUrlThatCannotBeReadTellsNoPassword) {
  for (const auto* const url :
       {"postgresql://me:ge@heim@db.example/x", "postgresql://me:ge/heim@db.example/x",
        "postgresql://me:ge%zzheim@db.example/x", "mysql://me:geheim@db.example/x"}) {
    const auto refused = open_store(url, random);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::kConfig) << refused.error().text;
    EXPECT_THAT(refused.error().text, Not(HasSubstr("heim")));
  }
  expect_fault(open_store("postgresql://db.example/x?colour=blue", random), Fault::kConfig,
               "colour");
}

TEST_F(PgStoreTest, ItKeepsNoJournal) {
  const auto store = ok(open());
  const auto kept = store->append_journal("piece");
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().fault, Fault::kPermanent);
  EXPECT_THAT(ok(store->journal()).pieces, SizeIs(0));
}

}  // namespace
}  // namespace rapporteur::testing_support
