#include "dns/caching_resolver.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_clock.h"
#include "support/table_resolver.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::FakeClock;
using testing_support::TableResolver;
using Status = DnsAnswer::Status;
using Strings = std::vector<std::string>;

// A resolver that takes its time.
class SlowResolver final : public Resolver {
 public:
  SlowResolver(FakeClock& clock, Resolver& inner) : clock_(clock), inner_(inner) {}
  std::vector<DnsAnswer> ask(std::span<const DnsQuestion> questions) override {
    clock_.advance(takes);
    return inner_.ask(questions);
  }
  void interrupt() override { inner_.interrupt(); }

  Seconds takes{0};

 private:
  FakeClock& clock_;
  Resolver& inner_;
};

class CachingResolverTest : public testing::Test {
 protected:
  explicit CachingResolverTest(std::size_t capacity = 10'000) {
    auto slow = std::make_unique<SlowResolver>(clock, inner);
    slow_ = slow.get();
    cache = std::make_unique<CachingResolver>(std::move(slow), clock, capacity);
  }

  DnsAnswer ask(const std::string& name, DnsType type = DnsType::kTxt) {
    const DnsQuestion question{name, type};
    return cache->ask(std::span(&question, 1)).at(0);
  }
  // The names that the inner resolver was asked for since the last call.
  Strings asked() { return std::exchange(inner.asked, {}); }
  void inner_takes(Seconds time) { slow_->takes = time; }

  FakeClock clock;
  TableResolver inner;
  std::unique_ptr<CachingResolver> cache;

 private:
  SlowResolver* slow_ = nullptr;
};

TEST_F(CachingResolverTest, AnswersTheSecondTimeFromMemory) {
  inner.set(
      DnsType::kMx, "a.example",
      {.status = Status::kFound, .records = {"mx.example"}, .secure = true, .ttl = Seconds(60)});
  ask("a.example", DnsType::kMx);
  clock.advance(Seconds(20));
  const auto answer = ask("a.example", DnsType::kMx);
  EXPECT_THAT(asked(), ElementsAre("a.example"));
  EXPECT_EQ(answer.status, Status::kFound);
  EXPECT_THAT(answer.records, ElementsAre("mx.example"));
  EXPECT_TRUE(answer.secure);
  EXPECT_EQ(answer.ttl, Seconds(40));
}

TEST_F(CachingResolverTest, TypesOfOneNameAreDifferentQuestions) {
  inner.say(DnsType::kIpv4, "a.example", {"192.0.2.1"}, Seconds(60));
  inner.say(DnsType::kIpv6, "a.example", {"2001:db8::1"}, Seconds(60));
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(ask("a.example", DnsType::kIpv4).records, ElementsAre("192.0.2.1"));
    EXPECT_THAT(ask("a.example", DnsType::kIpv6).records, ElementsAre("2001:db8::1"));
  }
  EXPECT_EQ(inner.calls, 2);
}

TEST_F(CachingResolverTest, SpellingsOfOneNameAreOneQuestion) {
  inner.say(DnsType::kTxt, "A.example.", {"a"}, Seconds(60));
  inner.say(DnsType::kPtr, "2001:DB8:0::1", {"host.example"}, Seconds(60));
  EXPECT_THAT(ask("A.example.").records, ElementsAre("a"));
  EXPECT_THAT(ask("a.EXAMPLE").records, ElementsAre("a"));
  EXPECT_THAT(ask("2001:DB8:0::1", DnsType::kPtr).records, ElementsAre("host.example"));
  EXPECT_THAT(ask("2001:db8::1", DnsType::kPtr).records, ElementsAre("host.example"));
  EXPECT_THAT(asked(), ElementsAre("A.example.", "2001:DB8:0::1"));
}

TEST_F(CachingResolverTest, NoAddressIsNotTheAddressWhoseNameItLooksLike) {
  inner.say(DnsType::kPtr, "192.0.2.1", {"host.example"}, Seconds(60));
  EXPECT_EQ(ask("192.0.2.1", DnsType::kPtr).status, Status::kFound);
  EXPECT_EQ(ask("1.2.0.192.in-addr.arpa", DnsType::kPtr).status, Status::kNone);
  EXPECT_EQ(ask("192.0.2.1.", DnsType::kPtr).status, Status::kNone);
}

struct Lifetime {
  const char* name;
  DnsAnswer answer;
  Seconds want;
};

void PrintTo(const Lifetime& test, std::ostream* out) {
  *out << test.name;
}

class CachingResolverLifetime : public CachingResolverTest,
                                public testing::WithParamInterface<Lifetime> {};

TEST_P(CachingResolverLifetime, EndsToTheSecond) {
  const auto& [name, answer, want] = GetParam();
  inner.set(DnsType::kTxt, "a.example", answer);
  EXPECT_EQ(ask("a.example").status, answer.status);
  EXPECT_THAT(asked(), ElementsAre("a.example"));
  if (want > Seconds(0)) {
    clock.advance(want - Seconds(1));
    const auto kept = ask("a.example");
    EXPECT_EQ(kept.status, answer.status);
    EXPECT_EQ(kept.problem, answer.problem);
    EXPECT_EQ(kept.ttl, answer.status == Status::kTemporary ? Seconds(0) : Seconds(1));
    EXPECT_THAT(asked(), IsEmpty());
    clock.advance(Seconds(1));
  }
  ask("a.example");
  EXPECT_THAT(asked(), ElementsAre("a.example"));
}

DnsAnswer found(Seconds ttl, std::size_t bytes = 1) {
  return {.status = Status::kFound, .records = {std::string(bytes, 'a')}, .ttl = ttl};
}
DnsAnswer none(Seconds ttl) {
  return {.status = Status::kNone, .ttl = ttl};
}

INSTANTIATE_TEST_SUITE_P(
    Each, CachingResolverLifetime,
    testing::Values(
        Lifetime{"Found", found(Seconds(60)), Seconds(60)},
        Lifetime{"FoundForAMoment", found(Seconds(0)), Seconds(0)},
        Lifetime{"FoundForADay", found(Seconds(86'400)), Seconds(86'400)},
        Lifetime{"FoundForLonger", found(Seconds(2'147'483'647)), Seconds(86'400)},
        Lifetime{"None", none(Seconds(60)), Seconds(60)},
        Lifetime{"NoneWithoutTtl", none(Seconds(0)), Seconds(0)},
        Lifetime{"NoneForAnHour", none(Seconds(3'600)), Seconds(3'600)},
        Lifetime{"NoneForLonger", none(Seconds(3'601)), Seconds(3'600)},
        Lifetime{"Temporary", {.status = Status::kTemporary, .problem = "SERVFAIL"}, Seconds(5)},
        Lifetime{"Largest", found(Seconds(60), 8'192), Seconds(60)},
        Lifetime{"TooLarge", found(Seconds(60), 8'193), Seconds(0)}),
    [](const auto& test) { return test.param.name; });

TEST_F(CachingResolverTest, ATtlCountsFromBeforeTheLookup) {
  for (const auto& answer : {found(Seconds(60)), none(Seconds(60))}) {
    inner.set(DnsType::kTxt, "a.example", answer);
    inner_takes(Seconds(10));
    ask("a.example");
    inner_takes(Seconds(0));
    clock.advance(Seconds(49));
    EXPECT_EQ(ask("a.example").ttl, Seconds(1));
    EXPECT_THAT(asked(), ElementsAre("a.example"));
    clock.advance(Seconds(1));
    ask("a.example");
    EXPECT_THAT(asked(), ElementsAre("a.example"));
    clock.advance(Seconds(60));
  }
}

TEST_F(CachingResolverTest, AFailureCountsFromItsEnd) {
  inner.fail("a.example", "no answer within 10s");
  inner_takes(Seconds(10));
  ask("a.example");
  clock.advance(Seconds(4));
  EXPECT_EQ(ask("a.example").problem, "no answer within 10s");
  EXPECT_EQ(inner.calls, 1);
}

TEST_F(CachingResolverTest, AnAnswerAfterAFailureIsKept) {
  inner.fail("a.example", "SERVFAIL");
  ask("a.example");
  inner.say(DnsType::kTxt, "a.example", {"a"}, Seconds(60));
  clock.advance(Seconds(5));
  EXPECT_THAT(ask("a.example").records, ElementsAre("a"));
  clock.advance(Seconds(59));
  EXPECT_THAT(ask("a.example").records, ElementsAre("a"));
  EXPECT_EQ(inner.calls, 2);
}

TEST_F(CachingResolverTest, AClockThatIsSetBackEmptiesTheMemory) {
  inner.say(DnsType::kTxt, "a.example", {"a"}, Seconds(60));
  ask("a.example");
  clock.advance(Seconds(-1));
  ask("a.example");
  EXPECT_EQ(inner.calls, 2);
  clock.advance(Seconds(59));
  ask("a.example");
  EXPECT_EQ(inner.calls, 2);
}

TEST_F(CachingResolverTest, AClockThatIsSetBackDuringALookupLengthensNothing) {
  inner.say(DnsType::kTxt, "a.example", {"a"}, Seconds(60));
  inner_takes(Seconds(-1'000));
  ask("a.example");
  inner_takes(Seconds(0));
  clock.advance(Seconds(60));
  ask("a.example");
  EXPECT_EQ(inner.calls, 2);
}

TEST_F(CachingResolverTest, AsksOnceForAllThatItDoesNotKnow) {
  for (const char* const name : {"a", "b", "c", "d"}) {
    inner.say(DnsType::kTxt, name, {name}, Seconds(60));
  }
  ask("b");
  ask("d");
  inner.asked.clear();
  const Strings names = {"c", "b", "a", "d", "C.", "a", "b"};
  const auto answers = cache->txt(names);
  EXPECT_EQ(inner.calls, 3);
  EXPECT_THAT(asked(), ElementsAre("c", "a"));
  const Strings want = {"c", "b", "a", "d", "c", "a", "b"};
  ASSERT_EQ(answers.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_THAT(answers[i].records, ElementsAre(want[i])) << i;
  }
}

TEST_F(CachingResolverTest, DuplicatesOfABatchAreAskedOnceEvenIfNothingIsKept) {
  const Strings names = {"absent", "absent", "ABSENT"};
  for (const auto& answer : cache->txt(names)) EXPECT_EQ(answer.status, Status::kNone);
  EXPECT_THAT(asked(), ElementsAre("absent"));
}

TEST_F(CachingResolverTest, NoQuestionsAskNothing) {
  EXPECT_THAT(cache->ask({}), IsEmpty());
  inner.say(DnsType::kTxt, "a", {"a"}, Seconds(60));
  ask("a");
  ask("a");
  EXPECT_EQ(inner.calls, 1);
}

class SmallCachingResolverTest : public CachingResolverTest {
 protected:
  SmallCachingResolverTest() : CachingResolverTest(2) {}
};

TEST_F(SmallCachingResolverTest, WhatExpiresFirstLeavesFirst) {
  inner.say(DnsType::kTxt, "long", {"x"}, Seconds(300));
  inner.say(DnsType::kTxt, "short", {"x"}, Seconds(100));
  inner.say(DnsType::kTxt, "middle", {"x"}, Seconds(200));
  const Strings names = {"long", "short", "middle"};
  cache->txt(names);
  asked();
  cache->txt(names);
  EXPECT_THAT(asked(), ElementsAre("short"));
}

TEST_F(SmallCachingResolverTest, TheExpiredMakeRoom) {
  inner.say(DnsType::kTxt, "a", {"x"}, Seconds(100));
  inner.say(DnsType::kTxt, "b", {"x"}, Seconds(100));
  ask("a");
  ask("b");
  clock.advance(Seconds(100));
  inner.say(DnsType::kTxt, "c", {"x"}, Seconds(1));
  inner.say(DnsType::kTxt, "d", {"x"}, Seconds(1));
  ask("c");
  ask("d");
  asked();
  const Strings names = {"c", "d"};
  cache->txt(names);
  EXPECT_THAT(asked(), IsEmpty());
}

class NoCachingResolverTest : public CachingResolverTest {
 protected:
  NoCachingResolverTest() : CachingResolverTest(0) {}
};

TEST_F(NoCachingResolverTest, NothingIsKeptWithoutCapacity) {
  inner.say(DnsType::kTxt, "a", {"a"}, Seconds(60));
  EXPECT_THAT(ask("a").records, ElementsAre("a"));
  EXPECT_THAT(ask("a").records, ElementsAre("a"));
  EXPECT_EQ(inner.calls, 2);
}

TEST_F(CachingResolverTest, AnInterruptionIsPassedOnAndEndsKnownAnswersToo) {
  inner.say(DnsType::kTxt, "a", {"a"}, Seconds(60));
  ask("a");
  cache->interrupt();
  EXPECT_TRUE(inner.interrupted);
  EXPECT_EQ(ask("a").problem, "interrupted");
  EXPECT_EQ(ask("b").problem, "interrupted");
}

// An inner resolver during whose work another thread's question is answered.
class NestedResolver final : public Resolver {
 public:
  std::vector<DnsAnswer> ask(std::span<const DnsQuestion> questions) override {
    const auto answer = answers.at(calls++);
    if (calls == 1) {
      std::thread([&] { cache->ask(questions); }).join();
      clock.advance(takes);
    }
    return std::vector<DnsAnswer>(questions.size(), answer);
  }
  void interrupt() override {}

  std::vector<DnsAnswer> answers;
  std::size_t calls = 0;
  FakeClock clock;
  Seconds takes{0};
  CachingResolver* cache = nullptr;
};

class CachingResolverRace : public testing::Test {
 protected:
  CachingResolverRace() {
    auto owned = std::make_unique<NestedResolver>();
    inner = owned.get();
    cache = std::make_unique<CachingResolver>(std::move(owned), inner->clock);
    inner->cache = cache.get();
    inner->answers = {{.status = Status::kTemporary, .problem = "SERVFAIL"}, found(Seconds(60))};
  }

  Status ask() {
    const Strings names = {"a.example"};
    return cache->txt(names).at(0).status;
  }

  NestedResolver* inner = nullptr;
  std::unique_ptr<CachingResolver> cache;
};

TEST_F(CachingResolverRace, AFailureDoesNotReplaceWhatAnotherThreadWasTold) {
  inner->takes = Seconds(59);
  EXPECT_EQ(ask(), Status::kTemporary);
  EXPECT_EQ(ask(), Status::kFound);
  EXPECT_EQ(inner->calls, 2U);
}

TEST_F(CachingResolverRace, AFailureReplacesWhatAnotherThreadWasToldAndHoldsNoLonger) {
  inner->takes = Seconds(60);
  EXPECT_EQ(ask(), Status::kTemporary);
  EXPECT_EQ(ask(), Status::kTemporary);
  EXPECT_EQ(inner->calls, 2U);
}

TEST(CachingResolverThreads, ManyThreadsShareOneMemory) {
  FakeClock clock;
  auto owned = std::make_unique<TableResolver>();
  for (int i = 0; i < 40; ++i) {
    owned->say(DnsType::kTxt, std::to_string(i), {std::to_string(i)}, Seconds(1 + i % 3));
  }
  CachingResolver cache(std::move(owned), clock, 20);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 200; ++round) {
        Strings names;
        for (int i = 0; i < 10; ++i) names.push_back(std::to_string((thread + round * i) % 40));
        const auto answers = cache.txt(names);
        for (std::size_t i = 0; i < names.size(); ++i) {
          EXPECT_THAT(answers.at(i).records, ElementsAre(names[i]));
        }
        if (round % 10 == 0) clock.advance(Seconds(thread == 0 ? -1 : 1));
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace rapporteur
