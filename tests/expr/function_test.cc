#include <set>

#include "expr/functions.h"
#include "expr/support.h"

namespace expr {
namespace {

using testing_support::Case;
using testing_support::evaluated;

class Functions : public testing::TestWithParam<Case> {};

TEST_P(Functions, GiveTheResultOfTheReference) {
  EXPECT_EQ(evaluated(GetParam().input), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Arrays, Functions,
    testing::Values(
        Case{"count([1, 2])", "2"}, Case{"count('')", "0"}, Case{"count('x')", "1"},
        Case{"count(0)", "1"}, Case{"count(policy_types)", "2"},
        Case{"sort([3, 1, 2], true)", "[1, 2, 3]"}, Case{"sort([3, 1, 2], 0)", "[3, 2, 1]"},
        Case{"sort('x', 1)", "['x']"},
        Case{"sort(['b', 'a', 10, 9.5, daily, hourly, [1]], 1)",
             "[9.5, 10, hourly, daily, 'a', 'b', [1]]"},
        Case{"dedup([1, '1', 2, 1])", "[1, 2]"}, Case{"dedup(['b', 'a', 'b'])", "['b', 'a']"},
        Case{"winnow(['a', '', 'b', 0])", "['a', 'b', 0]"}, Case{"winnow([''])", "[]"},
        Case{"is_intersect([1, 2], [2, 3])", "1"}, Case{"is_intersect([1], [2])", "0"},
        Case{"is_intersect('sts', policy_types)", "1"}, Case{"is_intersect([1, 2], 2)", "1"},
        Case{"is_intersect(1, 1)", "0"}, Case{"is_empty('')", "1"}, Case{"is_empty([])", "1"},
        Case{"is_empty(0)", "0"}, Case{"is_empty(daily)", "0"}, Case{"is_empty(['' ])", "0"},
        Case{"is_number(5)", "1"}, Case{"is_number(0.5)", "1"}, Case{"is_number('5')", "1"},
        Case{"is_number('-1.5')", "1"}, Case{"is_number('5x')", "0"}, Case{"is_number('')", "0"},
        Case{"is_number('nan')", "0"}, Case{"is_number('+-5')", "0"}, Case{"is_number([])", "0"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Addresses, Functions,
    testing::Values(
        Case{"is_email('a@b.example')", "1"}, Case{"is_email('a@b')", "0"},
        Case{"is_email('b.example')", "0"}, Case{"is_email('a@b@c.example')", "0"},
        Case{"is_email('a..b@c.example')", "0"}, Case{"is_email('a@c.example.')", "0"},
        Case{"is_email('\"a b\"@c.example')", "1"}, Case{"is_email('a b@c.example')", "0"},
        Case{"is_email('@c.example')", "0"}, Case{"email_part('a@b.example', 'local')", "'a'"},
        Case{"email_part('a@b.example', 'domain')", "'b.example'"},
        Case{"email_part('a@b@ c ', 'domain')", "'c'"}, Case{"email_part('nobody', 'local')", "''"},
        Case{"email_part(['a@b', 'c@d'], 'local')", "['a', 'c']"},
        Case{"is_ip_addr('192.0.2.1')", "1"}, Case{"is_ip_addr('2001:db8::1')", "1"},
        Case{"is_ip_addr('192.0.2')", "0"}, Case{"is_ip_addr('192.0.2.01')", "0"},
        Case{"is_ipv4_addr('192.0.2.1')", "1"}, Case{"is_ipv4_addr('2001:db8::1')", "0"},
        Case{"is_ipv6_addr('2001:db8::1')", "1"}, Case{"is_ipv6_addr('192.0.2.1')", "0"},
        Case{"is_ip_in_cidr('192.0.2.77', '192.0.2.0/24')", "1"},
        Case{"is_ip_in_cidr('192.0.3.77', '192.0.2.0/24')", "0"},
        Case{"is_ip_in_cidr('192.0.3.77', '192.0.2.0/23')", "1"},
        Case{"is_ip_in_cidr('192.0.2.1', '192.0.2.1')", "1"},
        Case{"is_ip_in_cidr('192.0.2.2', '192.0.2.1')", "0"},
        Case{"is_ip_in_cidr('2001:db8:1::1', '2001:db8::/32')", "1"},
        Case{"is_ip_in_cidr('2001:db9::1', '2001:db8::/32')", "0"},
        Case{"is_ip_in_cidr('192.0.2.1', '2001:db8::/32')", "0"},
        Case{"is_ip_in_cidr('192.0.2.1', rcpt_domain)", "0"},
        Case{"ip_reverse_name('1.2.3.4')", "'4.3.2.1'"},
        Case{"ip_reverse_name('2001:db8::1')",
             "'1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2'"},
        Case{"ip_reverse_name('x')", "''"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Texts, Functions,
    testing::Values(
        Case{"trim('  a b\t')", "'a b'"},
        Case{"trim('\xC2\xA0"
             "a\xE3\x80\x80')",
             "'a'"},
        Case{"trim([' a', 'b ', 1])", "['a', 'b', '1']"}, Case{"trim_start(' a ')", "'a '"},
        Case{"trim_start([' a'])", "['a']"}, Case{"trim_end(' a ')", "' a'"},
        Case{"trim_end('  ')", "''"}, Case{"len('h\xC3\xA9llo')", "6"}, Case{"len([1, 2])", "2"},
        Case{"len(12.5)", "4"}, Case{"len(daily)", "5"}, Case{"starts_with('abc', 'ab')", "1"},
        Case{"starts_with('abc', 'AB')", "0"}, Case{"ends_with(rcpt_domain, '.com')", "1"},
        Case{"ends_with('c', 'bc')", "0"}, Case{"strip_prefix('abc', 'a')", "'bc'"},
        Case{"strip_prefix('abc', 'b')", "''"}, Case{"strip_suffix('abc', 'c')", "'ab'"},
        Case{"strip_suffix('abc', 'b')", "''"},
        Case{"substring('h\xC3\xA9llo', 1, 3)", "'\xC3\xA9ll'"},
        Case{"substring('abc', 1, 99)", "'bc'"}, Case{"substring('abc', 3, 1)", "''"},
        Case{"substring('abc', -1, 2)", "''"}, Case{"substring('abc', 0, -1)", "''"},
        Case{"lines('a\\r\\nb\\n')", "['a', 'b']"}, Case{"lines('')", "[]"},
        Case{"lines('a\\n\\nb\\r')", R"(['a', '', 'b\r'])"}, Case{"lines(anything)", "['x']"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Splitting, Functions,
    testing::Values(
        Case{"split('a,b,,c', ',')", "['a', 'b', '', 'c']"}, Case{"split('', ',')", "['']"},
        Case{"split('ab', '')", "['', 'a', 'b', '']"}, Case{"split('aaa', 'aa')", "['', 'a']"},
        Case{"rsplit('a,b,c', ',')", "['c', 'b', 'a']"}, Case{"rsplit('aaa', 'aa')", "['', 'a']"},
        Case{"rsplit('ab', '')", "['', 'b', 'a', '']"},
        Case{"split_once('a=b=c', '=')", "['a', 'b=c']"}, Case{"split_once('abc', '=')", "''"},
        Case{"rsplit_once('a=b=c', '=')", "['a=b', 'c']"}, Case{"rsplit_once('abc', '=')", "''"},
        Case{"split_n('a b c d', ' ', 2)", "['a', 'b', 'c d']"},
        Case{"split_n('a b', ' ', 9)", "['a', 'b']"}, Case{"split_n('a b', ' ', 0)", "['a b']"},
        Case{"split_n('a b', ' ', -1)", "['a b']"}, Case{"split_n('ab', '', 5)", "['ab']"},
        Case{"split_words(' one  two-three 4 f\xC3\xBCnf ')", "['one', '4', 'f\xC3\xBCnf']"},
        Case{"split_words('')", "[]"},
        Case{"split_words('a! \xE2\x80\x9C"
             "b\xE2\x80\x9D c')",
             "['c']"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    LettersAndCase, Functions,
    testing::Values(
        Case{"to_lowercase('ABC-\xC3\x84')", "'abc-\xC3\xA4'"},
        Case{"to_lowercase(['A', 'B'])", "['a', 'b']"}, Case{"to_lowercase(5)", "'5'"},
        Case{"to_uppercase('stra\xC3\x9F"
             "e')",
             "'STRASSE'"},
        Case{"to_uppercase('\xD0\xBF\xD1\x80')", "'\xD0\x9F\xD0\xA0'"},
        Case{"is_lowercase('ab1')", "1"}, Case{"is_lowercase('aB')", "0"},
        Case{"is_lowercase(['a', 'B'])", "[1, 0]"}, Case{"is_uppercase('AB1')", "1"},
        Case{"is_uppercase('aB')", "0"}, Case{"is_uppercase('')", "1"},
        Case{"has_digits('a1')", "1"}, Case{"has_digits('a')", "0"},
        Case{"has_digits(['1', 'a'])", "[1, 0]"}, Case{"count_chars('h\xC3\xA9llo')", "5"},
        Case{"count_chars('')", "0"}, Case{"count_spaces('a b\tc')", "2"},
        Case{"count_spaces('abc')", "0"}, Case{"count_uppercase('aBC\xC3\x84')", "3"},
        Case{"count_uppercase('abc')", "0"}, Case{"count_lowercase('aBC\xC3\xA4')", "2"},
        Case{"count_lowercase('ABC')", "0"}, Case{"eq_ignore_case('ABC', 'abc')", "1"},
        Case{"eq_ignore_case('\xC3\x84', '\xC3\xA4')", "0"},
        Case{"eq_ignore_case('abc', 'ab')", "0"}, Case{"contains('abc', 'b')", "1"},
        Case{"contains('abc', 'B')", "0"}, Case{"contains(['ab', 1], 'a')", "0"},
        Case{"contains(['ab', 1], '1')", "1"}, Case{"contains(policy_types, 'tlsa')", "1"},
        Case{"contains_ignore_case('ABC', 'b')", "1"},
        Case{"contains_ignore_case('\xC3\x84PFEL', '\xC3\xA4p')", "1"},
        Case{"contains_ignore_case(['AB'], 'ab')", "1"},
        Case{"contains_ignore_case(['AB'], 'a')", "0"}),
    testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(
    Others, Functions,
    testing::Values(Case{"hash('', 'md5')", "'d41d8cd98f00b204e9800998ecf8427e'"},
                    Case{"hash('abc', 'sha1')", "'a9993e364706816aba3e25717850c26c9cd0d89d'"},
                    Case{"hash(rcpt_domain, empty)", "''"}, Case{"if_then(1, 'a', 'b')", "'a'"},
                    Case{"if_then('', 'a', 'b')", "'b'"},
                    Case{"if_then(failed_sessions > 5, weekly, daily)", "weekly"},
                    Case{"matches('^mail', rcpt_domain)", "1"},
                    Case{"matches ( 'x$' , rcpt_domain )", "0"},
                    Case{"matches('^7$', failed_sessions)", "1"}, Case{"len (rcpt_domain)", "16"},
                    Case{"system('domain') + 'x'", "'example.orgx'"}),
    testing_support::row_name<Case>);

TEST(FunctionTable, NamesAreUniqueAndFound) {
  std::set<std::string_view> names;
  for (const auto name : function_names()) {
    EXPECT_TRUE(names.insert(name).second) << name;
    ASSERT_NE(find_function(name), nullptr) << name;
    EXPECT_EQ(find_function(name)->name, name);
    EXPECT_TRUE(why_no_function(name).empty()) << name << " exists and is refused";
  }
  EXPECT_EQ(names.size(), 50u);
  EXPECT_EQ(find_function("Len"), nullptr);
}

TEST(FunctionTable, GivesWhatItPromisesForTextsArraysAndNumbers) {
  const std::vector<Value> samples = {Value("a b"), Value(std::int64_t{3}), Value(2.5),
                                      Value(Array{Value("x"), Value("")}),
                                      Value(Constant{"daily"})};
  const std::vector<std::string> constants = {"daily"};
  for (const auto name : function_names()) {
    const Function& function = *find_function(name);
    if (function.special != Special::kNone) continue;
    for (std::size_t i = 0; i < samples.size() * samples.size() * samples.size(); ++i) {
      const std::vector<Value> values = {samples[i % 5], samples[i / 5 % 5], samples[i / 25]};
      const std::array<const Value*, kMaxArity> pointers = {&values[0], &values[1], &values[2]};
      const Value result = function.apply(Arguments(pointers, constants));
      const bool array = std::holds_alternative<Array>(values[0]);
      switch (function.gives) {
        case Gives::kString:
          EXPECT_TRUE(std::holds_alternative<std::string>(result)) << name;
          break;
        case Gives::kInteger:
        case Gives::kTruth:
          EXPECT_TRUE(std::holds_alternative<std::int64_t>(result)) << name;
          break;
        case Gives::kArray:
          EXPECT_TRUE(std::holds_alternative<Array>(result)) << name;
          break;
        case Gives::kStringOrArray:
          EXPECT_EQ(result.index(), array ? 3u : 0u) << name;
          break;
        case Gives::kTruthOrArray:
          EXPECT_EQ(result.index(), array ? 3u : 1u) << name;
          break;
        case Gives::kAnything:
          break;
      }
    }
  }
}

}  // namespace
}  // namespace expr
