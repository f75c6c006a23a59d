#include <limits>

#include "expr/support.h"

namespace expr {
namespace {

using testing_support::Case;
using testing_support::compiled;
using testing_support::evaluated;

class Literals : public testing::TestWithParam<Case> {};

TEST_P(Literals, HaveTheValueTheyName) {
  EXPECT_EQ(evaluated(GetParam().input), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(Numbers, Literals,
                         testing::Values(Case{"0", "0"}, Case{"007", "7"},
                                         Case{"9223372036854775807", "9223372036854775807"},
                                         Case{"1.5", "1.5"}, Case{"1.", "1.0"}, Case{".5", "0.5"},
                                         Case{"0.1", "0.1"}, Case{"true", "1"}, Case{"false", "0"},
                                         Case{"-5", "-5"}, Case{"-0.5", "-0.5"}),
                         testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(DurationsAreMilliseconds, Literals,
                         testing::Values(Case{"1d", "86400000"}, Case{"2h", "7200000"},
                                         Case{"30m", "1800000"}, Case{"45s", "45000"},
                                         Case{"250ms", "250"}, Case{"2H", "7200000"},
                                         Case{"250mS", "250"},
                                         Case{"106751991167d", "9223372036828800000"}),
                         testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(SizesAreBytes, Literals,
                         testing::Values(Case{"512kb", "524288"}, Case{"5mb", "5242880"},
                                         Case{"1gb", "1073741824"}, Case{"5MB", "5242880"},
                                         Case{"8589934591gb", "9223372035781033984"}),
                         testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(Strings, Literals,
                         testing::Values(Case{"''", "''"}, Case{"\"\"", "''"}, Case{"'a'", "'a'"},
                                         Case{"\"a\"", "'a'"}, Case{"\"it's\"", R"('it\'s')"},
                                         Case{R"('it\'s')", R"('it\'s')"},
                                         Case{R"("say \"hi\"")", R"('say "hi"')"},
                                         Case{"'caf\xC3\xA9'", "'caf\xC3\xA9'"},
                                         Case{"len('caf\xC3\xA9')", "5"}),
                         testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(Escapes, Literals,
                         testing::Values(Case{R"(len('a\\'))", "2"}, Case{R"(len('\n'))", "1"},
                                         Case{R"(len('\r'))", "1"}, Case{R"(len('\t'))", "1"},
                                         Case{R"(len('\''))", "1"}, Case{R"(len("\""))", "1"},
                                         Case{R"(len('^foo\.'))", "6"}, Case{R"(len('\d'))", "2"},
                                         Case{R"('\\n' == '\n')", "0"},
                                         Case{R"('a\\' + 'b')", R"('a\\b')"}),
                         testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(Arrays, Literals,
                         testing::Values(Case{"[]", "[]"}, Case{"[1]", "[1]"},
                                         Case{"[-1, 2]", "[-1, 2]"}, Case{"[1, -2]", "[1, -2]"},
                                         Case{"[(1),2]", "[1, 2]"}, Case{"[!1,2]", "[0, 2]"},
                                         Case{"['a', 1.0, daily, []]", "['a', 1.0, daily, []]"}),
                         testing_support::row_name<Case>);

INSTANTIATE_TEST_SUITE_P(Names, Literals,
                         testing::Values(Case{"rcpt_domain", "'mail.example.com'"},
                                         Case{"daily", "daily"},
                                         Case{"system('domain')", "'example.org'"},
                                         Case{"system ( \"hostname\" )", "'mail.example.org'"},
                                         Case{"$0", "''"}, Case{"$12", "''"},
                                         Case{" \t\r\n 1 \t\r\n ", "1"}),
                         testing_support::row_name<Case>);

TEST(ValueText, JoinsAsPlusDoes) {
  EXPECT_EQ(to_text(Value("it's")), "it's");
  EXPECT_EQ(to_text(Value(std::int64_t{-3})), "-3");
  EXPECT_EQ(to_text(Value(3.0)), "3");
  EXPECT_EQ(to_text(Value(0.1)), "0.1");
  EXPECT_EQ(to_text(Value(1e22)), "10000000000000000000000");
  EXPECT_EQ(to_text(Value(100000.0)), "100000");
  EXPECT_EQ(to_text(Value(Constant{"daily"})), "daily");
  EXPECT_EQ(to_text(Value(Array{Value("a"), Value(std::int64_t{1}), Value(2.0)})), "['a', 1, 2]");
  EXPECT_EQ(to_text(Value(Array{})), "[]");
}

TEST(ValueText, OfTheSmallestFloatIsComplete) {
  const std::string text = to_text(Value(std::numeric_limits<double>::denorm_min()));
  EXPECT_EQ(text.size(), 326u);
  EXPECT_TRUE(text.ends_with("05"));
}

TEST(ValueTruth, IsFalseForZeroAndWhatIsEmpty) {
  EXPECT_FALSE(is_true(Value(std::int64_t{0})));
  EXPECT_FALSE(is_true(Value(0.0)));
  EXPECT_FALSE(is_true(Value("")));
  EXPECT_FALSE(is_true(Value(Array{})));
  EXPECT_TRUE(is_true(Value("0")));
  EXPECT_TRUE(is_true(Value("false")));
  EXPECT_TRUE(is_true(Value(Constant{"never"})));
  EXPECT_TRUE(is_true(Value(Array{Value("")})));
}

TEST(Types, HaveNamesForPeople) {
  EXPECT_EQ(to_string(Type::kAny), "any value");
  EXPECT_EQ(to_string(Type::kString), "string");
  EXPECT_EQ(to_string(Type::kInteger), "integer");
  EXPECT_EQ(to_string(Type::kFloat), "float");
  EXPECT_EQ(to_string(Type::kArray), "array");
  EXPECT_EQ(to_string(Type::kConstant), "constant");
  EXPECT_EQ(to_string(Type::kTruth), "truth value");
}

}  // namespace
}  // namespace expr
