// What must hold for expressions that nobody thought of: random ones, the same in every run.

#include <random>
#include <vector>

#include "expr/support.h"

namespace expr {
namespace {

using testing_support::environment;
using testing_support::schema;
using testing_support::shown;

constexpr unsigned kSeed = 8460;
constexpr int kRounds = 4'000;

class Chance {
 public:
  std::size_t below(std::size_t limit) { return engine_() % limit; }
  template <class List>
  auto& of(List& list) {
    return list[below(std::size(list))];
  }

 private:
  std::mt19937 engine_{kSeed};
};

const std::vector<const char*> kTokens = {
    "(",    ")",           "[",     "]",        ",",     "+",        "-",   "*",
    "/",    "!",           "==",    "=",        "!=",    "<",        "=<",  "&&",
    "||",   "^",           "1",     "2.5",      "3h",    "'a'",      "\"b", "$0",
    "$x",   "rcpt_domain", "daily", "len(",     "trim(", "if_then(", "}",   "true",
    "1..2", "foo",         "'\\'",  "\xC3\xA4", "\xFF",  "matches(", " ",   "system('domain')"};

TEST(Compiling, AnswersToAnyTokens) {
  Chance chance;
  int programs = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string source;
    for (std::size_t i = chance.below(12); i-- > 0;) source += chance.of(kTokens);
    const Compilation compilation = compile(source, schema());
    bool error = false;
    std::size_t last = 0;
    for (const Diagnostic& found : compilation.diagnostics) {
      error = error || found.severity == Severity::kError;
      EXPECT_FALSE(found.message.empty());
      EXPECT_GE(found.length, 1u);
      EXPECT_GE(found.offset, last);
      EXPECT_LE(found.offset + found.length, std::max(source.size(), found.offset + 1)) << source;
      EXPECT_LE(found.offset, source.size()) << source;
      last = found.offset;
    }
    ASSERT_EQ(compilation.program.has_value(), !error) << source;
    if (!compilation.program) continue;
    ++programs;
    evaluate(*compilation.program, environment());
  }
  EXPECT_GT(programs, 50);
}

// An expression written with literals, and the same with variables in their place.
struct Twins {
  std::string literal;
  std::string variable;
};

const std::vector<std::pair<const char*, Value>> kLeaves = {
    {"0", Value(std::int64_t{0})},
    {"1", Value(std::int64_t{1})},
    {"7", Value(std::int64_t{7})},
    {"0.5", Value(0.5)},
    {"''", Value("")},
    {"'a'", Value("a")},
    {"'12'", Value("12")},
    {"[]", Value(Array{})},
    {"[1, 'a']", Value(Array{Value(std::int64_t{1}), Value("a")})},
    {"daily", Value(Constant{"daily"})},
};

Twins tree(Chance& chance, int depth) {
  static const std::vector<const char*> kOperators = {"*",  "/",  "+",  "-", ">",  ">=", "<",
                                                      "<=", "==", "!=", "^", "&&", "||"};
  static const std::vector<const char*> kUnaryFunctions = {
      "len", "trim", "count", "is_empty", "dedup", "has_digits", "winnow"};
  static const std::vector<const char*> kBinaryFunctions = {
      "contains", "is_intersect", "sort", "split", "split_once", "starts_with"};
  const std::size_t kind = depth == 0 ? 0 : chance.below(8);
  if (kind <= 1) {
    const std::size_t leaf = chance.below(kLeaves.size());
    return {kLeaves[leaf].first, "v" + std::to_string(leaf)};
  }
  const Twins a = tree(chance, depth - 1);
  const auto both = [&](const auto& write) { return Twins{write(a.literal), write(a.variable)}; };
  if (kind == 2) {
    const std::string op = chance.below(2) == 0 ? "!" : "-";
    return both([&](const std::string& x) { return op + "(" + x + ")"; });
  }
  if (kind == 3) {
    const std::string name = chance.of(kUnaryFunctions);
    return both([&](const std::string& x) { return name + "(" + x + ")"; });
  }
  const Twins b = tree(chance, depth - 1);
  std::string before = "(";
  std::string between = std::string(") ") + chance.of(kOperators) + " (";
  std::string after = ")";
  if (kind == 4) {
    before = std::string(chance.of(kBinaryFunctions)) + "((";
    between = "), (";
    after = "))";
  } else if (kind == 5) {
    before = "if_then(" + std::string(chance.below(2) == 0 ? "0" : "1") + ", (";
    between = "), (";
    after = "))";
  } else if (kind == 6) {
    between = ")[(";
    after = ")]";
  }
  return {before + a.literal + between + b.literal + after,
          before + a.variable + between + b.variable + after};
}

bool is_of(const Value& value, Type type) {
  switch (type) {
    case Type::kAny:
      return true;
    case Type::kString:
      return value.index() == 0;
    case Type::kTruth:
      return value == Value(std::int64_t{0}) || value == Value(std::int64_t{1});
    case Type::kInteger:
      return value.index() == 1;
    case Type::kFloat:
      return value.index() == 2;
    case Type::kArray:
      return value.index() == 3;
    case Type::kConstant:
      return value.index() == 4;
  }
  return false;
}

// The checker must not change what an expression means, must not promise a type that the result has
// not, and what it accepts may fail by division and by size but not by type.
TEST(Checking, AgreesWithEvaluating) {
  Schema typed = schema();
  Schema untyped = schema();
  MapEnvironment values = environment();
  const std::vector<Type> kinds = {Type::kString, Type::kInteger, Type::kFloat, Type::kArray,
                                   Type::kConstant};
  for (std::size_t i = 0; i < kLeaves.size(); ++i) {
    const std::string name = "v" + std::to_string(i);
    typed.variables.push_back({name, kinds[kLeaves[i].second.index()]});
    untyped.variables.push_back({name, Type::kAny});
    values.set(name, kLeaves[i].second);
  }
  Chance chance;
  int compared = 0;
  for (int round = 0; round < kRounds; ++round) {
    const Twins twins = tree(chance, 4);
    const Compilation any = compile(twins.variable, untyped);
    if (!any.program) continue;
    const Outcome want = evaluate(*any.program, values);
    if (const auto* failure = std::get_if<Failure>(&want)) {
      EXPECT_EQ(failure->message, "division by zero") << twins.variable;
    }
    for (const Compilation& known :
         {compile(twins.literal, typed), compile(twins.variable, typed)}) {
      if (!known.program) continue;
      ++compared;
      const Outcome outcome = evaluate(*known.program, values);
      const auto* value = std::get_if<Value>(&outcome);
      ASSERT_EQ(value == nullptr, std::holds_alternative<Failure>(want)) << twins.literal;
      if (value == nullptr) continue;
      EXPECT_EQ(to_literal(*value), shown(want)) << twins.literal;
      EXPECT_TRUE(is_of(*value, known.program->type()))
          << twins.variable << " is " << to_literal(*value) << ", not "
          << to_string(known.program->type());
      EXPECT_TRUE(known.program->constant() == nullptr || *known.program->constant() == *value);
    }
  }
  EXPECT_GT(compared, kRounds / 2);
}

}  // namespace
}  // namespace expr
