#include <thread>

#include "expr/support.h"

namespace expr {
namespace {

using testing_support::compiled;
using testing_support::environment;
using testing_support::schema;
using testing_support::shown;

std::string repeated(std::string_view piece, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += piece;
  return text;
}

// The only diagnostic: OFFSET+LENGTH MESSAGE; "" if there is none.
std::string diagnosed(std::string_view source) {
  const Compilation compilation = compile(source, schema());
  EXPECT_LE(compilation.diagnostics.size(), 1u);
  if (compilation.diagnostics.empty()) return "";
  const Diagnostic& found = compilation.diagnostics[0];
  return std::to_string(found.offset) + "+" + std::to_string(found.length) + " " + found.message;
}

TEST(SourceLimit, Is8192Bytes) {
  EXPECT_EQ(diagnosed("'" + std::string(8190, 'a') + "'"), "");
  EXPECT_EQ(diagnosed("'" + std::string(8191, 'a') + "'"),
            "8192+1 the expression is longer than 8,192 bytes");
  EXPECT_EQ(diagnosed("1" + std::string(8191, ' ')), "");
  EXPECT_EQ(diagnosed(std::string(1'000'000, ' ')),
            "8192+991808 the expression is longer than 8,192 bytes");
}

struct Opening {
  const char* input;
  const char* open;
  const char* close;
};
class NestingLimit : public testing::TestWithParam<Opening> {};

TEST_P(NestingLimit, Is64Levels) {
  const auto [name, open, close] = GetParam();
  const auto nested = [&, opener = open, closer = close](std::size_t levels) {
    return repeated(opener, levels) + "1" + repeated(closer, levels);
  };
  EXPECT_EQ(diagnosed(nested(64)), "");
  const std::size_t offset = 65 * std::string_view(open).size();
  EXPECT_EQ(diagnosed(nested(65)),
            std::to_string(offset) + "+1 the expression is nested more than 64 levels deep");
}

INSTANTIATE_TEST_SUITE_P(Forms, NestingLimit,
                         testing::Values(Opening{"Parentheses", "(", ")"}, Opening{"Not", "!", ""},
                                         Opening{"Minus", "-", ""}, Opening{"Lists", "[", "]"},
                                         Opening{"Calls", "len(", ")"},
                                         Opening{"Indexes", "'a'[", "]"}),
                         [](const auto& test) { return test.param.input; });

TEST(NestingLimit, CountsAllFormsTogether) {
  EXPECT_EQ(diagnosed(repeated("-(", 32) + "1" + repeated(")", 32)), "");
  EXPECT_EQ(diagnosed(repeated("-(", 32) + "!1" + repeated(")", 32)),
            "65+1 the expression is nested more than 64 levels deep");
  EXPECT_EQ(diagnosed(repeated("if_then(1,", 65)),
            "648+1 the expression is nested more than 64 levels deep");
}

TEST(NestingLimit, StopsTextsOfAnyDepth) {
  for (const char* open : {"(", "[", "!", "-", "len(", "a[", "if_then(1,", "(((("}) {
    const std::size_t most = 8192 / std::string_view(open).size();
    const std::string found = diagnosed(repeated(open, most));
    EXPECT_TRUE(found.ends_with("the expression is nested more than 64 levels deep")) << found;
    EXPECT_FALSE(compile(repeated(open, 200'000), schema()).program);
  }
}

TEST(NodeLimit, Is1024) {
  // Numbers and the operators between them: 2n - 1 nodes.
  EXPECT_EQ(diagnosed("-1" + repeated("+1", 511)), "");
  EXPECT_EQ(diagnosed("--1" + repeated("+1", 511)),
            "0+1025 the expression has more than 1,024 parts");
  EXPECT_EQ(shown(evaluate(compiled("-1" + repeated("+1", 511)), environment())), "510");
}

TEST(NodeLimit, IsReachedByTheDeepestTreesWithoutHarm) {
  const std::string source = "rcpt_domain" + repeated("+''", 511);
  EXPECT_EQ(shown(evaluate(compiled(source), environment())), "'mail.example.com'");
  EXPECT_EQ(compiled(source).dump().size(), 11 + 511 * (std::string_view("(+  '')").size()));
}

// Takes about as many thousand instructions as asked for, of 8 bytes each.
std::string large_match(int thousands) {
  std::string pattern;
  for (int i = 0; i < thousands; ++i) {
    pattern += std::string(1, static_cast<char>('a' + i % 26)) + "{1000}";
  }
  return "matches('" + pattern + "', 'a')";
}

TEST(RegexLimit, IsOneMebibyteForAllOfAnExpression) {
  EXPECT_EQ(diagnosed(large_match(87) + " || " + large_match(44)), "");
  EXPECT_EQ(diagnosed(large_match(87) + " || " + large_match(45)),
            "637+317 the regular expressions together take more than 1 MiB when compiled");
}

TEST(RegexLimit, RefusesWhatIsTooLargeAlone) {
  EXPECT_EQ(diagnosed(large_match(87)), "");
  EXPECT_EQ(diagnosed(large_match(88)),
            "8+618 the regular expression takes more than 1 MiB when compiled");
  EXPECT_EQ(diagnosed("matches('(a{1001})', 'a')"),
            "8+11 the regular expression is not valid: invalid repetition size: {1001}");
}

TEST(RegexLimit, Is99Groups) {
  EXPECT_EQ(diagnosed("matches('" + repeated("()", 99) + "', 'a')"), "");
  EXPECT_EQ(diagnosed("matches('" + repeated("()", 100) + "', 'a')"),
            "8+202 the regular expression has more than 99 groups");
}

Outcome evaluated_with(std::string_view source, Value value) {
  MapEnvironment given;
  given.set("rcpt_domain", std::move(value));
  return evaluate(compiled(source), given);
}

TEST(ResultLimit, Is64KibibytesOfText) {
  const Outcome most = evaluated_with("rcpt_domain + 'b'", Value(std::string(65'535, 'a')));
  ASSERT_TRUE(std::holds_alternative<Value>(most));
  EXPECT_EQ(to_text(std::get<Value>(most)).size(), 65'536u);
  EXPECT_EQ(shown(evaluated_with("rcpt_domain + 'bc'", Value(std::string(65'535, 'a')))),
            "error 12: the result is larger than 64 KiB");
}

TEST(ResultLimit, HoldsForWhatIsOnlyOnTheWay) {
  EXPECT_EQ(shown(evaluated_with("len(rcpt_domain + 'bc')", Value(std::string(65'535, 'a')))),
            "error 16: the result is larger than 64 KiB");
}

TEST(ResultLimit, HoldsForVariables) {
  EXPECT_EQ(shown(evaluated_with("len(rcpt_domain)", Value(std::string(65'536, 'a')))), "65536");
  EXPECT_EQ(shown(evaluated_with("len(rcpt_domain)", Value(std::string(65'537, 'a')))),
            "error 4: the value of rcpt_domain is larger than 64 KiB");
}

TEST(ResultLimit, CountsSixteenBytesForAnElement) {
  EXPECT_EQ(shown(evaluated_with("count(split(rcpt_domain, ','))", Value(std::string(4095, ',')))),
            "4096");
  EXPECT_EQ(shown(evaluated_with("count(split(rcpt_domain, ','))", Value(std::string(4096, ',')))),
            "error 6: the result is larger than 64 KiB");
}

TEST(ResultLimit, HoldsForFunctions) {
  EXPECT_EQ(shown(evaluated_with("split(rcpt_domain, '')", Value(std::string(3'800, 'a')))).size(),
            3'802 * 2 + 3'800 + 3'801 * 2 + 2);
  EXPECT_EQ(shown(evaluated_with("split(rcpt_domain, '')", Value(std::string(5'000, 'a')))),
            "error 0: the result is larger than 64 KiB");
}

TEST(ResultLimit, IsAdvisedWhereTheResultIsKnown) {
  const auto half = [](std::size_t n) { return "split('" + repeated(",", n) + "', ',')"; };
  EXPECT_EQ(diagnosed("count(" + half(2047) + " + " + half(2047) + ")"), "");
  const std::string joined = half(2047) + " + " + half(2048);
  EXPECT_EQ(diagnosed(joined),
            "2062+1 this fails whenever it is evaluated: the result is larger than 64 KiB");
  EXPECT_EQ(shown(evaluate(compiled(joined), environment())),
            "error 2062: the result is larger than 64 KiB");
}

TEST(Programs, AreEvaluatedByManyThreadsAtOnce) {
  const Program program =
      compiled("if_then(matches('^(\\w+)\\.example', rcpt_domain), $1 + failed_sessions, '')");
  std::vector<std::string> results(4);
  {
    std::vector<std::jthread> threads;
    for (auto& result : results) {
      threads.emplace_back([&program, &result] {
        const auto mine = environment();
        for (int i = 0; i < 200; ++i) result = shown(evaluate(program, mine));
      });
    }
  }
  EXPECT_EQ(results, std::vector<std::string>(4, "'mail7'"));
}

}  // namespace
}  // namespace expr
