#include "expr/support.h"

namespace expr {
namespace {

using testing_support::Case;
using testing_support::compiled;
using testing_support::evaluated;

class Operators : public testing::TestWithParam<Case> {};

TEST_P(Operators, GiveTheResultOfTheReference) {
  EXPECT_EQ(evaluated(GetParam().input), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Addition, Operators,
    testing::Values(Case{"1 + 2", "3"}, Case{"9223372036854775807 + 1", "9223372036854775807"},
                    Case{"-9223372036854775807 + -5", "-9223372036854775808"},
                    Case{"1 + 0.5", "1.5"}, Case{"0.5 + 1", "1.5"}, Case{"'a' + 'b'", "'ab'"},
                    Case{"'a' + 1", "'a1'"}, Case{"1 + 'a'", "'1a'"}, Case{"'a' + 3.0", "'a3'"},
                    Case{"'' + 5", "5"}, Case{"5 + ''", "5"}, Case{"empty + 5", "5"},
                    Case{"'x' + daily", "'xdaily'"}, Case{"daily + 'x'", "'dailyx'"},
                    Case{"[1] + 2", "[1, 2]"}, Case{"1 + [2]", "[1, 2]"},
                    Case{"[1] + [2, 3]", "[1, 2, 3]"}, Case{"[1] + ''", "[1, '']"},
                    Case{"true + 1", "2"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    OtherArithmetic, Operators,
    testing::Values(Case{"7 - 2", "5"}, Case{"-9223372036854775807 - 2", "-9223372036854775808"},
                    Case{"'7' - 2", "5"}, Case{"'7.5' - '0.5'", "7.0"}, Case{"'x' - 2", "-2"},
                    Case{"[1, 2, '1', 3] - 1", "[2, 3]"}, Case{"[[1], 1] - [1]", "[1]"},
                    Case{"3 * 4", "12"}, Case{"3 * 0.5", "1.5"}, Case{"'3' * '4'", "12"},
                    Case{"9223372036854775807 * -2", "-9223372036854775808"}, Case{"6 / 2", "3.0"},
                    Case{"7 / 2", "3.5"}, Case{"'6' / '4'", "1.5"}, Case{"--5", "5"},
                    Case{"-'5'", "-5"}, Case{"-'x'", "0"}, Case{"-ratio", "-0.5"},
                    Case{"-(-9223372036854775807 - 1)", "9223372036854775807"}, Case{"!-5", "0"},
                    Case{"!0", "1"}, Case{"!!'x'", "1"}, Case{"-!0", "-1"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Equality, Operators,
    testing::Values(Case{"1 == 1.0", "1"}, Case{"1=1", "1"}, Case{"rcpt_domain='x'", "0"},
                    Case{"'a' == 'a'", "1"}, Case{"'a' == 'A'", "0"}, Case{"'5' == 5", "1"},
                    Case{"5 == '5.0'", "1"}, Case{"'5' == '5.0'", "0"}, Case{"'abc' == 0", "0"},
                    Case{"'' == 0", "0"}, Case{"rcpt_domain == false", "0"}, Case{"'5x' == 5", "0"},
                    Case{"' 5' == 5", "0"}, Case{"'+5' == 5", "1"}, Case{"'1e3' == 1000", "1"},
                    Case{"'inf' == 1", "0"}, Case{"[1, 'a'] == ['1', 'a']", "1"},
                    Case{"[1] == [1, 2]", "0"}, Case{"[1] == 1", "0"}, Case{"daily == daily", "1"},
                    Case{"daily == weekly", "0"}, Case{"daily != weekly", "1"},
                    Case{"frequency == daily", "1"}, Case{"daily == 'daily'", "0"},
                    Case{"never == disable", "0"},
                    Case{"9007199254740993 == 9007199254740992.0", "0"}, Case{"1 != 2", "1"},
                    Case{"'abc' != 0", "1"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Order, Operators,
    testing::Values(Case{"1 < 2", "1"}, Case{"2 <= 2", "1"}, Case{"2 =< 2", "1"},
                    Case{"2 >= 3", "0"}, Case{"3 => 3", "1"}, Case{"'10' < 9", "0"},
                    Case{"'10' < '9'", "1"}, Case{"'abc' < 1", "0"}, Case{"'abc' > 1", "0"},
                    Case{"1 < 'abc'", "0"}, Case{"1 <= 'abc'", "0"}, Case{"daily > 1", "0"},
                    Case{"[1] > 1", "0"}, Case{"1 < [1]", "0"}, Case{"[1] > 'z'", "1"},
                    Case{"'z' < [1]", "1"}, Case{"'a' > daily", "1"}, Case{"[1] > daily", "1"},
                    Case{"daily < weekly", "1"}, Case{"hourly > never", "0"},
                    Case{"[1, 2] < [1, 3]", "1"}, Case{"[1] < [1, 0]", "1"}, Case{"1.5 > 1", "1"},
                    Case{"9007199254740993 > 9007199254740992.0", "1"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Logic, Operators,
    testing::Values(Case{"'x' || 0", "1"}, Case{"'' && 1", "0"}, Case{"daily || 1", "1"},
                    Case{"'' || 'y'", "1"}, Case{"'x' && 'y'", "1"}, Case{"'x' && ''", "0"},
                    Case{"0 || ''", "0"}, Case{"1 & 1", "1"}, Case{"0 | 'a'", "1"},
                    Case{"1 ^ 0", "1"}, Case{"'a' ^ 'b'", "0"}, Case{"empty ^ 'b'", "1"},
                    Case{"rcpt_domain && failed_sessions", "1"}, Case{"empty || rcpt_domain", "1"},
                    Case{"empty && rcpt_domain", "0"}, Case{"empty || empty", "0"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Indexing, Operators,
    testing::Values(Case{"[1, 2, 3][0]", "1"}, Case{"[1, 2, 3][2]", "3"}, Case{"[1][1]", "''"},
                    Case{"policy_types[1]", "'tlsa'"}, Case{"policy_types[-1]", "''"},
                    Case{"policy_types[1.9]", "'tlsa'"}, Case{"policy_types['1']", "'tlsa'"},
                    Case{"policy_types['x']", "'sts'"}, Case{"'abc'[0]", "'abc'"},
                    Case{"'abc'[1]", "''"}, Case{"('abc')[0]", "'abc'"}, Case{"''[0]", "''"},
                    Case{"5[0]", "5"}, Case{"[[1, 2], 3][0][1]", "2"}, Case{"$1[0]", "''"},
                    Case{"split(rcpt_domain, '.')[1]", "'example'"}, Case{"-[5][0]", "-5"},
                    Case{"rcpt_domain [ 0 ]", "'mail.example.com'"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Failures, Operators,
    testing::Values(Case{"1 / 0", "error 2: division by zero"},
                    Case{"1 + 6 / failed_sessions / 0.0", "error 24: division by zero"},
                    Case{"1 / 'abc'", "error 2: division by zero"},
                    Case{"failed_sessions / empty", "error 16: division by zero"},
                    Case{"1 + absent", "error 4: 'absent' has no value here"},
                    Case{"[absent]", "error 1: 'absent' has no value here"}),
    testing_support::row_name<Case>);

TEST(Operators, FailWhereAFloatCannotHoldTheResult) {
  const std::string large = "1" + std::string(300, '0') + ".0";
  EXPECT_EQ(evaluated(large + " * " + large), "error 304: the result is too large for a float");
}

INSTANTIATE_TEST_SUITE_P(OperandsThatAreNotNeeded, Operators,
                         testing::Values(Case{"false && 1 / 0", "0"}, Case{"true || 1 / 0", "1"},
                                         Case{"empty && absent", "0"},
                                         Case{"rcpt_domain || absent", "1"},
                                         Case{"if_then(true, 'a', 1 / 0)", "'a'"},
                                         Case{"if_then(false, 1 / 0, 'b')", "'b'"},
                                         Case{"if_then(flag, 'a', absent)", "'a'"},
                                         Case{"if_then(empty, absent, 'b')", "'b'"}),
                         testing_support::row_name<Case>);

class Precedence : public testing::TestWithParam<Case> {};

TEST_P(Precedence, GroupsAsTheReferenceSays) {
  EXPECT_EQ(compiled(GetParam().input).dump(), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Levels, Precedence,
    testing::Values(Case{"1 || 2 && 3 ^ 4 == 5 < 6 + 7 * -8",
                         "(|| 1 (&& 2 (^ 3 (== 4 (< 5 (+ 6 (* 7 (- 8))))))))"},
                    Case{"-1 * 2 + 3 > 4 != 5 ^ 6 & 7 | 8",
                         "(|| (&& (^ (!= (> (+ (* (- 1) 2) 3) 4) 5) 6) 7) 8)"},
                    Case{"1 - 2 - 3", "(- (- 1 2) 3)"}, Case{"1 / 2 * 3", "(* (/ 1 2) 3)"},
                    Case{"1 - 2 + 3", "(+ (- 1 2) 3)"}, Case{"1 < 2 > 3", "(> (< 1 2) 3)"},
                    Case{"1 == 2 != 3", "(!= (== 1 2) 3)"}, Case{"1 ^ 2 ^ 3", "(^ (^ 1 2) 3)"},
                    Case{"1 || 2 | 3", "(|| (|| 1 2) 3)"}, Case{"1 && 2 & 3", "(&& (&& 1 2) 3)"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(Forms, Precedence,
                         testing::Values(Case{"(1 + 2) * 3", "(* (+ 1 2) 3)"}, Case{"((1))", "1"},
                                         Case{"!empty == 1", "(== (! empty) 1)"},
                                         Case{"-policy_types[0]", "(- (index policy_types 0))"},
                                         Case{"1--2", "(- 1 (- 2))"}, Case{"1 =-1", "(== 1 (- 1))"},
                                         Case{"1 =!0", "(== 1 (! 0))"}, Case{"1=>0", "(>= 1 0)"},
                                         Case{"1=<0", "(<= 1 0)"}, Case{"1 = 0", "(== 1 0)"}),
                         testing_support::row_name<Case>);

}  // namespace
}  // namespace expr
