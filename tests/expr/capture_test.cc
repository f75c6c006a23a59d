#include "expr/support.h"

namespace expr {
namespace {

using testing_support::Case;
using testing_support::compiled;
using testing_support::environment;
using testing_support::evaluated;
using testing_support::shown;

class Captures : public testing::TestWithParam<Case> {};

TEST_P(Captures, AreThoseOfTheLastMatch) {
  EXPECT_EQ(evaluated(GetParam().input), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    WithinAnExpression, Captures,
    testing::Values(Case{"[matches('^(.+)\\.example\\.(.*)$', rcpt_domain), $0, $1, $2, $3]",
                         "[1, 'mail.example.com', 'mail', 'com', '']"},
                    Case{"[matches('(a)|(b)', 'b'), $0, $1, $2]", "[1, 'b', '', 'b']"},
                    Case{"[matches('(a)', 'a'), matches('(x)', 'a'), $0, $1]", "[1, 0, '', '']"},
                    Case{"[matches('(a)(b)', 'ab'), matches('(x)', 'x'), $1, $2]",
                         "[1, 1, 'x', '']"},
                    Case{"[$1, matches('(a)', 'a'), $1]", "['', 1, 'a']"},
                    Case{"if_then(matches('^mail', rcpt_domain), $0, 'none')", "'mail'"},
                    Case{"[matches('(a)', 'a'), false && matches('(b)', 'b'), $1]", "[1, 0, 'a']"},
                    Case{"matches('(\\d+)', 'a12b') && $1 == 12", "1"},
                    Case{"[matches('x', ['x', 1]), $0]", "[1, 'x']"},
                    Case{"[matches('^\\[.*\\]$', [daily, 1]), $0]", "[1, '[daily, 1]']"}),
    testing_support::row_name<Case>);

struct Row {
  const char* condition;
  const char* result;
};

IfBlock block(const std::vector<Row>& rows, const char* otherwise) {
  IfBlock block{{}, compiled(otherwise)};
  for (const Row& row : rows) {
    block.branches.push_back({compiled(row.condition), compiled(row.result)});
  }
  return block;
}

TEST(IfBlocks, TakeTheFirstTrueCondition) {
  Trace trace;
  const auto rows = block({{"''", "1"}, {"'yes'", "2"}, {"true", "3"}}, "4");
  EXPECT_EQ(shown(evaluate(rows, environment(), &trace)), "2");
  EXPECT_EQ(trace.branch, 1u);
  EXPECT_EQ(trace.conditions, (std::vector<Value>{Value(""), Value("yes")}));
}

TEST(IfBlocks, TakeOtherwiseIfNoConditionIsTrue) {
  Trace trace;
  EXPECT_EQ(shown(evaluate(block({{"0", "1"}, {"empty", "2"}}, "'else'"), environment(), &trace)),
            "'else'");
  EXPECT_EQ(trace.branch, std::nullopt);
  EXPECT_EQ(trace.conditions.size(), 2u);
  EXPECT_EQ(shown(evaluate(block({}, "rcpt_domain"), environment())), "'mail.example.com'");
}

TEST(IfBlocks, KeepCapturesForTheResultOfTheBranch) {
  const auto rows = block({{"matches('^(.+)\\.example\\.com$', rcpt_domain)", "$1 + '!'"}}, "''");
  EXPECT_EQ(shown(evaluate(rows, environment())), "'mail!'");
}

TEST(IfBlocks, KeepCapturesForLaterConditionsAndOtherwise) {
  const auto rows = block(
      {{"matches('^(mail)', rcpt_domain) && false", "'first'"}, {"$1 == 'web'", "'second'"}}, "$1");
  EXPECT_EQ(shown(evaluate(rows, environment())), "'mail'");
}

TEST(IfBlocks, ForgetCapturesWhenALaterMatchFails) {
  const auto rows = block(
      {{"matches('^(mail)', rcpt_domain) && false", "1"}, {"matches('^(web)', rcpt_domain)", "2"}},
      "'<' + $1 + $0 + '>'");
  EXPECT_EQ(shown(evaluate(rows, environment())), "'<>'");
}

TEST(IfBlocks, StartWithoutCaptures) {
  const auto rows = block({{"matches('(m)', rcpt_domain)", "$1"}}, "''");
  EXPECT_EQ(shown(evaluate(rows, environment())), "'m'");
  EXPECT_EQ(shown(evaluate(block({}, "$1"), environment())), "''");
}

TEST(IfBlocks, EndWithTheFailureOfACondition) {
  Trace trace;
  trace.branch = 7;  // what an earlier evaluation left there
  const auto rows = block({{"0", "1"}, {"1 / empty", "2"}, {"true", "3"}}, "4");
  EXPECT_EQ(shown(evaluate(rows, environment(), &trace)), "error 2: division by zero");
  EXPECT_EQ(trace.conditions.size(), 1u);
  EXPECT_EQ(trace.branch, std::nullopt);
}

TEST(IfBlocks, EndWithTheFailureOfTheResult) {
  Trace trace;
  const auto rows = block({{"1", "absent"}}, "4");
  EXPECT_EQ(shown(evaluate(rows, environment(), &trace)), "error 0: 'absent' has no value here");
  EXPECT_EQ(trace.branch, 0u);
}

}  // namespace
}  // namespace expr
