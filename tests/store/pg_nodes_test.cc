// Several nodes on one store: leases, claims and counts of many at once, and a database that goes
// away.

#include <algorithm>
#include <array>
#include <set>
#include <thread>

#include "store/look.h"
#include "store/open.h"
#include "store/pg_proxy.h"
#include "store/pg_server.h"
#include "store/store_suite.h"

namespace rapporteur::testing_support {

namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class PgNodesTest : public testing::Test {
 protected:
  std::unique_ptr<Store> node(const std::string& name, Seconds lease = 60s,
                              const std::string& host = "") {
    return ok(open_store(schema.url(host), random, {.node = name, .lease = lease}));
  }

  static void add(Store& store, const std::vector<std::string>& domains) {
    CountBatch batch;
    for (const auto& domain : domains) batch.windows.push_back(delta(domain));
    batch.now = kDay;
    EXPECT_TRUE(ok(store.add(batch)).stored());
  }

  static std::vector<Window> claim(Store& store, std::size_t limit = 100) {
    return ok(store.claim_due(kDue, limit, std::nullopt));
  }

  // A report of one part, to be mailed.
  static Assembly assembly(const Window& window) {
    const auto id = std::to_string(window.id);
    Delivery delivery;
    delivery.id = "d" + id;
    delivery.window = window.id;
    delivery.part = 1;
    delivery.destination = "mailto:a@b.example";
    delivery.header = "From: a\r\n";
    delivery.next_attempt = kDue;
    Part part;
    part.number = 1;
    part.of = 1;
    part.report_id = "r" + id;
    part.gz = "gz";
    part.mail_body = "body";
    return {.window = window.id,
            .fence = window.fence,
            .parts = {part},
            .deliveries = {delivery},
            .now = kDue};
  }
  static std::vector<std::string> due(Store& store) {
    std::vector<std::string> ids;
    for (const auto& found : ok(store.due_deliveries({.now = kDue, .limit = 100}))) {
      ids.push_back(found.delivery.id);
    }
    return ids;
  }
  // Of a window of example.com, due at kDue.
  std::string delivery(Store& store) {
    add(store, {"example.com"});
    const auto claimed = claim(store);
    if (claimed.size() != 1) ADD_FAILURE() << claimed.size() << " windows";
    EXPECT_TRUE(ok(store.conclude(assembly(claimed.at(0)))));
    return assembly(claimed.at(0)).deliveries[0].id;
  }
  static AttemptRecord ended(const std::string& id, DeliveryState state) {
    AttemptRecord record;
    record.delivery = id;
    record.state = state;
    record.last_response = std::string(to_string(state));
    record.now = kDue;
    if (state == DeliveryState::kPending) record.next_attempt = kDue + 1h;
    return record;
  }
  static Delivery now(Store& store, const std::string& id) {
    return ok(store.submission(id)).value().delivery;
  }

  PgSchema schema;
  SystemRandom random;
};

TEST_F(PgNodesTest, ALookTellsTheNodesThatWorkOnIt) {
  const auto store = node("n1");
  NodeBeat beat;
  beat.name = "n2";
  beat.host = "h";
  beat.process = 7;
  ok(store->beat(beat, kDay));
  beat.name = "n1";
  ok(store->beat(beat, kDay));
  const auto look = ok(look_at_store(schema.url(), kDay));
  EXPECT_EQ(look.state, StoreLook::State::kCurrent);
  ASSERT_THAT(look.nodes, SizeIs(2));
  EXPECT_EQ(look.nodes[0].beat.name, "n1");
  EXPECT_EQ(look.nodes[1].beat.host, "h");
  EXPECT_EQ(look.nodes[1].beat.process, 7);
  EXPECT_LT(look.nodes[1].silent_for, Seconds(600));
}

TEST_F(PgNodesTest, AWindowIsOneNodesWhileItsLeaseLasts) {
  const auto one = node("one");
  const auto two = node("two");
  add(*one, {"example.com"});
  const auto first = claim(*one);
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_THAT(claim(*two), IsEmpty());
  EXPECT_THAT(claim(*one), SizeIs(1)) << "its own are given to it again";
  EXPECT_TRUE(ok(two->hold(first[0].id, "by hand", kDue))) << "leases bind no administrator";
}

TEST_F(PgNodesTest, AnotherNodeTakesOverWhatWasNotConcludedInTime) {
  const auto slow = node("slow", 0s);
  const auto other = node("other");
  add(*slow, {"example.com"});
  const auto lost = claim(*slow);
  ASSERT_THAT(lost, SizeIs(1));
  const auto taken = claim(*other);
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_EQ(taken[0].id, lost[0].id);
  EXPECT_GT(taken[0].fence, lost[0].fence);

  EXPECT_FALSE(ok(slow->conclude(assembly(lost[0]))));
  EXPECT_FALSE(ok(slow->conclude(Postponement{lost[0].id, lost[0].fence, WindowState::kSuppressed,
                                              "why", std::nullopt, kDue})));
  EXPECT_EQ(ok(other->windows({})).at(0).state, WindowState::kDue);
  EXPECT_THAT(ok(other->reports("", 10)), IsEmpty());

  const std::vector<WindowId> ids{lost[0].id};
  ok(slow->renew_leases(ids, {}));
  EXPECT_THAT(claim(*slow), IsEmpty()) << "what was lost is not renewed";
  EXPECT_TRUE(ok(other->conclude(assembly(taken[0]))));
  EXPECT_FALSE(ok(other->conclude(assembly(taken[0])))) << "once";
  EXPECT_THAT(ok(other->reports("", 10)), SizeIs(1));
}

TEST_F(PgNodesTest, ADeliveryIsOneNodesWhileItsLeaseLasts) {
  const auto one = node("one");
  const auto two = node("two");
  const std::vector<std::string> ids{delivery(*one)};
  EXPECT_EQ(due(*one), ids);
  EXPECT_THAT(due(*two), IsEmpty());
  EXPECT_THAT(ok(two->begin_attempts(ids, kDue)), ElementsAre(false));
  EXPECT_THAT(ok(one->begin_attempts(ids, kDue)), ElementsAre(true));
}

TEST_F(PgNodesTest, AttemptsOfANodeThatLostItsLeaseAreRefused) {
  const auto slow = node("slow", 0s);
  const auto other = node("other");
  const std::vector<std::string> ids{delivery(*slow)};
  ASSERT_EQ(due(*slow), ids);
  ASSERT_EQ(due(*other), ids) << "it is not begun, and nobody's";
  EXPECT_THAT(ok(slow->begin_attempts(ids, kDue)), ElementsAre(false));
  EXPECT_THAT(ok(other->begin_attempts(ids, kDue)), ElementsAre(true));
  ok(slow->record_attempt(ended(ids[0], DeliveryState::kFailed)));
  EXPECT_EQ(now(*other, ids[0]).state, DeliveryState::kPending);
  EXPECT_EQ(now(*other, ids[0]).attempts, 1) << "it was made, and nothing else is told of it";
  EXPECT_EQ(now(*other, ids[0]).last_response, "");
  ok(other->record_attempt(ended(ids[0], DeliveryState::kPending)));
  EXPECT_EQ(now(*other, ids[0]).attempts, 2);
  EXPECT_EQ(now(*other, ids[0]).last_response, "pending");
}

TEST_F(PgNodesTest, AnAttemptThatANodeLeftBehindIsUncertain) {
  const auto dead = node("dead", 0s);
  const auto other = node("other");
  const std::vector<std::string> ids{delivery(*dead)};
  ASSERT_EQ(due(*dead), ids);
  ASSERT_THAT(ok(dead->begin_attempts(ids, kDue)), ElementsAre(true));
  due(*other);
  EXPECT_EQ(now(*other, ids[0]).state, DeliveryState::kUncertain);
  ok(dead->record_attempt(ended(ids[0], DeliveryState::kDelivered)));
  EXPECT_EQ(now(*other, ids[0]).state, DeliveryState::kDelivered)
      << "it was delivered, whoever did it";
}

TEST_F(PgNodesTest, ANodeThatStartsAgainEndsItsOwnLeasesAlone) {
  const auto one = node("one");
  const auto two = node("two");
  const std::vector<std::string> ids{delivery(*one)};
  ASSERT_EQ(due(*one), ids);
  ASSERT_THAT(ok(one->begin_attempts(ids, kDue)), ElementsAre(true));
  EXPECT_EQ(ok(two->recover_interrupted(kDue)), 0U);
  EXPECT_EQ(now(*two, ids[0]).state, DeliveryState::kPending);
  EXPECT_EQ(ok(node("one")->recover_interrupted(kDue)), 1U);
  EXPECT_EQ(now(*two, ids[0]).state, DeliveryState::kUncertain);
  EXPECT_EQ(due(*two), ids) << "it is everybody's again";
}

TEST_F(PgNodesTest, NodesThatClaimAtOnceGetDifferentWindows) {
  constexpr std::size_t kWindows = 300;
  std::vector<std::string> domains;
  for (std::size_t index = 0; index < kWindows; ++index) {
    domains.push_back("d" + std::to_string(index) + ".example");
  }
  add(*node("maker"), domains);
  constexpr std::size_t kNodes = 4;
  std::array<std::vector<WindowId>, kNodes> claimed;
  {
    std::vector<std::thread> threads;
    for (std::size_t index = 0; index < kNodes; ++index) {
      threads.emplace_back([&, index] {
        const auto store = node("node" + std::to_string(index));
        for (int empty = 0; empty < 3;) {
          const auto windows = claim(*store, 20);
          empty = windows.empty() ? empty + 1 : 0;
          for (const auto& window : windows) {
            claimed[index].push_back(window.id);
            EXPECT_TRUE(ok(store->conclude(assembly(window))));
          }
        }
      });
    }
    for (auto& thread : threads) thread.join();
  }
  std::set<WindowId> all;
  std::size_t sum = 0;
  for (const auto& ids : claimed) {
    all.insert(ids.begin(), ids.end());
    sum += ids.size();
  }
  EXPECT_EQ(sum, kWindows) << "each was one node's";
  EXPECT_EQ(all.size(), kWindows);
}

TEST_F(PgNodesTest, CountsOfManyAtOnceAddUpExactly) {
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kRounds = 15;
  constexpr std::uint64_t kDomains = 12;
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const auto store = node("node" + std::to_string(thread % 2));
      for (std::uint64_t round = 0; round < kRounds; ++round) {
        CountBatch batch;
        batch.now = kDay;
        batch.counters = {{"accepted", 3 * kDomains}};
        for (std::uint64_t index = 0; index < kDomains; ++index) {
          // Each in an order of its own.
          constexpr std::array<std::uint64_t, kThreads> kStrides = {1, 5, 7, 11};
          const auto number = (index * kStrides[thread] + round) % kDomains;
          batch.windows.push_back(delta("d" + std::to_string(number) + ".example", 2, 1,
                                        {{detail("reason " + std::to_string(round % 3)), 1}}));
        }
        batch.session_ids = {std::to_string(thread) + "/" + std::to_string(round)};
        EXPECT_TRUE(ok(store->add(batch)).stored());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto store = node("reader");
  const auto windows = ok(store->windows({}));
  EXPECT_THAT(windows, SizeIs(kDomains));
  for (const auto& window : windows) {
    EXPECT_EQ(window.successful, 2 * kThreads * kRounds);
    EXPECT_EQ(window.failed, kThreads * kRounds);
    const auto counts = ok(store->counts(window.id));
    ASSERT_THAT(counts, SizeIs(1));
    EXPECT_EQ(counts[0].successful, 2 * kThreads * kRounds);
    ASSERT_THAT(counts[0].details, SizeIs(3));
    for (const auto& each : counts[0].details) EXPECT_EQ(each.count, kThreads * kRounds / 3);
  }
  EXPECT_EQ(ok(store->counters()).at("accepted"), 3 * kDomains * kThreads * kRounds);
}

TEST_F(PgNodesTest, ABatchIsStoredOnceUnderItsNumber) {
  const auto one = node("one");
  const auto again = node("one");
  CountBatch batch;
  batch.windows = {delta("example.com")};
  batch.now = kDay;
  batch.counters = {{"accepted", 1}};
  const auto add_under = [&](Store& store, std::int64_t number, const std::string& source = "s") {
    batch.flush = FlushId{source, number};
    return ok(store.add(batch)).repeated;
  };
  EXPECT_FALSE(add_under(*one, 7));
  EXPECT_TRUE(add_under(*again, 7));
  EXPECT_TRUE(add_under(*again, 6)) << "the numbers of a source grow";
  EXPECT_FALSE(add_under(*again, 7, "another"));
  EXPECT_FALSE(add_under(*one, 8));
  EXPECT_EQ(ok(one->windows({})).at(0).successful, 3U);
  EXPECT_EQ(ok(one->counters()).at("accepted"), 3U);
}

class PgLostBatchTest : public PgNodesTest, public testing::WithParamInterface<PgProxy::Cut> {};

TEST_P(PgLostBatchTest, ABatchWhoseEndWasNotHeardOfIsStoredOnce) {
  const auto url = postgres_url().value();
  const auto begin = url.find("host=") + 5;
  PgProxy proxy(url.substr(begin, url.find('&', begin) - begin));
  const auto store = node("one", 60s, proxy.folder());
  add(*store, {"example.com"});
  CountBatch batch;
  batch.windows = {delta("example.com")};
  batch.now = kDay;
  batch.flush = FlushId{"s", 1};
  store->set_patience(100ms);
  proxy.stay_away_after_cut(true);
  proxy.cut(GetParam());
  const auto lost = store->add(batch);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().fault, Fault::kUnknown) << lost.error().text;
  EXPECT_EQ(store->add(batch).error().fault, Fault::kTransient) << "still away";
  proxy.stay_away_after_cut(false);
  proxy.let_through();
  store->set_patience(10s);
  EXPECT_EQ(ok(store->add(batch)).repeated, GetParam() == PgProxy::Cut::kAfterCommit);
  EXPECT_EQ(ok(store->windows({})).at(0).successful, 2U);
}

INSTANTIATE_TEST_SUITE_P(Pg, PgLostBatchTest,
                         testing::Values(PgProxy::Cut::kBeforeCommit, PgProxy::Cut::kAfterCommit),
                         [](const auto& test) {
                           return test.param == PgProxy::Cut::kBeforeCommit ? "BeforeCommit"
                                                                            : "AfterCommit";
                         });

}  // namespace
}  // namespace rapporteur::testing_support
