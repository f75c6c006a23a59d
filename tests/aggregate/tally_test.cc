#include "aggregate/tally.h"

#include <gmock/gmock.h>

#include <thread>

#include "aggregate/journal.h"
#include "aggregate/packed_session.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Time at(const char* text) {
  return parse_time(text).value();
}

const Time kNoon = at("2026-11-20T12:00:00Z");

Policy sts(const std::string& domain) {
  return {PolicyType::kSts, domain, {"version: STSv1", "mode: enforce"}, {"mx." + domain}};
}

FailureDetail full_detail() {
  return {ResultType::kTlsaInvalid, "192.0.2.1", "mx.example", "helo",
          "198.51.100.1",           "uri:x",     "r"};
}

Session session(const std::string& domain, std::optional<Time> time = {}, std::string id = {}) {
  Session made;
  made.recipient_domain = domain;
  made.tlsrpt_record = "v=TLSRPTv1; rua=mailto:r@" + domain;
  made.time = time;
  made.id = std::move(id);
  made.outcomes = {{sts(domain), true, {}}};
  return made;
}

std::unique_ptr<Tally> new_tally() {
  return std::make_unique<Tally>("test", std::make_shared<SessionTable>());
}

// What a tally shows, in a form that can be compared.
struct Shown {
  std::string domain;
  Time first;
  Time last;
  std::uint64_t count;
  std::string id;
  bool arrived;

  friend auto operator<=>(const Shown&, const Shown&) = default;
};

std::vector<Shown> shown(const Tally& tally) {
  std::vector<Shown> all;
  tally.for_each([&](const Tally::Entry& entry) {
    all.push_back({std::string(PackedSession(entry.packed).domain()), entry.first, entry.last,
                   entry.count, std::string(entry.id), entry.arrived});
  });
  return all;
}

// Packed sessions.

Session unpacked(const std::string& packed) {
  PackedSession reader(packed);
  Session session;
  session.recipient_domain = reader.domain();
  session.tlsrpt_record = reader.tlsrpt_record();
  for (PackedSession::Outcome outcome; reader.next_outcome(outcome);) {
    PolicyOutcome one{unpack_policy(outcome.policy, reader.domain()), outcome.success, {}};
    for (std::size_t i = 0; i < outcome.details; ++i) {
      one.failure_details.push_back(unpack_detail(reader.next_detail()));
    }
    session.outcomes.push_back(std::move(one));
  }
  return session;
}

TEST(PackedSession, KeepsAllThatASessionSays) {
  Session full = session("a.example");
  FailureDetail part;
  part.result_type = ResultType::kCertificateExpired;
  part.receiving_mx_helo = std::string(300, 'h');
  FailureDetail bare;
  bare.result_type = ResultType::kStsPolicyFetchError;
  full.outcomes.push_back(
      {{PolicyType::kTlsa, "mx.b.example", {"3 1 1 ab", std::string("\0\xff", 2)}, {}},
       false,
       {full_detail(), part, bare}});
  full.outcomes.push_back({{PolicyType::kNoPolicyFound, "a.example", {}, {}}, false, {}});
  std::string packed = "what was there before";
  pack_session(full, packed);
  EXPECT_EQ(unpacked(packed), full);
}

TEST(PackedSession, EqualPoliciesAndDetailsHaveEqualBytesAndOthersDoNot) {
  std::string one;
  std::string other;
  pack_session(session("a.example"), one);
  pack_session(session("a.example"), other);
  EXPECT_EQ(one, other);
  auto different = session("a.example");
  different.outcomes[0].policy.strings = {"version: STSv1mode: enforce"};
  pack_session(different, other);
  EXPECT_NE(one, other);
}

TEST(PackedSession, ABareDetailIsItsResultType) {
  auto failed = session("a.example");
  failed.outcomes[0].failure_details = {full_detail()};
  std::string packed;
  pack_session(failed, packed);
  PackedSession reader(packed);
  PackedSession::Outcome outcome;
  ASSERT_TRUE(reader.next_outcome(outcome));
  FailureDetail want;
  want.result_type = ResultType::kTlsaInvalid;
  EXPECT_EQ(unpack_detail(bare_detail(reader.next_detail())), want);
}

// The table.

TEST(SessionTable, FindsWhatWasInserted) {
  SessionTable table;
  EXPECT_EQ(table.find({1, 2}), SessionTable::kNone);
  constexpr SessionTable::Number kMany = 5000;
  for (SessionTable::Number i = 0; i < kMany; ++i) {
    ASSERT_EQ(table.insert({i % 7, i}, std::to_string(i)), i);
  }
  EXPECT_EQ(table.size(), kMany);
  for (SessionTable::Number i = 0; i < kMany; ++i) {
    ASSERT_EQ(table.find({i % 7, i}), i);
    ASSERT_EQ(table.entry(i), std::to_string(i));
  }
  EXPECT_EQ(table.find({7, 0}), SessionTable::kNone);
}

TEST(SessionTable, WhatWasHandedOverCanBeReadWhileMoreIsAdded) {
  SessionTable table;
  constexpr SessionTable::Number kHalf = 2000;
  for (SessionTable::Number i = 0; i < kHalf; ++i) table.insert({i, i}, std::to_string(i));
  std::thread reader([&table] {
    for (SessionTable::Number i = 0; i < kHalf; ++i) EXPECT_EQ(table.entry(i), std::to_string(i));
  });
  for (SessionTable::Number i = kHalf; i < 2 * kHalf; ++i) table.insert({i, i}, std::to_string(i));
  reader.join();
  EXPECT_EQ(table.size(), 2 * kHalf);
}

// Tallies.

TEST(Tally, AddsUpWhatArrivesWithinAnHour) {
  const auto tally = new_tally();
  for (const auto seconds : {0, 5, 3}) {
    EXPECT_EQ(tally->count(session("a.example"), kNoon + Seconds{seconds}, {}), Counted::kAccepted);
  }
  EXPECT_THAT(shown(*tally),
              ElementsAre(Shown{"a.example", kNoon, kNoon + Seconds{5}, 3, "", true}));
  EXPECT_EQ(tally->entries(), 1U);
}

TEST(Tally, AClockThatStepsToAndFroAcrossAnHourCostsNothing) {
  const auto tally = new_tally();
  for (int i = 0; i < 10; ++i) {
    tally->count(session("a.example"), kNoon - Seconds{1}, {});
    tally->count(session("a.example"), kNoon, {});
  }
  EXPECT_EQ(tally->entries(), 2U);
}

TEST(Tally, TellsWhatWasCountedWhileTheClockWasNotSet) {
  const auto tally = new_tally();
  const Time unset{Seconds{30}};
  tally->count(session("a.example"), unset, {});
  tally->count(session("a.example", {}, "id"), unset, {});
  tally->count(session("a.example", kNoon), unset, {});
  tally->count(session("a.example"), kNoon, {});
  JournalWriter writer;
  const auto again = read_journal(std::vector{writer.write(*tally)});
  ASSERT_TRUE(again);
  for (const auto* one : {tally.get(), again->at(0).get()}) {
    std::vector<std::pair<bool, bool>> flags;
    one->for_each(
        [&](const Tally::Entry& entry) { flags.emplace_back(entry.arrived, entry.unchecked); });
    EXPECT_THAT(flags, ElementsAre(std::pair(true, true), std::pair(true, false),
                                   std::pair(false, true), std::pair(true, true)));
  }
}

TEST(Tally, BeginsAnewWithEachHour) {
  const auto tally = new_tally();
  tally->count(session("a.example"), kNoon - Seconds{1}, {});
  tally->count(session("a.example"), kNoon, {});
  EXPECT_THAT(shown(*tally), SizeIs(2));
}

TEST(Tally, KeepsTimesIdsAndMultitudes) {
  const auto tally = new_tally();
  auto many = session("a.example", kNoon - Seconds{7});
  many.count = 40;
  tally->count(many, kNoon, {});
  tally->count(session("a.example", {}, "id"), kNoon, {});
  EXPECT_THAT(shown(*tally),
              ElementsAre(Shown{"a.example", kNoon - Seconds{7}, kNoon - Seconds{7}, 40, "", false},
                          Shown{"a.example", kNoon, kNoon, 1, "id", true}));
}

TEST(Tally, RefusesWhatIsTooOldUnlessItComesFromAFile) {
  const auto tally = new_tally();
  const IntakeRules rules{.max_age = Seconds{60}, .from_file = false};
  EXPECT_EQ(tally->count(session("a.example", kNoon - Seconds{61}), kNoon, rules),
            Counted::kTooOld);
  EXPECT_EQ(tally->count(session("a.example", kNoon - Seconds{60}), kNoon, rules),
            Counted::kAccepted);
  const IntakeRules file{.max_age = Seconds{60}, .from_file = true};
  EXPECT_EQ(tally->count(session("a.example", Time{}), kNoon, file), Counted::kAccepted);
}

TEST(Tally, IsEmptyWithoutSessionsAndCounters) {
  const auto tally = new_tally();
  EXPECT_TRUE(tally->empty());
  tally->note("rejected.not-json", 2);
  EXPECT_FALSE(tally->empty());
  EXPECT_FALSE(tally->has_sessions());
  tally->note_accepted();
  EXPECT_EQ(tally->counters(),
            (std::map<std::string, std::uint64_t>{{"accepted", 1}, {"rejected.not-json", 2}}));
}

// The journal.

std::unique_ptr<Tally> varied_tally(int number) {
  auto tally = new_tally();
  tally->set_key("key" + std::to_string(number));
  tally->note("rejected.not-json", 3);
  tally->note_accepted();
  for (int i = 0; i < 3; ++i) {
    const auto domain = "d" + std::to_string(i + number) + ".example";
    tally->count(session(domain), kNoon, {});
    tally->count(session(domain), kNoon + Seconds{9}, {});
    tally->count(session(domain, kNoon - Seconds{i}), kNoon, {});
    tally->count(session(domain, kNoon, "id" + std::to_string(i)), kNoon, {});
  }
  return tally;
}

TEST(Journal, GivesBackWhatTheTalliesHeld) {
  JournalWriter writer;
  std::vector<std::unique_ptr<Tally>> tallies;
  std::vector<std::string> pieces;
  for (int i = 0; i < 3; ++i) {
    tallies.push_back(varied_tally(i));
    pieces.push_back(writer.write(*tallies.back()));
  }
  const auto read = read_journal(pieces);
  ASSERT_TRUE(read) << read.error().text;
  ASSERT_THAT(*read, SizeIs(3));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*read)[i]->source(), "test");
    EXPECT_EQ((*read)[i]->key(), tallies[i]->key());
    EXPECT_EQ((*read)[i]->counters(), tallies[i]->counters());
    EXPECT_EQ(shown(*(*read)[i]), shown(*tallies[i]));
  }
}

TEST(Journal, SaysTwiceOnlyWhatItMust) {
  JournalWriter writer;
  auto table = std::make_shared<SessionTable>();
  Tally first("test", table);
  Tally second("test", table);
  for (int i = 0; i < 100; ++i) {
    first.count(session("d" + std::to_string(i) + ".example"), kNoon, {});
    second.count(session("d" + std::to_string(i) + ".example"), kNoon, {});
  }
  const auto once = writer.write(first);
  const auto again = writer.write(second);
  EXPECT_LT(again.size() * 8, once.size());
  const auto read = read_journal(std::vector{once, again});
  ASSERT_TRUE(read);
  EXPECT_EQ(shown(*(*read)[0]), shown(*(*read)[1]));
}

TEST(Journal, BeginsAnewAfterAPieceThatWasNotKept) {
  JournalWriter writer;
  const auto first = varied_tally(1);
  const auto lost = varied_tally(2);
  const auto last = varied_tally(3);
  std::vector<std::string> pieces = {writer.write(*first)};
  writer.write(*lost);
  writer.begin_anew();
  pieces.push_back(writer.write(*last));
  pieces.push_back(writer.write(*last));
  const auto read = read_journal(pieces);
  ASSERT_TRUE(read);
  EXPECT_EQ(shown(*(*read)[0]), shown(*first));
  EXPECT_EQ(shown(*(*read)[1]), shown(*last));
  EXPECT_EQ(shown(*(*read)[2]), shown(*last));
}

TEST(Journal, ADamagedPieceIsRefused) {
  JournalWriter writer;
  const auto tally = varied_tally(1);
  const auto piece = writer.write(*tally);
  for (std::size_t length = 0; length < piece.size(); ++length) {
    EXPECT_FALSE(read_journal(std::vector{piece.substr(0, length)})) << length;
  }
  EXPECT_FALSE(read_journal(std::vector{piece + "x"}));
  // The second piece of a journal refers to the first.
  const auto second = writer.write(*tally);
  EXPECT_FALSE(read_journal(std::vector{second}));
  EXPECT_THAT(*read_journal({}), IsEmpty());
}

}  // namespace
}  // namespace rapporteur
