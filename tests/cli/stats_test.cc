#include "cli/cli_fixture.h"

namespace rapporteur {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class StatsTest : public CliTest {
 protected:
  void count(const std::map<std::string, std::uint64_t>& counters) {
    CountBatch batch;
    batch.counters = counters;
    batch.now = clock.now();
    ASSERT_TRUE(store()->add(batch));
  }
};

TEST_F(StatsTest, AnEmptyStoreHasTheSameKeys) {
  auto json = run({"stats", "--json"}).json();
  EXPECT_GT(json["store"]["database-bytes"], 0);
  EXPECT_GT(json["store"]["disk-free-bytes"], 0);
  EXPECT_EQ(json["store"]["schema-version"], 5);
  json.erase("store");
  EXPECT_EQ(json, OrderedJson::parse(R"({
    "windows": {}, "sessions": {}, "sources": {}, "recipient-domain-guessed": 0,
    "overdue": {"windows": 0, "lag-seconds": 0, "waiting": 0},
    "deliveries": {}, "deliveries-ended": {},
    "deliveries-lag-seconds": {"smtp": 0, "https": 0, "oldest-open": 0},
    "suppressions": {"automatic": 0, "manual": 0},
    "received": {"kept": {}, "stored": {}, "duplicates": 0, "refused": {}, "new-failures": 0}})"));
  EXPECT_THAT(run({"stats"}).out, HasSubstr("windows\n  none\ndeliveries\n  none\n"));
}

TEST_F(StatsTest, SessionsAreToldBySourceOutcomeAndReason) {
  count({{"datagram.accepted", 20},
         {"datagram.late", 2},
         {"datagram.rejected.not-json", 3},
         {"file.ignored.own-report", 4},
         {"http.dropped.store-away", 5},
         {"rejected.old", 6},
         {"recipient_domain_guessed", 7}});
  const auto json = run({"stats", "--json"}).json();
  EXPECT_EQ(json["sessions"]["datagram.accepted"], 20);
  EXPECT_EQ(json["sources"], OrderedJson::parse(R"({
    "datagram": {"accepted": 20, "late": 2, "rejected": {"not-json": 3}},
    "file": {"accepted": 0, "late": 0, "ignored": {"own-report": 4}},
    "http": {"accepted": 0, "late": 0, "dropped": {"store-away": 5}},
    "unknown": {"accepted": 0, "late": 0, "rejected": {"old": 6}}})"));
  EXPECT_EQ(json["recipient-domain-guessed"], 7);
  const auto text = run({"stats"}).out;
  EXPECT_THAT(text, ContainsRegex("datagram +20 +2 +3 +0 +0 *\n"));
  EXPECT_THAT(text, ContainsRegex("http +dropped +store-away +5 *\n"));
  EXPECT_THAT(text, HasSubstr("7 of them had no recipient domain"));
}

TEST_F(StatsTest, WhatComesFromOutsideMovesNoCursor) {
  count({{"datagram.rejected.\x1b[2J", 1}});
  EXPECT_THAT(run({"stats"}).out, Not(HasSubstr("\x1b")));
}

TEST_F(StatsTest, WindowsAndDeliveriesTellTheirStatesAndLags) {
  ingest_window("a.example");
  ingest_window("b.example");
  clock.set(at("2026-11-21T00:02:00Z"));
  auto json = run({"stats", "--json"}).json();
  EXPECT_EQ(json["windows"], OrderedJson::parse(R"({"collecting": 2})"));
  EXPECT_EQ(json["overdue"],
            OrderedJson::parse(R"({"windows": 2, "lag-seconds": 60, "waiting": 0})"));
  EXPECT_THAT(run({"stats"}).out,
              HasSubstr("  2 windows could have been run by now, the oldest for 1m\n"));

  run({"schedule", "hold", "b.example"});
  assemble();
  clock.set(at("2026-11-21T01:02:00Z"));
  end_delivery("post00000001", DeliveryState::kFailed, "404");
  run({"suppress", "add", "@b.example"});
  json = run({"stats", "--json"}).json();
  EXPECT_EQ(json["windows"], OrderedJson::parse(R"({"assembled": 1, "held": 1})"));
  EXPECT_EQ(json["overdue"]["windows"], 0);
  EXPECT_EQ(json["deliveries"], OrderedJson::parse(R"({"pending": 3, "failed": 1})"));
  EXPECT_EQ(json["deliveries-ended"], OrderedJson::parse(R"({"failed": 1})"));
  EXPECT_EQ(json["deliveries-lag-seconds"],
            OrderedJson::parse(R"({"smtp": 3600, "https": 3600, "oldest-open": 3600})"));
  EXPECT_EQ(json["suppressions"], OrderedJson::parse(R"({"automatic": 0, "manual": 1})"));
  const auto text = run({"stats"}).out;
  EXPECT_THAT(text, ContainsRegex("deliveries\n  pending +3\n  failed +1\n"));
  EXPECT_THAT(text, HasSubstr("  one could have been tried by SMTP for 1h\n"));
  EXPECT_THAT(text, HasSubstr("suppressed destinations\n  0 by itself, 1 by hand\n"));
}

TEST_F(StatsTest, APauseComesFirst) {
  run({"pause", "--smtp"});
  EXPECT_EQ(run({"stats", "--json"}).json().begin().key(), "paused");
  EXPECT_THAT(run({"stats"}).out, testing::StartsWith("PAUSED"));
}

}  // namespace
}  // namespace rapporteur
