#include "aggregate/accumulator.h"

#include <gmock/gmock.h>

#include <deque>
#include <limits>

#include "aggregate/packed_session.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Policy sts(const std::string& domain) {
  return {PolicyType::kSts, domain, {"version: STSv1", "mode: enforce"}, {"mx." + domain}};
}

FailureDetail expired(const std::string& host) {
  FailureDetail detail;
  detail.result_type = ResultType::kCertificateExpired;
  detail.receiving_mx_hostname = host;
  return detail;
}

Session session(std::vector<PolicyOutcome> outcomes, std::uint64_t count = 1) {
  Session session;
  session.recipient_domain = "example.org";
  session.outcomes = std::move(outcomes);
  session.count = count;
  return session;
}

// An accumulator with the sessions that it adds, which must outlive it.
class Adder {
 public:
  void add(const Session& session, std::size_t max_details) {
    pack_session(session, packed_.emplace_back());
    accumulator_.add(packed_.back(), session.count, max_details);
  }
  WindowCounts counts() const { return accumulator_.counts(); }

 private:
  std::deque<std::string> packed_;
  Accumulator accumulator_;
};

TEST(Accumulator, CountsASuccessOnceInItsPolicy) {
  Adder accumulator;
  accumulator.add(session({{sts("example.org"), true, {}}}), 10);
  accumulator.add(session({{sts("example.org"), true, {}}}), 10);
  EXPECT_THAT(accumulator.counts(), ElementsAre(PolicyCounts{sts("example.org"), 2, 0, {}}));
}

TEST(Accumulator, CountsADetailWhateverTheFinalResultIs) {
  Adder accumulator;
  accumulator.add(session({{sts("example.org"), true, {expired("mx.example.org")}}}), 10);
  accumulator.add(session({{sts("example.org"), false, {expired("mx.example.org")}}}), 10);
  EXPECT_THAT(
      accumulator.counts(),
      ElementsAre(PolicyCounts{sts("example.org"), 1, 1, {{expired("mx.example.org"), 2}}}));
}

TEST(Accumulator, CountsASessionWithTwoPoliciesOnceInEach) {
  const Policy tlsa{PolicyType::kTlsa, "mx.example.org", {"3 1 1 ab"}, {}};
  Adder accumulator;
  accumulator.add(session({{sts("example.org"), false, {}}, {tlsa, true, {}}}), 10);
  EXPECT_THAT(accumulator.counts(), ElementsAre(PolicyCounts{sts("example.org"), 0, 1, {}},
                                                PolicyCounts{tlsa, 1, 0, {}}));
}

TEST(Accumulator, AddsASessionThatStandsForSeveral) {
  Adder accumulator;
  accumulator.add(session({{sts("example.org"), false, {expired("a")}}}, 40), 10);
  accumulator.add(session({{sts("example.org"), false, {expired("a")}}}, 2), 10);
  EXPECT_THAT(accumulator.counts(),
              ElementsAre(PolicyCounts{sts("example.org"), 0, 42, {{expired("a"), 42}}}));
}

TEST(Accumulator, FoldsDetailsBeyondTheLimitAndKeepsTheSums) {
  Adder accumulator;
  for (const auto* host : {"a", "b", "c", "d", "a"}) {
    accumulator.add(session({{sts("example.org"), false, {expired(host)}}}), 2);
  }
  const auto counts = accumulator.counts();
  ASSERT_THAT(counts, SizeIs(1));
  EXPECT_THAT(counts[0].details, testing::UnorderedElementsAre(DetailCount{expired("a"), 2},
                                                               DetailCount{expired("b"), 1},
                                                               DetailCount{expired(""), 2}));
}

TEST(Accumulator, StopsAtTheLargestNumber) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  Adder accumulator;
  accumulator.add(session({{sts("example.org"), true, {}}}, kMost), 10);
  accumulator.add(session({{sts("example.org"), true, {}}}), 10);
  EXPECT_EQ(accumulator.counts().at(0).successful, kMost);
}

TEST(Accumulator, IsEmptyAtFirst) {
  EXPECT_THAT(Accumulator().counts(), IsEmpty());
}

}  // namespace
}  // namespace rapporteur
