#include <algorithm>
#include <fstream>
#include <vector>

#include "expr/functions.h"
#include "expr/support.h"

namespace expr {
namespace {

// One line `EXPRESSION => RESULT` of a fenced block marked `expr` in docs/expressions.md.
struct Example {
  std::size_t line = 0;
  std::string expression;
  std::string want;
};

std::vector<Example> examples() {
  std::ifstream page(SOURCE_ROOT "/docs/expressions.md");
  std::vector<Example> found;
  bool inside = false;
  std::size_t number = 0;
  for (std::string line; std::getline(page, line);) {
    ++number;
    if (line.starts_with("```")) {
      inside = line == "```expr";
      continue;
    }
    const auto arrow = line.rfind(" => ");
    if (!inside || line.empty()) continue;
    if (arrow == line.npos) {
      ADD_FAILURE() << "line " << number << " has no ' => ': " << line;
      continue;
    }
    const auto end = line.find_last_not_of(' ', arrow) + 1;
    found.push_back({number, line.substr(0, end), line.substr(arrow + 4)});
  }
  return found;
}

// The result as a literal; "error: …" if it does not compile, "failure: …" if it fails.
std::string result(const std::string& expression) {
  const Compilation compilation = compile(expression, testing_support::schema());
  if (!compilation.program) {
    const Diagnostic& first = compilation.diagnostics.at(0);
    return "error: " + first.message + (first.suggestion.empty() ? "" : "; " + first.suggestion);
  }
  testing_support::TableDns dns;
  MapEnvironment environment = testing_support::environment();
  environment.set_dns(&dns);
  const Outcome outcome = evaluate(*compilation.program, environment);
  if (const auto* failure = std::get_if<Failure>(&outcome)) return "failure: " + failure->message;
  return to_literal(std::get<Value>(outcome));
}

TEST(Reference, ExamplesGiveTheResultsTheyShow) {
  const auto all = examples();
  EXPECT_GT(all.size(), 100u);
  for (const Example& example : all) {
    EXPECT_EQ(result(example.expression), example.want)
        << "docs/expressions.md, line " << example.line << ": " << example.expression;
  }
}

TEST(Reference, HasAnExampleOfEveryFunction) {
  const auto all = examples();
  for (const auto name : function_names()) {
    const bool shown = std::any_of(all.begin(), all.end(), [&](const Example& example) {
      return example.expression.find(std::string(name) + "(") != std::string::npos;
    });
    EXPECT_TRUE(shown) << name;
  }
}

}  // namespace
}  // namespace expr
