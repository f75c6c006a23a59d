#include "dns/resolver.h"

#include <chrono>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "resolver_fixture.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::txt_record;
using Status = DnsAnswer::Status;
using Steady = std::chrono::steady_clock;

using Strings = std::vector<std::string>;

TEST(Resolver, JoinsTheStringsOfARecordWithoutSeparator) {
  const DnsResponder server(
      {{"a.example", with({txt_record({"v=TLSRPTv1;", "", "rua=mailto:", "a@b.example"})})}});
  const auto answer = ask(*resolver_for(server), "a.example");
  EXPECT_EQ(answer.status, Status::kFound);
  EXPECT_THAT(answer.records, ElementsAre("v=TLSRPTv1;rua=mailto:a@b.example"));
  EXPECT_EQ(answer.ttl, Seconds(60));
  EXPECT_FALSE(answer.secure);
  EXPECT_EQ(answer.problem, "");
}

TEST(Resolver, KeepsEveryByteOfALongRecord) {
  const DnsResponder server(
      {{"a.example", with({txt_record({std::string(255, 'x'), std::string("\0\xff", 2)})})}});
  EXPECT_THAT(ask(*resolver_for(server), "a.example").records,
              ElementsAre(std::string(255, 'x') + std::string("\0\xff", 2)));
}

TEST(Resolver, SortsSeveralRecords) {
  const DnsResponder server(
      {{"a.example", with({txt_record({"c"}), txt_record({"a"}), txt_record({"b", "1"})})}});
  EXPECT_THAT(ask(*resolver_for(server), "a.example").records, ElementsAre("a", "b1", "c"));
}

TEST(Resolver, FollowsAliases) {
  const DnsResponder server(
      {{"a.example", alias("b.example")}, {"b.example", with({txt_record({"there"})})}});
  EXPECT_THAT(ask(*resolver_for(server), "a.example").records, ElementsAre("there"));
}

TEST(Resolver, AnAliasThatLeadsNowhereIsADefiniteAnswer) {
  const DnsResponder server({{"a.example", alias("b.example")}});
  EXPECT_EQ(ask(*resolver_for(server), "a.example").status, Status::kNone);
}

TEST(Resolver, NoSuchNameAndNoSuchRecordAreDefiniteAnswers) {
  const DnsResponder server({{"empty.example", with({})}});
  const auto resolver = resolver_for(server);
  for (const char* const name : {"empty.example", "absent.example"}) {
    const auto answer = ask(*resolver, name);
    EXPECT_EQ(answer.status, Status::kNone) << name;
    EXPECT_THAT(answer.records, IsEmpty()) << name;
    EXPECT_EQ(answer.problem, "") << name;
  }
}

TEST(Resolver, FailuresOfTheServerAreTemporary) {
  for (const int rcode : {2, 5}) {
    const DnsResponder server({{"a.example", failing(rcode)}});
    const auto answer = ask(*resolver_for(server), "a.example");
    EXPECT_EQ(answer.status, Status::kTemporary) << rcode;
    EXPECT_EQ(answer.problem, "SERVFAIL") << rcode;
  }
}

TEST(Resolver, SilenceIsTemporaryAndEndsAtTheTimeout) {
  const DnsResponder server({{"a.example", silence()}});
  const auto resolver = resolver_for(server, 200, Seconds(1));
  const auto begin = Steady::now();
  const auto answer = ask(*resolver, "a.example");
  EXPECT_LT(Steady::now() - begin, std::chrono::seconds(3));
  EXPECT_EQ(answer.status, Status::kTemporary);
  EXPECT_EQ(answer.problem, "no answer within 1s");
}

TEST(Resolver, ASlowNameDoesNotKeepTheOthers) {
  const DnsResponder server(
      {{"silent.example", silence()}, {"a.example", with({txt_record({"a"})})}});
  const auto resolver = resolver_for(server, 2, Seconds(1));
  Strings names = {"silent.example"};
  names.resize(60, "a.example");
  const auto answers = resolver->txt(names);
  ASSERT_EQ(answers.size(), names.size());
  EXPECT_EQ(answers[0].status, Status::kTemporary);
  for (std::size_t index = 1; index < answers.size(); ++index) {
    EXPECT_THAT(answers[index].records, ElementsAre("a")) << index;
  }
}

TEST(Resolver, AsksAgainAtOnceWhenTheServerIsBack) {
  DnsResponder server({{"a.example", silence()}});
  const auto resolver = resolver_for(server, 200, Seconds(1));
  EXPECT_EQ(ask(*resolver, "a.example").status, Status::kTemporary);
  server.set("a.example", with({txt_record({"back"})}));
  EXPECT_THAT(ask(*resolver, "a.example").records, ElementsAre("back"));
}

TEST(Resolver, AnswersComeInTheOrderOfTheNames) {
  std::map<std::string, Reply> replies;
  Strings names;
  for (int index = 0; index < 500; ++index) {
    names.push_back("n" + std::to_string(index) + ".example");
    if (index % 3 != 0) replies[names.back()] = with({txt_record({std::to_string(index)})});
  }
  const DnsResponder server(std::move(replies));
  const auto resolver = resolver_for(server, 20);
  const auto answers = resolver->txt(names);
  ASSERT_EQ(answers.size(), names.size());
  for (int index = 0; index < 500; ++index) {
    const auto& answer = answers[static_cast<std::size_t>(index)];
    if (index % 3 == 0) {
      EXPECT_EQ(answer.status, Status::kNone) << index;
    } else {
      EXPECT_THAT(answer.records, ElementsAre(std::to_string(index)));
    }
  }
}

TEST(Resolver, ServesSeveralThreadsAtOnce) {
  std::map<std::string, Reply> replies;
  for (int index = 0; index < 50; ++index) {
    replies["n" + std::to_string(index) + ".example"] = with({txt_record({std::to_string(index)})});
  }
  const DnsResponder server(std::move(replies));
  const auto resolver = resolver_for(server, 5);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int index = thread; index < 50; ++index) {
        const auto answer = ask(*resolver, "n" + std::to_string(index) + ".example");
        EXPECT_THAT(answer.records, ElementsAre(std::to_string(index)));
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(Resolver, WhatCannotBeANameHasNoRecord) {
  const DnsResponder server({});
  const auto resolver = resolver_for(server);
  const Strings names = {"", std::string(64, 'x') + ".example", "a..example",
                         std::string("a\0b.example", 11), [] {
                           std::string name;
                           for (int label = 0; label < 60; ++label) name += "label.";
                           return name + "example";
                         }()};
  for (const auto& answer : resolver->txt(names)) EXPECT_EQ(answer.status, Status::kNone);
  EXPECT_EQ(server.queries(), 0);
}

TEST(Resolver, NamesUnderTestAreAskedOfTheServersThatWereNamed) {
  const DnsResponder server({{"_smtp._tls.a.test", with({txt_record({"x"})})}});
  EXPECT_THAT(ask(*resolver_for(server), "_smtp._tls.a.test").records, ElementsAre("x"));
}

TEST(Resolver, NoNamesAreNoQueries) {
  const DnsResponder server({});
  EXPECT_THAT(resolver_for(server)->txt({}), IsEmpty());
  EXPECT_EQ(server.queries(), 0);
}

TEST(Resolver, AnInterruptionEndsWhatIsUnderWayAndWhatComesLater) {
  const DnsResponder server({{"a.example", silence()}});
  const auto resolver = resolver_for(server, 1, Seconds(100));
  const auto begin = Steady::now();
  std::thread other([&] {
    while (server.queries() == 0) std::this_thread::yield();
    resolver->interrupt();
  });
  const Strings names = {"a.example", "b.example"};
  for (const auto& answer : resolver->txt(names)) {
    EXPECT_EQ(answer.status, Status::kTemporary);
    EXPECT_EQ(answer.problem, "interrupted");
  }
  other.join();
  EXPECT_EQ(ask(*resolver, "c.example").status, Status::kTemporary);
  EXPECT_LT(Steady::now() - begin, std::chrono::seconds(50));
}

struct WrongOptions {
  const char* name;
  ResolverOptions options;
  const char* want;
};

void PrintTo(const WrongOptions& test, std::ostream* out) {
  *out << test.name;
}

class WrongResolverOptions : public testing::TestWithParam<WrongOptions> {};

TEST_P(WrongResolverOptions, AreTheAdministratorsFault) {
  const auto made = make_resolver(GetParam().options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().fault, Fault::kConfig);
  EXPECT_THAT(made.error().text, HasSubstr(GetParam().want));
}

WrongOptions wrong_server(const char* name, const std::string& server) {
  return {name,
          {.servers = {server}, .timeout = Seconds(1), .concurrency = 1, .trust_anchor = {}},
          "is no DNS server: write ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT"};
}

INSTANTIATE_TEST_SUITE_P(
    Each, WrongResolverOptions,
    testing::Values(
        wrong_server("Name", "localhost"), wrong_server("Empty", ""),
        wrong_server("PortZero", "127.0.0.1:0"), wrong_server("PortTooLarge", "127.0.0.1:65536"),
        wrong_server("PortOfLetters", "127.0.0.1:dns"), wrong_server("PortMissing", "127.0.0.1:"),
        wrong_server("BracketOpen", "[::1"), wrong_server("AfterBracket", "[::1]53"),
        WrongOptions{"NoTime",
                     {.servers = {}, .timeout = Seconds(0), .concurrency = 1, .trust_anchor = {}},
                     "time-out must be a second at least"},
        WrongOptions{"NoConcurrency",
                     {.servers = {}, .timeout = Seconds(1), .concurrency = 0, .trust_anchor = {}},
                     "concurrency must be 1 at least"},
        WrongOptions{"NoAnchorFile",
                     {.servers = {"127.0.0.1"},
                      .timeout = Seconds(1),
                      .concurrency = 1,
                      .trust_anchor = "/nonexistent/root.key"},
                     "/nonexistent/root.key"},
        WrongOptions{"AnchorIsNoAnchor",
                     {.servers = {"127.0.0.1"},
                      .timeout = Seconds(1),
                      .concurrency = 1,
                      .trust_anchor = TEST_ROOT "/dns/CMakeLists.txt"},
                     "cannot use the trust anchor"}),
    [](const auto& test) { return test.param.name; });

TEST(Resolver, TakesServersInEveryWrittenForm) {
  for (const char* const server : {"127.0.0.1", "127.0.0.1:53", "::1", "[::1]", "[::1]:5353"}) {
    const auto made = make_resolver(
        {.servers = {server}, .timeout = Seconds(1), .concurrency = 1, .trust_anchor = {}});
    EXPECT_TRUE(made) << server;
  }
}

}  // namespace
}  // namespace rapporteur
