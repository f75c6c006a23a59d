// A block of matches() conditions, and RE2 alone with the same expressions and texts.

#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <re2/re2.h>

#include "expr/expression.h"

namespace rapporteur::bench {
namespace {

std::vector<std::string> patterns() {
  std::vector<std::string> all;
  for (int i = 0; i < 20; ++i) {
    const std::string name = "customer" + std::to_string(i);
    all.push_back("^(mx|mail)[0-9]*\\." + name + "\\.example$");
    all.push_back("(^|\\.)" + name + "\\.(com|net|org)$");
  }
  return all;
}

std::vector<std::string> domains() {
  std::vector<std::string> all;
  for (int i = 0; i < 500; ++i)
    all.push_back("host" + std::to_string(i * 7919) + ".mail.example.org");
  return all;
}

class OneVariable final : public expr::Environment {
 public:
  void set(const expr::Value& value) { value_ = &value; }
  const expr::Value* variable(std::size_t, std::string_view) const override { return value_; }

 private:
  const expr::Value* value_ = nullptr;
};

void matches_block(benchmark::State& state) {
  expr::Schema schema;
  schema.variables.push_back({"rcpt_domain", expr::Type::kString});
  expr::IfBlock block{{}, *expr::compile("'none'", schema).program};
  for (const auto& pattern : patterns()) {
    block.branches.push_back(
        {*expr::compile("matches('" + pattern + "', rcpt_domain)", schema).program,
         *expr::compile("'one'", schema).program});
  }
  block.captures_read = expr::captures_read_by(block);
  std::vector<expr::Value> values;
  for (const auto& domain : domains()) values.emplace_back(domain);
  OneVariable environment;
  std::size_t i = 0;
  for (auto _ : state) {
    environment.set(values[i++ % values.size()]);
    benchmark::DoNotOptimize(expr::evaluate(block, environment));
  }
}
BENCHMARK(matches_block);

void matches_re2_alone(benchmark::State& state) {
  std::vector<std::unique_ptr<RE2>> all;
  for (const auto& pattern : patterns()) all.push_back(std::make_unique<RE2>(pattern));
  const auto texts = domains();
  std::size_t i = 0;
  for (auto _ : state) {
    const auto& text = texts[i++ % texts.size()];
    for (const auto& re : all) benchmark::DoNotOptimize(RE2::PartialMatch(text, *re));
  }
}
BENCHMARK(matches_re2_alone);

}  // namespace
}  // namespace rapporteur::bench
