// A store that connects later (StoreOptions::connect_later): what it does while its database has
// never been there, and when it comes.

#include <array>
#include <thread>

#include "store/open.h"
#include "store/pg_proxy.h"
#include "store/pg_server.h"
#include "store/pg_store.h"
#include "store/store_suite.h"

namespace rapporteur::testing_support {

namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class PgLaterTest : public testing::Test {
 protected:
  std::unique_ptr<Store> open_later(const std::string& url) {
    auto store = ok(open_store(url, random, {.node = "mail1", .connect_later = true}));
    store->set_patience(50ms);
    return store;
  }
  std::unique_ptr<Store> open_later() { return open_later(schema.url(proxy.folder())); }
  std::unique_ptr<Store> open_now() {
    return ok(open_store(schema.url(), random, {.node = "mail2"}));
  }

  void set_version(const std::string& version) {
    const auto database = connection_to(schema.url());
    ok(database->set_up([&] {
      database->execute("UPDATE meta SET value = $1 WHERE name = 'schema_version'", version);
    }));
  }

  static CountBatch batch() {
    CountBatch made;
    made.windows = {delta("example.com")};
    made.now = kDay;
    made.flush = FlushId{"mail1/process", 1};
    return made;
  }

  template <class T>
  static void expect_fault(const Result<T>& result, Fault fault, const std::string& text) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().fault, fault) << result.error().text;
    EXPECT_THAT(result.error().text, HasSubstr(text));
  }

  std::uint64_t sessions() {
    std::uint64_t sum = 0;
    const auto windows = ok(open_now()->windows({}));
    for (const auto& window : windows) sum += window.successful;
    return sum;
  }

  PgSchema schema;
  PgProxy proxy{server_folder()};
  SystemRandom random;
};

TEST_F(PgLaterTest, IsThereBeforeItsDatabaseAndWorksOnceThatIsBack) {
  proxy.turn_away();
  const auto store = open_later();
  EXPECT_THAT(store->token(), IsEmpty());
  for (int i = 0; i < 2; ++i) {
    expect_fault(store->reach(), Fault::kTransient, "cannot be reached");
    expect_fault(store->add(batch()), Fault::kTransient, "cannot be reached");
    expect_fault(store->windows({}), Fault::kTransient, "cannot be reached");
  }
  EXPECT_TRUE(ok(store->journal()).pieces.empty());
  proxy.let_through();
  EXPECT_TRUE(ok(store->add(batch())).stored());
  EXPECT_THAT(store->token(), SizeIs(8));
  EXPECT_EQ(open_now()->token(), store->token());
  EXPECT_EQ(sessions(), 1U);
  EXPECT_TRUE(ok(store->add(batch())).repeated);
  EXPECT_EQ(sessions(), 1U);
}

TEST_F(PgLaterTest, ReachingItPreparesAnEmptyDatabase) {
  const auto store = open_later();
  EXPECT_FALSE(store_exists(schema.url())) << "nobody was asked yet";
  ok(store->reach());
  EXPECT_TRUE(store_exists(schema.url()));
  EXPECT_THAT(store->token(), SizeIs(8));
  EXPECT_THAT(store->secret(), SizeIs(32));
  ok(store->reach());
}

TEST_F(PgLaterTest, ADatabaseThatGoesAwayAgainIsAway) {
  const auto store = open_later();
  ok(store->reach());
  proxy.stay_away_after_cut(true);
  proxy.cut(PgProxy::Cut::kBeforeCommit);
  expect_fault(store->add(batch()), Fault::kUnknown, "");
  expect_fault(store->reach(), Fault::kTransient, "cannot be reached");
  EXPECT_THAT(store->token(), SizeIs(8)) << "it is remembered";
  proxy.let_through();
  ok(store->reach());
}

TEST_F(PgLaterTest, AnAnswerThatIsLostWhileTheTablesAreMadeDoesNoHarm) {
  for (const auto cut : {PgProxy::Cut::kBeforeCommit, PgProxy::Cut::kAfterCommit}) {
    const auto store = open_later();
    proxy.stay_away_after_cut(true);
    proxy.cut(cut);
    expect_fault(store->add(batch()), Fault::kTransient, "");
    EXPECT_THAT(store->token(), IsEmpty());
    proxy.let_through();
  }
  EXPECT_EQ(sessions(), 0U) << "what came behind it was not begun";
  const auto store = open_later();
  EXPECT_TRUE(ok(store->add(batch())).stored());
  EXPECT_EQ(sessions(), 1U);
}

TEST_F(PgLaterTest, ManyThatComeAtOnceMakeOneStore) {
  proxy.turn_away();
  constexpr std::size_t kNodes = 7;
  std::array<std::string, kNodes> tokens;
  {
    std::vector<std::thread> nodes;
    std::atomic<std::size_t> turned_away = 0;
    for (auto& token : tokens) {
      nodes.emplace_back([&, this] {
        const auto store = open_later();
        EXPECT_FALSE(store->reach());
        ++turned_away;
        store->set_patience(10s);
        ok(store->windows({}));
        token = store->token();
      });
    }
    while (turned_away < kNodes) std::this_thread::yield();
    proxy.let_through();
    for (auto& node : nodes) node.join();
  }
  EXPECT_THAT(tokens[0], SizeIs(8));
  for (const auto& token : tokens) EXPECT_EQ(token, tokens[0]);
}

TEST_F(PgLaterTest, TablesOfANewerProgramAreRefusedUntilTheyAreOurs) {
  ok(open_now()->windows({}));
  set_version("1000");
  const auto store = open_later();
  for (int i = 0; i < 2; ++i) {
    expect_fault(store->reach(), Fault::kCorrupt, "it needs a newer program");
    expect_fault(store->add(batch()), Fault::kCorrupt, "it needs a newer program");
    EXPECT_THAT(store->token(), IsEmpty());
  }
  set_version("1");
  EXPECT_TRUE(ok(store->add(batch())).stored());
  EXPECT_EQ(sessions(), 1U);
}

TEST_F(PgLaterTest, WhoIsRefusedHearsItWhenHeAsks) {
  auto url = schema.url();
  const auto user = url.find("://") + 3;
  url.replace(user, url.find('@') - user, "nobody-of-this-name");
  const auto store = open_later(url);
  expect_fault(store->reach(), Fault::kConfig, "nobody-of-this-name");
  expect_fault(store->add(batch()), Fault::kConfig, "nobody-of-this-name");
}

TEST_F(PgLaterTest, AUrlThatCannotBeReadIsRefusedAtOnce) {
  expect_fault(open_store("postgresql://db.example/x?colour=blue", random, {.connect_later = true}),
               Fault::kConfig, "colour");
}

TEST_F(PgLaterTest, WhoWantsItNowHearsThatItIsAway) {
  proxy.turn_away();
  expect_fault(PgStore::open(schema.url(proxy.folder()), random, {}, 50ms), Fault::kTransient,
               "cannot be reached");
}

}  // namespace
}  // namespace rapporteur::testing_support
