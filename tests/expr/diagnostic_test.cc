#include "expr/support.h"

namespace expr {
namespace {

// All diagnostics, one a line: OFFSET+LENGTH [advice] MESSAGE [(SUGGESTION)].
std::string diagnosed(std::string_view source) {
  const Compilation compilation = compile(source, testing_support::schema());
  std::string text;
  bool error = false;
  for (const Diagnostic& found : compilation.diagnostics) {
    if (!text.empty()) text += "\n";
    text += std::to_string(found.offset) + "+" + std::to_string(found.length) + " ";
    if (found.severity == Severity::kAdvice) text += "advice ";
    error = error || found.severity == Severity::kError;
    text += found.message;
    if (!found.suggestion.empty()) text += " (" + found.suggestion + ")";
  }
  EXPECT_EQ(compilation.program.has_value(), !error) << source;
  return text;
}

using testing_support::Case;

class Diagnostics : public testing::TestWithParam<Case> {};

TEST_P(Diagnostics, PointAtWhatIsWrong) {
  EXPECT_EQ(diagnosed(GetParam().input), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    MissingValues, Diagnostics,
    testing::Values(Case{"", "0+1 expected a value but the expression ends"},
                    Case{"  ", "2+1 expected a value but the expression ends"},
                    Case{"1 +", "3+1 expected a value but the expression ends"},
                    Case{"1 + ", "4+1 expected a value but the expression ends"},
                    Case{"+ 1", "0+1 expected a value but found '+'"},
                    Case{"== 1", "0+2 expected a value but found '=='"},
                    Case{"()", "1+1 expected a value but found ')'"},
                    Case{"( )", "2+1 expected a value but found ')'"},
                    Case{"1 & & 1", "4+1 expected a value but found '&'"},
                    Case{"1 || | 1", "5+1 expected a value but found '|'"},
                    Case{"1 = <2", "4+1 expected a value but found '<'"},
                    Case{"1 == = 2", "5+1 expected a value but found '='"},
                    Case{"!", "1+1 expected a value but the expression ends"},
                    Case{"!= 1", "0+2 expected a value but found '!='"},
                    Case{"[1, 2,]", "6+1 expected a value but found ']'"},
                    Case{"[,]", "1+1 expected a value or ']' but found ','"},
                    Case{"len(1,)", "6+1 expected a value but found ')'"},
                    Case{"len(,)", "4+1 expected a value or ')' but found ','"},
                    Case{"policy_types[]", "13+1 expected a value but found ']'"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    MissingOperators, Diagnostics,
    testing::Values(
        Case{"1 2", "2+1 expected an operator but found '2'"},
        Case{"1, 2", "1+1 expected an operator but found ','"},
        Case{"1 + (2,3)", "6+1 expected an operator or ')' but found ','"},
        Case{"[1 2]", "3+1 expected ',' or ']' but found '2'"},
        Case{"len(1 2)", "6+1 expected ',' or ')' but found '2'"},
        Case{"policy_types[1 2]", "15+1 expected an operator or ']' but found '2'"},
        Case{"'a' 'b'", "4+3 expected an operator but found ''b''"},
        Case{"1 ! 2", "2+1 expected an operator but found '!'"},
        Case{"1)", "1+1 expected an operator but found ')'"},
        Case{"(1", "2+1 expected an operator or ')' but the expression ends"},
        Case{"[1", "2+1 expected ',' or ']' but the expression ends"},
        Case{"len('a'", "7+1 expected ',' or ')' but the expression ends"},
        Case{"1 } rest",
             "2+1 expected an operator but found '}' (expressions are written without braces)"},
        Case{"1 and 2", "2+3 expected an operator but found 'and' (did you mean &&?)"},
        Case{"1 or 2", "2+2 expected an operator but found 'or' (did you mean ||?)"},
        Case{"5 % 2", "2+1 expected an operator but found '%' (there is no remainder operator)"},
        Case{"1 ? 2 : 3",
             "2+1 expected an operator but found '?' (write if_then(condition, one, other))"},
        Case{"rcpt_domain.com .x", "16+2 expected an operator but found '.x'"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Tokens, Diagnostics,
    testing::Values(
        Case{"'abc", "0+4 the string is not closed (add ' at its end)"},
        Case{"1 + \"abc", "4+4 the string is not closed (add \" at its end)"},
        Case{"'a\\'", "0+4 the string is not closed (add ' at its end)"},
        Case{"\xC3\xA9", "0+2 expected a value but found '\xC3\xA9'"},
        Case{"1 \xE2\x82\xAC", "2+3 expected an operator but found '\xE2\x82\xAC'"},
        Case{"1 + '\xFF'", "5+1 the expression is not valid UTF-8 here"},
        Case{"1.5.2", "0+5 '1.5.2' is not a number"}, Case{".", "0+1 '.' is not a number"},
        Case{"1e3", "0+3 '1e3' is not a number (numbers are written without an exponent)"},
        Case{"0x10", "0+4 '0x10' is not a number"}, Case{"1_000", "0+5 '1_000' is not a number"},
        Case{"1w", "0+2 unknown unit 'w' in '1w' (the units are d, h, m, s, ms, kb, mb and gb)"},
        Case{"1h30m", "0+5 '1h30m' is not a number"},
        Case{"1.5h", "0+4 '1.5h' is not a number (durations and sizes are whole numbers)"},
        Case{"9223372036854775808", "0+19 '9223372036854775808' does not fit in 64 bits"},
        Case{"1 + 106751991168d", "4+13 '106751991168d' does not fit in 64 bits"},
        Case{"8589934592gb", "0+12 '8589934592gb' does not fit in 64 bits"},
        Case{"$name",
             "0+5 '$name' is not a capture (captures are $0 for the match and $1, $2, … "
             "for its groups)"},
        Case{"$",
             "0+1 '$' is not a capture (captures are $0 for the match and $1, $2, … for its "
             "groups)"},
        Case{"$99999999999",
             "0+12 '$99999999999' is not a capture (captures are $0 for the match "
             "and $1, $2, … for its groups)"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Names, Diagnostics,
    testing::Values(
        Case{"rcpt_domian == 'a'", "0+11 unknown name 'rcpt_domian' (did you mean rcpt_domain?)"},
        Case{"RCPT_DOMAIN", "0+11 unknown name 'RCPT_DOMAIN' (did you mean rcpt_domain?)"},
        Case{"dayly", "0+5 unknown name 'dayly' (did you mean daily?)"},
        Case{"flase", "0+5 unknown name 'flase' (did you mean false?)"},
        Case{"xyzzy_plugh", "0+11 unknown name 'xyzzy_plugh'"}, Case{"q", "0+1 unknown name 'q'"},
        Case{"1 + report_id", "4+9 'report_id' is known only in subject"},
        Case{"sender", "0+6 'sender' is not available: a report is about no single message"},
        Case{"mx", "0+2 'mx' is not available: a report is about no single connection"},
        Case{"remote_ip",
             "0+9 'remote_ip' is not available: a report is about no single connection"},
        Case{"url", "0+3 'url' is not available: there is no request to answer"},
        Case{"len == 1", "0+3 'len' is a function (write len(…))"},
        Case{"key_get", "0+7 'key_get' is a function (write key_get(…))"},
        Case{"rcpt_domain('x')", "0+11 'rcpt_domain' is a variable, not a function"},
        Case{"endswith('a', 'b')", "0+8 unknown function 'endswith' (did you mean ends_with?)"},
        Case{"1 + Len('a')", "4+3 unknown function 'Len' (did you mean len?)"},
        Case{"frobnicate()", "0+10 unknown function 'frobnicate'"},
        Case{"system('domian')",
             "7+8 system('domian') is not available here (did you mean domain?)"},
        Case{"system('node_id')", "7+9 system('node_id') is not available here"},
        Case{"system(rcpt_domain)", "7+11 system needs its argument as a string literal"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    LeftOut, Diagnostics,
    testing::Values(
        Case{"metric('x')", "0+6 'metric' is not available: a setting cannot read metrics"},
        Case{"config_get('x')",
             "0+10 'config_get' is not available: a setting cannot read the configuration"},
        Case{"counter_get('s', 'k')", "0+11 'counter_get' is not available: there are no counters"},
        Case{"counter_incr('s', 'k', 1)",
             "0+12 'counter_incr' is not available: there are no counters"},
        Case{"key_set('a', 'b', 'c')",
             "0+7 'key_set' is not available: evaluating a setting changes nothing"},
        Case{"sql_query('s', 'q', [])",
             "0+9 'sql_query' is not available: a setting cannot query a database"},
        Case{"is_local_address('a')",
             "0+16 'is_local_address' is not available: the addresses of local users are not "
             "known"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Arguments, Diagnostics,
    testing::Values(
        Case{"1 + len()", "4+3 len takes 1 argument, not 0"},
        Case{"starts_with('a')", "0+11 starts_with takes 2 arguments, not 1"},
        Case{"if_then(1, 2, 3, 4)", "0+7 if_then takes 3 arguments, not 4"},
        Case{"matches('a')", "0+7 matches takes 2 arguments, not 1"},
        Case{"starts_with(policy_types, 'a')",
             "12+12 argument 1 of starts_with is a string, not an array"},
        Case{"substring('a', daily, [1])",
             "15+5 argument 2 of substring is a number, not a constant\n"
             "22+3 argument 3 of substring is a number, not an array"},
        Case{"email_part('a@b', 'domian')",
             "18+8 argument 2 of email_part is 'local' or 'domain', not 'domian' (did you mean "
             "domain?)"},
        Case{"hash('a', 'crc')",
             "10+5 argument 2 of hash is 'md5', 'sha1', 'sha256' or 'sha512', not 'crc'"},
        Case{"is_ip_in_cidr('10.0.0.1', '10.0.0.0/33')",
             "26+13 '10.0.0.0/33' is not a network (write an address, with /8 to /32 or, for IPv6, "
             "/8 to /128 after it)"},
        Case{"is_ip_in_cidr('10.0.0.1', '10.0.0.0/7')",
             "26+12 '10.0.0.0/7' is not a network (write an address, with /8 to /32 or, for IPv6, "
             "/8 to /128 after it)"},
        Case{"policy_types[daily]", "13+5 a position is a number, not a constant"},
        Case{"matches(rcpt_domain, 'a')",
             "8+11 matches needs its regular expression as a string literal"},
        Case{"matches([1], 'a')", "8+3 matches needs its regular expression as a string literal"},
        Case{"matches('(a', 'a')", "8+4 the regular expression is not valid: missing ): (a"},
        Case{"matches('a(?=b)', 'a')",
             "8+8 the regular expression is not valid: invalid perl operator: (?="}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Operands, Diagnostics,
    testing::Values(Case{"policy_types * 2", "0+12 '*' needs a number, not an array"},
                    Case{"2 / policy_types", "4+12 '/' needs a number, not an array"},
                    Case{"rcpt_domain - (policy_types)", "15+12 '-' needs a number, not an array"},
                    Case{"daily - 1", "0+5 '-' needs a number, not a constant"},
                    Case{"1 + daily", "4+5 '+' needs a number, not a constant"},
                    Case{"daily + weekly", "0+5 '+' needs a number, not a constant"},
                    Case{"-policy_types", "1+12 '-' needs a number, not an array"},
                    Case{"-daily", "1+5 '-' needs a number, not a constant"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Several, Diagnostics,
    testing::Values(Case{"lenn(foo) + starts_with(bar) + matches('(', 1)",
                         "0+4 unknown function 'lenn' (did you mean len?)\n"
                         "5+3 unknown name 'foo'\n"
                         "12+11 starts_with takes 2 arguments, not 1\n"
                         "24+3 unknown name 'bar'\n"
                         "39+3 the regular expression is not valid: missing ): ("},
                    Case{"-foo * [1]",
                         "1+3 unknown name 'foo'\n7+3 '*' needs a number, not an array"},
                    Case{"if_then(foo, bar, 1 +)", "21+1 expected a value but found ')'"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Advice, Diagnostics,
    testing::Values(
        Case{"frequency == 'daily'",
             "13+7 advice a constant never equals a string (write daily without quotes)"},
        Case{"1 != frequency", "0+1 advice a constant never equals an integer"},
        Case{"frequency == anything", ""},
        Case{"1 / 0", "2+1 advice this fails whenever it is evaluated: division by zero"},
        Case{"failed_sessions / 0", ""}, Case{"frequency == daily", ""}),
    testing_support::row_name<Case>);

TEST(Diagnostics, ShortenWhatTheyQuoteAndKeepItOnOneLine) {
  const std::string name(300, 'x');
  EXPECT_EQ(diagnosed(name), "0+300 unknown name '" + std::string(60, 'x') + "…'");
  EXPECT_EQ(diagnosed("1 'a\nb\x01'"), "2+6 expected an operator but found ''a b ''");
  std::string umlauts = "1 '";
  for (int i = 0; i < 100; ++i) umlauts += "\xC3\xA4";
  std::string want = "2+202 expected an operator but found ''";
  for (int i = 0; i < 29; ++i) want += "\xC3\xA4";
  EXPECT_EQ(diagnosed(umlauts + "'"), want + "…'");
}

TEST(Diagnostics, KnowTheNamesThatTheSchemaDeclaresDespiteStalwart) {
  Schema schema;
  schema.variables = {{"sender", Type::kString}};
  EXPECT_TRUE(compile("sender + 'x'", schema).program);
}

struct TypeRow {
  const char* input;
  Type want;
};
class Inferred : public testing::TestWithParam<TypeRow> {};

TEST_P(Inferred, TypeIsKnownBeforeTheEvaluation) {
  const Program program = testing_support::compiled(GetParam().input);
  EXPECT_EQ(program.type(), GetParam().want) << to_string(program.type());
}

INSTANTIATE_TEST_SUITE_P(
    Operators, Inferred,
    testing::Values(
        TypeRow{"rcpt_domain", Type::kString}, TypeRow{"rcpt_domain + rcpt_domain", Type::kString},
        TypeRow{"rcpt_domain + 1", Type::kAny}, TypeRow{"'x' + failed_sessions", Type::kString},
        TypeRow{"'x' + anything", Type::kAny}, TypeRow{"'' + failed_sessions", Type::kInteger},
        TypeRow{"failed_sessions + 1", Type::kInteger}, TypeRow{"flag + flag", Type::kInteger},
        TypeRow{"failed_sessions + ratio", Type::kFloat}, TypeRow{"policy_types + 1", Type::kArray},
        TypeRow{"anything + policy_types", Type::kArray},
        TypeRow{"policy_types - 'x'", Type::kArray}, TypeRow{"anything - 1", Type::kAny},
        TypeRow{"rcpt_domain - 1", Type::kAny}, TypeRow{"rcpt_domain - ratio", Type::kFloat},
        TypeRow{"failed_sessions * 2", Type::kInteger}, TypeRow{"flag / 2", Type::kFloat},
        TypeRow{"-failed_sessions", Type::kInteger}, TypeRow{"-ratio", Type::kFloat},
        TypeRow{"-rcpt_domain", Type::kAny}, TypeRow{"!anything", Type::kTruth},
        TypeRow{"anything < 1", Type::kTruth}, TypeRow{"anything && 1", Type::kTruth},
        TypeRow{"anything ^ 1", Type::kTruth}, TypeRow{"rcpt_domain == 'a'", Type::kTruth},
        TypeRow{"policy_types[0]", Type::kAny}, TypeRow{"rcpt_domain[0]", Type::kString},
        TypeRow{"[anything]", Type::kArray}, TypeRow{"$1", Type::kString}),
    testing_support::row_name<TypeRow>);

INSTANTIATE_TEST_SUITE_P(Calls, Inferred,
                         testing::Values(TypeRow{"len(anything)", Type::kInteger},
                                         TypeRow{"trim(rcpt_domain)", Type::kString},
                                         TypeRow{"trim(failed_sessions)", Type::kString},
                                         TypeRow{"trim(policy_types)", Type::kArray},
                                         TypeRow{"trim(anything)", Type::kAny},
                                         TypeRow{"has_digits(rcpt_domain)", Type::kTruth},
                                         TypeRow{"has_digits(policy_types)", Type::kArray},
                                         TypeRow{"matches('a', anything)", Type::kTruth},
                                         TypeRow{"split_once(rcpt_domain, '.')", Type::kAny},
                                         TypeRow{"if_then(flag, daily, weekly)", Type::kConstant},
                                         TypeRow{"if_then(flag, 'a', 1)", Type::kAny},
                                         TypeRow{"if_then(flag, flag, 1)", Type::kInteger},
                                         TypeRow{"if_then(true, rcpt_domain, 1)", Type::kString},
                                         TypeRow{"system('domain')", Type::kString}),
                         testing_support::row_name<TypeRow>);

INSTANTIATE_TEST_SUITE_P(
    Constants, Inferred,
    testing::Values(TypeRow{"1", Type::kInteger}, TypeRow{"true", Type::kTruth},
                    TypeRow{"1 + 1", Type::kInteger}, TypeRow{"'a' + 1", Type::kString},
                    TypeRow{"1 == 1", Type::kTruth}, TypeRow{"'5' * 2", Type::kInteger},
                    TypeRow{"[1, 'a'][1]", Type::kString}, TypeRow{"is_number(1)", Type::kTruth},
                    TypeRow{"split_once('a', '.')", Type::kString},
                    TypeRow{"false && anything", Type::kTruth}, TypeRow{"daily", Type::kConstant},
                    TypeRow{"1 / 0", Type::kFloat}),
    testing_support::row_name<TypeRow>);

TEST(Programs, KnowTheResultsThatDependOnNothing) {
  EXPECT_EQ(*testing_support::compiled("1 + 1").constant(), Value(std::int64_t{2}));
  EXPECT_EQ(*testing_support::compiled("len(system('domain'))").constant(),
            Value(std::int64_t{11}));
  EXPECT_EQ(*testing_support::compiled("daily").constant(), Value(Constant{"daily"}));
  EXPECT_EQ(*testing_support::compiled("if_then(true, 1, rcpt_domain)").constant(),
            Value(std::int64_t{1}));
  EXPECT_EQ(*testing_support::compiled("true || rcpt_domain").constant(), Value(std::int64_t{1}));
  for (const char* source :
       {"rcpt_domain", "[1, rcpt_domain]", "1 / 0", "matches('a', 'a')", "$0", "flag || true"}) {
    EXPECT_EQ(testing_support::compiled(source).constant(), nullptr) << source;
  }
}

TEST(Programs, KnowTheVariablesTheyMention) {
  const Program program =
      testing_support::compiled("if_then(false, rcpt_domain, daily) == flag && 'ratio'");
  EXPECT_TRUE(program.mentions("rcpt_domain"));
  EXPECT_TRUE(program.mentions("flag"));
  EXPECT_FALSE(program.mentions("ratio"));
  EXPECT_FALSE(program.mentions("daily"));
  EXPECT_EQ(program.source(), "if_then(false, rcpt_domain, daily) == flag && 'ratio'");
}

}  // namespace
}  // namespace expr
