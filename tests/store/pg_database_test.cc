// The layer over libpq: values, errors, and transactions that are done once whatever happens to the
// connection.

#include "store/pg.h"

#include <condition_variable>
#include <limits>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>

#include "store/pg_proxy.h"
#include "store/pg_server.h"

namespace rapporteur::testing_support {

namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PgDatabaseTest : public testing::Test {
 protected:
  void SetUp() override {
    must(database->set_up([&] {
      database->run_script(
          "CREATE TABLE flushes (source TEXT PRIMARY KEY, number BIGINT NOT NULL,"
          " stored BIGINT NOT NULL);"
          "CREATE TABLE sums (name TEXT PRIMARY KEY, value BIGINT NOT NULL);"
          "INSERT INTO sums VALUES ('a', 0), ('b', 0)");
    }));
  }

  template <class T>
  static void must(const Result<T>& result) {
    if (!result) ADD_FAILURE() << result.error().text;
  }

  static std::int64_t add_one(PgDatabase& to, std::string_view name = "a") {
    auto rows = to.query("UPDATE sums SET value = value + 1 WHERE name = $1 RETURNING value", name);
    return rows.next() ? rows.integer(0) : 0;
  }
  std::int64_t sum(std::string_view name = "a") {
    const auto found = database->read([&] {
      auto rows = database->query("SELECT value FROM sums WHERE name = $1", name);
      return rows.next() ? rows.integer(0) : -1;
    });
    must(found);
    return found ? *found : -1;
  }

  PgSchema schema;
  std::unique_ptr<PgDatabase> database = connection_to(schema.url());
};

TEST_F(PgDatabaseTest, ValuesComeBackAsTheyWent) {
  const std::string text = "it's \"quoted\" \\ {a,b} NULL\nü";
  const std::string bytes("\0\x01\\\"'\xff", 6);
  must(database->read([&] {
    auto rows = database->query(
        "SELECT $1::bigint, $2::bigint, $3::text, $4::bytea, $5::boolean, $6::bigint, $7::bigint,"
        " $8::text",
        std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::uint64_t>::max(), text,
        Blob{bytes}, true, Time(Seconds(7)), std::optional<Time>(), "");
    ASSERT_TRUE(rows.next());
    EXPECT_EQ(rows.integer(0), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(rows.integer(1), saturated(std::numeric_limits<std::uint64_t>::max()));
    EXPECT_EQ(rows.count(0), 0U) << "no count is negative";
    EXPECT_EQ(rows.text(2), text);
    EXPECT_EQ(rows.bytes(3), bytes);
    EXPECT_TRUE(rows.flag(4));
    EXPECT_EQ(rows.time(5), Time(Seconds(7)));
    EXPECT_EQ(rows.optional_time(5), Time(Seconds(7)));
    EXPECT_EQ(rows.optional_time(6), std::nullopt);
    EXPECT_TRUE(rows.is_null(6));
    EXPECT_FALSE(rows.is_null(7));
    EXPECT_EQ(rows.text(7), "");
    EXPECT_FALSE(rows.next());
  }));
}

TEST_F(PgDatabaseTest, WhatWasPostedIsDoneBeforeWhatFollows) {
  PgDatabase::Parameters b;
  b.add("b");
  must(database->write([&] {
    database->post("UPDATE sums SET value = value + 5 WHERE name = $1", b);
    auto rows = database->query_with(
        "UPDATE sums SET value = 2 * value WHERE name = $1 RETURNING value", b);
    ASSERT_TRUE(rows.next());
    EXPECT_EQ(rows.integer(0), 10);
    database->post("UPDATE sums SET value = value + 1 WHERE name = $1", b);
    EXPECT_EQ(add_one(*database), 1);
    database->post("UPDATE sums SET value = value + 1 WHERE name = $1", b);
  }));
  EXPECT_EQ(sum(), 1);
  EXPECT_EQ(sum("b"), 12);
}

TEST_F(PgDatabaseTest, WhatWasPostedAndFailsFailsItsTransaction) {
  PgDatabase::Parameters nothing;
  const auto last = database->write([&] {
    add_one(*database);
    database->post("SELECT 1 / (value - value) FROM sums", nothing);
  });
  EXPECT_THAT(last.error().text, HasSubstr("division by zero"));
  EXPECT_EQ(sum(), 0);
  const auto before_more = database->write([&] {
    add_one(*database);
    database->post("SELECT 1 / (value - value) FROM sums", nothing);
    EXPECT_EQ(add_one(*database), 0) << "nothing is done after a failure";
  });
  EXPECT_THAT(before_more.error().text, HasSubstr("division by zero"));
  EXPECT_EQ(sum(), 0);
  const auto given_up = database->write([&] {
    add_one(*database);
    database->post("SELECT value FROM sums", nothing);
    database->roll_back();
  });
  must(given_up);
  EXPECT_EQ(sum(), 0);
}

TEST_F(PgDatabaseTest, ColumnsOfValuesComeBackAsTheyWent) {
  const std::vector<std::string> texts = {"plain", "",       "NULL", "\"q\" \\ '",
                                          "{a,b}", " x\n\t", "ü"};
  std::vector<std::string> bytes;
  PgArray text_column;
  PgArray bytes_column;
  PgArray numbers;
  PgArray flags;
  PgArray times;
  for (std::size_t index = 0; index < texts.size(); ++index) {
    bytes.push_back(std::string("\0\xff\\", 3).substr(0, index % 4) + texts[index]);
    text_column.add(texts[index]);
    bytes_column.add(Blob{bytes.back()});
    numbers.add(-static_cast<std::int64_t>(index));
    flags.add(index % 2 == 0);
    times.add(index == 1 ? std::nullopt : std::optional(Time(Seconds(index))));
  }
  EXPECT_EQ(text_column.size(), texts.size());
  must(database->read([&] {
    auto rows = database->query(
        "SELECT t, b, n, f, s FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::boolean[],"
        " $5::bigint[]) WITH ORDINALITY AS v(t, b, n, f, s, place) ORDER BY place",
        text_column, bytes_column, numbers, flags, times);
    ASSERT_EQ(rows.size(), texts.size());
    for (std::size_t index = 0; rows.next(); ++index) {
      EXPECT_EQ(rows.text(0), texts[index]);
      EXPECT_FALSE(rows.is_null(0));
      EXPECT_EQ(rows.bytes(1), bytes[index]);
      EXPECT_EQ(rows.integer(2), -static_cast<std::int64_t>(index));
      EXPECT_EQ(rows.flag(3), index % 2 == 0);
      EXPECT_EQ(rows.is_null(4), index == 1);
    }
  }));
}

TEST_F(PgDatabaseTest, ANullAndAnEmptyColumnAreTold) {
  PgArray texts;
  texts.add_null();
  const PgArray none;
  EXPECT_TRUE(none.empty());
  must(database->read([&] {
    EXPECT_EQ(database->query("SELECT * FROM unnest($1::text[])", none).size(), 0U);
    auto rows = database->query("SELECT * FROM unnest($1::text[])", texts);
    ASSERT_TRUE(rows.next());
    EXPECT_TRUE(rows.is_null(0));
  }));
}

TEST_F(PgDatabaseTest, AfterAnErrorNothingMoreIsDone) {
  int later = 0;
  const auto failed = database->write([&] {
    add_one(*database);
    EXPECT_EQ(database->execute("UPDATE no_such_table SET a = 1"), 0);
    EXPECT_TRUE(database->failed());
    EXPECT_EQ(add_one(*database), 0);
    EXPECT_EQ(database->query("SELECT 1").size(), 0U);
    database->fail(Fault::kConfig, "too late");
    ++later;
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().fault, Fault::kCorrupt) << "the first error wins";
  EXPECT_THAT(failed.error().text, HasSubstr("no_such_table"));
  EXPECT_EQ(later, 1) << "what is wrong with a statement stays wrong";
  EXPECT_EQ(sum(), 0);
  must(database->write([&] { add_one(*database); }));
  EXPECT_EQ(sum(), 1) << "the next transaction begins anew";
}

TEST_F(PgDatabaseTest, AFailureOfOursUndoesTheTransaction) {
  const auto failed = database->write([&] {
    add_one(*database);
    database->fail(Fault::kTransient, "no more");
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().fault, Fault::kTransient);
  EXPECT_EQ(failed.error().text, "the store: no more");
  EXPECT_EQ(sum(), 0);
}

TEST_F(PgDatabaseTest, WhatIsRolledBackHasAnAnswerAndNoTrace) {
  const auto answer = database->write([&] {
    database->roll_back();
    return add_one(*database);
  });
  must(answer);
  EXPECT_EQ(*answer, 1);
  EXPECT_EQ(sum(), 0);
}

TEST_F(PgDatabaseTest, AWholeReadSeesOneStateOfTheData) {
  const auto other = connection_to(schema.url());
  const auto read_twice = [&](bool whole) {
    const auto seen = database->read(
        [&] {
          const auto value = [&] {
            auto rows = database->query("SELECT value FROM sums WHERE name = 'a'");
            return rows.next() ? rows.integer(0) : -1;
          };
          const auto before = value();
          must(other->write([&] { add_one(*other); }));
          return value() - before;
        },
        whole);
    must(seen);
    return *seen;
  };
  EXPECT_EQ(read_twice(false), 1);
  EXPECT_EQ(read_twice(true), 0);
}

TEST_F(PgDatabaseTest, ASerialisationFailureIsTriedAgain) {
  int tries = 0;
  must(database->write([&] {
    add_one(*database);
    if (++tries < 3) {
      database->run_script("DO $$ BEGIN RAISE EXCEPTION 'later' USING ERRCODE = '40001'; END $$");
    }
  }));
  EXPECT_EQ(tries, 3);
  EXPECT_EQ(sum(), 1);
}

TEST_F(PgDatabaseTest, WhatNeverPassesIsTriedUntilThePatienceIsOver) {
  database->set_patience(50ms);
  int tries = 0;
  const auto failed = database->write([&] {
    ++tries;
    database->run_script("DO $$ BEGIN RAISE EXCEPTION 'later' USING ERRCODE = '40001'; END $$");
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().fault, Fault::kTransient) << "it is known not to be done";
  EXPECT_GT(tries, 1);
}

TEST_F(PgDatabaseTest, TwoThatWaitForEachOtherAreBothDone) {
  std::mutex mutex;
  std::condition_variable changed;
  int holding = 0;
  const auto take = [&](std::string_view first, std::string_view second) {
    const auto own = connection_to(schema.url("", "-c%20deadlock_timeout%3D50"));
    bool tried = false;
    must(own->write([&] {
      add_one(*own, first);
      if (!std::exchange(tried, true)) {
        std::unique_lock lock(mutex);
        ++holding;
        changed.notify_all();
        changed.wait(lock, [&] { return holding == 2; });
      }
      add_one(*own, second);
    }));
  };
  std::thread other([&] { take("b", "a"); });
  take("a", "b");
  other.join();
  EXPECT_EQ(sum("a"), 2);
  EXPECT_EQ(sum("b"), 2);
}

// The connection of `from` ends, by the hand of another.
void end_connection(PgDatabase& from, const std::string& url) {
  auto rows = from.query("SELECT pg_backend_pid()");
  ASSERT_TRUE(rows.next());
  const auto other = connection_to(url);
  const auto ended = other->read([&] {
    // Waits until it is gone.
    auto found = other->query("SELECT pg_terminate_backend($1::int, 5000)", rows.integer(0));
    return found.next() && found.flag(0);
  });
  EXPECT_TRUE(ended && *ended);
}

TEST_F(PgDatabaseTest, AConnectionThatIsCutInTheMiddleComesBack) {
  int tries = 0;
  const auto value = database->write([&] {
    const auto found = add_one(*database);
    if (++tries == 1) end_connection(*database, schema.url());
    add_one(*database, "b");
    return found;
  });
  must(value);
  EXPECT_EQ(*value, 1);
  EXPECT_EQ(tries, 2);
  EXPECT_EQ(sum("a"), 1);
  EXPECT_EQ(sum("b"), 1);
}

TEST_F(PgDatabaseTest, AConnectionThatIsCutBetweenTransactionsComesBack) {
  must(database->read([&] { end_connection(*database, schema.url()); }));
  EXPECT_EQ(sum(), 0);
  must(database->read([&] { end_connection(*database, schema.url()); }));
  must(database->write([&] { add_one(*database); }));
  EXPECT_EQ(sum(), 1);
}

class CutAtCommitTest : public PgDatabaseTest,
                        public testing::WithParamInterface<std::pair<PgProxy::Cut, int>> {
 protected:
  PgProxy proxy{server_folder()};
  std::unique_ptr<PgDatabase> through = connection_to(schema.url(proxy.folder()));
};

TEST_P(CutAtCommitTest, TheTransactionIsDoneOnce) {
  const auto [cut, times] = GetParam();
  // The first one makes the row of its numbers, the others find it.
  for (int round = 1; round <= 3; ++round) {
    proxy.cut(cut, times);
    const auto value = through->write([&] { return add_one(*through); });
    must(value);
    EXPECT_EQ(*value, round) << "what was found by the try that was stored";
    EXPECT_EQ(sum(), round);
  }
  const auto cuts = cut == PgProxy::Cut::kAfterCommit ? 3 : 3 * times;
  EXPECT_EQ(proxy.cuts(), cuts) << "what was stored is not committed again";
  proxy.cut(PgProxy::Cut::kNone, 0);
}

std::string cut_name(const testing::TestParamInfo<std::pair<PgProxy::Cut, int>>& test) {
  const bool before = test.param.first == PgProxy::Cut::kBeforeCommit;
  return (before ? "Before" : "After") + std::to_string(test.param.second);
}

INSTANTIATE_TEST_SUITE_P(Pg, CutAtCommitTest,
                         testing::Values(std::pair(PgProxy::Cut::kBeforeCommit, 1),
                                         std::pair(PgProxy::Cut::kBeforeCommit, 3),
                                         std::pair(PgProxy::Cut::kAfterCommit, 1)),
                         cut_name);

class DatabaseAwayTest : public PgDatabaseTest, public testing::WithParamInterface<PgProxy::Cut> {};

TEST_P(DatabaseAwayTest, NobodyKnowsWhetherTheTransactionWasDone) {
  PgProxy proxy(server_folder());
  const auto through = connection_to(schema.url(proxy.folder()));
  through->set_patience(100ms);
  proxy.stay_away_after_cut(true);
  proxy.cut(GetParam());
  const auto lost = through->write([&] { add_one(*through); });
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().fault, Fault::kUnknown) << lost.error().text;
  const int done = GetParam() == PgProxy::Cut::kAfterCommit ? 1 : 0;
  EXPECT_EQ(sum(), done);

  const auto away = through->write([&] { add_one(*through); });
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().fault, Fault::kTransient) << "this one was not even begun";

  proxy.stay_away_after_cut(false);
  proxy.let_through();
  through->set_patience(10s);
  must(through->write([&] { add_one(*through); }));
  EXPECT_EQ(sum(), done + 1);
}

INSTANTIATE_TEST_SUITE_P(Pg, DatabaseAwayTest,
                         testing::Values(PgProxy::Cut::kBeforeCommit, PgProxy::Cut::kAfterCommit),
                         [](const auto& test) {
                           return test.param == PgProxy::Cut::kBeforeCommit ? "BeforeCommit"
                                                                            : "AfterCommit";
                         });

TEST_F(PgDatabaseTest, ADatabaseThatDoesNotAnswerIsTransient) {
  const auto opened = PgDatabase::open("postgresql://me@/x?host=/nowhere/at/all", "s", 20ms);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, Fault::kTransient);
}

// Asks for a password and takes none: what libpq makes of it.
class DoorKeeper {
 public:
  DoorKeeper() {
    auto name = (std::filesystem::temp_directory_path() / "keeper.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder_ + "/.s.PGSQL.5432").copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_.get(), 8) != 0) {
      std::abort();
    }
    thread_ = std::thread([this] {
      for (;;) {
        const Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) return;
        talk(client);
      }
    });
  }
  ~DoorKeeper() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  DoorKeeper(const DoorKeeper&) = delete;
  DoorKeeper& operator=(const DoorKeeper&) = delete;

  std::string url(const std::string& user) const {
    return "postgresql://" + user + "@/x?host=" + folder_ + "&port=5432";
  }

 private:
  static void talk(const Fd& client) {
    std::array<char, 4096> ignored{};
    if (::recv(client.get(), ignored.data(), ignored.size(), 0) <= 0) return;
    constexpr std::string_view kAsk("R\0\0\0\x08\0\0\0\x03", 9);
    ::send(client.get(), kAsk.data(), kAsk.size(), MSG_NOSIGNAL);
    if (::recv(client.get(), ignored.data(), ignored.size(), 0) <= 0) return;
    const std::string fields("SFATAL\0C28P01\0Mpassword authentication failed for user \"me\"\0\0",
                             61);
    std::string refusal("E\0\0\0", 4);
    refusal += static_cast<char>(fields.size() + 4);
    refusal += fields;
    ::send(client.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL);
  }

  std::string folder_;
  Fd listener_;
  std::thread thread_;
};

TEST_F(PgDatabaseTest, ARefusedPasswordIsForTheAdministrator) {
  const DoorKeeper keeper;
  for (const auto* const user : {"me:geheim", "me"}) {
    const auto refused = PgDatabase::open(keeper.url(user), "s", 10s);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::kConfig) << refused.error().text;
    EXPECT_THAT(refused.error().text, HasSubstr("password"));
    EXPECT_EQ(refused.error().text.find("geheim"), std::string::npos);
  }
}

}  // namespace
}  // namespace rapporteur::testing_support
