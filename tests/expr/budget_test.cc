// The time that an evaluation may take. Limits are tested by what steps cost in the worst case,
// which is the same on every machine; the time that is really used only ever ends what would be too
// long.

#include "expr/budget.h"

#include <gmock/gmock.h>

#include "expr/search.h"
#include "expr/support.h"

namespace expr {
namespace {

using testing_support::compiled;
using testing_support::shown;

constexpr const char* kTooSlow =
    "this could take longer than a setting may: shorten the text or the regular expression, or ask "
    "a lookup";

std::string evaluated_with(std::string_view source, Value value) {
  MapEnvironment given;
  given.set("rcpt_domain", std::move(value));
  return shown(evaluate(compiled(source), given));
}

TEST(Budget, IsSpentWithoutMeasuringAtFirst) {
  Budget budget;
  EXPECT_TRUE(afford(budget, Budget::kUnmeasured));
  EXPECT_FALSE(budget.measured);
  EXPECT_EQ(budget.left, 0);
  EXPECT_TRUE(afford(budget, 0));
  EXPECT_FALSE(budget.measured);
}

TEST(Budget, NeverGivesMoreThanItsTotal) {
  Budget budget;
  EXPECT_FALSE(afford(budget, budget.total + 1));
  EXPECT_LE(budget.left, budget.total);
}

TEST(Budget, CountsWhatWasNotMeasuredAsTheWorstCase) {
  Budget budget;
  EXPECT_TRUE(afford(budget, Budget::kUnmeasured));
  EXPECT_FALSE(afford(budget, budget.total - Budget::kUnmeasured + 1));
  EXPECT_TRUE(budget.measured);
  EXPECT_LE(budget.left, budget.total - Budget::kUnmeasured);
}

TEST(Budget, GivesBackWhatWasNotReallyUsed) {
  Budget budget;
  EXPECT_TRUE(afford(budget, Budget::kUnmeasured));
  // Each of these is paid with 30 microseconds and takes none.
  int steps = 0;
  while (steps < 1'000 && afford(budget, 30'000)) ++steps;
  EXPECT_GT(steps, 20);
}

// A regular expression of n instructions on a text of m bytes takes 10 n m nanoseconds at most.
TEST(TimeLimit, RefusesARegexOnATextThatIsTooLongForIt) {
  const char* const source = "matches('^(a+)+(a|aa)+$', rcpt_domain)";
  EXPECT_EQ(evaluated_with(source, Value(std::string(253, 'a') + "!")), "0");
  EXPECT_EQ(evaluated_with(source, Value(std::string(60'000, 'a'))),
            "error 0: " + std::string(kTooSlow));
}

TEST(TimeLimit, RefusesToCompareTooManyPairs) {
  std::string few;
  std::string many;
  for (int i = 0; i < 30; ++i) few += std::to_string(i) + ".example ";
  for (int i = 0; i < 2000; ++i) many += std::to_string(i) + ".example ";
  EXPECT_EQ(evaluated_with("count(dedup(split(rcpt_domain, ' ')))", Value(few)), "31");
  EXPECT_EQ(evaluated_with("count(dedup(split(rcpt_domain, ' ')))", Value(many)),
            "error 6: " + std::string(kTooSlow));
  EXPECT_EQ(evaluated_with("is_intersect(split(rcpt_domain, 'x'), split(rcpt_domain, 'e'))",
                           Value(many.substr(0, 4'000))),
            "error 0: " + std::string(kTooSlow));
}

// Every step takes what it can take at most, so that this ends whatever the machine.
TEST(TimeLimit, EndsABlockOfManyExpensiveConditions) {
  const Program condition = compiled("matches('(a|b)*a(a|b){50}c', rcpt_domain)");
  const Program result = compiled("rcpt_domain");
  IfBlock block{{}, result};
  for (int i = 0; i < 5'000; ++i) block.branches.push_back({condition, result});
  std::string text;
  for (int i = 0; i < 253; ++i) text += i % 3 == 0 || i % 7 == 0 ? 'a' : 'b';
  MapEnvironment given;
  given.set("rcpt_domain", Value(text));
  Trace trace;
  const Outcome outcome = evaluate(block, given, &trace);
  ASSERT_TRUE(std::holds_alternative<Failure>(outcome));
  EXPECT_EQ(std::get<Failure>(outcome).message, kTooSlow);
  EXPECT_GE(trace.conditions.size(), 1u);
  EXPECT_LT(trace.conditions.size(), 5'000u);
}

// What is made of an array on the way, and a search in an empty text, are not free.
TEST(TimeLimit, CountsTextsThatAreMadeAndEmptyTexts) {
  MapEnvironment given;
  given.set("rcpt_domain", Value("a.example"));
  given.set("policy_types", Value(Array(2'000, Value(1e300))));
  for (const char* source : {"key_exists('partners', anything)", "matches('x', policy_types)",
                             "strip_prefix(anything, 'x')"}) {
    MapEnvironment values = given;
    values.set("anything", Value(Array(2'000, Value(1e300))));
    EXPECT_THAT(shown(evaluate(compiled(source), values)), testing::HasSubstr(kTooSlow)) << source;
  }
  EXPECT_GE(cost_of_search(8'000, 0), 8'000 * kInstructionCost);
}

TEST(TimeLimit, LeavesRoomForABlockOfManyPlainConditions) {
  const Program condition = compiled("rcpt_domain == 'b.example'");
  const Program result = compiled("'found'");
  IfBlock block{{}, result};
  for (int i = 0; i < 500; ++i) block.branches.push_back({condition, result});
  MapEnvironment given;
  given.set("rcpt_domain", Value("a.example"));
  EXPECT_EQ(shown(evaluate(block, given)), "'found'");
}

TEST(TimeLimit, IsLongerAfterAnAnswerOfTheDns) {
  testing_support::TableDns dns;
  MapEnvironment given;
  given.set_dns(&dns);
  given.set("rcpt_domain", Value(std::string(60'000, 'a')));
  const auto program = compiled(
      "dns_query('example.com', 'mx') && len(to_uppercase(rcpt_domain) + 'b') == 60001 && "
      "len(to_lowercase(rcpt_domain) + 'b') == 60001 && len(trim(rcpt_domain)) == 60000");
  EXPECT_EQ(shown(evaluate(program, given)), "1");
}

TEST(Searching, FindsTheFirstAndTheLast) {
  const std::string long_text = "abcdefghijklmnopqrstuvwxyz";
  const std::string hay = "1" + long_text + "2" + long_text + "3";
  EXPECT_EQ(find_first(hay, long_text), 1u);
  EXPECT_EQ(find_last(hay, long_text), 28u);
  EXPECT_EQ(find_first(hay, "xyz"), 24u);
  EXPECT_EQ(find_last(hay, "xyz"), 51u);
  EXPECT_EQ(find_first(hay, long_text + "4"), std::string::npos);
  EXPECT_EQ(find_last(hay, long_text + "4"), std::string::npos);
  EXPECT_EQ(find_first(hay, hay + "4"), std::string::npos);
  EXPECT_EQ(find_last(hay, hay), 0u);
}

TEST(Searching, TakesATimeThatGrowsWithTheSumOfBothTexts) {
  // The product of both would be seconds.
  const std::string needle = std::string(16'000, 'a') + "b" + std::string(16'000, 'a');
  const std::string hay(32'700, 'a');
  MapEnvironment given;
  given.set("rcpt_domain", Value(hay));
  given.set("empty", Value(needle));
  EXPECT_EQ(shown(evaluate(compiled("contains(rcpt_domain, empty)"), given)), "0");
  EXPECT_EQ(shown(evaluate(compiled("rsplit_once(rcpt_domain, empty)"), given)), "''");
}

}  // namespace
}  // namespace expr
