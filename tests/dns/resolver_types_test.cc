// What the resolver makes of each record type, asked of a real server.

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "resolver_fixture.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::address_record;
using testing_support::encode_name;
using testing_support::mx_record;
using testing_support::ptr_record;
using testing_support::txt_record;
using namespace std::string_literals;
using Status = DnsAnswer::Status;
using Strings = std::vector<std::string>;

constexpr unsigned kA = 1;
constexpr unsigned kMx = 15;
constexpr unsigned kAaaa = 28;

// A name with records of every type, so that each question must pick its own.
Reply everything() {
  return with({txt_record({"text"}), mx_record(20, "MX2.example"), mx_record(10, "mx9.example"),
               mx_record(10, "mx1.example"), address_record("192.0.2.20"),
               address_record("192.0.2.3"), address_record("2001:db8::2"),
               address_record("2001:DB8:0::1"), ptr_record("Host.example"),
               ptr_record("b.example")});
}

constexpr const char* kReverse4 = "1.2.0.192.in-addr.arpa";
constexpr const char* kReverse6 =
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";

struct OneType {
  const char* name;
  DnsQuestion question;
  Strings want;
};

void PrintTo(const OneType& test, std::ostream* out) {
  *out << test.name;
}

class ResolverTypes : public testing::TestWithParam<OneType> {};

TEST_P(ResolverTypes, EachQuestionIsAnsweredWithItsOwnRecords) {
  const DnsResponder server(
      {{"a.example", everything()}, {kReverse4, everything()}, {kReverse6, everything()}});
  const auto& [name, type] = GetParam().question;
  const auto answer = ask(*resolver_for(server), name, type);
  EXPECT_EQ(answer.status, Status::kFound);
  EXPECT_EQ(answer.records, GetParam().want);
  EXPECT_EQ(answer.ttl, Seconds(60));
  EXPECT_EQ(answer.problem, "");
}

INSTANTIATE_TEST_SUITE_P(
    Each, ResolverTypes,
    testing::Values(
        OneType{"Txt", {"a.example", DnsType::kTxt}, {"text"}},
        OneType{"Mx", {"a.example", DnsType::kMx}, {"mx1.example", "mx9.example", "mx2.example"}},
        OneType{"Ipv4", {"a.example", DnsType::kIpv4}, {"192.0.2.20", "192.0.2.3"}},
        OneType{"Ipv6", {"a.example", DnsType::kIpv6}, {"2001:db8::1", "2001:db8::2"}},
        OneType{"PtrOfIpv4", {"192.0.2.1", DnsType::kPtr}, {"b.example", "host.example"}},
        OneType{"PtrOfIpv6", {"2001:db8::1", DnsType::kPtr}, {"b.example", "host.example"}},
        OneType{"OtherSpelling",
                {"A.EXAMPLE.", DnsType::kMx},
                {"mx1.example", "mx9.example", "mx2.example"}}),
    [](const auto& test) { return test.param.name; });

TEST(ResolverTypesTogether, AreAnsweredInTheOrderOfTheQuestions) {
  const DnsResponder server({{"a.example", everything()}, {kReverse4, everything()}});
  const std::vector<DnsQuestion> questions = {{"a.example", DnsType::kMx},
                                              {"b.example", DnsType::kTxt},
                                              {"192.0.2.1", DnsType::kPtr},
                                              {"a.example", DnsType::kTxt},
                                              {"no address", DnsType::kPtr}};
  const auto answers = resolver_for(server, 2)->ask(questions);
  ASSERT_EQ(answers.size(), questions.size());
  EXPECT_THAT(answers[0].records, ElementsAre("mx1.example", "mx9.example", "mx2.example"));
  EXPECT_EQ(answers[1].status, Status::kNone);
  EXPECT_THAT(answers[2].records, ElementsAre("b.example", "host.example"));
  EXPECT_THAT(answers[3].records, ElementsAre("text"));
  EXPECT_EQ(answers[4].status, Status::kNone);
}

TEST(ResolverTypesTogether, AliasesAreFollowedForEach) {
  const DnsResponder server({{kReverse4, alias("1.0-25.2.0.192.in-addr.arpa")},
                             {"1.0-25.2.0.192.in-addr.arpa", everything()}});
  EXPECT_THAT(ask(*resolver_for(server), "192.0.2.1", DnsType::kPtr).records,
              ElementsAre("b.example", "host.example"));
}

TEST(ResolverTypesTogether, NoAddressIsNotAskedFor) {
  const DnsResponder server({});
  const auto resolver = resolver_for(server);
  for (const char* const name : {"", "a.example", "192.0.2", kReverse4, "[::1]", "192.0.2.1."}) {
    const auto answer = ask(*resolver, name, DnsType::kPtr);
    EXPECT_EQ(answer.status, Status::kNone) << name;
    EXPECT_EQ(answer.ttl, Seconds(0)) << name;
  }
  EXPECT_EQ(server.queries(), 0);
}

TEST(ResolverTypesTogether, NamesOfPrivateAddressesAreAskedOfTheServers) {
  const DnsResponder server({{"1.0.0.10.in-addr.arpa", with({ptr_record("router.example")})}});
  EXPECT_THAT(ask(*resolver_for(server), "10.0.0.1", DnsType::kPtr).records,
              ElementsAre("router.example"));
}

struct Nothing {
  const char* name;
  DnsType type;
  DnsResponder::Record record;
};

void PrintTo(const Nothing& test, std::ostream* out) {
  *out << test.name;
}

class UnusableRecords : public testing::TestWithParam<Nothing> {};

TEST_P(UnusableRecords, AreADefiniteAnswerWithoutRecords) {
  const DnsResponder server(
      {{"a.example", with({GetParam().record})}, {kReverse4, with({GetParam().record})}});
  const bool reverse = GetParam().type == DnsType::kPtr;
  const auto answer =
      ask(*resolver_for(server), reverse ? "192.0.2.1" : "a.example", GetParam().type);
  EXPECT_EQ(answer.status, Status::kNone) << answer.problem;
  EXPECT_THAT(answer.records, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Each, UnusableRecords,
    testing::Values(Nothing{"NullMx", DnsType::kMx, mx_record(0, "")},
                    Nothing{"MxWithAQuote", DnsType::kMx, mx_record(10, "a'b.example")},
                    Nothing{"MxWithADotInALabel", DnsType::kMx, {kMx, "\0\1\3a.b\0"s}},
                    Nothing{"MxWithMoreAfterIt",
                            DnsType::kMx,
                            {kMx, "\0\1"s + encode_name("mx.example") + "more"}},
                    Nothing{"PtrToTheRoot", DnsType::kPtr, ptr_record("")},
                    Nothing{"PtrWithAnEscape", DnsType::kPtr, ptr_record("\x1b[2J.example")},
                    Nothing{"ShortA", DnsType::kIpv4, {kA, "\1\2\3"}},
                    Nothing{"ShortAaaa", DnsType::kIpv6, {kAaaa, "\1\2\3\4"}},
                    Nothing{"LongA", DnsType::kIpv4, {kA, "\1\2\3\4\5"}},
                    Nothing{"LongAaaa", DnsType::kIpv6, {kAaaa, std::string(17, 'a')}}),
    [](const auto& test) { return test.param.name; });

class BrokenRecords : public testing::TestWithParam<Nothing> {};

// libunbound takes such a packet for no answer.
TEST_P(BrokenRecords, AreTemporary) {
  const DnsResponder server({{"a.example", with({GetParam().record})}});
  const auto answer = ask(*resolver_for(server), "a.example", GetParam().type);
  EXPECT_EQ(answer.status, Status::kTemporary);
  EXPECT_THAT(answer.records, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Each, BrokenRecords,
    testing::Values(Nothing{"EmptyMx", DnsType::kMx, {kMx, ""}},
                    Nothing{"MxWithoutRoot", DnsType::kMx, {kMx, "\0\1\2mx"s}},
                    Nothing{"MxOfPointersInACircle", DnsType::kMx, {kMx, "\0\1\xc0\x29"s}}),
    [](const auto& test) { return test.param.name; });

TEST(ResolverTypesTogether, GoodRecordsBesideBadOnesAreKept) {
  const DnsResponder server(
      {{"a.example", with({mx_record(0, ""), mx_record(5, "a b"), mx_record(10, "mx.example"),
                           DnsResponder::Record{kA, "\1\2\3\4\5"}, address_record("192.0.2.1")})}});
  const auto resolver = resolver_for(server);
  EXPECT_THAT(ask(*resolver, "a.example", DnsType::kMx).records, ElementsAre("mx.example"));
  EXPECT_THAT(ask(*resolver, "a.example", DnsType::kIpv4).records, ElementsAre("192.0.2.1"));
}

TEST(ResolverTypesTogether, ANullMxIsToldFromNoMx) {
  const DnsResponder server(
      {{"null.example", with({mx_record(0, "")})},
       {"several.example", with({mx_record(0, ""), mx_record(10, "mx.example")})},
       {"none.example", with({})}});
  const auto resolver = resolver_for(server);
  EXPECT_TRUE(ask(*resolver, "null.example", DnsType::kMx).null_mx);
  EXPECT_FALSE(ask(*resolver, "several.example", DnsType::kMx).null_mx);
  EXPECT_FALSE(ask(*resolver, "none.example", DnsType::kMx).null_mx);
}

TEST(ResolverTypesTogether, HundredRecordsAreTheMost) {
  std::vector<DnsResponder::Record> records;
  for (int i = 0; i < 120; ++i) {
    records.push_back(address_record(("192.0.2." + std::to_string(i)).c_str()));
  }
  const DnsResponder server({{"a.example", with(std::move(records))}});
  const auto answer = ask(*resolver_for(server), "a.example", DnsType::kIpv4);
  EXPECT_EQ(answer.records.size(), kMostDnsRecords);
  EXPECT_EQ(answer.records.front(), "192.0.2.0");
}

class EveryType : public testing::TestWithParam<DnsType> {};

TEST_P(EveryType, ThatThereIsNothingHoldsForTheTtlOfTheSoa) {
  auto absent = failing(3);
  absent.negative_ttl = 77;
  auto empty = with({});
  empty.negative_ttl = 88;
  const DnsResponder server({{"absent.example", absent},
                             {"empty.example", empty},
                             {"1.2.0.192.in-addr.arpa", absent},
                             {"2.2.0.192.in-addr.arpa", empty}});
  const auto resolver = resolver_for(server);
  const bool reverse = GetParam() == DnsType::kPtr;
  const auto missing = ask(*resolver, reverse ? "192.0.2.1" : "absent.example", GetParam());
  EXPECT_EQ(missing.status, Status::kNone);
  EXPECT_EQ(missing.ttl, Seconds(77));
  const auto nothing = ask(*resolver, reverse ? "192.0.2.2" : "empty.example", GetParam());
  EXPECT_EQ(nothing.status, Status::kNone);
  EXPECT_EQ(nothing.ttl, Seconds(88));
}

TEST_P(EveryType, ThatThereIsNothingHoldsNotAtAllWithoutASoa) {
  const DnsResponder server({{"empty.example", with({})}});
  const auto resolver = resolver_for(server);
  const bool reverse = GetParam() == DnsType::kPtr;
  for (const char* const name : {"empty.example", "absent.example"}) {
    const auto answer = ask(*resolver, reverse ? "192.0.2.1" : name, GetParam());
    EXPECT_EQ(answer.status, Status::kNone) << name;
    EXPECT_EQ(answer.ttl, Seconds(0)) << name;
  }
}

TEST_P(EveryType, FailuresAreTemporary) {
  const DnsResponder server({{"a.example", failing(2)}, {kReverse4, failing(2)}});
  const bool reverse = GetParam() == DnsType::kPtr;
  const auto answer = ask(*resolver_for(server), reverse ? "192.0.2.1" : "a.example", GetParam());
  EXPECT_EQ(answer.status, Status::kTemporary);
  EXPECT_EQ(answer.problem, "SERVFAIL");
  EXPECT_EQ(answer.ttl, Seconds(0));
}

TEST_P(EveryType, SilenceIsTemporary) {
  const DnsResponder server({{"a.example", silence()}, {kReverse4, silence()}});
  const auto resolver = resolver_for(server, 200, Seconds(1));
  const bool reverse = GetParam() == DnsType::kPtr;
  const auto answer = ask(*resolver, reverse ? "192.0.2.1" : "a.example", GetParam());
  EXPECT_EQ(answer.status, Status::kTemporary);
  EXPECT_EQ(answer.problem, "no answer within 1s");
}

std::string name_of(const testing::TestParamInfo<DnsType>& test) {
  constexpr const char* kNames[] = {"Txt", "Mx", "Ipv4", "Ipv6", "Ptr"};
  return kNames[static_cast<int>(test.param)];
}

INSTANTIATE_TEST_SUITE_P(Each, EveryType,
                         testing::Values(DnsType::kTxt, DnsType::kMx, DnsType::kIpv4,
                                         DnsType::kIpv6, DnsType::kPtr),
                         name_of);

}  // namespace
}  // namespace rapporteur
