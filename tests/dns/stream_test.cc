// Streams of questions: DnsStream in dns/resolver.h.

#include <gmock/gmock.h>

#include <chrono>
#include <set>

#include "dns/caching_resolver.h"
#include "resolver_fixture.h"
#include "support/fake_clock.h"
#include "support/table_resolver.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing_support::TableResolver;
using testing_support::txt_record;

std::string name(int number) {
  return "n" + std::to_string(number) + ".example";
}

// Of a responder that knows so many names and is silent about "silent.example".
std::map<std::string, Reply> names(int count) {
  std::map<std::string, Reply> replies{{"silent.example", silence()}};
  for (int i = 0; i < count; ++i) replies[name(i)] = with({txt_record({"text " + name(i)})});
  return replies;
}

TEST(DnsStream, ASilentNameHoldsUpNoOther) {
  constexpr int kNames = 50;
  DnsResponder server(names(kNames));
  const auto resolver = resolver_for(server, 3, 2s);
  const auto stream = resolver->stream();
  stream->ask({"silent.example", DnsType::kTxt}, 1000);
  for (int i = 0; i < kNames; ++i) {
    stream->ask({name(i), DnsType::kTxt}, static_cast<std::size_t>(i));
  }
  std::vector<StreamedAnswer> taken;
  while (taken.size() < kNames + 1) {
    for (auto& one : stream->take(10s)) taken.push_back(std::move(one));
  }
  EXPECT_EQ(taken.back().ticket, 1000U);
  EXPECT_TRUE(taken.back().answer.timed_out);
  std::set<std::size_t> tickets;
  for (const auto& [ticket, answer] : taken) {
    tickets.insert(ticket);
    if (ticket == 1000) continue;
    EXPECT_THAT(answer.records, ElementsAre("text " + name(static_cast<int>(ticket))));
  }
  EXPECT_THAT(tickets, SizeIs(kNames + 1));
}

TEST(DnsStream, TakingWaitsNoLongerThanTold) {
  DnsResponder server(names(0));
  const auto resolver = resolver_for(server, 3, 60s);
  const auto stream = resolver->stream();
  EXPECT_THAT(stream->take(60s), IsEmpty()) << "nothing is open";
  stream->ask({"silent.example", DnsType::kTxt}, 1);
  EXPECT_THAT(stream->take(0ms), IsEmpty());
  EXPECT_THAT(stream->take(10ms), IsEmpty());
}

TEST(DnsStream, QuestionsMayBeAddedWhileOthersAreOpen) {
  DnsResponder server(names(2));
  const auto resolver = resolver_for(server, 1, 60s);
  const auto stream = resolver->stream();
  for (std::size_t round = 0; round < 2; ++round) {
    stream->ask({name(static_cast<int>(round)), DnsType::kTxt}, round);
    const auto taken = stream->take(60s);
    ASSERT_THAT(taken, SizeIs(1));
    EXPECT_EQ(taken[0].ticket, round);
  }
}

TEST(DnsStream, AnInterruptAnswersWhatIsOpenAndWhatComesLater) {
  DnsResponder server(names(1));
  const auto resolver = resolver_for(server, 1, 60s);
  const auto stream = resolver->stream();
  stream->ask({"silent.example", DnsType::kTxt}, 1);
  stream->ask({name(0), DnsType::kTxt}, 2);  // waits for its turn
  EXPECT_THAT(stream->take(0ms), IsEmpty());
  resolver->interrupt();
  EXPECT_THAT(stream->take(60s), SizeIs(2));
  stream->ask({name(0), DnsType::kTxt}, 3);
  const auto later = stream->take(60s);
  ASSERT_THAT(later, SizeIs(1));
  EXPECT_EQ(later[0].answer.problem, "interrupted");
}

TEST(DnsStream, WhatCannotBeANameHasNoRecord) {
  DnsResponder server(names(0));
  const auto resolver = resolver_for(server);
  const auto stream = resolver->stream();
  stream->ask({std::string(300, 'a'), DnsType::kTxt}, 7);
  const auto taken = stream->take(60s);
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_EQ(taken[0].answer.status, DnsAnswer::Status::kNone);
  EXPECT_EQ(server.queries(), 0);
}

TEST(DnsStream, AnAnswerThatThereIsNothingHoldsSixHoursAtTheMost) {
  auto reply = with({});
  reply.negative_ttl = 86'400;
  DnsResponder server({{"none.example", reply}});
  const auto resolver = resolver_for(server);
  EXPECT_EQ(ask(*resolver, "none.example").ttl, 6h);
}

TEST(DnsStream, TheCacheAnswersWhatItKnowsAndRemembersTheRest) {
  testing_support::FakeClock clock;
  auto table = std::make_unique<TableResolver>();
  auto& inner = *table;
  inner.say(DnsType::kTxt, "a.example", {"a"}, 60s);
  CachingResolver resolver(std::move(table), clock);
  const auto stream = resolver.stream();
  stream->ask({"a.example", DnsType::kTxt}, 1);
  EXPECT_THAT(stream->take(0ms), SizeIs(1));
  clock.advance(20s);
  stream->ask({"A.example.", DnsType::kTxt}, 2);
  stream->ask({"b.example", DnsType::kTxt}, 3);
  EXPECT_THAT(stream->take(0ms), SizeIs(2));
  EXPECT_THAT(inner.asked, ElementsAre("a.example", "b.example"));
  EXPECT_EQ(ask(resolver, "a.example").ttl, 40s);
  EXPECT_THAT(inner.asked, SizeIs(2)) << "both ways share the memory";
}

TEST(DnsStream, TheCacheForgetsThatThereIsNothingWithinAnHour) {
  testing_support::FakeClock clock;
  auto table = std::make_unique<TableResolver>();
  auto& inner = *table;
  inner.set(DnsType::kTxt, "a.example", {.status = DnsAnswer::Status::kNone, .ttl = 6h});
  CachingResolver resolver(std::move(table), clock);
  const auto stream = resolver.stream();
  for (const auto wait : {0s, Seconds(1h) - 1s, 1s}) {
    clock.advance(wait);
    stream->ask({"a.example", DnsType::kTxt}, 1);
    EXPECT_THAT(stream->take(0ms), SizeIs(1));
  }
  EXPECT_THAT(inner.asked, SizeIs(2)) << "an hour later it is asked again";
}

}  // namespace
}  // namespace rapporteur
